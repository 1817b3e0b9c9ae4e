//! Duties, settings, stopwatch, notices: G1-5 to G1-7, G1-9, G1-10.

use std::time::Duration;

use crate::groups::{
    Access, Addresses, Duties, Duty, Happening, InvalidDuties, Notices, Place, Refusal, Settings,
    Spent, Stopwatch, fires, place, spent,
};

fn duties(duties: &[Duty]) -> Duties {
    Duties::new(duties.iter().copied()).unwrap()
}

#[test]
fn g1_5_a_dispatcher_puts_a_case_into_a_group_and_who_asks_for_help_does_not() {
    assert_eq!(place(&duties(&[Duty::Dispatch]), Place::In), Ok(()));
    assert_eq!(place(&duties(&[]), Place::In), Err(Refusal::NoDispatcher));
}

#[test]
fn g1_5_a_write_member_hands_a_case_on_to_another_group() {
    let nobody = duties(&[]);
    assert_eq!(place(&nobody, Place::On(Some(Access::Write))), Ok(()));
    for less in [Some(Access::Read), None] {
        assert_eq!(place(&nobody, Place::On(less)), Err(Refusal::NoWriteMember));
    }
}

#[test]
fn g1_6_dispatching_alone_opens_no_case_that_is_in_a_group() {
    let dispatcher = duties(&[Duty::Dispatch]);
    assert_eq!(dispatcher.access(true), None);
    assert_eq!(dispatcher.access(false), Some(Access::Read));
    assert_eq!(place(&dispatcher, Place::On(None)), Err(Refusal::NoWriteMember));
    assert_eq!(duties(&[Duty::Dispatch, Duty::ReadAll]).access(true), Some(Access::Read));
    let editor = duties(&[Duty::ReadAll, Duty::EditAll]);
    assert_eq!(editor.access(true), Some(Access::Write));
    assert_eq!(editor.access(false), None);
}

#[test]
fn g1_6_edit_all_without_read_all_is_refused() {
    assert_eq!(Duties::new([Duty::EditAll]), Err(InvalidDuties));
    assert_eq!(Duties::new([Duty::Dispatch, Duty::EditAll]), Err(InvalidDuties));
    assert!(Duties::new([Duty::EditAll, Duty::ReadAll]).is_ok());
}

#[test]
fn g1_7_the_first_address_sends_where_the_group_sends_as_itself() {
    let addresses: Addresses = "a@x;b@x".parse().unwrap();
    let on = Settings { addresses, sends_as_itself: true, ..Settings::default() };
    assert_eq!(on.sender(), Some("a@x"));
    assert_eq!(Settings { sends_as_itself: false, ..on }.sender(), None);
    assert_eq!(Settings { sends_as_itself: true, ..Settings::default() }.sender(), None);
}

#[test]
fn g1_7_addresses_are_parted_by_semicolons() {
    let addresses: Addresses = " A@x ; b@x;".parse().unwrap();
    assert_eq!(addresses.to_string(), "a@x;b@x");
    let many = ["a@x"; super::super::ADDRESSES_MAX + 1].join(";");
    for bad in ["a", "a@", "@x", "a@x@y", "a b@x", &many] {
        assert!(bad.parse::<Addresses>().is_err(), "{bad}");
    }
}

#[test]
fn g1_7_a_case_is_taken_out_by_a_write_member_where_the_group_allows_it() {
    let nobody = duties(&[]);
    let off = Settings::default();
    let on = Settings { members_remove: true, ..Settings::default() };
    let out = |access, settings| place(&nobody, Place::Out(access, settings));
    assert_eq!(out(Some(Access::Write), &off), Err(Refusal::SettingOff));
    assert_eq!(out(Some(Access::Write), &on), Ok(()));
    assert_eq!(out(Some(Access::Read), &on), Err(Refusal::NoWriteMember));
}

#[test]
fn g1_9_each_option_counts_what_the_table_says() {
    use Spent::{Ask, Log, Nothing};
    let table = [
        (Stopwatch::Never, Nothing, Nothing),
        (Stopwatch::AskDelayed, Nothing, Ask),
        (Stopwatch::Ask, Ask, Ask),
        (Stopwatch::AlwaysDelayed, Nothing, Log),
        (Stopwatch::Always, Log, Log),
    ];
    for (option, short, long) in table {
        let after = |seconds| spent(option, true, Duration::from_secs(seconds));
        assert_eq!([after(30), after(90)], [short, long], "{option:?}");
        // The boundary: a minute is long enough, a millisecond less is not.
        assert_eq!(after(60), long, "{option:?}");
        let almost = Duration::from_millis(59_999);
        assert_eq!(spent(option, true, almost), short, "{option:?}");
        assert_eq!(spent(option, false, Duration::from_secs(90)), Nothing, "{option:?}");
    }
}

#[test]
fn g1_10_mail_goes_out_only_where_group_and_member_both_want_it() {
    let on = Notices { on: true, attachments: false };
    assert!(!fires(Happening::Commented, on, false));
    assert!(fires(Happening::Commented, on, true));
    assert!(!fires(Happening::Commented, Notices::default(), true));
}

#[test]
fn g1_10_the_five_happenings_of_the_list_are_told_and_no_other() {
    let on = Notices { on: true, attachments: true };
    for told in [
        Happening::Authorised,
        Happening::MailReceived,
        Happening::Reopened,
        Happening::Commented,
        Happening::Undeliverable,
    ] {
        assert!(fires(told, on, true), "{told:?}");
    }
    assert!(!fires(Happening::Changed, on, true));
}
