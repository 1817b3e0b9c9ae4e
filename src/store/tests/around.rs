//! Case roles, workspaces, organisations as rows: what they open, to whom, and what stays
//! (domain.md G.2, G.3).

use sqlx::Row as _;

use super::*;
use crate::{
    authz::{Action, Decision, Request, decide},
    cases::{CaseType, Details, Severity},
    ids::{CaseId, OrganisationId, PersonId, WorkspaceId},
    visibility::{Domain, OrgSetting, PersonSetting},
    workspaces::{AdminRight, CaseRight, CaseRights, UserType},
};

fn id<T: FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn case(number: u32) -> CaseId {
    id(&format!("CASE-{number}"))
}

impl Desk {
    /// Whether `who` may read the case, comment on it, read its history.
    async fn sees(&self, who: &str, number: u32) -> [bool; 3] {
        let facts = self.store.facts(&Subject::case(id(who), case(number))).await.unwrap();
        let ask = |action| {
            let request = Request { who: id(who), action, at: Now::read().wall };
            matches!(decide(request, &facts), Decision::Allow(_))
        };
        let case = || case(number);
        [ask(Action::ReadCase(case())), ask(Action::Chat(case())), ask(Action::ReadAudit(case()))]
    }

    async fn as_role(
        &self,
        who: &str,
        number: u32,
        role: Option<&str>,
    ) -> Result<Written<()>, WriteError> {
        let now = Now::read();
        self.store.set_participant(&by("emil"), &case(number), &id(who), role, now).await
    }

    async fn workspace(&self, name: &str, number: u32) -> WorkspaceId {
        let (store, now) = (&self.store, Now::read());
        store.create_workspace(&by("emil"), name, &case(number), now).await.unwrap().value.id
    }

    async fn organisation(&self, name: &str, domains: &[&str], partner: bool) -> OrganisationId {
        let new = NewOrganisation {
            name: name.to_owned(),
            domains: domains.iter().map(|one| id::<Domain>(one)).collect(),
            approvers: [id("wanda")].into(),
            partner,
            managed: false,
        };
        self.store.create_organisation(&by("tessa"), &new, Now::read()).await.unwrap().value.id
    }

    /// A person without any role.
    async fn person(&self, email: &str) -> String {
        let new =
            NewPerson { email: email.to_owned(), name: email.to_owned(), password_hash: None };
        let person = self.store.create_person(&by("tessa"), &new, Now::read()).await.unwrap();
        person.value.id.to_string()
    }

    /// Has `who` have raised CASE-1 for this organisation.
    async fn raised(&self, who: &str, organisation: &OrganisationId) {
        self.store
            .plant(format!(
                "UPDATE cases SET created_by = '{who}' WHERE id = 'CASE-1'; \
                 INSERT INTO case_organisations VALUES ('CASE-1', 'op', '{organisation}') \
                 ON CONFLICT DO UPDATE SET organisation = excluded.organisation"
            ))
            .await;
    }

    async fn set(
        &self,
        who: &str,
        organisation: &OrganisationId,
        change: OrganisationChange,
    ) -> Result<Written<()>, WriteError> {
        self.store.change_organisation(&by(who), organisation, &change, Now::read()).await
    }

    async fn members(&self, organisation: &OrganisationId) -> Vec<String> {
        let found = self.store.organisation_members(organisation).await.unwrap();
        found.into_iter().map(|one| one.person.to_string()).collect()
    }
}

const NOTHING: [bool; 3] = [false, false, false];
const VIEW: [bool; 3] = [true, false, false];
const COMMENT: [bool; 3] = [true, true, false];
const ALL: [bool; 3] = [true, true, true];

#[tokio::test]
async fn g2_1_of_another_workspace_there_is_nothing_to_be_found() {
    let desk = Desk::new().await;
    let (x, now) = (desk.workspace("X", 2).await, Now::read());
    assert!(desk.store.workspace(&id("milo"), &x).await.unwrap().is_none());
    let refused = desk.store.set_workspace_case(&by("milo"), &x, &case(1), true, now).await;
    assert_eq!(refusal(refused), "not_found");
    // A case is in one workspace of its company at a time.
    let y = desk.workspace("Y", 2).await;
    let cases = async |workspace| {
        desk.store.workspace_cases(&id("emil"), workspace, now).await.unwrap().len()
    };
    assert_eq!((cases(&x).await, cases(&y).await), (0, 1));
}

#[tokio::test]
async fn g2_2_a_workspace_begins_with_a_case_and_takes_further_ones() {
    let desk = Desk::new().await;
    let (x, now) = (desk.workspace("X", 2).await, Now::read());
    assert_eq!(desk.store.workspace_cases(&id("emil"), &x, now).await.unwrap().len(), 1);
    desk.store.set_workspace_case(&by("emil"), &x, &case(1), true, now).await.unwrap();
    assert_eq!(desk.store.workspace_cases(&id("emil"), &x, now).await.unwrap().len(), 2);
}

#[tokio::test]
async fn g2_3_a_case_role_counts_in_its_case_alone_and_none_is_no_role() {
    let desk = Desk::new().await;
    desk.as_role("tessa", 1, Some("staff")).await.unwrap();
    assert_eq!(desk.sees("tessa", 1).await, ALL);
    assert_eq!(desk.sees("tessa", 2).await, NOTHING);
    desk.as_role("tessa", 2, Some("client")).await.unwrap();
    assert_eq!(desk.sees("tessa", 2).await, COMMENT);
    assert!(matches!(desk.as_role("tessa", 1, Some("")).await, Err(WriteError::Conflict(_))));
    assert!(matches!(desk.as_role("tessa", 1, Some("boss")).await, Err(WriteError::Conflict(_))));
    desk.as_role("tessa", 1, None).await.unwrap();
    assert_eq!(desk.sees("tessa", 1).await, NOTHING);
}

#[tokio::test]
async fn g2_4_a_bot_reads_and_a_changed_role_changes_for_everyone_who_holds_it() {
    let desk = Desk::new().await;
    desk.as_role("tessa", 2, Some("bot")).await.unwrap();
    assert_eq!(desk.sees("tessa", 2).await, VIEW);
    let (x, store, now) = (desk.workspace("X", 2).await, &desk.store, Now::read());
    let rights =
        |rights: &[CaseRight]| CaseRights::from(rights.iter().copied().collect::<BTreeSet<_>>());
    let chat = rights(&[CaseRight::Read, CaseRight::Comment]);
    let made = store.set_case_role(&by("emil"), &x, None, ("Viewer+chat", &chat), now).await;
    let role = made.unwrap().value.id;
    desk.as_role("tessa", 2, Some(role.as_str())).await.unwrap();
    assert_eq!(desk.sees("tessa", 2).await, COMMENT);
    // A case outside the workspace does not know its roles.
    assert!(matches!(
        desk.as_role("tessa", 1, Some(role.as_str())).await,
        Err(WriteError::Conflict(_))
    ));
    let less = rights(&[CaseRight::Read]);
    store.set_case_role(&by("emil"), &x, Some(&role), ("Viewer", &less), now).await.unwrap();
    assert_eq!(desk.sees("tessa", 2).await, VIEW);
}

#[tokio::test]
async fn g2_5_the_founder_stays_administrator_whoever_writes_and_a_manager_loses_a_right() {
    let desk = Desk::new().await;
    let (x, store, now) = (desk.workspace("X", 2).await, &desk.store, Now::read());
    let set = async |who: &str, whom: &str, to| {
        let whom: PersonId = id(whom);
        store.set_workspace_member(&by(who), &x, &whom, to, now).await
    };
    assert!(set("emil", "emil", Some((UserType::Manager, [].into()))).await.is_err());
    assert!(set("emil", "emil", None).await.is_err());
    assert!(set("emil", "wanda", Some((UserType::Administrator, [].into()))).await.is_err());
    assert!(desk.tamper("UPDATE workspace_members SET user_type = 'user'").await.is_err());
    assert!(desk.tamper("DELETE FROM workspace_members").await.is_err());

    set("emil", "wanda", Some((UserType::Manager, [].into()))).await.unwrap();
    set("wanda", "milo", Some((UserType::User, [].into()))).await.unwrap();
    let without = [AdminRight::Members].into();
    set("emil", "wanda", Some((UserType::Manager, without))).await.unwrap();
    assert_eq!(refusal(set("wanda", "milo", None).await), "role");
    store.set_workspace_case(&by("wanda"), &x, &case(1), true, now).await.unwrap();
}

#[tokio::test]
async fn g2_6_to_be_staff_of_a_workspace_opens_no_case_and_a_case_role_no_administration() {
    let desk = Desk::new().await;
    let (x, store, now) = (desk.workspace("X", 2).await, &desk.store, Now::read());
    let tessa: PersonId = id("tessa");
    for user_type in [UserType::Staff, UserType::Manager] {
        let to = Some((user_type, BTreeSet::new()));
        store.set_workspace_member(&by("emil"), &x, &tessa, to, now).await.unwrap();
        assert_eq!(desk.sees("tessa", 2).await, NOTHING);
        assert!(store.workspace_cases(&tessa, &x, now).await.unwrap().is_empty());
    }
    desk.as_role("tessa", 2, Some("client")).await.unwrap();
    assert_eq!(desk.sees("tessa", 2).await, COMMENT);
    let to = Some((UserType::User, BTreeSet::new()));
    store.set_workspace_member(&by("emil"), &x, &tessa, to, now).await.unwrap();
    desk.as_role("tessa", 2, Some("staff")).await.unwrap();
    assert_eq!(desk.sees("tessa", 2).await, ALL);
    let refused = store.set_workspace_case(&by("tessa"), &x, &case(1), true, now).await;
    assert_eq!(refusal(refused), "role");
}

#[tokio::test]
async fn nobody_of_another_company_takes_part_or_gets_a_copy_of_an_internal_case() {
    let desk = Desk::new().await;
    assert_eq!(refusal(desk.as_role("stella", 2, Some("staff")).await), "not_found");
    let refused =
        desk.store.set_copy(&by("emil"), &case(2), &id("stella"), true, Now::read()).await;
    assert_eq!(refusal(refused), "not_found");
    for sql in [
        "INSERT INTO case_participants VALUES ('CASE-2', 'stella', 'staff')",
        "INSERT INTO case_copies VALUES ('CASE-2', 'stella', 1)",
    ] {
        assert!(desk.tamper(sql).await.is_err(), "{sql}");
    }
}

#[tokio::test]
async fn g3_1_a_new_person_belongs_by_the_whole_domain_of_the_address() {
    let desk = Desk::new().await;
    let o = desk.organisation("O", &["o.com", "o.de"], false).await;
    let x = desk.person("x@o.de").await;
    for other in ["x@p.com", "x@evil-o.com", "x@o.com.evil"] {
        desk.person(other).await;
    }
    assert_eq!(desk.members(&o).await, [x]);
}

#[tokio::test]
async fn g3_2_the_more_permissive_of_both_settings_wins() {
    let desk = Desk::new().await;
    let o = desk.organisation("O", &["o.com"], false).await;
    let (ann, bob) = (desk.person("ann@o.com").await, desk.person("bob@o.com").await);
    desk.raised(&ann, &o).await;
    assert_eq!(desk.sees(&ann, 1).await, COMMENT);
    assert_eq!(desk.sees(&bob, 1).await, NOTHING);
    let sees = async |sees| {
        let now = Now::read();
        desk.store.set_member_sees(&by("wanda"), &o, &id(&bob), sees, now).await.unwrap();
    };
    sees(PersonSetting::Organisation).await;
    assert_eq!(desk.sees(&bob, 1).await, VIEW);
    desk.set("wanda", &o, OrganisationChange::Setting(OrgSetting::Comment)).await.unwrap();
    sees(PersonSetting::OwnOnly).await;
    assert_eq!(desk.sees(&bob, 1).await, COMMENT);
}

#[tokio::test]
async fn g3_3_a_copy_opens_that_case_alone_and_goes_with_the_copy() {
    let desk = Desk::new().await;
    let cid = desk.person("cid@nowhere.com").await;
    let copy = async |on| {
        let now = Now::read();
        desk.store.set_copy(&by("emil"), &case(2), &id(&cid), on, now).await.unwrap();
    };
    copy(true).await;
    assert_eq!(desk.sees(&cid, 2).await, COMMENT);
    assert_eq!(desk.sees(&cid, 1).await, NOTHING);
    copy(false).await;
    assert_eq!(desk.sees(&cid, 2).await, NOTHING);
}

#[tokio::test]
async fn g3_5_a_partners_domain_counts_for_people_created_after_it_was_added() {
    let desk = Desk::new().await;
    let partner = desk.organisation("P", &["p.com"], true).await;
    let other = desk.organisation("A", &["a.com"], false).await;
    let before = desk.person("before@p.com").await;
    let both = OrganisationChange::Domains([id("a.com"), id("p.com")].into());
    desk.set("tessa", &other, both).await.unwrap();
    let after = desk.person("after@p.com").await;
    assert_eq!(desk.members(&partner).await, [after.clone(), before.clone()]);
    assert_eq!(desk.members(&other).await, std::slice::from_ref(&after));

    let ann = desk.person("ann@a.com").await;
    desk.raised(&ann, &other).await;
    desk.set("wanda", &other, OrganisationChange::Setting(OrgSetting::View)).await.unwrap();
    assert_eq!(desk.sees(&before, 1).await, NOTHING);
    // G3-6: views; comments when the requester copies them.
    assert_eq!(desk.sees(&after, 1).await, VIEW);
    let now = Now::read();
    desk.store.set_copy(&by("milo"), &case(1), &id(&after), true, now).await.unwrap();
    assert_eq!(desk.sees(&after, 1).await, VIEW);
    desk.store.set_copy(&by(&ann), &case(1), &id(&after), true, now).await.unwrap();
    assert_eq!(desk.sees(&after, 1).await, COMMENT);
}

#[tokio::test]
async fn g3_6_a_wider_option_waits_for_the_agreement_and_goes_with_it() {
    let desk = Desk::new().await;
    let other = desk.organisation("A", &["a.com"], false).await;
    let wide = || OrganisationChange::Wide(true);
    assert!(matches!(desk.set("wanda", &other, wide()).await, Err(WriteError::Conflict(_))));
    desk.set("wanda", &other, OrganisationChange::Agreed(true)).await.unwrap();
    desk.set("wanda", &other, wide()).await.unwrap();
    desk.set("wanda", &other, OrganisationChange::Agreed(false)).await.unwrap();
    let found = desk.store.organisations(&id("op")).await.unwrap();
    assert!(!found[0].wide && !found[0].agreed);
}

#[tokio::test]
async fn g3_7_who_belongs_to_several_organisations_says_for_which_a_case_is() {
    let desk = Desk::new().await;
    let o = desk.organisation("O", &["op.example"], false).await;
    let p = desk.organisation("P", &["op.example"], false).await;
    let foreign = desk.organisation("Q", &["q.com"], false).await;
    // Who was there before an organisation does not belong to it (G3-5).
    let ann = desk.person("ann@op.example").await;
    let role = Role::MachineOperator;
    desk.store
        .add_assignment(&by("tessa"), &id(&ann), role, &Scope::Whole, Now::read())
        .await
        .unwrap();
    let raise = async |said: Option<&OrganisationId>| {
        let new = NewCase {
            case_type: CaseType::Shared,
            about: About::Asset(id("press-7")),
            title: "It squeaks".into(),
            details: Details { severity: Some(Severity::Degraded), ..Details::default() },
            organisation: said.cloned(),
        };
        desk.store.create_case(&by(&ann), &new, Now::read()).await
    };
    for (said, expected) in [(None, "several"), (Some(&foreign), "belong to it")] {
        let refused = raise(said).await.unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    }
    let raised = raise(Some(&p)).await.unwrap().value;
    let rows = sqlx::query("SELECT organisation FROM case_organisations WHERE case_id = $1")
        .bind(raised.id.as_str())
        .fetch_all(desk.store.readers().unwrap())
        .await
        .unwrap();
    let [row] = rows.as_slice() else { panic!("{} rows", rows.len()) };
    assert_eq!(row.get::<String, _>("organisation"), p.as_str());
    assert_ne!(o, p);
}

#[tokio::test]
async fn g3_7_the_organisation_of_a_case_may_be_changed_by_who_raised_it() {
    let desk = Desk::new().await;
    let o = desk.organisation("O", &["o.com"], false).await;
    let p = desk.organisation("P", &["o.com", "p.com"], false).await;
    let (ann, pia) = (desk.person("ann@o.com").await, desk.person("pia@p.com").await);
    desk.raised(&ann, &o).await;
    desk.set("wanda", &p, OrganisationChange::Setting(OrgSetting::View)).await.unwrap();
    assert_eq!(desk.sees(&pia, 1).await, NOTHING);
    let (store, now) = (&desk.store, Now::read());
    assert_eq!(refusal(store.set_case_organisation(&by("wanda"), &case(1), &p, now).await), "role");
    store.set_case_organisation(&by(&ann), &case(1), &p, now).await.unwrap();
    assert_eq!(desk.sees(&pia, 1).await, VIEW);
}

#[tokio::test]
async fn g3_9_a_setting_is_changed_by_an_approver_and_never_without_a_record() {
    let desk = Desk::new().await;
    let o = desk.organisation("O", &["o.com"], false).await;
    let view = || OrganisationChange::Setting(OrgSetting::View);
    // Not by who has nothing to say, nor by a Tenant Admin.
    for who in ["milo", "tessa"] {
        assert_eq!(refusal(desk.set(who, &o, view()).await), "role", "{who}");
    }
    desk.set("wanda", &o, view()).await.unwrap();
    let changes = desk.store.setting_changes(&o).await.unwrap();
    let [change] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!(change.person.as_str(), "wanda");
    assert_eq!(
        (change.what.as_str(), change.old.as_str(), change.new.as_str()),
        ("setting", "own_only", "view")
    );
    for sql in [
        "UPDATE organisations SET setting = 'comment'",
        "UPDATE organisations SET setting = 'comment', change = 99",
        "UPDATE organisation_changes SET new_value = 'comment'",
        "DELETE FROM organisation_changes",
    ] {
        assert!(desk.tamper(sql).await.is_err(), "{sql}");
    }
}
