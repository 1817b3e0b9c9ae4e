//! Opening: ours, another's, a newer one, one in use.

use std::os::unix::fs::PermissionsExt;

use sqlx::{Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};

use super::*;

async fn open(path: &std::path::Path) -> Result<Store, StoreError> {
    Store::open(path, Arc::new(Away::default()), Limits::default()).await
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("caseway.db");
    std::fs::write(&path, "dear diary, ".repeat(1000)).unwrap();
    let refused = open(&path).await.unwrap_err();
    assert!(matches!(refused, StoreError::NotOurs { .. }), "{refused}");
    assert!(refused.to_string().ends_with("name another file, or move this one away"));
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("dear diary"));
}

#[tokio::test]
async fn another_programs_database_is_refused() {
    let desk = Desk::new().await;
    desk.tamper("ALTER TABLE meta RENAME TO other").await.unwrap();
    let path = desk.path();
    desk.store.close().await;
    assert!(matches!(open(&path).await, Err(StoreError::NotOurs { .. })));
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_both_versions() {
    let desk = Desk::new().await;
    desk.tamper("UPDATE meta SET value = '999' WHERE key = 'schema'").await.unwrap();
    let path = desk.path();
    desk.store.close().await;
    let refused = open(&path).await.unwrap_err();
    assert!(matches!(refused, StoreError::Newer { found: 999, .. }), "{refused}");
}

#[tokio::test]
async fn a_file_of_the_first_schema_is_brought_to_todays_with_its_rows() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("caseway.db");
    let made = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut old = SqliteConnection::connect_with(&made).await.unwrap();
    sqlx::raw_sql(include_str!("../schema/01_first.sql")).execute(&mut old).await.unwrap();
    let rows = "INSERT INTO meta (key, value) VALUES ('format', 'caseway'), ('schema', '1'); \
                INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, ''); \
                INSERT INTO tenants (id, name, active) VALUES ('old', 'Old', 1);";
    sqlx::raw_sql(rows).execute(&mut old).await.unwrap();
    old.close().await.unwrap();

    let store = open(&path).await.unwrap();
    let kept = sqlx::query("SELECT t.name, m.value FROM tenants t, meta m WHERE m.key = 'schema'")
        .fetch_one(store.readers().unwrap())
        .await
        .unwrap();
    assert_eq!(kept.get::<String, _>("name"), "Old");
    assert!(kept.get::<String, _>("value").parse::<usize>().unwrap() >= 1);
    store.close().await;
    open(&path).await.unwrap();
}

/// Two cases in a group that moves cases on, as the seventh step kept them: one that nobody has taken
/// up, one that somebody has.
const PLACED: &str = "
    INSERT INTO tenants (id, name, active) VALUES ('op', 'Op', 1);
    INSERT INTO people (id, tenant, email, name, active) VALUES ('emil', 'op', 'e@op.example', 'emil', 1);
    INSERT INTO assets (id, operator, name, serial, active, switch_on)
        VALUES ('press-7', 'op', 'Press 7', 'SN-7', 1, 0);
    INSERT INTO cases (id, number, title, type, operator, asset, state, switch_on, created_by, created_at)
        VALUES ('CASE-1', 1, 'new', 'operator_internal', 'op', 'press-7', 'new', 0, 'emil', 0),
               ('CASE-2', 2, 'taken', 'operator_internal', 'op', 'press-7', 'in_progress', 0, 'emil', 0);
    INSERT INTO resource_groups VALUES ('b', 'op', 'B', NULL, '{}'),
        ('a', 'op', 'A', NULL, '{\"escalation\":{\"hours\":8,\"to\":\"b\"}}');
    INSERT INTO case_places (case_id, tenant, grp, since, due)
        VALUES ('CASE-1', 'op', 'a', 0, 28800000), ('CASE-2', 'op', 'a', 0, NULL);
    INSERT INTO meta (key, value) VALUES ('format', 'caseway'), ('schema', '7');
    INSERT INTO audit_head (id, seq, hash)
        VALUES (1, 0, 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA');
";

/// A shared case that the operator's system has a number for, one that the provider's has, and one
/// that has none, as the eighth step kept them.
const NAMED: &str = "
    INSERT INTO tenants (id, name, active) VALUES ('op', 'Op', 1), ('sp', 'Sp', 1);
    INSERT INTO people (id, tenant, email, name, active) VALUES ('emil', 'op', 'e@op.example', 'emil', 1);
    INSERT INTO assets (id, operator, name, serial, active, switch_on)
        VALUES ('press-7', 'op', 'Press 7', 'SN-7', 1, 0);
    INSERT INTO cases (id, number, title, type, operator, provider, asset, state, switch_on, created_by,
                       created_at, priority, external_id, external_tenant)
        VALUES ('CASE-1', 1, 'one', 'shared', 'op', 'sp', 'press-7', 'new', 0, 'emil', 0, 'high', 'X-1', 'op'),
               ('CASE-2', 2, 'two', 'shared', 'op', 'sp', 'press-7', 'new', 0, 'emil', 0, NULL, 'X-1', 'sp'),
               ('CASE-3', 3, 'three', 'shared', 'op', 'sp', 'press-7', 'new', 0, 'emil', 0, NULL, NULL, NULL);
    INSERT INTO messages (case_id, number, author, at, text) VALUES ('CASE-1', 1, 'emil', 0, 'hot');
    INSERT INTO meta (key, value) VALUES ('format', 'caseway'), ('schema', '8');
    INSERT INTO audit_head (id, seq, hash)
        VALUES (1, 0, 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA');
";

/// A file that stands at the step `at`, with rows of then, as today's program opens it.
async fn from_before(at: usize, rows: &'static str) -> (TempDir, Store) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("caseway.db");
    let made = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut old = SqliteConnection::connect_with(&made).await.unwrap();
    for step in open::STEPS.iter().take(at).copied().chain([rows]) {
        sqlx::raw_sql(step).execute(&mut old).await.unwrap();
    }
    old.close().await.unwrap();
    let store = open(&path).await.unwrap();
    (dir, store)
}

#[tokio::test]
async fn external_ids_of_before_are_their_companys_alone() {
    let (_dir, store) = from_before(8, NAMED).await;
    let sheet = async |tenant: &str, case: &str| {
        let (tenant, case) = (tenant.parse().unwrap(), case.parse().unwrap());
        store.case_sheet(&tenant, &case).await.unwrap().unwrap()
    };
    for (case, op, sp) in
        [("CASE-1", Some("X-1"), None), ("CASE-2", None, Some("X-1")), ("CASE-3", None, None)]
    {
        assert_eq!(sheet("op", case).await.details.external_id.as_deref(), op, "{case}");
        assert_eq!(sheet("sp", case).await.details.external_id.as_deref(), sp, "{case}");
    }
    // The rest of the rows is as it was, and still kept by what kept it.
    let first = sheet("sp", "CASE-1").await;
    assert_eq!(first.case.title, "one");
    assert_eq!(first.details.priority, Some(crate::cases::Priority::High));
    let mut conn = store.0.writer.acquire().await.unwrap();
    let faults = sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut *conn).await.unwrap();
    assert!(faults.is_empty());
    for kept in [
        "UPDATE cases SET provider = NULL WHERE id = 'CASE-1'",
        "UPDATE cases SET switch_until = 1 WHERE id = 'CASE-1'",
        "INSERT INTO external_ids VALUES ('op', 'CASE-3', 'X-1')",
    ] {
        assert!(sqlx::raw_sql(kept).execute(&mut *conn).await.is_err(), "{kept}");
    }
}

#[tokio::test]
async fn clocks_of_before_go_on_and_those_that_were_stopped_stay_so() {
    let (_dir, store) = from_before(7, PLACED).await;
    let state = async |case: &str, state| {
        let row = format!("UPDATE cases SET state = '{state}' WHERE id = '{case}'");
        store.plant(row).await;
    };
    state("CASE-2", "new").await;
    let due = async |case: &str| {
        let (op, case) = ("op".parse().unwrap(), case.parse().unwrap());
        store.case_place(&op, &case).await.unwrap().unwrap().due
    };
    assert_eq!((due("CASE-1").await, due("CASE-2").await), (Some(Wall(28_800_000)), None));
    store.escalate(&gateway(), Wall(28_800_000)).await.unwrap();
    let op = "op".parse().unwrap();
    let moved = async |case: &str| {
        store.case_place(&op, &case.parse().unwrap()).await.unwrap().unwrap().name
    };
    assert_eq!((moved("CASE-1").await.as_str(), moved("CASE-2").await.as_str()), ("B", "A"));
}

#[tokio::test]
async fn two_gateways_cannot_open_one_file() {
    let desk = Desk::new().await;
    let path = desk.path();
    assert!(matches!(open(&path).await, Err(StoreError::Locked { .. })));
    desk.store.close().await;
    open(&path).await.unwrap();
}

#[tokio::test]
async fn the_file_is_its_owners_alone() {
    let desk = Desk::new().await;
    for name in ["caseway.db", "caseway.db-wal", "caseway.db.lock"] {
        let mode = std::fs::metadata(desk.dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn what_was_written_is_there_after_a_power_cut() {
    let desk = Desk::new().await;
    desk.switch("milo", "CASE-1", true).await.unwrap();
    let again = desk.after_a_crash().await;
    let case = again
        .store
        .case(&"stella".parse().unwrap(), &"CASE-1".parse().unwrap(), Now::read())
        .await
        .unwrap()
        .unwrap();
    assert!(case.switch().unwrap().on);
    assert_eq!(again.store.verify().await.unwrap(), desk.store.verify().await.unwrap());
}

#[tokio::test]
async fn first_rows_go_into_an_empty_database_only() {
    let desk = Desk::new().await;
    let again = desk.store.seed(&seed(), &gateway(), Now::read()).await;
    assert!(matches!(again, Err(StoreError::NotEmpty)));
    assert_eq!(desk.all_records().await.len(), 1);
}

#[tokio::test]
async fn no_statement_gives_a_provider_internal_case_a_switch() {
    let desk = Desk::new().await;
    for sql in [
        "UPDATE cases SET switch_on = 1 WHERE id = 'CASE-3'",
        "UPDATE cases SET switch_on = 0 WHERE id = 'CASE-3'",
        "UPDATE cases SET switch_until = 1 WHERE id = 'CASE-3'",
        "UPDATE cases SET switch_on = 1, operator = 'op', asset = 'press-7' WHERE id = 'CASE-3'",
        "UPDATE cases SET type = 'provider_internal' WHERE id = 'CASE-1'",
        "UPDATE cases SET type = 'shared', switch_on = 1 WHERE id = 'CASE-3'",
        "UPDATE cases SET state = 'closed', closed_at = 1, switch_on = 1 WHERE id = 'CASE-1'",
    ] {
        assert!(desk.tamper(sql).await.is_err(), "{sql}");
    }
    // The statement that may: the check above does not refuse everything.
    desk.tamper("UPDATE cases SET switch_on = 1 WHERE id = 'CASE-1'").await.unwrap();
}
