//! The first message: who may speak on.

use std::time::Duration;

use tracing::warn;

use super::{BUILD, HEARTBEAT};
use crate::{
    clock::{Now, Wall},
    store::StoreError,
    wire::{Hello, PROTOCOL, ReadError, SendError, Welcome},
};

/// A clock further off than this is named: certificates and expiries are judged by it.
pub(super) const CLOCK_OFF_MAX: Duration = Duration::from_secs(5 * 60);
const BUILD_BYTES_MAX: usize = 64;
/// Base64url of 16 bytes.
const NONCE_BYTES: usize = 22;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum PeerError {
    #[error("no message for three heartbeats")]
    Silent,
    #[error("reading from the peer")]
    Read(#[source] ReadError),
    #[error("writing to the peer")]
    Send(#[source] SendError),
    #[error("the peer said {0} out of turn")]
    OutOfTurn(&'static str),
    #[error("the peer's outbox is full")]
    Slow,
    #[error("turned away: {0}")]
    TurnedAway(Turned),
}

/// Why a peer was not let in, as it is told.
#[derive(Debug, thiserror::Error)]
pub(super) enum Turned {
    #[error(
        "the gateway speaks protocol {PROTOCOL} ({BUILD}), this program {0}; install the gateway's \
         version"
    )]
    Protocol(u16),
    #[error("the greeting is not well formed")]
    Greeting,
    #[error("this key is not let in any more; {0}")]
    Key(&'static str),
    #[error("the gateway's store is not available: nobody is let in until it is")]
    Store(#[from] StoreError),
}

impl Turned {
    /// The code that the peer is told.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Protocol(_) => "protocol",
            Self::Greeting => "greeting",
            Self::Key(_) => "key",
            Self::Store(_) => "unavailable",
        }
    }
}

/// Looks at a greeting.
///
/// # Errors
///
/// [`Turned`] when the peer speaks another protocol or its greeting is not well formed.
pub(super) fn check(hello: &Hello, now: Now) -> Result<(), Turned> {
    if hello.protocol != PROTOCOL {
        return Err(Turned::Protocol(hello.protocol));
    }
    let well_formed = hello.build.len() <= BUILD_BYTES_MAX
        && !hello.build.chars().any(char::is_control)
        && hello.nonce.len() == NONCE_BYTES
        && hello.nonce.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if !well_formed {
        return Err(Turned::Greeting);
    }
    if is_clock_off(hello.wall, now.wall) {
        warn!(theirs = %hello.wall, ours = %now.wall, "the peer's clock is far off");
    }
    Ok(())
}

/// Whether two clocks differ by more than [`CLOCK_OFF_MAX`].
pub(super) fn is_clock_off(theirs: Wall, ours: Wall) -> bool {
    u128::from(theirs.0.abs_diff(ours.0)) > CLOCK_OFF_MAX.as_millis()
}

/// The answer to a good greeting.
pub(super) fn welcome(now: Now) -> Welcome {
    Welcome {
        protocol: PROTOCOL,
        build: BUILD.to_owned(),
        wall: now.wall,
        heartbeat_ms: u32::try_from(HEARTBEAT.as_millis()).unwrap_or(u32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> Hello {
        Hello {
            protocol: PROTOCOL,
            build: "caseway-agent 0.1.0".into(),
            nonce: "A".repeat(NONCE_BYTES),
            wall: Now::read().wall,
        }
    }

    #[test]
    fn another_version_and_a_bad_greeting_are_turned_away() {
        let now = Now::read();
        assert!(check(&hello(), now).is_ok());
        let other = Hello { protocol: PROTOCOL + 1, ..hello() };
        assert_eq!(check(&other, now).unwrap_err().code(), "protocol");
        for bad in [
            Hello { nonce: "short".into(), ..hello() },
            Hello { nonce: "é".repeat(11), ..hello() },
            Hello { build: "x".repeat(BUILD_BYTES_MAX + 1), ..hello() },
            Hello { build: "evil\u{1b}[2J".into(), ..hello() },
        ] {
            assert_eq!(check(&bad, now).unwrap_err().code(), "greeting", "{bad:?}");
        }
    }

    #[test]
    fn a_clock_is_off_beyond_five_minutes_either_way() {
        let ours = Wall(10_000_000);
        assert!(!is_clock_off(Wall(10_300_000), ours));
        assert!(is_clock_off(Wall(10_300_001), ours));
        assert!(is_clock_off(Wall(9_699_999), ours));
    }
}
