//! Records without sockets.

use proptest::prelude::*;

use crate::{
    ids::ChannelNo,
    seal::{
        CHANNEL_WINDOW, ChannelSpent, End, OpenError, ResetCause, SessionKeys,
        keys::{Algorithm, Traffic},
        record::{
            Content, HEADER_BYTES, Kind, OVERHEAD_BYTES, Opener, PAYLOAD_BYTES_MAX,
            RECORDS_PER_KEY, Record, Sealer,
        },
    },
    secret::Secret,
};

const BOTH: [Algorithm; 2] = [Algorithm::Aes256Gcm, Algorithm::ChaCha20Poly1305];

fn pair(algorithm: Algorithm) -> (Sealer, Opener) {
    let traffic = || Traffic::of(Secret::new([7; 32]), algorithm);
    (Sealer::new(traffic()), Opener::new(traffic()))
}

fn sealed(sealer: &mut Sealer, kind: Kind, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; payload.len() + OVERHEAD_BYTES];
    frame[HEADER_BYTES..HEADER_BYTES + payload.len()].copy_from_slice(payload);
    sealer.seal(kind, &mut frame).unwrap();
    frame
}

#[test]
fn a_record_opens_to_what_was_sealed() {
    for algorithm in BOTH {
        let (mut sealer, mut opener) = pair(algorithm);
        for length in [0, 1, 1_400, PAYLOAD_BYTES_MAX] {
            let payload = vec![0xa5; length];
            for kind in [Kind::Data, Kind::Datagram] {
                let mut frame = sealed(&mut sealer, kind, &payload);
                assert_eq!(frame.len(), length + OVERHEAD_BYTES);
                let Record { content, bytes } = opener.open(&mut frame).unwrap().unwrap();
                let (Content::Data(range) | Content::Datagram(range)) = content else {
                    panic!("{content:?}")
                };
                assert_eq!((bytes, &frame[range]), (frame.len(), &payload[..]));
            }
        }
    }
}

/// Computed with another implementation of HKDF, AES-GCM and ChaCha20-Poly1305.
#[test]
fn the_format_is_what_the_design_says() {
    let (mut sealer, _) = pair(Algorithm::Aes256Gcm);
    let first = hex(&sealed(&mut sealer, Kind::Data, b"hello"));
    assert_eq!(first, "01000005b0ea2ff7db72f8bc7b172ae2914e3d401612d6e3ca");
    let second = hex(&sealed(&mut sealer, Kind::End, b""));
    assert_eq!(second, "03000000f22d40918c61e7a64fb1e5e46bf99120");
    let (mut sealer, _) = pair(Algorithm::ChaCha20Poly1305);
    let chacha = hex(&sealed(&mut sealer, Kind::Data, b"hello"));
    assert_eq!(chacha, "0100000536154598a2e78989a17cffcef73a2410ed3d8d88c2");
    let keys = SessionKeys::new(Secret::new([9; 32]), Algorithm::Aes256Gcm, End::Technician);
    let mut sealer = Sealer::new(keys.channel(ChannelNo(1)).unwrap().send);
    let channel_1_up = hex(&sealed(&mut sealer, Kind::Data, b"hello"));
    assert_eq!(channel_1_up, "01000005bc182bcfd0b0ff19dd92a3d55a15f5b5d78dba7b4c");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_part_of_a_record_waits_and_a_length_over_the_limit_does_not() {
    let (mut sealer, mut opener) = pair(Algorithm::Aes256Gcm);
    let frame = sealed(&mut sealer, Kind::Data, b"hello");
    for length in 0..frame.len() {
        assert_eq!(opener.open(&mut frame[..length].to_vec()), Ok(None));
    }
    assert!(opener.open(&mut frame.clone()).unwrap().is_some());
    let too_long = [1, 1, 0, 1];
    assert_eq!(opener.open(&mut too_long.to_vec()), Err(OpenError::TooLong(65_537)));
    assert_eq!(opener.open(&mut [6, 0, 0, 0]), Err(OpenError::UnknownKind(6)));
    assert!(sealer.seal(Kind::Data, &mut vec![0; 65_537 + OVERHEAD_BYTES]).is_err());
}

#[test]
fn a_record_that_is_replayed_skipped_or_swapped_does_not_open() {
    let (mut sealer, mut opener) = pair(Algorithm::Aes256Gcm);
    let one = sealed(&mut sealer, Kind::Data, b"one");
    let two = sealed(&mut sealer, Kind::Data, b"two");
    assert_eq!(opener.open(&mut two.clone()), Err(OpenError::NotAuthentic(0)));
    assert!(opener.open(&mut one.clone()).is_ok());
    assert_eq!(opener.open(&mut one.clone()), Err(OpenError::NotAuthentic(1)));
    assert!(opener.open(&mut two.clone()).is_ok());
}

#[test]
fn nothing_but_acks_and_a_reset_comes_after_the_end() {
    let (mut sealer, mut opener) = pair(Algorithm::Aes256Gcm);
    assert!(opener.open(&mut sealed(&mut sealer, Kind::End, b"")).is_ok());
    let ack = opener.open(&mut sealed(&mut sealer, Kind::Ack, &5_u64.to_be_bytes()));
    assert_eq!(ack.unwrap().unwrap().content, Content::Ack(5));
    let late = sealed(&mut sealer, Kind::Data, b"late");
    assert_eq!(opener.open(&mut late.clone()), Err(OpenError::AfterEnd(2)));
}

#[test]
fn acks_ends_and_resets_are_exactly_as_long_as_they_must_be() {
    for (kind, payload) in [(Kind::Ack, &b"7 bytes"[..]), (Kind::End, b"x"), (Kind::Reset, b"")] {
        let (mut sealer, mut opener) = pair(Algorithm::Aes256Gcm);
        let mut frame = sealed(&mut sealer, kind, payload);
        assert_eq!(opener.open(&mut frame), Err(OpenError::Malformed(0)));
    }
    let (mut sealer, mut opener) = pair(Algorithm::Aes256Gcm);
    let mut frame = sealed(&mut sealer, Kind::Reset, &[9]);
    let reset = opener.open(&mut frame).unwrap().unwrap();
    assert_eq!(reset.content, Content::Reset(ResetCause::Other(9)));
}

#[test]
fn keys_move_on_every_2_to_the_20_records() {
    let first = RECORDS_PER_KEY - 2;
    let (mut sealer, mut opener) = pair(Algorithm::Aes256Gcm);
    sealer.start_at(first);
    opener.start_at(first);
    for number in first..RECORDS_PER_KEY + 2 {
        let frame = sealed(&mut sealer, Kind::Data, b"x");
        assert!(opener.open(&mut frame.clone()).unwrap().is_some(), "{number}");
        let (_, mut with_the_first_key) = pair(Algorithm::Aes256Gcm);
        with_the_first_key.start_at(number);
        let opens = with_the_first_key.open(&mut frame.clone()).is_ok();
        assert_eq!(opens, number < RECORDS_PER_KEY, "{number}");
    }
}

#[test]
fn every_channel_and_direction_has_its_own_key() {
    let (ana, press) = super::session(Algorithm::Aes256Gcm);
    let mut seen = std::collections::BTreeSet::new();
    for no in 1..=3 {
        let (ana, press) =
            (ana.channel(ChannelNo(no)).unwrap(), press.channel(ChannelNo(no)).unwrap());
        let (mut up, mut down) = (Sealer::new(ana.send), Sealer::new(press.send));
        let (up, down) =
            (sealed(&mut up, Kind::Data, b"same"), sealed(&mut down, Kind::Data, b"same"));
        assert!(Opener::new(press.receive).open(&mut up.clone()).unwrap().is_some());
        assert!(Opener::new(ana.receive).open(&mut down.clone()).unwrap().is_some());
        assert!(seen.insert(up) && seen.insert(down));
    }
}

#[test]
fn the_agreed_algorithm_is_part_of_every_key() {
    let secret = Secret::new([3; 32]);
    let of = |algorithm| {
        SessionKeys::new(secret.clone(), algorithm, End::Technician)
            .channel(ChannelNo(1))
            .unwrap()
            .send
    };
    let [aes, chacha] =
        BOTH.map(|algorithm| hex(&sealed(&mut Sealer::new(of(algorithm)), Kind::Data, b"x")));
    assert_ne!(aes, chacha);
}

#[test]
fn the_keys_of_a_channel_are_given_once() {
    let (keys, _) = super::session(Algorithm::Aes256Gcm);
    let ask = |no| keys.channel(ChannelNo(no)).map(|_| ());
    let spent = |no| Err(ChannelSpent(ChannelNo(no)));
    assert_eq!(ask(0), spent(0));
    assert_eq!((ask(2), ask(2)), (Ok(()), spent(2)));
    assert_eq!((ask(1), ask(1)), (Ok(()), spent(1)));
    let far = 2 + CHANNEL_WINDOW;
    assert_eq!((ask(far), ask(far)), (Ok(()), spent(far)));
    assert_eq!((ask(2), ask(3), ask(3)), (spent(2), Ok(()), spent(3)));
    assert_eq!(
        (ask(u32::MAX), ask(far + 1), ask(u32::MAX)),
        (Ok(()), spent(far + 1), spent(u32::MAX))
    );
    assert_eq!(ask(u32::MAX - CHANNEL_WINDOW + 1), Ok(()));
}

#[test]
fn keys_never_print() {
    let (keys, _) = super::session(Algorithm::Aes256Gcm);
    let channel = keys.channel(ChannelNo(1)).unwrap();
    assert_eq!(format!("{keys:?}"), "SessionKeys(Technician, Aes256Gcm, [redacted])");
    assert_eq!(format!("{channel:?}"), "ChannelKeys(Technician, [redacted])");
}

proptest! {
    /// Whatever order of numbers is asked for, none is given twice.
    #[test]
    fn no_number_is_given_twice(numbers in prop::collection::vec(0_u32..3_000, 1..400)) {
        let (keys, _) = super::session(Algorithm::ChaCha20Poly1305);
        let mut given = std::collections::BTreeSet::new();
        for no in numbers {
            if keys.channel(ChannelNo(no)).is_ok() {
                prop_assert!(no != 0 && given.insert(no), "{no} again");
            }
        }
    }

    #[test]
    fn any_bytes_are_refused_or_wait(mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let (_, mut opener) = pair(Algorithm::Aes256Gcm);
        prop_assert!(!matches!(opener.open(&mut bytes), Ok(Some(_))));
    }

    /// A changed length may also make the record wait for bytes that never come.
    #[test]
    fn one_changed_bit_never_opens(
        payload in prop::collection::vec(any::<u8>(), 0..300), at in any::<prop::sample::Index>(), bit in 0..8_u32,
    ) {
        for algorithm in BOTH {
            let (mut sealer, mut opener) = pair(algorithm);
            let mut frame = sealed(&mut sealer, Kind::Data, &payload);
            let at = at.index(frame.len());
            frame[at] ^= 1_u8 << bit;
            frame.extend([0; 64]);
            prop_assert!(!matches!(opener.open(&mut frame), Ok(Some(_))));
        }
    }
}
