//! Groups as rows: who is where, what it opens, and what moves on by itself (domain.md G.1).

use super::*;
use crate::{
    audit::Event,
    authz::{Action, Decision, Request, decide},
    cases::Priority,
    groups::{Access, Duties, Duty, Escalation, Settings, Stopwatch},
    ids::{CaseId, GroupId, PersonId},
};

fn id<T: FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn case(number: u32) -> CaseId {
    id(&format!("CASE-{number}"))
}

impl Desk {
    async fn group(&self, name: &str, parent: Option<&GroupId>, settings: Settings) -> GroupId {
        let new = NewGroup { name: name.to_owned(), parent: parent.cloned(), settings };
        self.store.create_group(&by("tessa"), &new, Now::read()).await.unwrap().value.id
    }

    async fn join(&self, group: &GroupId, who: &str, access: Access) {
        let (person, now): (PersonId, _) = (id(who), Now::read());
        let access = Some(access);
        self.store.set_group_member(&by("tessa"), group, &person, access, now).await.unwrap();
    }

    async fn settings_of(&self, tenant: &str, group: &GroupId) -> Settings {
        let all = self.store.groups(&id(tenant)).await.unwrap();
        all.into_iter().find(|one| one.id == *group).unwrap().settings
    }

    async fn on_duty(&self, who: &str, duties: &[Duty]) {
        let duties = Duties::new(duties.iter().copied()).unwrap();
        self.store.set_duties(&by("tessa"), &id(who), &duties, Now::read()).await.unwrap();
    }

    async fn place(
        &self,
        who: &str,
        number: u32,
        to: Option<&GroupId>,
    ) -> Result<Written<()>, WriteError> {
        self.store.place_case(&by(who), &case(number), to, Now::read()).await
    }

    /// Whether `who` may do these three with a case: read, comment, read its history.
    async fn may(&self, who: &str, number: u32) -> [bool; 3] {
        let subject = Subject::case(id(who), case(number));
        let facts = self.store.facts(&subject).await.unwrap();
        let ask = |action| {
            let request = Request { who: id(who), action, at: Now::read().wall };
            matches!(decide(request, &facts), Decision::Allow(_))
        };
        [
            ask(Action::ReadCase(case(number))),
            ask(Action::Chat(case(number))),
            ask(Action::ReadAudit(case(number))),
        ]
    }
}

const NOTHING: [bool; 3] = [false, false, false];
const READ: [bool; 3] = [true, false, true];
const WRITE: [bool; 3] = [true, true, true];

/// A company whose Tenant Admin, who has no say over cases, dispatches; CASE-2 is in its main group.
async fn desk_with_a_case_in_a_group() -> (Desk, GroupId) {
    let desk = Desk::new().await;
    let main = desk.group("Main", None, Settings::default()).await;
    desk.on_duty("emil", &[Duty::Dispatch]).await;
    desk.place("emil", 2, Some(&main)).await.unwrap();
    (desk, main)
}

#[tokio::test]
async fn g1_1_a_read_member_reads_a_write_member_comments_and_who_is_none_sees_nothing() {
    let (desk, main) = desk_with_a_case_in_a_group().await;
    assert_eq!(desk.may("tessa", 2).await, NOTHING);
    desk.join(&main, "tessa", Access::Read).await;
    assert_eq!(desk.may("tessa", 2).await, READ);
    desk.join(&main, "tessa", Access::Write).await;
    assert_eq!(desk.may("tessa", 2).await, WRITE);
    assert_eq!(desk.may("tessa", 1).await, NOTHING);
}

#[tokio::test]
async fn g1_2_a_sub_group_inherits_until_it_has_a_member_of_its_own() {
    let (desk, main) = desk_with_a_case_in_a_group().await;
    let sub = desk.group("Sub", Some(&main), Settings::default()).await;
    desk.join(&main, "emil", Access::Write).await;
    desk.join(&main, "tessa", Access::Read).await;
    desk.place("emil", 2, Some(&sub)).await.unwrap();
    assert_eq!(desk.may("tessa", 2).await, READ);
    desk.join(&sub, "milo", Access::Read).await;
    assert_eq!(desk.may("tessa", 2).await, NOTHING);
    let store = &desk.store;
    store.set_group_member(&by("tessa"), &sub, &id("milo"), None, Now::read()).await.unwrap();
    assert_eq!(desk.may("tessa", 2).await, READ);
}

#[tokio::test]
async fn g1_3_a_groups_permission_is_not_inherited() {
    let (desk, main) = desk_with_a_case_in_a_group().await;
    let settings = Settings { members_remove: true, ..Settings::default() };
    let sub = desk.group("Sub", Some(&main), settings).await;
    desk.join(&main, "emil", Access::Write).await;
    desk.place("emil", 2, Some(&sub)).await.unwrap();
    // Access to the case is inherited, the permission to take it out is not.
    assert_eq!(refusal(desk.place("emil", 2, None).await), "role");
    desk.join(&sub, "emil", Access::Write).await;
    desk.place("emil", 2, None).await.unwrap();
}

#[tokio::test]
async fn g1_4_a_circle_of_groups_is_refused() {
    let (desk, main) = desk_with_a_case_in_a_group().await;
    let sub = desk.group("Sub", Some(&main), Settings::default()).await;
    let change = GroupChange { parent: Some(Some(sub)), ..GroupChange::default() };
    let store = &desk.store;
    let refused = store.change_group(&by("tessa"), &main, &change, Now::read()).await;
    assert!(matches!(refused, Err(WriteError::Conflict(Conflict::Invalid(_)))));
}

#[tokio::test]
async fn g1_5_dispatchers_put_cases_into_groups_and_those_who_raise_them_cannot() {
    let desk = Desk::new().await;
    let main = desk.group("Main", None, Settings::default()).await;
    assert_eq!(refusal(desk.place("milo", 1, Some(&main)).await), "role");
    desk.on_duty("wanda", &[Duty::Dispatch]).await;
    desk.place("wanda", 1, Some(&main)).await.unwrap();
    let record = desk.last_record().await;
    assert_eq!(record.event(), Some(Event::CasePlaced));
    assert_eq!(record.new.as_deref(), Some("Main"));
}

#[tokio::test]
async fn g1_6_dispatching_opens_what_is_in_no_group_and_nothing_that_is_in_one() {
    let (desk, _) = desk_with_a_case_in_a_group().await;
    desk.on_duty("tessa", &[Duty::Dispatch]).await;
    assert_eq!(desk.may("tessa", 1).await, READ);
    assert_eq!(desk.may("tessa", 2).await, NOTHING);
    desk.on_duty("tessa", &[Duty::ReadAll]).await;
    assert_eq!(desk.may("tessa", 2).await, READ);
    desk.on_duty("tessa", &[Duty::ReadAll, Duty::EditAll]).await;
    assert_eq!(desk.may("tessa", 2).await, WRITE);
}

#[tokio::test]
async fn no_group_of_one_company_opens_a_case_of_another() {
    let (desk, main) = desk_with_a_case_in_a_group().await;
    let (store, now) = (&desk.store, Now::read());
    // Nobody of another company joins, whoever writes the row.
    let access = Some(Access::Write);
    let refused = store.set_group_member(&by("tessa"), &main, &id("theo"), access, now).await;
    assert_eq!(refusal(refused), "not_found");
    let planted = desk
        .tamper("INSERT INTO group_members SELECT id, 'theo', 'write' FROM resource_groups")
        .await;
    assert!(planted.is_err());
    // Nor is an internal case put into another company's group.
    desk.on_duty("emil", &[Duty::Dispatch, Duty::ReadAll, Duty::EditAll]).await;
    let new = NewGroup { name: "Theirs".into(), parent: None, settings: Settings::default() };
    let theirs = store.create_group(&by("theo"), &new, now).await.unwrap().value.id;
    let refused = desk.place("emil", 2, Some(&theirs)).await;
    assert!(matches!(refused, Err(WriteError::Conflict(Conflict::Invalid(_)))));
    let planted = desk
        .tamper("INSERT INTO case_places SELECT 'CASE-2', 'sp', id, 1, NULL FROM resource_groups WHERE tenant = 'sp'")
        .await;
    assert!(planted.is_err());
}

/// Cases move on to `to` after `hours` working hours.
fn escalating(hours: u32, to: &GroupId) -> Settings {
    Settings {
        escalation: Escalation::new(hours, Some(to.clone())).unwrap(),
        ..Settings::default()
    }
}

#[tokio::test]
async fn g1_8_a_case_that_nobody_takes_up_moves_on_once_and_one_in_progress_does_not() {
    let desk = Desk::new().await;
    let second = desk.group("Second", None, Settings::default()).await;
    let first = desk.group("First", None, escalating(20, &second)).await;
    desk.on_duty("emil", &[Duty::Dispatch]).await;
    desk.on_duty("wanda", &[Duty::Dispatch]).await;
    desk.place("emil", 2, Some(&first)).await.unwrap();
    desk.place("wanda", 1, Some(&first)).await.unwrap();
    let (op, now) = (id("op"), Now::read());
    let due = desk.store.case_place(&op, &case(2)).await.unwrap().unwrap().due.unwrap();
    assert!(due > now.wall);

    // Before it is due nothing moves, and the gateway knows when to look again.
    let next = desk.store.escalate(&gateway(), Wall(due.0 - 10_000)).await.unwrap();
    assert_eq!(next, Some(due));
    // One is taken up meanwhile; opened again, its clock stays still.
    for state in [State::InProgress, State::New] {
        desk.store.change_case_state(&by("emil"), &case(2), state, now).await.unwrap();
    }
    assert_eq!(desk.store.escalate(&gateway(), Wall(due.0 + 10_000)).await.unwrap(), None);
    let place =
        async |number| desk.store.case_place(&op, &case(number)).await.unwrap().unwrap().name;
    assert_eq!(place(2).await, "First");
    assert_eq!(place(1).await, "Second");
}

#[tokio::test]
async fn g1_8_what_fell_due_while_no_gateway_ran_moves_on_at_the_next_look() {
    let desk = Desk::new().await;
    let second = desk.group("Second", None, Settings::default()).await;
    let first = desk.group("First", None, escalating(1, &second)).await;
    desk.on_duty("emil", &[Duty::Dispatch]).await;
    desk.place("emil", 2, Some(&first)).await.unwrap();
    let after = desk.after_a_crash().await;
    let much_later = Wall(Now::read().wall.0 + 30 * 86_400_000);
    assert_eq!(after.store.escalate(&gateway(), much_later).await.unwrap(), None);
    let placed = after.store.case_place(&id("op"), &case(2)).await.unwrap().unwrap();
    assert_eq!((placed.name.as_str(), placed.due), ("Second", None));
    let record = after.last_record().await;
    assert_eq!(record.event(), Some(Event::CaseEscalated));
    assert_eq!((record.old.as_deref(), record.new.as_deref()), (Some("First"), Some("Second")));
}

#[tokio::test]
async fn new_settings_set_the_clock_of_what_waits() {
    let desk = Desk::new().await;
    let second = desk.group("Second", None, Settings::default()).await;
    let first = desk.group("First", None, Settings::default()).await;
    desk.on_duty("emil", &[Duty::Dispatch]).await;
    desk.place("emil", 2, Some(&first)).await.unwrap();
    let due =
        async || desk.store.case_place(&id("op"), &case(2)).await.unwrap().unwrap().due.is_some();
    assert!(!due().await);
    for (settings, ticks) in [(escalating(2, &second), true), (escalating(0, &second), false)] {
        let change = GroupChange { settings: Some(settings), ..GroupChange::default() };
        desk.store.change_group(&by("tessa"), &first, &change, Now::read()).await.unwrap();
        assert_eq!(due().await, ticks);
    }
}

/// Shared cases have a priority; CASE-1 is one, in a group of the provider's.
#[tokio::test]
async fn g1_8_a_new_priority_sets_the_clock_from_the_same_beginning() {
    let desk = Desk::new().await;
    let new = |name: &str, settings| NewGroup { name: name.into(), parent: None, settings };
    let make = async |new: NewGroup| {
        desk.store.create_group(&by("theo"), &new, Now::read()).await.unwrap().value.id
    };
    let second = make(new("Second", Settings::default())).await;
    let escalation = Escalation::new(0, Some(second)).unwrap().at(Priority::Urgent, 2).unwrap();
    let first = make(new("First", Settings { escalation, ..Settings::default() })).await;
    let duties = Duties::new([Duty::Dispatch]).unwrap();
    desk.store.set_duties(&by("theo"), &id("lara"), &duties, Now::read()).await.unwrap();
    desk.place("lara", 1, Some(&first)).await.unwrap();
    let placed = async || desk.store.case_place(&id("sp"), &case(1)).await.unwrap().unwrap();
    let set = async |priority: Priority| {
        let edit = Edit { priority: Some(Some(priority)), ..Edit::default() };
        let (change, now) = (CaseChange::Edit(edit), Now::read());
        desk.store.change_case(&by("lara"), &case(1), &change, None, now).await.unwrap();
    };
    assert_eq!(placed().await.due, None, "no priority, no hours");
    set(Priority::Urgent).await;
    let Placed { since, due, .. } = placed().await;
    assert_eq!(due, crate::groups::Hours::default().after(since, 2));
    set(Priority::Low).await;
    assert_eq!(placed().await.due, None);

    // Taken up once, its clock stands, whatever its priority becomes, and whatever its group's hours.
    for state in [State::InProgress, State::New] {
        desk.store.change_case_state(&by("lara"), &case(1), state, Now::read()).await.unwrap();
    }
    set(Priority::Urgent).await;
    let settings = Settings { members_remove: true, ..desk.settings_of("sp", &first).await };
    let change = GroupChange { settings: Some(settings), ..GroupChange::default() };
    desk.store.change_group(&by("theo"), &first, &change, Now::read()).await.unwrap();
    assert_eq!(placed().await.due, None);
}

#[tokio::test]
async fn settings_that_were_stored_before_priorities_had_hours_are_read() {
    let desk = Desk::new().await;
    let second = desk.group("Second", None, Settings::default()).await;
    let first = desk.group("First", None, Settings::default()).await;
    let sql = format!(
        r#"UPDATE resource_groups SET settings = '{{"escalation":{{"hours":8,"to":"{second}"}}}}'
           WHERE id = '{first}'"#
    );
    desk.store.plant(sql).await;
    assert_eq!(desk.settings_of("op", &first).await, escalating(8, &second));
}

#[tokio::test]
async fn a_group_goes_only_when_nothing_leads_to_it() {
    let (desk, main) = desk_with_a_case_in_a_group().await;
    let sub = desk.group("Sub", Some(&main), Settings::default()).await;
    let from = desk.group("From", None, escalating(1, &sub)).await;
    for group in [&main, &sub] {
        let refused = desk.store.remove_group(&by("tessa"), group, Now::read()).await;
        assert!(matches!(refused, Err(WriteError::Conflict(_))));
    }
    for group in [&from, &sub] {
        desk.store.remove_group(&by("tessa"), group, Now::read()).await.unwrap();
    }
}

#[tokio::test]
async fn g1_9_a_sessions_time_is_logged_asked_for_or_left_as_the_group_says() {
    for (stopwatch, minutes, expected) in [
        (Stopwatch::Always, 2, Some(true)),
        (Stopwatch::AlwaysDelayed, 0, None),
        (Stopwatch::AskDelayed, 1, Some(false)),
        (Stopwatch::Never, 2, None),
    ] {
        let desk = Desk::new().await;
        let group = desk.group("Main", None, Settings { stopwatch, ..Settings::default() }).await;
        desk.join(&group, "milo", Access::Write).await;
        desk.on_duty("wanda", &[Duty::Dispatch]).await;
        desk.place("wanda", 1, Some(&group)).await.unwrap();
        let session = desk.finished_session("milo", minutes * 60_000).await;
        let (who, op) = (id("milo"), id("op"));
        let efforts = desk.store.efforts(&who, &op, &case(1)).await.unwrap();
        assert_eq!(efforts.first().map(|one| one.logged), expected, "{stopwatch:?}");
        // Whoever was not asked sees what is logged alone.
        let others = desk.store.efforts(&id("wanda"), &op, &case(1)).await.unwrap();
        assert_eq!(others.len(), usize::from(expected == Some(true)), "{stopwatch:?}");
        if expected == Some(false) {
            let (store, now) = (&desk.store, Now::read());
            store.answer_effort(&by("milo"), &case(1), &session, true, now).await.unwrap();
            assert_eq!(desk.last_record().await.event(), Some(Event::TimeLogged));
            assert!(store.answer_effort(&by("milo"), &case(1), &session, true, now).await.is_err());
        }
    }
}

impl Desk {
    /// A session on CASE-1 that lasted so many milliseconds.
    async fn finished_session(&self, who: &str, lasted: i64) -> crate::ids::SessionId {
        let sql = format!(
            "INSERT INTO sessions (id, gateway, person, tenant, key_digest, case_id, asset, device, \
                 tunnel, tunnel_name, door, want, requested_at, started_at, bytes_up, bytes_down) \
             VALUES ('s-1', 'gw-1', '{who}', 'op', '{}', 'CASE-1', 'press-7', 'edge-1', \
                 'press-7-plc', 'plc', 'native', 'control', 1000, 1000, 0, 0)",
            KeyDigest([7; 32]),
        );
        self.store.plant(sql).await;
        let ended = Ended {
            session: id("s-1"),
            cause: crate::audit::EndCause::UserClosed,
            at: Wall(1_000 + lasted),
            up: 0,
            down: 0,
            by: None,
        };
        self.store.end_session(&ended).await.unwrap();
        id("s-1")
    }
}

#[tokio::test]
async fn how_one_company_arranges_a_shared_case_is_not_in_the_others_history() {
    let desk = Desk::new().await;
    let main = desk.group("Main", None, Settings::default()).await;
    desk.on_duty("wanda", &[Duty::Dispatch]).await;
    desk.place("wanda", 1, Some(&main)).await.unwrap();
    for (who, sees) in [("wanda", true), ("stella", false)] {
        let page = Page::default();
        let found = desk.store.case_records(&id(who), &case(1), &page, Now::read()).await.unwrap();
        let placed = found.unwrap().items.iter().any(|row| row.event() == Some(Event::CasePlaced));
        assert_eq!(placed, sees, "{who}");
    }
}
