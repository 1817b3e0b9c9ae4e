//! Frames and messages: golden files, round trips, hostile bytes.

use std::{fmt::Debug, fs, path::PathBuf, time::Duration};

use bytes::{BufMut, BytesMut};
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::{
    audit::{EndCause, OfferFault},
    clock::Wall,
    ids::{ChannelNo, KeyDigest},
    machines::{Destination, Hosts, Mode, Ports, Proto, Target, TunnelKind},
    secret::Secret,
    token::JoinToken,
    warrant::{Warrant, WarrantKey},
};

const WALL: Wall = Wall(1_777_622_400_123);

fn hello() -> Hello {
    Hello {
        protocol: PROTOCOL,
        build: "caseway-agent 0.1.0".into(),
        nonce: "AAECAwQFBgcICQoLDA0ODw".into(),
        wall: WALL,
    }
}

fn welcome() -> Welcome {
    Welcome {
        protocol: PROTOCOL,
        build: "caseway-gateway 0.1.0".into(),
        wall: WALL,
        heartbeat_ms: 5_000,
    }
}

fn target() -> Target {
    Target {
        name: "plc".parse().unwrap(),
        proto: Proto::Tcp,
        hosts: Hosts::Ip("192.0.2.10".parse().unwrap()),
        ports: Ports { first: 502, last: 502 },
    }
}

fn destination() -> Destination {
    Destination { proto: Proto::Tcp, host: "192.0.2.10".into(), port: 502 }
}

fn warrant() -> Warrant {
    Warrant {
        session: "s1".parse().unwrap(),
        device: "press-7".parse().unwrap(),
        nonce: hello().nonce,
        person: "ana".parse().unwrap(),
        person_name: "Ana".into(),
        tenant_name: "Builder".into(),
        case: Some("case-7".parse().unwrap()),
        asset: "press-7".parse().unwrap(),
        tunnel: "plc".parse().unwrap(),
        mode: Mode::Sealed,
        targets: vec![target()],
        technician_key: KeyDigest([3; 32]),
        issued: WALL,
        until: WALL.plus(Duration::from_secs(60)),
    }
}

/// The message as one frame, byte for byte as text: the header in hex, the payload as it is.
fn as_text<M: Serialize>(message: &M) -> String {
    let mut frame = BytesMut::new();
    put_message(&mut frame, message).unwrap();
    let header: Vec<String> = frame[..HEADER_BYTES].iter().map(|b| format!("{b:02x}")).collect();
    format!("{}\n{}\n", header.join(" "), std::str::from_utf8(&frame[HEADER_BYTES..]).unwrap())
}

/// Holds the message against `wire/golden/<name>.v1.txt`, and reads it back. `CASEWAY_GOLDEN=write`
/// writes the file instead; a changed file is a changed protocol.
fn golden<M: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, message: &M) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("src/wire/golden")
        .join(format!("{name}.v{PROTOCOL}.txt"));
    let text = as_text(message);
    if std::env::var("CASEWAY_GOLDEN").is_ok_and(|v| v == "write") {
        fs::write(&path, &text).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert_eq!(kept, text, "{name}");
    let payload = kept.lines().nth(1).unwrap();
    assert_eq!(&parse::<M>(payload.as_bytes()).unwrap(), message, "{name}");
}

#[test]
fn what_an_agent_says_is_written_as_it_always_was() {
    let session: crate::ids::SessionId = "s1".parse().unwrap();
    golden("agent_hello", &AgentSays::Hello(hello()));
    golden("agent_ping", &AgentSays::Ping { n: 1 });
    golden("agent_pong", &AgentSays::Pong { n: 1 });
    golden("agent_local_switch", &AgentSays::LocalSwitch { allows: false });
    let refused = AgentSays::Refused {
        session,
        channel: ChannelNo(2),
        fault: OfferFault::Ceiling,
        detail: "192.0.2.10:502 is not in the ceiling".into(),
    };
    golden("agent_refused", &refused);
    golden("agent_renew", &AgentSays::Renew { csr: "-----BEGIN".into() });
}

#[test]
fn what_the_gateway_tells_an_agent_is_written_as_it_always_was() {
    let key = WarrantKey::from_seed(&Secret::new([1; 32])).unwrap();
    let goodbye =
        GatewayTellsAgent::Goodbye { code: "version".into(), detail: "1 is spoken".into() };
    let offer = GatewayTellsAgent::Offer {
        session: "s1".parse().unwrap(),
        channel: ChannelNo(1),
        warrant: key.sign(&warrant()).unwrap(),
        target: Some("plc".parse().unwrap()),
        destination: Some(destination()),
        token: "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc".into(),
    };
    let ended =
        GatewayTellsAgent::Ended { session: "s1".parse().unwrap(), cause: EndCause::SwitchOff };
    golden("to_agent_welcome", &GatewayTellsAgent::Welcome(welcome()));
    golden("to_agent_goodbye", &goodbye);
    golden("to_agent_ping", &GatewayTellsAgent::Ping { n: 1 });
    golden("to_agent_pong", &GatewayTellsAgent::Pong { n: 1 });
    golden("to_agent_offer", &offer);
    golden("to_agent_ended", &ended);
    golden("to_agent_replaced", &GatewayTellsAgent::Replaced);
    golden("to_agent_renewed", &GatewayTellsAgent::Renewed { certificate: "-----BEGIN".into() });
    golden("to_agent_renew_refused", &GatewayTellsAgent::RenewRefused { detail: "key".into() });
    golden("to_agent_restarting", &GatewayTellsAgent::Restarting { reconnect_in_ms: 1_500 });
}

#[test]
fn what_a_technicians_program_says_is_written_as_it_always_was() {
    let open = TechnicianSays::Open {
        request: 1,
        case: Some("case-7".parse().unwrap()),
        asset: None,
        tunnel: "plc".parse().unwrap(),
        reason: Some("servo fault".into()),
    };
    let channel = TechnicianSays::OpenChannel {
        session: "s1".parse().unwrap(),
        channel: ChannelNo(1),
        target: Some("plc".parse().unwrap()),
        destination: None,
    };
    golden("technician_hello", &TechnicianSays::Hello(hello()));
    golden("technician_ping", &TechnicianSays::Ping { n: 1 });
    golden("technician_pong", &TechnicianSays::Pong { n: 1 });
    golden("technician_open", &open);
    golden("technician_open_channel", &channel);
    golden("technician_close", &TechnicianSays::Close { session: "s1".parse().unwrap() });
}

#[test]
fn what_the_gateway_tells_a_technician_is_written_as_it_always_was() {
    use GatewayTellsTechnician as Tells;
    let session: crate::ids::SessionId = "s1".parse().unwrap();
    let opened = Opened {
        request: 1,
        session: session.clone(),
        case: Some("case-7".parse().unwrap()),
        asset: "press-7".parse().unwrap(),
        device: "press-7".parse().unwrap(),
        device_key: KeyDigest([4; 32]),
        tunnel: "plc".parse().unwrap(),
        kind: TunnelKind::Ssc,
        mode: Mode::Sealed,
        targets: vec![target()],
        expires: WALL,
    };
    let channel = Tells::Channel {
        session: session.clone(),
        channel: ChannelNo(1),
        token: "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc".into(),
    };
    let refused = Tells::Refused { request: 1, reason: "switch_off".into(), detail: String::new() };
    let channel_refused = Tells::ChannelRefused {
        session: session.clone(),
        channel: ChannelNo(1),
        fault: OfferFault::Target,
        detail: "connection refused".into(),
    };
    golden("to_technician_welcome", &Tells::Welcome(welcome()));
    golden("to_technician_goodbye", &Tells::Goodbye { code: "version".into(), detail: "1".into() });
    golden("to_technician_ping", &Tells::Ping { n: 1 });
    golden("to_technician_pong", &Tells::Pong { n: 1 });
    golden("to_technician_opened", &Tells::Opened(Box::new(opened)));
    golden("to_technician_refused", &refused);
    golden("to_technician_channel", &channel);
    golden("to_technician_channel_refused", &channel_refused);
    golden("to_technician_ended", &Tells::Ended { session, cause: EndCause::CaseClosed });
    golden("to_technician_restarting", &Tells::Restarting { reconnect_in_ms: 1_500 });
}

#[test]
fn enrolment_is_written_as_it_always_was() {
    let request = EnrolRequest {
        protocol: PROTOCOL,
        token: "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc".into(),
        csr: "-----BEGIN".into(),
        build: "caseway-agent 0.1.0".into(),
        wall: WALL,
    };
    let papers = Enrolled {
        device: "press-7".parse().unwrap(),
        gateway: "gw-1".parse().unwrap(),
        certificate: "-----BEGIN".into(),
        ca: "-----BEGIN".into(),
        warrant_key: "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc".into(),
        wall: WALL,
    };
    assert!(!format!("{request:?}").contains("BwcH"), "the token does not print");
    golden("enrol_request", &request);
    golden("enrol_enrolled", &EnrolReply::Enrolled(papers));
    let refused = EnrolReply::Refused { code: "token".into(), detail: "used".into() };
    golden("enrol_refused", &refused);
}

#[test]
fn other_frames_have_these_very_bytes() {
    let bytes = |frame: &Frame| {
        let mut buffer = BytesMut::new();
        put(&mut buffer, frame).unwrap();
        let back = take(&mut buffer.clone(), PAYLOAD_BYTES_MAX).unwrap();
        assert_eq!(back.as_ref(), Some(frame));
        buffer.to_vec()
    };
    assert_eq!(bytes(&Frame::Joined), [1, 3, 0, 0]);
    assert_eq!(bytes(&Frame::JoinRefused(JoinRefusal::Token)), [1, 4, 0, 1, 1]);
    assert_eq!(bytes(&Frame::JoinRefused(JoinRefusal::Busy)), [1, 4, 0, 1, 2]);
    assert_eq!(bytes(&Frame::JoinRefused(JoinRefusal::Draining)), [1, 4, 0, 1, 3]);
    let join = bytes(&Frame::Join(JoinToken::new([7; 32])));
    assert_eq!(join, [&[1, 2, 0, 32][..], &[7; 32]].concat());
}

#[test]
fn a_frame_above_the_limit_is_refused_by_its_header_alone() {
    let mut header = BytesMut::from(&[1, 1, 0x20, 1][..]);
    let refused = take(&mut header, FIRST_PAYLOAD_BYTES_MAX);
    assert_eq!(refused, Err(FrameError::Oversized { bytes: 8_193, limit: 8_192 }));
    let large = Frame::Control(vec![b' '; PAYLOAD_BYTES_MAX + 1].into());
    let mut buffer = BytesMut::new();
    assert!(matches!(put(&mut buffer, &large), Err(FrameError::Oversized { .. })));
    assert!(buffer.is_empty());
}

#[test]
fn json_is_taken_up_to_its_depth_and_string_length() {
    let nested = |depth: usize| [b"[".repeat(depth), b"]".repeat(depth)].concat();
    assert!(parse::<serde_json::Value>(&nested(JSON_DEPTH_MAX)).is_ok());
    let deep = parse::<serde_json::Value>(&nested(JSON_DEPTH_MAX + 1));
    assert!(matches!(deep, Err(InvalidMessage::Depth)));

    let member = |name: &str, bytes: usize| format!(r#"{{"{name}":"{}"}}"#, "x".repeat(bytes));
    let value = |text: String| parse::<serde_json::Value>(text.as_bytes());
    assert!(value(member("detail", STRING_BYTES_MAX)).is_ok());
    assert!(matches!(value(member("detail", STRING_BYTES_MAX + 1)), Err(InvalidMessage::String)));
    assert!(value(member("csr", STRING_BYTES_MAX + 1)).is_ok());
    let in_a_list = format!(r#"{{"csr":["a","{}"]}}"#, "x".repeat(STRING_BYTES_MAX + 1));
    assert!(matches!(value(in_a_list), Err(InvalidMessage::String)));
    let quotes = format!(r#"{{"detail":"{}"}}"#, r#"\""#.repeat(STRING_BYTES_MAX));
    assert!(matches!(value(quotes), Err(InvalidMessage::String)));
}

#[test]
fn an_unknown_word_or_member_is_not_taken() {
    for text in [r#"{"say":"sudo"}"#, r#"{"say":"ping","n":1,"x":2}"#, r#"{"n":1}"#, "", "[]"] {
        let refused = parse::<AgentSays>(text.as_bytes());
        assert!(matches!(refused, Err(InvalidMessage::Unknown(_))), "{text}");
    }
}

#[tokio::test]
async fn a_reader_that_is_dropped_while_waiting_loses_nothing() {
    let (mut far, near) = tokio::io::duplex(8);
    let mut reader = ControlReader::new(near);
    let mut frame = BytesMut::new();
    put_message(&mut frame, &AgentSays::Ping { n: 5 }).unwrap();
    for byte in &frame {
        let early = tokio::time::timeout(Duration::ZERO, reader.next::<AgentSays>()).await;
        assert!(early.is_err(), "not whole yet");
        far.write_u8(*byte).await.unwrap();
    }
    assert_eq!(reader.next().await.unwrap(), Some(AgentSays::Ping { n: 5 }));
    drop(far);
    assert_eq!(reader.next::<AgentSays>().await.unwrap(), None);
}

#[tokio::test]
async fn an_end_within_a_frame_is_no_clean_end() {
    let mut reader = ControlReader::new(&[1, 1, 0, 9, b'{'][..]);
    let cut = reader.next::<AgentSays>().await;
    assert!(matches!(cut, Err(ReadError::Truncated)), "{cut:?}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_gone_after_the_deadline_and_frames_stay_whole() {
    let (near, mut far) = tokio::io::duplex(4);
    let mut writer = ControlWriter::new(near);
    let stuck = writer.send(&AgentSays::Ping { n: 1 }).await;
    assert!(matches!(stuck, Err(SendError::Timeout)), "{stuck:?}");
    // Had the caller gone on instead, the frame would have arrived whole.
    let mut got = vec![0; 8];
    let (_, read) = tokio::join!(writer.send(&AgentSays::Ping { n: 2 }), far.read_exact(&mut got));
    read.unwrap();
    assert_eq!(&got[HEADER_BYTES..], b"{\"sa");
}

#[tokio::test]
async fn the_first_frame_is_read_to_its_last_byte_and_no_further() {
    let mut bytes = BytesMut::new();
    put(&mut bytes, &Frame::Joined).unwrap();
    bytes.put_slice(b"bare bytes");
    let (mut io, mut held) = (&bytes[..], BytesMut::new());
    let kind = first_kind(&mut io, &mut held, FIRST_PAYLOAD_BYTES_MAX).await.unwrap();
    assert_eq!(kind, Some(Kind::Joined));
    assert_eq!(io, b"bare bytes");
}

proptest! {
    #[test]
    fn any_bytes_end_in_frames_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut buffer = BytesMut::from(&bytes[..]);
        while let Ok(Some(_)) = take(&mut buffer, FIRST_PAYLOAD_BYTES_MAX) {}
    }

    #[test]
    fn any_bytes_end_in_a_message_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = parse::<AgentSays>(&bytes);
        let _ = parse::<TechnicianSays>(&bytes);
        let _ = parse::<EnrolRequest>(&bytes);
    }

    /// Text that looks like JSON reaches further than noise does.
    #[test]
    fn anything_like_json_ends_in_a_message_or_an_error(text in r#"[\[\]{}",:\\a-e0-9 ]{0,200}"#) {
        let _ = parse::<GatewayTellsAgent>(text.as_bytes());
        let _ = parse::<GatewayTellsTechnician>(text.as_bytes());
    }

    #[test]
    fn frames_come_out_as_they_went_in_however_they_are_cut(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8),
        cut in 1_usize..64,
    ) {
        let mut wire = BytesMut::new();
        for payload in &payloads {
            put(&mut wire, &Frame::Control(payload.clone().into())).unwrap();
        }
        let (mut buffer, mut back) = (BytesMut::new(), Vec::new());
        for piece in wire.chunks(cut) {
            buffer.put_slice(piece);
            while let Some(Frame::Control(payload)) = take(&mut buffer, PAYLOAD_BYTES_MAX).unwrap() {
                back.push(payload.to_vec());
            }
        }
        prop_assert_eq!(back, payloads);
        prop_assert!(buffer.is_empty());
    }

    #[test]
    fn any_text_in_a_message_comes_back(detail in ".{0,100}", n in any::<u64>()) {
        let says = AgentSays::Refused {
            session: "s1".parse().unwrap(),
            channel: ChannelNo(1),
            fault: OfferFault::Internal,
            detail,
        };
        for message in [says, AgentSays::Ping { n }] {
            let mut frame = BytesMut::new();
            put_message(&mut frame, &message).unwrap();
            let Some(Frame::Control(payload)) = take(&mut frame, PAYLOAD_BYTES_MAX).unwrap() else {
                panic!("not control")
            };
            prop_assert_eq!(parse::<AgentSays>(&payload).unwrap(), message);
        }
    }
}
