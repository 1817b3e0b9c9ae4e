//! Channel 0 over real sockets.

use std::time::Duration;

use crate::{
    clock::Now,
    ids::{ChannelNo, PeerId, SessionId},
    relay::{
        Leg,
        tests::{carriers, sockets},
    },
    seal::{
        HandshakeError, Pin, SessionKeys, accept, connect,
        record::{HEADER_BYTES, Kind, OVERHEAD_BYTES, Opener, Sealer},
    },
    tls::{Ca, Identity},
};

struct World {
    ana: Identity,
    press: Identity,
    mallory: Identity,
    session: SessionId,
}

fn world() -> World {
    let now = Now::read().wall;
    let ca = Ca::fresh("test", now).unwrap();
    let identity = |peer: &str| {
        ca.identity(&peer.parse::<PeerId>().unwrap(), Duration::from_secs(3_600), now).unwrap()
    };
    World {
        ana: identity("person/ana"),
        press: identity("device/press-7"),
        // Another key with Ana's name, from the same CA: what a bad gateway could make.
        mallory: identity("person/ana"),
        session: "s1".parse().unwrap(),
    }
}

fn pin(identity: &Identity) -> Pin {
    Pin { peer: identity.peer().unwrap(), key: identity.digest() }
}

type Ends = (Result<SessionKeys, HandshakeError>, Result<SessionKeys, HandshakeError>);

async fn shake(
    (near, far): (Leg, Leg),
    technician: (&Identity, Pin, &SessionId),
    device: (&Identity, Pin, &SessionId),
) -> Ends {
    tokio::join!(
        connect(near, technician.0, &technician.1, technician.2),
        accept(far, device.0, &device.1, device.2),
    )
}

fn agree(ana: &SessionKeys, press: &SessionKeys) -> bool {
    let mut frame = vec![0; OVERHEAD_BYTES + 2];
    frame[HEADER_BYTES..HEADER_BYTES + 2].copy_from_slice(b"hi");
    let (ana, press) = (ana.channel(ChannelNo(1)).unwrap(), press.channel(ChannelNo(1)).unwrap());
    Sealer::new(ana.send).seal(Kind::Data, &mut frame).unwrap();
    Opener::new(press.receive).open(&mut frame).is_ok()
}

async fn legs() -> (Leg, Leg) {
    let (near, far) = sockets().await;
    (Leg::Tcp(near), Leg::Tcp(far))
}

#[tokio::test]
async fn two_ends_that_name_each_other_share_a_secret() {
    let World { ana, press, session, .. } = world();
    for legs in [legs().await, carriers()] {
        let (near, far) =
            shake(legs, (&ana, pin(&press), &session), (&press, pin(&ana), &session)).await;
        let (near, far) = (near.unwrap(), far.unwrap());
        assert_eq!(near.algorithm(), far.algorithm());
        assert!(agree(&near, &far));
    }
}

#[tokio::test]
async fn two_sessions_share_nothing_even_between_the_same_ends() {
    let World { ana, press, session, .. } = world();
    let other: SessionId = "s2".parse().unwrap();
    let (near, far) =
        shake(legs().await, (&ana, pin(&press), &session), (&press, pin(&ana), &other)).await;
    assert!(!agree(&near.unwrap(), &far.unwrap()));
}

#[tokio::test]
async fn a_device_refuses_another_key_with_the_right_name_and_the_other_end_learns_it() {
    let World { ana, press, mallory, session } = world();
    let (near, far) =
        shake(legs().await, (&mallory, pin(&press), &session), (&press, pin(&ana), &session)).await;
    assert!(matches!(far, Err(HandshakeError::Failed(_))), "{far:?}");
    assert!(matches!(near, Err(HandshakeError::Failed(_))), "{near:?}");
}

#[tokio::test]
async fn a_technician_refuses_another_key_with_the_right_name() {
    let World { ana, press, mallory, session } = world();
    let expected = Pin { peer: press.peer().unwrap(), key: mallory.digest() };
    let (near, far) =
        shake(legs().await, (&ana, expected, &session), (&press, pin(&ana), &session)).await;
    assert!(near.is_err() && far.is_err());
}

#[tokio::test]
async fn the_right_key_with_another_name_is_refused() {
    let World { ana, press, session, .. } = world();
    let other = Pin { peer: "device/press-8".parse().unwrap(), key: press.digest() };
    let (near, far) =
        shake(legs().await, (&ana, other, &session), (&press, pin(&ana), &session)).await;
    assert!(near.is_err() && far.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_silent_other_end_is_given_up_in_time() {
    let World { ana, press, session, .. } = world();
    let (near, _far) = carriers();
    let keys = connect(near, &ana, &pin(&press), &session).await;
    assert!(matches!(keys, Err(HandshakeError::TimedOut)), "{keys:?}");
}
