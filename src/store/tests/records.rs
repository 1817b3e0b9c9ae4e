//! Records in the file: whatever is done to it from outside is found, and named.

use super::*;

/// A chain of 24 records.
async fn desk() -> Desk {
    let desk = Desk::new().await;
    for n in 0..23 {
        desk.switch("milo", "CASE-1", n % 2 == 0).await.unwrap();
    }
    assert_eq!(desk.store.verify().await.unwrap().records, 24);
    desk
}

/// What verifying says from another connection, as the command does, while the gateway runs.
async fn found(desk: &Desk) -> String {
    verify_file(&desk.path()).await.unwrap_err().to_string()
}

#[tokio::test]
async fn an_untouched_file_verifies_while_a_gateway_has_it_open_and_when_none_has() {
    let desk = desk().await;
    let summary = verify_file(&desk.path()).await.unwrap();
    assert_eq!(summary, desk.store.verify().await.unwrap());
    assert!(summary.to_string().starts_with("24 records, "), "{summary}");
    let path = desk.path();
    desk.store.close().await;
    assert_eq!(verify_file(&path).await.unwrap(), summary);
}

#[tokio::test]
async fn a_changed_record_is_named() {
    let desk = desk().await;
    desk.tamper("UPDATE records SET actor = 'person/tessa' WHERE seq = 17").await.unwrap();
    assert_eq!(found(&desk).await, "record 17 was changed");
}

#[tokio::test]
async fn a_column_that_no_longer_holds_text_is_a_changed_record() {
    let desk = desk().await;
    desk.tamper("UPDATE records SET event = x'00ff' WHERE seq = 9").await.unwrap();
    assert_eq!(found(&desk).await, "record 9 was changed");
}

#[tokio::test]
async fn deleted_records_are_named() {
    let desk = desk().await;
    desk.tamper("DELETE FROM records WHERE seq BETWEEN 18 AND 20").await.unwrap();
    assert_eq!(found(&desk).await, "records 18 to 20 are missing");
}

#[tokio::test]
async fn a_tail_that_was_cut_off_is_missed() {
    let desk = desk().await;
    desk.tamper("DELETE FROM records WHERE seq > 20").await.unwrap();
    assert_eq!(found(&desk).await, "records 21 to 24 are missing");
    desk.tamper("DELETE FROM records").await.unwrap();
    assert_eq!(found(&desk).await, "records 1 to 24 are missing");
}

#[tokio::test]
async fn swapped_records_are_named() {
    let desk = desk().await;
    desk.tamper(
        "UPDATE records SET seq = -1 WHERE seq = 20; UPDATE records SET seq = 20 WHERE seq = 21; \
         UPDATE records SET seq = 21 WHERE seq = -1",
    )
    .await
    .unwrap();
    assert_eq!(found(&desk).await, "record 21 stands before record 20");
}

#[tokio::test]
async fn records_taken_out_and_the_rest_numbered_on_are_found() {
    let desk = desk().await;
    desk.tamper(
        "DELETE FROM records WHERE seq = 10; UPDATE records SET seq = seq - 1 WHERE seq > 10; \
         UPDATE audit_head SET seq = 23",
    )
    .await
    .unwrap();
    assert_eq!(found(&desk).await, "record 11 stands before record 10");
}

#[tokio::test]
async fn a_log_in_is_recorded_without_a_revision() {
    use crate::audit::{Actor, Entry, Event};
    let desk = Desk::new().await;
    let before = desk.store.revision().await.unwrap();
    let entry = Entry::new(Now::read().wall, Actor::Nobody, Event::LoginFailed);
    desk.store.record(&entry).await.unwrap();
    assert_eq!(desk.last_record().await.event(), Some(Event::LoginFailed));
    assert_eq!(desk.store.revision().await.unwrap(), before);
}
