//! Whole channels: a local program, a sealed end, a relay, the other sealed end, a machine.

use std::{io, sync::Arc, time::Duration};

use aws_lc_rs::digest::{Context, SHA256};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    time::timeout,
};

use crate::{
    clock::Now,
    ids::ChannelNo,
    relay::{
        How, LeaseKeeper, Leg, Meter, Pools, Tally,
        tests::{Running, carriers, run, sockets},
    },
    seal::{
        Algorithm, PumpEnd, PumpError, ResetCause, SessionKeys,
        record::{Kind, Opener, Sealer},
    },
    tasks::Scope,
};

const SOON: Duration = Duration::from_secs(20);
const TRANSFER_TIME_MAX: Duration = Duration::from_secs(120);

pub(super) type Pumped = oneshot::Receiver<Result<PumpEnd, PumpError>>;

/// A sealed channel with a socket at each end.
pub(super) struct Channel {
    pub(super) ana: TcpStream,
    pub(super) press: TcpStream,
    pub(super) pumped: (Pumped, Pumped),
    pub(super) meters: (Arc<Meter>, Arc<Meter>),
    pub(super) relay: Running,
    pub(super) pools: Pools,
    pub(super) scope: Scope,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Legs {
    Tcp,
    Boxed,
}

pub(super) async fn leg_pair(legs: Legs) -> (Leg, Leg) {
    match legs {
        Legs::Tcp => {
            let (near, far) = sockets().await;
            (Leg::Tcp(near), Leg::Tcp(far))
        }
        Legs::Boxed => carriers(),
    }
}

pub(super) async fn open(legs: Legs) -> Channel {
    let (ana, press) = super::session(Algorithm::Aes256Gcm);
    open_with(legs, &ana, &press, ChannelNo(1)).await
}

async fn open_with(
    legs: Legs,
    technician: &SessionKeys,
    device: &SessionKeys,
    no: ChannelNo,
) -> Channel {
    let ((near, at_relay_1), (at_relay_2, far)) = (leg_pair(legs).await, leg_pair(legs).await);
    let relay = run(at_relay_1, at_relay_2);
    let ((ana, local), (press, target)) = (sockets().await, sockets().await);
    let (scope, pools) = (Scope::new("ends"), Pools::with_bulk_threads());
    let meters = (Arc::new(Meter::new(Now::read())), Arc::new(Meter::new(Now::read())));
    let one = pump(&scope, &pools, (local, near), technician, no, meters.0.clone());
    let two = pump(&scope, &pools, (target, far), device, no, meters.1.clone());
    Channel { ana, press, pumped: (one, two), meters, relay, pools, scope }
}

fn pump(
    scope: &Scope,
    pools: &Pools,
    (local, leg): (TcpStream, Leg),
    keys: &SessionKeys,
    no: ChannelNo,
    meter: Arc<Meter>,
) -> Pumped {
    let (done, pumped) = oneshot::channel();
    let (keys, pools) = (keys.channel(no).unwrap(), pools.clone());
    scope.spawn("pump", async move {
        let _ = done.send(crate::seal::pump_tcp(local, leg, keys, meter, &pools).await);
    });
    pumped
}

/// Writes `length` bytes, no two blocks alike, ends, and says their digest.
async fn pour(mut to: impl AsyncWrite + Unpin, length: usize, seed: u64) -> Vec<u8> {
    let (mut digest, mut left) = (Context::new(&SHA256), length);
    let mut block: Vec<u8> = (0..64 * 1024).map(|n: u64| (n * n * seed % 251) as u8).collect();
    while left > 0 {
        block[..8].copy_from_slice(&left.to_be_bytes());
        let part = &block[..left.min(block.len())];
        digest.update(part);
        to.write_all(part).await.unwrap();
        left -= part.len();
    }
    to.shutdown().await.unwrap();
    digest.finish().as_ref().to_vec()
}

async fn drain(mut from: impl AsyncRead + Unpin) -> (usize, Vec<u8>) {
    let (mut digest, mut length, mut block) = (Context::new(&SHA256), 0, vec![0; 64 * 1024]);
    loop {
        let came = from.read(&mut block).await.unwrap();
        if came == 0 {
            return (length, digest.finish().as_ref().to_vec());
        }
        digest.update(&block[..came]);
        length += came;
    }
}

async fn ended(pumped: Pumped) -> Result<PumpEnd, PumpError> {
    timeout(SOON, pumped).await.unwrap().unwrap()
}

/// What a reader sees last: `None` for a clean end of file.
async fn last_word(end: &mut TcpStream) -> Option<io::ErrorKind> {
    let mut block = vec![0; 64 * 1024];
    timeout(SOON, async {
        loop {
            match end.read(&mut block).await {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => return Some(error.kind()),
            }
        }
    })
    .await
    .unwrap()
}

/// Keeps the relay's lease for so long, as a broker would.
async fn renewing(keeper: &LeaseKeeper) {
    let end = Now::read().mono + TRANSFER_TIME_MAX;
    let mut beat = tokio::time::interval(Duration::from_secs(1));
    while Now::read().mono < end {
        beat.tick().await;
        keeper.renew(Now::read());
    }
}

async fn both_ways_at_once(legs: Legs) {
    const BYTES: usize = 64 << 20;
    let channel = open(legs).await;
    let ((ana_in, ana_out), (press_in, press_out)) =
        (channel.ana.into_split(), channel.press.into_split());
    let transfer = async {
        tokio::join!(
            pour(ana_out, BYTES, 1),
            pour(press_out, BYTES, 2),
            drain(press_in),
            drain(ana_in),
        )
    };
    let (sent_up, sent_down, got_up, got_down) = tokio::select! {
        all = transfer => all,
        () = renewing(&channel.relay.keeper) => panic!("not within {TRANSFER_TIME_MAX:?}"),
    };
    assert_eq!((got_up, got_down), ((BYTES, sent_up), (BYTES, sent_down)));
    assert!(matches!(ended(channel.pumped.0).await, Ok(PumpEnd::Closed)));
    assert!(matches!(ended(channel.pumped.1).await, Ok(PumpEnd::Closed)));
    let spliced = timeout(SOON, channel.relay.spliced).await.unwrap().unwrap();
    assert!(matches!(spliced.how, How::Closed), "{spliced:?}");
    let both = Tally { up: BYTES as u64, down: BYTES as u64 };
    assert_eq!((channel.meters.0.tally(), channel.meters.1.tally()), (both, both));
    let overhead = spliced.up as f64 / BYTES as f64 - 1.0;
    assert!(overhead > 0.0 && overhead < 0.05, "{overhead}");
    assert_eq!(channel.pools.buffers_lent() + channel.relay.pools.pipes_lent(), 0);
}

#[tokio::test]
async fn what_is_sent_arrives_once_whole_and_in_order_through_sockets() {
    both_ways_at_once(Legs::Tcp).await;
}

#[tokio::test]
async fn what_is_sent_arrives_once_whole_and_in_order_through_other_carriers() {
    both_ways_at_once(Legs::Boxed).await;
}

#[tokio::test]
async fn an_end_of_one_direction_is_heard_and_the_other_goes_on() {
    let mut channel = open(Legs::Tcp).await;
    channel.ana.write_all(b"question").await.unwrap();
    channel.ana.shutdown().await.unwrap();
    assert_eq!(timeout(SOON, drain(&mut channel.press)).await.unwrap().0, 8);
    for _ in 0..100 {
        channel.press.write_all(b"a line of a long answer").await.unwrap();
    }
    drop(channel.press);
    assert_eq!(timeout(SOON, drain(&mut channel.ana)).await.unwrap().0, 2_300);
    assert!(matches!(ended(channel.pumped.0).await, Ok(PumpEnd::Closed)));
    assert!(matches!(ended(channel.pumped.1).await, Ok(PumpEnd::Closed)));
}

#[tokio::test]
async fn a_cut_in_mid_transfer_is_an_error_at_both_ends_and_never_an_end_of_file() {
    for legs in [Legs::Tcp, Legs::Boxed] {
        let mut channel = open(legs).await;
        let block = vec![1; 1 << 20];
        // Nobody reads at the press: everything between fills up.
        while timeout(Duration::from_millis(300), channel.ana.write_all(&block)).await.is_ok() {}
        channel.relay.terms.cut.now();
        assert!(ended(channel.pumped.0).await.is_err());
        assert_eq!(last_word(&mut channel.ana).await, Some(io::ErrorKind::ConnectionReset));
        let (_, press) = tokio::join!(ended(channel.pumped.1), last_word(&mut channel.press));
        assert_eq!(press, Some(io::ErrorKind::ConnectionReset), "{legs:?}");
    }
}

#[tokio::test]
async fn a_cut_of_an_idle_channel_is_an_error_at_both_ends() {
    for legs in [Legs::Tcp, Legs::Boxed] {
        let mut channel = open(legs).await;
        channel.ana.write_all(b"x").await.unwrap();
        channel.press.read_exact(&mut [0]).await.unwrap();
        channel.relay.terms.cut.now();
        for end in [&mut channel.ana, &mut channel.press] {
            assert_eq!(last_word(end).await, Some(io::ErrorKind::ConnectionReset));
        }
        assert!(ended(channel.pumped.0).await.is_err());
        assert!(ended(channel.pumped.1).await.is_err());
    }
}

#[tokio::test]
async fn a_local_reset_is_a_reset_at_the_other_end() {
    let mut channel = open(Legs::Tcp).await;
    channel.ana.write_all(b"x").await.unwrap();
    channel.press.read_exact(&mut [0]).await.unwrap();
    channel.ana.set_zero_linger().unwrap();
    drop(channel.ana);
    assert_eq!(last_word(&mut channel.press).await, Some(io::ErrorKind::ConnectionReset));
    assert!(matches!(ended(channel.pumped.0).await, Ok(PumpEnd::LocalReset)));
    let other = ended(channel.pumped.1).await;
    assert!(matches!(other, Ok(PumpEnd::PeerReset(ResetCause::Local))), "{other:?}");
}

#[tokio::test]
async fn a_leg_that_ends_before_the_stream_is_a_truncation() {
    let ((ana, local), (near, far)) = (sockets().await, leg_pair(Legs::Tcp).await);
    let (keys, _) = super::session(Algorithm::Aes256Gcm);
    let (scope, pools, meter) =
        (Scope::new("ends"), Pools::new(), Arc::new(Meter::new(Now::read())));
    let pumped = pump(&scope, &pools, (local, near), &keys, ChannelNo(1), meter);
    drop(far);
    assert!(matches!(ended(pumped).await, Err(PumpError::Truncated)));
    let mut ana = ana;
    assert_eq!(last_word(&mut ana).await, Some(io::ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn a_forged_record_ends_the_channel_and_resets_the_local_end() {
    let ((mut ana, local), (near, far)) = (sockets().await, sockets().await);
    let (keys, _) = super::session(Algorithm::Aes256Gcm);
    let (scope, pools, meter) =
        (Scope::new("ends"), Pools::new(), Arc::new(Meter::new(Now::read())));
    let pumped = pump(&scope, &pools, (local, Leg::Tcp(near)), &keys, ChannelNo(1), meter);
    let mut far = far;
    far.write_all(&[&[1, 0, 0, 5][..], &[0; 21]].concat()).await.unwrap();
    assert!(matches!(ended(pumped).await, Err(PumpError::Broken(_))));
    assert_eq!(last_word(&mut ana).await, Some(io::ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn a_dropped_pump_resets_its_local_end_in_talk_and_in_bulk() {
    for bulk in [false, true] {
        let mut channel = open(Legs::Tcp).await;
        channel.ana.write_all(b"x").await.unwrap();
        channel.press.read_exact(&mut [0]).await.unwrap();
        let block = vec![1; 1 << 20];
        // Nobody reads at the press any more: everything between fills up.
        while bulk
            && timeout(Duration::from_millis(300), channel.ana.write_all(&block)).await.is_ok()
        {
        }
        channel.scope.close(Duration::ZERO).await;
        assert_eq!(last_word(&mut channel.ana).await, Some(io::ErrorKind::ConnectionReset));
        assert_eq!(last_word(&mut channel.press).await, Some(io::ErrorKind::ConnectionReset));
    }
}

#[tokio::test]
async fn two_hundred_channels_work_at_once_and_idle_they_hold_nothing() {
    let (ana, press) = super::session(Algorithm::Aes256Gcm);
    let mut channels = Vec::new();
    for no in 1..=200 {
        channels.push(open_with(Legs::Tcp, &ana, &press, ChannelNo(no)).await);
    }
    for (no, channel) in channels.iter_mut().enumerate() {
        channel.ana.write_all(format!("hello {no:03}").as_bytes()).await.unwrap();
    }
    for (no, channel) in channels.iter_mut().enumerate() {
        let mut heard = [0; 9];
        timeout(SOON, channel.press.read_exact(&mut heard)).await.unwrap().unwrap();
        assert_eq!(heard, format!("hello {no:03}").as_bytes());
        channel.press.write_all(&heard).await.unwrap();
        timeout(SOON, channel.ana.read_exact(&mut heard)).await.unwrap().unwrap();
    }
    let held = || -> usize {
        let each = |c: &Channel| {
            c.pools.buffers_lent() + c.relay.pools.buffers_lent() + c.relay.pools.pipes_lent()
        };
        channels.iter().map(each).sum()
    };
    timeout(SOON, async {
        while held() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

/// A relay that keeps what it moves: what a gateway could do.
async fn tap(from: Leg, to: Leg) -> (Vec<u8>, Vec<u8>) {
    let ((mut a_in, mut a_out), (mut b_in, mut b_out)) =
        (tokio::io::split(from), tokio::io::split(to));
    let (mut up, mut down) = (Vec::new(), Vec::new());
    let copy_up = async {
        let mut block = [0; 4_096];
        while let Ok(came @ 1..) = a_in.read(&mut block).await {
            up.extend(&block[..came]);
            b_out.write_all(&block[..came]).await.unwrap();
        }
        let _ = b_out.shutdown().await;
    };
    let copy_down = async {
        let mut block = [0; 4_096];
        while let Ok(came @ 1..) = b_in.read(&mut block).await {
            down.extend(&block[..came]);
            a_out.write_all(&block[..came]).await.unwrap();
        }
        let _ = a_out.shutdown().await;
    };
    tokio::join!(copy_up, copy_down);
    (up, down)
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[tokio::test]
async fn the_relay_sees_neither_the_payload_nor_keys_that_open_it() {
    use crate::{
        ids::{PeerId, SessionId},
        seal::{Pin, accept, connect},
        tls::Ca,
    };

    const UP: &[u8] = b"the press's recipe, in clear text";
    const DOWN: &[u8] = b"temperature 71.5, pressure 210 bar";
    let now = Now::read().wall;
    // The gateway holds the CA and its key, and a face of its own; it saw every byte of channel 0.
    let ca = Ca::fresh("test", now).unwrap();
    let identity =
        |peer: &str| ca.identity(&peer.parse::<PeerId>().unwrap(), SOON * 100, now).unwrap();
    let (ana, press, face) =
        (identity("person/ana"), identity("device/press-7"), identity("face/gw-1"));
    let pin = |of: &crate::tls::Identity| Pin { peer: of.peer().unwrap(), key: of.digest() };
    let (of_ana, of_press, of_face) = (pin(&ana), pin(&press), pin(&face));
    let session: SessionId = "s1".parse().unwrap();

    let ((near, relay_1), (relay_2, far)) = (leg_pair(Legs::Tcp).await, leg_pair(Legs::Tcp).await);
    let (technician, device, shaken) = tokio::join!(
        connect(near, &ana, &of_press, &session),
        accept(far, &press, &of_ana, &session),
        tap(relay_1, relay_2),
    );
    let (technician, device) = (technician.unwrap(), device.unwrap());

    let ((near, relay_1), (relay_2, far)) = (leg_pair(Legs::Tcp).await, leg_pair(Legs::Tcp).await);
    let ((mut app, local), (mut machine, target)) = (sockets().await, sockets().await);
    let (scope, pools, meter) =
        (Scope::new("ends"), Pools::new(), Arc::new(Meter::new(Now::read())));
    let one = pump(&scope, &pools, (local, near), &technician, ChannelNo(1), meter.clone());
    let two = pump(&scope, &pools, (target, far), &device, ChannelNo(1), meter);
    let talk = async {
        app.write_all(UP).await.unwrap();
        app.shutdown().await.unwrap();
        machine.write_all(DOWN).await.unwrap();
        machine.shutdown().await.unwrap();
        (drain(&mut machine).await.0, drain(&mut app).await.0)
    };
    let ((up, down), heard) = tokio::join!(tap(relay_1, relay_2), talk);
    assert_eq!(heard, (UP.len(), DOWN.len()));
    assert!(ended(one).await.is_ok() && ended(two).await.is_ok());

    for seen in [&up, &down, &shaken.0, &shaken.1] {
        for part in UP.windows(8).chain(DOWN.windows(8)) {
            assert!(!contains(seen, part));
        }
    }
    // A gateway's own handshakes, with the certificates it can make, lead to other keys ...
    let ((near, far), (near_2, far_2)) = (leg_pair(Legs::Tcp).await, leg_pair(Legs::Tcp).await);
    let (mine, _) = tokio::join!(
        connect(near, &face, &of_press, &session),
        accept(far, &press, &of_face, &session),
    );
    let (_, also_mine) = tokio::join!(
        connect(near_2, &ana, &of_face, &session),
        accept(far_2, &face, &of_ana, &session),
    );
    let (mine, also_mine) = (mine.unwrap(), also_mine.unwrap());
    // ... and so do keys made from what it saw.
    let digest = |bytes: &[u8]| {
        let digest = aws_lc_rs::digest::digest(&SHA256, bytes);
        let secret = crate::secret::Secret::new(digest.as_ref().try_into().unwrap());
        SessionKeys::new(secret, Algorithm::Aes256Gcm, crate::seal::End::Device)
    };
    for guess in [mine, also_mine, digest(&shaken.0), digest(&shaken.1), digest(b"")] {
        assert!(!opens(&guess, &first_record(&up)));
    }
    // The test can fail: the right keys do open it.
    assert!(opens(&SessionKeys::same_again(&device), &first_record(&up)));
}

/// Whether any of the first keys of a session opens this record.
fn opens(keys: &SessionKeys, record: &[u8]) -> bool {
    (1..=3).any(|no| {
        let keys = keys.channel(ChannelNo(no)).unwrap();
        [keys.receive, keys.send]
            .into_iter()
            .any(|key| Opener::new(key).open(&mut record.to_vec()).is_ok())
    })
}

fn first_record(stream: &[u8]) -> Vec<u8> {
    let length = u32::from_be_bytes([0, stream[1], stream[2], stream[3]]) as usize;
    stream[..4 + length + 16].to_vec()
}

#[tokio::test]
async fn an_acknowledgement_of_what_was_never_sent_ends_the_channel() {
    let ((_ana, local), (near, mut far)) = (sockets().await, sockets().await);
    let (keys, other) = super::session(Algorithm::Aes256Gcm);
    let (scope, pools, meter) =
        (Scope::new("ends"), Pools::new(), Arc::new(Meter::new(Now::read())));
    let pumped = pump(&scope, &pools, (local, Leg::Tcp(near)), &keys, ChannelNo(1), meter);
    let mut sealer = Sealer::new(other.channel(ChannelNo(1)).unwrap().send);
    let mut frame = [&[0; 4][..], &9_u64.to_be_bytes(), &[0; 16]].concat();
    sealer.seal(Kind::Ack, &mut frame).unwrap();
    far.write_all(&frame).await.unwrap();
    assert!(matches!(ended(pumped).await, Err(PumpError::Misplaced)));
}
