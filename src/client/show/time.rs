//! Times as people at this machine read them.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};

use crate::clock::Wall;

/// A time zone, and what it is now.
#[derive(Clone, Debug)]
pub(in crate::client) struct Clock {
    zone: TimeZone,
    now: Wall,
}

impl Clock {
    /// This machine's own zone.
    pub(in crate::client) fn local(now: Wall) -> Self {
        Self { zone: TimeZone::system(), now }
    }

    #[cfg(test)]
    pub(in crate::client) fn utc(now: Wall) -> Self {
        Self { zone: TimeZone::UTC, now }
    }

    /// `14:05` today, `2026-05-01 14:05` on another day.
    pub(in crate::client) fn short(&self, at: Wall) -> String {
        let zoned = |wall: Wall| {
            let stamp = Timestamp::from_millisecond(wall.0).ok()?;
            Some(stamp.to_zoned(self.zone.clone()))
        };
        let (Some(at), Some(now)) = (zoned(at), zoned(self.now)) else { return "-".to_owned() };
        let shape = if at.date() == now.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
        at.strftime(shape).to_string()
    }

    /// `14:05 (in 3 h)`, or `14:05 (past)`.
    pub(in crate::client) fn until(&self, at: Wall) -> String {
        let ahead = at.0.saturating_sub(self.now.0);
        match u64::try_from(ahead) {
            Ok(ahead) if ahead > 0 => {
                format!("{} (in {})", self.short(at), rough(Duration::from_millis(ahead)))
            }
            _ => format!("{} (past)", self.short(at)),
        }
    }
}

/// A length of time in its largest unit, rounded: `45 s`, `12 min`, `3 h`, `2 d`.
fn rough(length: Duration) -> String {
    let seconds = length.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_570 => format!("{} min", (seconds + 30) / 60),
        3_570..172_800 => format!("{} h", (seconds + 1_800) / 3_600),
        _ => format!("{} d", (seconds + 43_200) / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_today_is_short_and_another_day_is_named() {
        let now: Wall = "2026-05-01T12:00:00Z".parse().unwrap();
        let clock = Clock { zone: TimeZone::fixed(jiff::tz::offset(2)), now };
        assert_eq!(clock.short("2026-05-01T08:05:00Z".parse().unwrap()), "10:05");
        assert_eq!(clock.short("2026-05-01T22:05:00Z".parse().unwrap()), "2026-05-02 00:05");
        assert_eq!(clock.until("2026-05-01T15:30:00Z".parse().unwrap()), "17:30 (in 4 h)");
        assert_eq!(clock.until("2026-05-01T11:00:00Z".parse().unwrap()), "13:00 (past)");
        assert_eq!(clock.short(Wall(i64::MAX)), "-");
        assert_eq!(
            [59, 3_569, 3_599].map(|s| rough(Duration::from_secs(s))),
            ["59 s", "59 min", "1 h"]
        );
    }
}
