//! Working hours and escalation: G1-8.

use proptest::prelude::*;

use crate::{
    cases::{Priority, State},
    clock::Wall,
    groups::{Day, Escalation, Hours, due},
};

/// A week of work from Monday to Friday.
fn weekdays(zone: &str, from: &str, until: &str, holidays: &[&str]) -> Hours {
    let day = Some(Day::new(from, until).unwrap());
    let holidays = holidays.iter().map(|one| one.parse().unwrap()).collect();
    Hours::new(zone, [day, day, day, day, day, None, None], holidays).unwrap()
}

fn at(time: &str) -> Wall {
    time.parse().unwrap()
}

fn after(hours: &Hours, from: &str, n: u32) -> String {
    hours.after(at(from), n).unwrap().to_string()
}

/// To group B after `n` working hours.
fn to_b(n: u32) -> Escalation {
    Escalation::new(n, Some("b".parse().unwrap())).unwrap()
}

// 2026-06-01 is a Monday.

#[test]
fn g1_8_twenty_hours_of_nine_to_sixteen_from_monday_half_past_eleven_end_thursday_half_past_ten() {
    let hours = weekdays("UTC", "09:00", "16:00", &[]);
    let moved = due(&to_b(20), &hours, at("2026-06-01T11:30:00Z"), (State::New, None));
    assert_eq!(moved, Some(at("2026-06-04T10:30:00Z")));
}

#[test]
fn g1_8_twenty_default_hours_from_monday_half_past_eleven_end_wednesday_half_past_one() {
    assert_eq!(after(&Hours::default(), "2026-06-01T11:30:00Z", 20), "2026-06-03T13:30:00.000Z");
}

#[test]
fn g1_8_two_default_hours_from_friday_at_four_end_monday_at_nine() {
    assert_eq!(after(&Hours::default(), "2026-06-05T16:00:00Z", 2), "2026-06-08T09:00:00.000Z");
}

#[test]
fn g1_8_one_default_hour_from_saturday_at_ten_ends_monday_at_nine() {
    assert_eq!(after(&Hours::default(), "2026-06-06T10:00:00Z", 1), "2026-06-08T09:00:00.000Z");
}

#[test]
fn g1_8_whoever_takes_a_case_up_stops_its_clock() {
    let (hours, since) = (Hours::default(), at("2026-06-01T11:30:00Z"));
    assert!(due(&to_b(20), &hours, since, (State::New, None)).is_some());
    for taken_up in [State::InProgress, State::Closed] {
        assert_eq!(due(&to_b(20), &hours, since, (taken_up, None)), None);
    }
}

#[test]
fn g1_8_without_hours_or_without_a_group_nothing_moves() {
    let since = at("2026-06-01T11:30:00Z");
    for nothing in [to_b(0), Escalation::new(20, None).unwrap(), Escalation::default()] {
        assert_eq!(due(&nothing, &Hours::default(), since, (State::New, None)), None);
    }
}

#[test]
fn g1_8_hours_are_those_of_the_cases_priority_or_the_plain_ones() {
    let (hours, since) = (Hours::default(), at("2026-06-01T08:00:00Z"));
    let all = to_b(4).at(Priority::Urgent, 1).unwrap().at(Priority::Low, 0).unwrap();
    for (priority, expected) in [
        (None, Some("2026-06-01T12:00:00Z")),
        (Some(Priority::Normal), Some("2026-06-01T12:00:00Z")),
        (Some(Priority::Urgent), Some("2026-06-01T09:00:00Z")),
        (Some(Priority::Low), None),
    ] {
        let moved = due(&all, &hours, since, (State::New, priority));
        assert_eq!(moved, expected.map(at), "{priority:?}");
    }
    let urgent = to_b(0).at(Priority::Urgent, 2).unwrap();
    assert_eq!(urgent.way(None), None);
    assert_eq!(urgent.way(Some(Priority::Urgent)).map(|(_, hours)| hours), Some(2));
}

#[test]
fn escalation_is_written_with_its_priorities_and_read_without() {
    let old = r#"{"hours":8,"to":"b"}"#;
    let read: Escalation = serde_json::from_str(old).unwrap();
    assert_eq!((&read, serde_json::to_string(&read).unwrap().as_str()), (&to_b(8), old));
    let new = r#"{"hours":8,"by_priority":{"high":4,"urgent":1},"to":"b"}"#;
    let read: Escalation = serde_json::from_str(new).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), new);
    for wrong in [
        new.replace("urgent", "at_once"),
        new.replace(":1}", ":8761}"),
        new.replace(":1}", ":-1}"),
        new.replace("by_priority", "by_severity"),
    ] {
        assert!(serde_json::from_str::<Escalation>(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn g1_8_a_holiday_does_not_count() {
    let hours = weekdays("UTC", "08:00", "17:00", &["2026-06-02"]);
    assert_eq!(after(&hours, "2026-06-01T16:00:00Z", 2), "2026-06-03T09:00:00.000Z");
}

#[test]
fn hours_are_those_of_the_groups_own_time_zone() {
    // Central Europe in summer is two hours ahead: Monday 08:00 there is 06:00 in UTC.
    let hours = weekdays("CET-1CEST,M3.5.0,M10.5.0/3", "08:00", "17:00", &[]);
    assert_eq!(after(&hours, "2026-05-31T12:00:00Z", 1), "2026-06-01T07:00:00.000Z");
    // In winter one.
    assert_eq!(after(&hours, "2026-01-04T12:00:00Z", 1), "2026-01-05T08:00:00.000Z");
}

#[test]
fn an_hour_that_clocks_skip_is_not_worked() {
    // 2026-03-29, 02:00 to 03:00 is left out in Central Europe; work is on Sundays here.
    let night = Some(Day::new("01:00", "05:00").unwrap());
    let week = [None, None, None, None, None, None, night];
    let hours = Hours::new("CET-1CEST,M3.5.0,M10.5.0/3", week, [].into()).unwrap();
    let (from, until) = (at("2026-03-29T00:00:00Z"), at("2026-03-29T23:00:00Z"));
    assert_eq!(hours.between(from, until), 3 * 3_600_000);
    assert_eq!(after(&hours, "2026-03-29T00:00:00Z", 3), "2026-03-29T03:00:00.000Z");
}

#[test]
fn work_may_end_at_midnight_and_go_on() {
    let whole = Some(Day::new("00:00", "24:00").unwrap());
    let hours = Hours::new("UTC", [whole; 7], [].into()).unwrap();
    assert_eq!(after(&hours, "2026-06-01T11:30:00Z", 48), "2026-06-03T11:30:00.000Z");
}

#[test]
fn where_nobody_ever_works_nothing_is_ever_due() {
    let hours = Hours::new("UTC", [None; 7], [].into()).unwrap();
    assert_eq!(hours.after(at("2026-06-01T11:30:00Z"), 1), None);
}

#[test]
fn hours_that_nobody_can_keep_are_refused() {
    for (from, until) in
        [("17:00", "08:00"), ("08:00", "08:00"), ("8", "17:00"), ("08:00", "25:00")]
    {
        assert!(Day::new(from, until).is_err(), "{from} {until}");
    }
    assert!(Hours::new("Nowhere/Town", [None; 7], [].into()).is_err());
    assert!(Hours::new("CET-1CEST,bad", [None; 7], [].into()).is_err());
    assert!(Escalation::new(8_760, None).is_ok() && Escalation::new(8_761, None).is_err());
}

#[test]
fn hours_are_written_day_by_day() {
    let text = r#"{"zone":"UTC","monday":["08:00","24:00"],"holidays":["2026-12-25"]}"#;
    let hours: Hours = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&hours).unwrap(), text);
    let wrong = text.replace("monday", "moonday");
    assert!(serde_json::from_str::<Hours>(&wrong).is_err());
}

proptest! {
    /// The hours that pass until the moment given are those asked for, and that moment is work.
    #[test]
    fn the_moment_given_is_the_first_by_which_so_many_hours_were_worked(
        minutes in 0..525_600_i64,
        n in 1..200_u32,
        start in 0..12_u8,
        length in 1..12_u8,
        summer in any::<bool>(),
    ) {
        let zone = if summer { "CET-1CEST,M3.5.0,M10.5.0/3" } else { "UTC" };
        let (from, until) = (format!("{start:02}:00"), format!("{:02}:00", start + length));
        let hours = weekdays(zone, &from, &until, &["2026-06-04"]);
        let begun = Wall(at("2026-01-01T00:00:00Z").0 + minutes * 60_000);
        let ended = hours.after(begun, n).unwrap();
        let asked = i64::from(n) * 3_600_000;
        prop_assert_eq!(hours.between(begun, ended), asked);
        prop_assert!(hours.between(begun, Wall(ended.0 - 1)) < asked);
    }
}
