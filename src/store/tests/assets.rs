//! Assets and facilities: edited, moved, taken out of service.

use super::*;
use crate::{
    audit::{EndCause, Event},
    authz::Via,
    ids::{AssetId, FacilityId, PersonId},
    machines::AssetStatus,
};

fn press() -> AssetId {
    "press-7".parse().unwrap()
}

async fn read(desk: &Desk, who: &str) -> Option<AssetEntry> {
    desk.store.asset_entry(&who.parse().unwrap(), &press(), Now::read()).await.unwrap()
}

/// Makes `who`'s role cover these facilities alone.
async fn confine(desk: &Desk, who: &'static str, facility: &'static str) {
    let sql = format!(
        "UPDATE assignments SET scope = 'facilities' WHERE person = '{who}'; \
         DELETE FROM assignment_objects WHERE assignment = '{who}-role'; \
         INSERT INTO assignment_objects (assignment, object) VALUES ('{who}-role', '{facility}')"
    );
    desk.tamper(String::leak(sql)).await.unwrap();
}

async fn move_to(
    desk: &Desk,
    who: &str,
    facility: Option<&str>,
) -> Result<Written<AssetEntry>, WriteError> {
    let facility = Some(facility.map(|one| one.parse().unwrap()));
    let change = AssetChange { facility, ..AssetChange::default() };
    desk.store.change_asset(&by(who), &press(), None, &change, Now::read()).await
}

async fn make(desk: &Desk, facility: &str) -> FacilityId {
    let id: FacilityId = facility.parse().unwrap();
    let (wanda, now) = (by("wanda"), Now::read());
    desk.store.create_facility(&wanda, Some(id.clone()), facility, now).await.unwrap();
    id
}

#[tokio::test]
async fn an_asset_is_edited_by_who_saw_it_last() {
    let desk = Desk::new().await;
    let (seen, now) = (read(&desk, "wanda").await.unwrap(), Now::read());
    assert_eq!(seen.status, AssetStatus::Shared);
    let serial = AssetChange { serial: Some("SN-2".into()), ..AssetChange::default() };
    let write = async |who: &str, expected| {
        desk.store.change_asset(&by(who), &press(), expected, &serial, now).await
    };
    for who in ["milo", "emil", "stella"] {
        assert_eq!(refusal(write(who, None).await), "role", "{who}");
    }
    let done = write("wanda", Some(seen.revision)).await.unwrap();
    assert_eq!(done.value.revision, done.revision);
    assert_eq!(read(&desk, "milo").await.unwrap(), done.value);
    let late = write("wanda", Some(seen.revision)).await;
    assert!(matches!(late, Err(WriteError::Conflict(Conflict::Stale { .. }))), "{late:?}");
}

#[tokio::test]
async fn of_two_who_write_at_once_one_is_told() {
    let desk = Desk::new().await;
    let seen = Some(read(&desk, "wanda").await.unwrap().revision);
    let mut set = tokio::task::JoinSet::new();
    for name in ["A", "B"] {
        let store = desk.store.clone();
        set.spawn(async move {
            let change = AssetChange { name: Some(name.into()), ..AssetChange::default() };
            store.change_asset(&by("wanda"), &press(), seen, &change, Now::read()).await.is_ok()
        });
    }
    let done = set.join_all().await;
    assert_eq!(done.iter().filter(|ok| **ok).count(), 1);
}

#[tokio::test]
async fn out_of_service_an_asset_lets_nobody_in_and_back_only_who_is_let_in_again() {
    let desk = Desk::new().await;
    let now = Now::read();
    let on = SwitchAsk { on: true, until: None, reason: None };
    desk.store.switch_asset(&by("wanda"), &press(), &on, now).await.unwrap();
    let off = desk.store.set_asset_active(&by("wanda"), &press(), false, now).await.unwrap();
    assert_eq!(off.value.status, AssetStatus::Deactivated);
    assert!(!off.value.asset.switch.on);
    assert_eq!(desk.last_record().await.event(), Some(Event::AssetDeactivated));
    assert_eq!(refusal(desk.switch("milo", "CASE-1", true).await), "asset_inactive");
    let switched = desk.store.switch_asset(&by("wanda"), &press(), &on, now).await;
    assert_eq!(refusal(switched), "asset_inactive");

    assert_eq!(
        refusal(desk.store.set_asset_active(&by("milo"), &press(), true, now).await),
        "role"
    );
    let back = desk.store.set_asset_active(&by("wanda"), &press(), true, now).await.unwrap();
    assert_eq!(back.value.status, AssetStatus::Shared);
    assert!(!back.value.asset.switch.on);
}

#[tokio::test]
async fn a_move_takes_the_asset_out_of_the_sight_of_who_does_not_cover_the_new_place() {
    let desk = Desk::new().await;
    make(&desk, "hall-2").await;
    confine(&desk, "milo", "hall-1").await;
    desk.switch("milo", "CASE-1", true).await.unwrap();
    let live = Subject::case("milo".parse().unwrap(), "CASE-1".parse().unwrap())
        .tunnel(TunnelKey::Name("plc".parse().unwrap()));
    let cause = async || {
        let facts = desk.store.facts(&live).await.unwrap();
        let via = Via::Case("CASE-1".parse().unwrap());
        let action = Action::UseTunnel {
            tunnel: "press-7-plc".parse().unwrap(),
            via: via.clone(),
            door: crate::authz::Door::Native,
            want: crate::authz::Want::Control,
        };
        let who: PersonId = "milo".parse().unwrap();
        match decide(Request { who, action, at: Now::read().wall }, &facts) {
            Decision::Allow(_) => None,
            Decision::Deny(denial) => Some(denial.ends_with(&via)),
        }
    };
    assert_eq!(cause().await, None);
    let moved = move_to(&desk, "wanda", Some("hall-2")).await.unwrap();
    let changes = desk.store.changes_since(Revision(moved.revision.0 - 1)).await.unwrap();
    assert_eq!(changes[0].objects, [Object::Asset(press())], "live sessions are judged again");
    assert_eq!(cause().await, Some(EndCause::ScopeRevoked));
    assert!(read(&desk, "milo").await.is_none());
}

#[tokio::test]
async fn an_asset_moves_only_between_places_that_the_mover_covers() {
    let desk = Desk::new().await;
    make(&desk, "hall-2").await;
    confine(&desk, "wanda", "hall-1").await;
    assert_eq!(refusal(move_to(&desk, "wanda", Some("hall-2")).await), "scope");
    assert_eq!(refusal(move_to(&desk, "wanda", None).await), "scope");
    let nowhere = move_to(&desk, "wanda", Some("nowhere")).await;
    assert!(matches!(nowhere, Err(WriteError::Conflict(Conflict::Invalid(_)))), "{nowhere:?}");
    assert!(read(&desk, "wanda").await.is_some());
}

#[tokio::test]
async fn a_facility_is_made_renamed_and_deleted_only_when_empty() {
    let desk = Desk::new().await;
    let now = Now::read();
    let hall = make(&desk, "hall-2").await;
    let twice = desk.store.create_facility(&by("wanda"), Some(hall.clone()), "x", now).await;
    assert!(matches!(twice, Err(WriteError::Conflict(Conflict::Exists(_)))));
    for who in ["milo", "stella", "tessa"] {
        let made = desk.store.create_facility(&by(who), None, "x", now).await;
        assert_eq!(refusal(made), "role", "{who}");
    }
    let named = desk.store.rename_facility(&by("wanda"), &hall, "Hall 2", now).await.unwrap();
    assert_eq!(named.value.facility.name, "Hall 2");

    let delete = async |facility: &str| {
        desk.store.delete_facility(&by("wanda"), &facility.parse().unwrap(), now).await
    };
    assert!(matches!(delete("hall-1").await, Err(WriteError::Conflict(Conflict::InUse(_)))));
    confine(&desk, "milo", "hall-2").await;
    assert!(matches!(delete("hall-2").await, Err(WriteError::Conflict(Conflict::InUse(_)))));
    confine(&desk, "milo", "hall-1").await;
    delete("hall-2").await.unwrap();
    assert_eq!(refusal(delete("hall-2").await), "not_found");
    let gone = desk.tamper("DELETE FROM facilities WHERE id = 'hall-1'").await;
    assert!(gone.is_err(), "not by a statement from outside either");
}

#[tokio::test]
async fn facilities_of_two_operators_may_be_called_alike() {
    let desk = Desk::new().await;
    let role = "INSERT INTO tenant_roles (tenant, role) VALUES ('sp', 'operator'); \
                UPDATE assignments SET role = 'workshop_manager' WHERE person = 'theo'";
    desk.tamper(role).await.unwrap();
    let hall: FacilityId = "hall-1".parse().unwrap();
    let (theo, now) = (by("theo"), Now::read());
    desk.store.create_facility(&theo, Some(hall.clone()), "Ours", now).await.unwrap();
    let ours = desk.store.facilities(&"op".parse().unwrap()).await.unwrap();
    assert_eq!((ours.len(), ours[0].facility.name.as_str(), ours[0].assets), (1, "hall-1", 2));
    let named = desk.store.rename_facility(&by("theo"), &hall, "Theirs", Now::read()).await;
    assert_eq!(named.unwrap().value.assets, 0);
    assert_eq!(desk.store.facilities(&"op".parse().unwrap()).await.unwrap(), ours);
}

#[tokio::test]
async fn facilities_that_older_rows_named_are_there_after_the_upgrade() {
    use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

    let dir = TempDir::new().unwrap();
    let path = dir.path().join("caseway.db");
    let made = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut old = SqliteConnection::connect_with(&made).await.unwrap();
    sqlx::raw_sql(include_str!("../schema/01_first.sql")).execute(&mut old).await.unwrap();
    let rows = "INSERT INTO meta (key, value) VALUES ('format', 'caseway'), ('schema', '1'); \
                INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, ''); \
                INSERT INTO tenants (id, name, active) VALUES ('op', 'Op', 1); \
                INSERT INTO devices (id, owner, name, active) VALUES ('edge', 'op', 'Edge', 1); \
                INSERT INTO assets (id, operator, name, serial, facility, active, switch_on, device) \
                VALUES ('a', 'op', 'A', '1', 'hall-1', 1, 0, 'edge'), \
                       ('b', 'op', 'B', '2', 'hall-1', 1, 0, 'edge');";
    sqlx::raw_sql(rows).execute(&mut old).await.unwrap();
    old.close().await.unwrap();

    let store = Store::open(&path, Arc::new(Away::default()), Limits::default()).await.unwrap();
    let halls = store.facilities(&"op".parse().unwrap()).await.unwrap();
    assert_eq!((halls[0].facility.id.as_str(), halls[0].assets), ("hall-1", 2));
    let devices = store.devices(&"op".parse().unwrap()).await.unwrap();
    assert!(devices[0].multi, "it serves two already");
    assert_eq!(devices[0].assets.len(), 2);
}
