//! Working hours: when a group's people are there, in their own time zone.

use std::collections::BTreeSet;

use jiff::{
    Timestamp,
    civil::{Date, Time, Weekday},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize};

use crate::clock::Wall;

/// Holidays of one group at most.
const HOLIDAYS_MAX: usize = 512;
/// Days looked ahead at most: who works on none of them never comes.
const DAYS_MAX: usize = 3_660;
/// Minutes of a day; the latest end of work.
const DAY_MINUTES: u16 = 24 * 60;

/// Working hours of one group: a week, its holidays, and the time zone of both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Hours {
    zone: String,
    known: TimeZone,
    /// Monday first.
    week: [Option<Day>; 7],
    holidays: BTreeSet<Holiday>,
}

/// A day off, such as 2026-12-25.
pub type Holiday = Date;

/// One day's work, in minutes since midnight: from `start` until before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "[String; 2]", into = "[String; 2]")]
pub struct Day {
    start: u16,
    end: u16,
}

/// Hours that nobody can keep.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHours {
    #[error("hours of a day are two times such as [\"08:00\", \"17:00\"], the later one second")]
    Day,
    #[error(
        "{0} is no time zone that this gateway knows; name one such as Europe/Berlin, or write \
         its rule such as CET-1CEST,M3.5.0,M10.5.0/3"
    )]
    Zone(String),
    #[error("a group has {HOLIDAYS_MAX} holidays at most")]
    Holidays,
}

impl Default for Hours {
    /// Monday to Friday, 08:00 to 17:00 (G1-8), in UTC.
    fn default() -> Self {
        let day = Some(Day { start: 8 * 60, end: 17 * 60 });
        Self {
            zone: "UTC".to_owned(),
            known: TimeZone::UTC,
            week: [day, day, day, day, day, None, None],
            holidays: BTreeSet::new(),
        }
    }
}

impl Hours {
    /// Hours of `week`, Monday first, in `zone`, but for `holidays`.
    ///
    /// # Errors
    ///
    /// [`InvalidHours`].
    pub fn new(
        zone: &str,
        week: [Option<Day>; 7],
        holidays: BTreeSet<Holiday>,
    ) -> Result<Self, InvalidHours> {
        let known = match zone {
            "UTC" => TimeZone::UTC,
            // A rule written out needs no zone database on the machine. Only rules hold a comma.
            rule if rule.contains(',') => {
                TimeZone::posix(rule).map_err(|_| InvalidHours::Zone(rule.to_owned()))?
            }
            name => TimeZone::get(name).map_err(|_| InvalidHours::Zone(name.to_owned()))?,
        };
        if holidays.len() > HOLIDAYS_MAX {
            return Err(InvalidHours::Holidays);
        }
        Ok(Self { zone: zone.to_owned(), known, week, holidays })
    }

    /// The moment at which `hours` working hours have passed since `from`; `None` where they never
    /// do.
    ///
    /// Hours are counted as they pass: where clocks are put forward during work, that hour is not.
    #[must_use]
    pub fn after(&self, from: Wall, hours: u32) -> Option<Wall> {
        let start = Timestamp::from_millisecond(from.0).ok()?;
        let mut date = start.to_zoned(self.known.clone()).date();
        let mut left = i64::from(hours) * 3_600_000;
        for _ in 0..DAYS_MAX {
            if let Some((open, close)) = self.work_on(date) {
                let open = open.max(from.0);
                let worked = close.saturating_sub(open).max(0);
                if worked >= left && worked > 0 {
                    return Some(Wall(open + left));
                }
                left -= worked;
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    /// Working hours that pass between two moments, in milliseconds.
    #[must_use]
    pub fn between(&self, from: Wall, until: Wall) -> i64 {
        let Ok(start) = Timestamp::from_millisecond(from.0) else { return 0 };
        let mut date = start.to_zoned(self.known.clone()).date();
        let mut passed = 0;
        for _ in 0..DAYS_MAX {
            if let Some((open, close)) = self.work_on(date) {
                passed += close.min(until.0).saturating_sub(open.max(from.0)).max(0);
                if open > until.0 {
                    break;
                }
            }
            let Ok(next) = date.tomorrow() else { break };
            date = next;
        }
        passed
    }

    /// Work on `date`, from and until, in milliseconds since 1970.
    fn work_on(&self, date: Date) -> Option<(i64, i64)> {
        if self.holidays.contains(&date) {
            return None;
        }
        let [monday, tuesday, wednesday, thursday, friday, saturday, sunday] = self.week;
        let day = match date.weekday() {
            Weekday::Monday => monday,
            Weekday::Tuesday => tuesday,
            Weekday::Wednesday => wednesday,
            Weekday::Thursday => thursday,
            Weekday::Friday => friday,
            Weekday::Saturday => saturday,
            Weekday::Sunday => sunday,
        }?;
        Some((self.moment(date, day.start)?, self.moment(date, day.end)?))
    }

    fn moment(&self, date: Date, minutes: u16) -> Option<i64> {
        let (date, minutes) = match minutes {
            DAY_MINUTES => (date.tomorrow().ok()?, 0),
            within => (date, within),
        };
        let (hour, minute) = (i8::try_from(minutes / 60).ok()?, i8::try_from(minutes % 60).ok()?);
        let civil = date.at(hour, minute, 0, 0);
        // A time that clocks skip or show twice is the earlier of the two that could be meant.
        let moment = self.known.to_ambiguous_zoned(civil).compatible().ok()?;
        Some(moment.timestamp().as_millisecond())
    }
}

impl Day {
    /// Work from `start` until `end`, such as `08:00` and `17:00`; midnight ends a day as `24:00`.
    ///
    /// # Errors
    ///
    /// [`InvalidHours::Day`].
    pub fn new(start: &str, end: &str) -> Result<Self, InvalidHours> {
        let (start, end) = (minutes(start)?, minutes(end)?);
        if start < end { Ok(Self { start, end }) } else { Err(InvalidHours::Day) }
    }
}

fn minutes(text: &str) -> Result<u16, InvalidHours> {
    if text == "24:00" {
        return Ok(DAY_MINUTES);
    }
    let time: Time = text.parse().map_err(|_| InvalidHours::Day)?;
    if time.second() != 0 || time.subsec_nanosecond() != 0 {
        return Err(InvalidHours::Day);
    }
    let (hour, minute) = (u16::try_from(time.hour()), u16::try_from(time.minute()));
    match (hour, minute) {
        (Ok(hour), Ok(minute)) => Ok(hour * 60 + minute),
        (Ok(_) | Err(_), _) => Err(InvalidHours::Day),
    }
}

impl TryFrom<[String; 2]> for Day {
    type Error = InvalidHours;

    fn try_from([start, end]: [String; 2]) -> Result<Self, InvalidHours> {
        Self::new(&start, &end)
    }
}

impl From<Day> for [String; 2] {
    fn from(day: Day) -> Self {
        [day.start, day.end].map(|at| format!("{:02}:{:02}", at / 60, at % 60))
    }
}

/// [`Hours`] as they are written down; a day without work is left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    zone: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    monday: Option<Day>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tuesday: Option<Day>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wednesday: Option<Day>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    thursday: Option<Day>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    friday: Option<Day>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    saturday: Option<Day>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sunday: Option<Day>,
    #[serde(default)]
    holidays: BTreeSet<Holiday>,
}

impl TryFrom<Written> for Hours {
    type Error = InvalidHours;

    fn try_from(hours: Written) -> Result<Self, InvalidHours> {
        let Written {
            zone,
            monday,
            tuesday,
            wednesday,
            thursday,
            friday,
            saturday,
            sunday,
            holidays,
        } = hours;
        let week = [monday, tuesday, wednesday, thursday, friday, saturday, sunday];
        Self::new(&zone, week, holidays)
    }
}

impl From<Hours> for Written {
    fn from(hours: Hours) -> Self {
        let Hours { zone, known: _, week, holidays } = hours;
        let [monday, tuesday, wednesday, thursday, friday, saturday, sunday] = week;
        Self { zone, monday, tuesday, wednesday, thursday, friday, saturday, sunday, holidays }
    }
}
