//! What each party calls a case in its own ticket system, of which the other knows nothing.

use super::*;
use crate::{
    audit::Event,
    cases::{CaseType, Details, Severity},
    hooks::HookUrl,
    ids::{AssetId, CaseId},
};

/// The shared case of OP and SP.
const SHARED: &str = "CASE-1";

fn id<T: FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn called(external_id: Option<&str>) -> Edit {
    Edit { external_id: Some(external_id.map(str::to_owned)), ..Edit::default() }
}

fn conflict<T: std::fmt::Debug>(result: Result<T, WriteError>) -> Conflict {
    match result {
        Err(WriteError::Conflict(conflict)) => conflict,
        other => panic!("no conflict: {other:?}"),
    }
}

/// Ticket `external_id`, as a system sends it that knows no more of the shared case than its title.
fn ticket(external_id: &str) -> PutCase {
    let details = Details {
        severity: Some(Severity::Degraded),
        external_id: Some(external_id.to_owned()),
        ..Details::default()
    };
    let new = NewCase {
        case_type: CaseType::Shared,
        about: About::Asset(id::<AssetId>("press-7")),
        title: format!("title of {SHARED}"),
        details,
        organisation: None,
    };
    let edit = Edit { title: Some(new.title.clone()), ..Edit::default() };
    PutCase { new, edit, state: None }
}

impl Desk {
    async fn call(&self, who: &str, case: &str, name: Option<&str>) -> Result<(), WriteError> {
        self.edit_at(who, case, called(name), None).await
    }

    async fn edit_at(
        &self,
        who: &str,
        case: &str,
        edit: Edit,
        seen: Option<Revision>,
    ) -> Result<(), WriteError> {
        let change = CaseChange::Edit(edit);
        self.store.change_case(&by(who), &id(case), &change, seen, Now::read()).await.map(drop)
    }

    async fn sheet_for(&self, tenant: &str, case: &str) -> CaseSheet {
        self.store.case_sheet(&id(tenant), &id(case)).await.unwrap().unwrap()
    }

    /// What OP and SP call the shared case.
    async fn names(&self) -> (Option<String>, Option<String>) {
        let name = async |tenant| self.sheet_for(tenant, SHARED).await.details.external_id;
        (name("op").await, name("sp").await)
    }

    /// The cases that `who` finds by an external id, each with the one that is shown.
    async fn found(&self, who: &str, external_id: &str) -> Vec<(String, Option<String>)> {
        let filter = CaseFilter { external_id: Some(external_id.into()), ..CaseFilter::default() };
        let page = Page::default();
        let found = self.store.cases(&id(who), &filter, &page, Now::read()).await.unwrap();
        let shown = |sheet: CaseSheet| (sheet.case.id.to_string(), sheet.details.external_id);
        found.items.into_iter().map(shown).collect()
    }

    async fn put_ticket(&self, who: &str, external_id: &str) -> Result<Put, WriteError> {
        let put = ticket(external_id);
        self.store.put_case(&by(who), &put, None, Now::read()).await.map(|done| done.value)
    }
}

fn names(op: Option<&str>, sp: Option<&str>) -> (Option<String>, Option<String>) {
    (op.map(str::to_owned), sp.map(str::to_owned))
}

#[tokio::test]
async fn each_party_has_its_own_and_takes_only_its_own_away() {
    let desk = Desk::new().await;
    desk.call("milo", SHARED, Some("HD-17")).await.unwrap();
    assert_eq!(desk.names().await, names(Some("HD-17"), None));
    desk.call("stella", SHARED, Some("4711")).await.unwrap();
    assert_eq!(desk.names().await, names(Some("HD-17"), Some("4711")));
    // An edit of something else leaves both.
    let title = Edit { title: Some("Belt slips".into()), ..Edit::default() };
    desk.edit_at("stella", SHARED, title, None).await.unwrap();
    assert_eq!(desk.names().await, names(Some("HD-17"), Some("4711")));

    let mine = |name: &str| vec![(SHARED.to_owned(), Some(name.to_owned()))];
    assert_eq!(desk.found("wanda", "HD-17").await, mine("HD-17"));
    assert_eq!(desk.found("lara", "4711").await, mine("4711"));
    assert!(desk.found("wanda", "4711").await.is_empty());
    assert!(desk.found("lara", "HD-17").await.is_empty());

    desk.call("milo", SHARED, Some("HD-18")).await.unwrap();
    assert_eq!(desk.names().await, names(Some("HD-18"), Some("4711")));
    assert!(desk.found("wanda", "HD-17").await.is_empty());
    desk.call("milo", SHARED, None).await.unwrap();
    assert_eq!(desk.names().await, names(None, Some("4711")));
    desk.call("stella", SHARED, None).await.unwrap();
    assert_eq!(desk.names().await, names(None, None));
}

#[tokio::test]
async fn naming_a_case_is_an_edit_that_who_looked_before_is_told_of() {
    let desk = Desk::new().await;
    let seen = desk.sheet_for("op", SHARED).await.revision;
    desk.edit_at("stella", SHARED, called(Some("4711")), Some(seen)).await.unwrap();
    let stands = desk.sheet_for("op", SHARED).await.revision;
    assert!(stands > seen);
    let late = desk.edit_at("milo", SHARED, called(Some("HD-17")), Some(seen)).await;
    assert_eq!(conflict(late), Conflict::Stale { expected: seen, found: stands });
    assert_eq!(desk.names().await, names(None, Some("4711")));
    // Who reads only, names nothing.
    assert_eq!(refusal(desk.call("clara", SHARED, Some("4712")).await), "role");
}

#[tokio::test]
async fn by_the_number_of_either_system_it_is_the_same_case() {
    let desk = Desk::new().await;
    desk.call("milo", SHARED, Some("HD-17")).await.unwrap();
    desk.call("stella", SHARED, Some("4711")).await.unwrap();
    let same = || Put::Same(id::<CaseId>(SHARED));
    assert_eq!(desk.put_ticket("milo", "HD-17").await.unwrap(), same());
    assert_eq!(desk.put_ticket("stella", "4711").await.unwrap(), same());
    // The other's number is nobody's here.
    let Put::Opened(other) = desk.put_ticket("stella", "HD-17").await.unwrap() else {
        panic!("opened")
    };
    assert_eq!(desk.found("milo", "HD-17").await.len(), 1);
    assert_eq!(desk.sheet_for("op", other.as_str()).await.details.external_id, None);
    assert_eq!(desk.put_ticket("stella", "HD-17").await.unwrap(), Put::Same(other));
}

#[tokio::test]
async fn it_names_one_case_of_a_company_and_another_company_may_use_it_too() {
    let desk = Desk::new().await;
    let taken = "there already is a case with the external id HD-17";
    desk.call("emil", "CASE-2", Some("HD-17")).await.unwrap();
    // MO and ST see no internal case of the operator's: which one has it, they are not told.
    let new = ticket("HD-17").new;
    let created = desk.store.create_case(&by("milo"), &new, Now::read()).await;
    assert_eq!(conflict(created).to_string(), taken);
    assert_eq!(conflict(desk.call("milo", SHARED, Some("HD-17")).await).to_string(), taken);
    assert_eq!(desk.names().await, names(None, None));

    desk.call("stella", SHARED, Some("HD-17")).await.unwrap();
    assert_eq!(conflict(desk.call("stella", "CASE-3", Some("HD-17")).await).to_string(), taken);
    // The same once more is no conflict with itself; what was given up is free.
    desk.call("stella", SHARED, Some("HD-17")).await.unwrap();
    desk.call("emil", "CASE-2", None).await.unwrap();
    desk.call("milo", SHARED, Some("HD-17")).await.unwrap();
    assert_eq!(desk.names().await, names(Some("HD-17"), Some("HD-17")));
}

#[tokio::test]
async fn who_opens_a_case_may_name_it() {
    let desk = Desk::new().await;
    let new = ticket("HD-17").new;
    let create = async |who: &str, new: &NewCase| {
        desk.store.create_case(&by(who), new, Now::read()).await.map(|done| done.value.id)
    };
    let made = create("milo", &new).await.unwrap().to_string();
    assert_eq!(desk.found("milo", "HD-17").await, [(made.clone(), Some("HD-17".to_owned()))]);
    assert_eq!(desk.sheet_for("sp", &made).await.details.external_id, None);
    let again = conflict(create("milo", &new).await).to_string();
    assert_eq!(again, "there already is a case with the external id HD-17");
    let theirs = create("stella", &new).await.unwrap().to_string();
    assert_eq!(desk.found("stella", "HD-17").await, [(theirs, Some("HD-17".to_owned()))]);
}

#[tokio::test]
async fn only_the_own_company_reads_that_it_changed_or_hears_of_it() {
    let desk = Desk::new().await;
    for (admin, tenant) in [("tessa", "op"), ("theo", "sp")] {
        let url: HookUrl = format!("https://{tenant}.example/in").parse().unwrap();
        let new = NewHook { id: None, name: tenant.to_owned(), url, kinds: Vec::new() };
        desk.store.create_hook(&by(admin), &new, Now::read()).await.unwrap();
    }
    let both = Edit { title: Some("Belt slips".into()), ..called(Some("HD-17")) };
    desk.edit_at("milo", SHARED, both, None).await.unwrap();
    desk.call("milo", SHARED, Some("HD-18")).await.unwrap();
    let parcels = desk.store.due(Now::read().wall).await.unwrap().parcels;
    assert!(parcels.iter().all(|parcel| !parcel.body.contains("HD-1")));

    let words = (Event::CaseEdited, Some(format!("title=title of {SHARED}")));
    let first = (Event::CaseExternalIdChanged, None);
    let second = (Event::CaseExternalIdChanged, Some("HD-17".to_owned()));
    let (page, now, case) = (Page::default(), Now::read(), id(SHARED));
    for (who, expected) in [
        ("milo", vec![words.clone(), first.clone(), second.clone()]),
        ("wanda", vec![words.clone(), first, second]),
        ("stella", vec![words]),
    ] {
        let told = |found: Option<Listed<Row>>| {
            let rows = found.unwrap().items.into_iter();
            rows.map(|row| (row.event().unwrap(), row.old)).collect::<Vec<_>>()
        };
        let history = desk.store.case_history(&id(who), &case, &page, now).await.unwrap();
        assert_eq!(told(history), expected, "{who}");
        let records = desk.store.case_records(&id(who), &case, &page, now).await.unwrap();
        assert_eq!(told(records), expected, "{who}");
    }
}

#[tokio::test]
async fn no_statement_names_a_case_for_a_company_that_has_no_part_in_it() {
    let desk = Desk::new().await;
    for sql in [
        "INSERT INTO external_ids VALUES ('sp', 'CASE-2', 'HD-17')",
        "INSERT INTO external_ids VALUES ('op', 'CASE-3', 'HD-17')",
    ] {
        assert!(desk.tamper(sql).await.is_err(), "{sql}");
    }
    desk.tamper("INSERT INTO external_ids VALUES ('sp', 'CASE-1', 'HD-17')").await.unwrap();
}
