//! Time, read by shells and passed to everyone else.
//!
//! Deadlines use monotonic time, records use wall time; one [`Now`] holds both and is read once a
//! turn. This is the only room that may ask the system what time it is.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

/// One moment on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For deadlines; never goes back.
    pub mono: Instant,
    /// For records and for comparing with other machines.
    pub wall: Wall,
}

impl Now {
    /// Reads both clocks.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where time is read")]
    pub fn read() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = Wall(i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
        Self { mono: tokio::time::Instant::now().into_std(), wall }
    }

    /// The monotonic moment at which the wall clock will show `wall`; now, if that has passed.
    #[must_use]
    pub fn instant_of(&self, wall: Wall) -> Instant {
        let ahead = u64::try_from(wall.0.saturating_sub(self.wall.0)).unwrap_or(0);
        self.mono.checked_add(Duration::from_millis(ahead)).unwrap_or(self.mono)
    }
}

/// Wall time: milliseconds since 1970-01-01T00:00:00Z, as it stands in the store.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Wall(pub i64);

impl Wall {
    /// This moment moved by `by`; stays at the end of time rather than wrap.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// RFC 3339 in UTC with milliseconds.
impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

/// Text that is not an RFC 3339 time.
#[derive(Debug, thiserror::Error)]
#[error("not an RFC 3339 time such as 2026-05-01T08:00:00Z: {0}")]
pub struct InvalidTime(String);

impl FromStr for Wall {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        let time: jiff::Timestamp = text.parse().map_err(|_| InvalidTime(text.to_owned()))?;
        Ok(Self(time.as_millisecond()))
    }
}

impl TryFrom<String> for Wall {
    type Error = InvalidTime;

    fn try_from(text: String) -> Result<Self, InvalidTime> {
        text.parse()
    }
}

impl From<Wall> for String {
    fn from(wall: Wall) -> Self {
        wall.to_string()
    }
}

/// Ready at `deadline`; never, if there is none.
pub async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_reads_what_it_prints() {
        let wall = Wall(1_777_622_400_123);
        assert_eq!(wall.to_string(), "2026-05-01T08:00:00.123Z");
        assert_eq!(wall.to_string().parse::<Wall>().unwrap(), wall);
    }
}
