//! Whether an offer's warrant is believed: the device checks it by itself.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{
    clock::Wall,
    ids::{DeviceId, SessionId},
    machines::Destination,
    warrant::{InvalidWarrant, SignedWarrant, Warrant, WarrantVerifier},
};

/// How far a warrant may have been issued ahead of the gateway's clock as the device estimates it,
/// in milliseconds: the estimate is off by the time that the greeting took.
pub(super) const ISSUED_AHEAD_MS_MAX: i64 = 30_000;

/// How long a warrant may hold at most, in milliseconds: as long as the longest session, 8 h, and
/// the hour that a summer-time mistake makes.
pub(super) const WARRANT_MS_MAX: i64 = 9 * 60 * 60 * 1_000;

/// What a warrant is held against.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    /// The key that this device got when it was enrolled.
    pub verifier: WarrantVerifier,
    pub device: DeviceId,
    /// This connection's.
    pub nonce: String,
    last: Arc<Mutex<Option<Checked>>>,
}

/// The warrant whose signature was checked last: a session's channels come with the same one.
#[derive(Debug)]
struct Checked {
    signed: SignedWarrant,
    says: Warrant,
}

/// Why a warrant was not believed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Distrust {
    #[error("its signature or form")]
    Invalid(#[source] InvalidWarrant),
    #[error("it is for another session")]
    Session,
    #[error("it is for device {0}")]
    Device(DeviceId),
    #[error("it was made for another connection")]
    Nonce,
    #[error("it was issued in the future, at {0}")]
    NotYet(Wall),
    #[error("it ended at {0}")]
    Ended(Wall),
    #[error("it holds for longer than a session may last")]
    TooLong,
    #[error("{0} is not among its targets")]
    Target(Destination),
}

impl Expected {
    pub(super) fn new(verifier: WarrantVerifier, device: DeviceId, nonce: String) -> Self {
        Self { verifier, device, nonce, last: Arc::default() }
    }

    /// What `signed` says, if all of it is as expected at `wall` on the gateway's clock.
    ///
    /// # Errors
    ///
    /// [`Distrust`]; nothing in it may be used then.
    pub(super) fn believe(
        &self,
        signed: &SignedWarrant,
        session: &SessionId,
        destination: Option<&Destination>,
        wall: Wall,
    ) -> Result<Warrant, Distrust> {
        let warrant = self.check(signed).map_err(Distrust::Invalid)?;
        if warrant.session != *session {
            return Err(Distrust::Session);
        }
        if warrant.device != self.device {
            return Err(Distrust::Device(warrant.device));
        }
        if warrant.nonce != self.nonce {
            return Err(Distrust::Nonce);
        }
        if warrant.issued.0.saturating_sub(wall.0) > ISSUED_AHEAD_MS_MAX {
            return Err(Distrust::NotYet(warrant.issued));
        }
        if warrant.until <= wall {
            return Err(Distrust::Ended(warrant.until));
        }
        if warrant.until.0.saturating_sub(wall.0) > WARRANT_MS_MAX {
            return Err(Distrust::TooLong);
        }
        match destination {
            Some(wanted) if !warrant.targets.iter().any(|target| target.covers(wanted)) => {
                Err(Distrust::Target(wanted.clone()))
            }
            Some(_) | None => Ok(warrant),
        }
    }

    /// What `signed` says; its signature is checked unless it is, to the byte, the one before.
    fn check(&self, signed: &SignedWarrant) -> Result<Warrant, InvalidWarrant> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some(checked) if checked.signed == *signed => Ok(checked.says.clone()),
            Some(_) | None => {
                let says = self.verifier.check(signed)?;
                *last = Some(Checked { signed: signed.clone(), says: says.clone() });
                Ok(says)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::KeyDigest,
        machines::{Hosts, Mode, Ports, Proto, Target},
        secret::Secret,
        warrant::WarrantKey,
    };

    const NOW: Wall = Wall(1_800_000_000_000);

    fn warrant() -> Warrant {
        Warrant {
            session: "s1".parse().unwrap(),
            device: "press-7".parse().unwrap(),
            nonce: "nonce".into(),
            person: "ana".parse().unwrap(),
            person_name: "Ana".into(),
            tenant_name: "Builder".into(),
            case: Some("case-7".parse().unwrap()),
            asset: "press-7".parse().unwrap(),
            tunnel: "plc".parse().unwrap(),
            mode: Mode::Any,
            targets: vec![Target {
                name: "plc".parse().unwrap(),
                proto: Proto::Tcp,
                hosts: Hosts::Ip("10.0.0.5".parse().unwrap()),
                ports: Ports { first: 502, last: 502 },
            }],
            technician_key: KeyDigest([3; 32]),
            issued: NOW,
            until: Wall(NOW.0 + 60_000),
        }
    }

    fn plc(port: u16) -> Destination {
        Destination { proto: Proto::Tcp, host: "10.0.0.5".into(), port }
    }

    fn expected(verifier: WarrantVerifier) -> Expected {
        Expected::new(verifier, "press-7".parse().unwrap(), "nonce".into())
    }

    fn believed(warrant: &Warrant, port: u16, wall: Wall) -> Result<Warrant, Distrust> {
        let key = WarrantKey::from_seed(&Secret::new([1; 32])).unwrap();
        let expected = expected(key.verifier());
        let signed = key.sign(warrant).unwrap();
        expected.believe(&signed, &"s1".parse().unwrap(), Some(&plc(port)), wall)
    }

    #[test]
    fn a_warrant_for_this_connection_device_session_time_and_target_is_believed() {
        assert_eq!(believed(&warrant(), 502, NOW).unwrap(), warrant());
    }

    #[test]
    fn anothers_signature_is_not_believed() {
        let key = WarrantKey::from_seed(&Secret::new([2; 32])).unwrap();
        let signed = key.sign(&warrant()).unwrap();
        let mine = WarrantKey::from_seed(&Secret::new([1; 32])).unwrap().verifier();
        let expected = expected(mine);
        let answer = expected.believe(&signed, &"s1".parse().unwrap(), None, NOW);
        assert!(matches!(answer, Err(Distrust::Invalid(InvalidWarrant::Signature))));
    }

    #[test]
    fn whatever_does_not_fit_is_named() {
        let wrong = |change: fn(&mut Warrant)| {
            let mut warrant = warrant();
            change(&mut warrant);
            believed(&warrant, 502, NOW).unwrap_err()
        };
        assert!(matches!(wrong(|w| w.session = "s2".parse().unwrap()), Distrust::Session));
        assert!(matches!(wrong(|w| w.device = "x".parse().unwrap()), Distrust::Device(_)));
        assert!(matches!(wrong(|w| w.nonce = "old".into()), Distrust::Nonce));
        assert!(matches!(wrong(|w| w.until = NOW), Distrust::Ended(_)));
        assert!(matches!(wrong(|w| w.issued = Wall(NOW.0 + 31_000)), Distrust::NotYet(_)));
        assert!(matches!(wrong(|w| w.until = Wall(NOW.0 + 36_000_000)), Distrust::TooLong));
        assert!(matches!(wrong(|w| w.targets.clear()), Distrust::Target(_)));
        assert!(matches!(believed(&warrant(), 503, NOW), Err(Distrust::Target(_))));
    }

    #[test]
    fn a_warrant_that_was_believed_once_is_held_against_each_question() {
        let key = WarrantKey::from_seed(&Secret::new([1; 32])).unwrap();
        let expected = expected(key.verifier());
        let signed = key.sign(&warrant()).unwrap();
        let believe = |session: &str, port, wall| {
            expected.believe(&signed, &session.parse().unwrap(), Some(&plc(port)), wall)
        };
        assert!(believe("s1", 502, NOW).is_ok());
        assert!(matches!(believe("s1", 503, NOW), Err(Distrust::Target(_))));
        assert!(matches!(believe("s2", 502, NOW), Err(Distrust::Session)));
        assert!(matches!(believe("s1", 502, Wall(NOW.0 + 60_000)), Err(Distrust::Ended(_))));
        let forged = WarrantKey::from_seed(&Secret::new([2; 32])).unwrap().sign(&warrant());
        let answer = expected.believe(&forged.unwrap(), &"s1".parse().unwrap(), None, NOW);
        assert!(matches!(answer, Err(Distrust::Invalid(_))));
        assert!(believe("s1", 502, NOW).is_ok());
    }

    #[test]
    fn the_handshake_channel_needs_no_target() {
        let key = WarrantKey::from_seed(&Secret::new([1; 32])).unwrap();
        let expected = expected(key.verifier());
        let signed = key.sign(&warrant()).unwrap();
        assert!(expected.believe(&signed, &"s1".parse().unwrap(), None, NOW).is_ok());
    }
}
