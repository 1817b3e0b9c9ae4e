//! Devices: enrolled once, renewed, paired, revoked.

use super::*;
use crate::audit::Event;

const KEY: KeyDigest = KeyDigest([42; 32]);

async fn token(desk: &Desk) -> SecretText {
    let device = "edge-2".parse().unwrap();
    desk.store.new_enrolment(&by("wanda"), &device, Now::read()).await.unwrap().value.token
}

#[tokio::test]
async fn an_enrolment_token_is_spent_once() {
    let desk = Desk::new().await;
    let now = Now::read();
    let spent = token(&desk).await;
    let device = desk.store.consume_enrolment(&spent, KEY, now).await.unwrap();
    assert_eq!(device.key, Some(KEY));
    assert_eq!(desk.store.device_of_key(KEY).await.unwrap(), Some(device));
    assert_eq!(desk.last_record().await.event(), Some(Event::DeviceEnrolled));

    let again = desk.store.consume_enrolment(&spent, KeyDigest([43; 32]), now).await;
    assert!(matches!(again, Err(EnrolError::Used)));
    assert_eq!(desk.last_record().await.event(), Some(Event::EnrolmentRefused));
    assert!(desk.store.device_of_key(KeyDigest([43; 32])).await.unwrap().is_none());
}

#[tokio::test]
async fn a_token_that_is_unknown_void_or_too_old_is_told_apart() {
    let desk = Desk::new().await;
    let now = Now::read();
    let made_up = SecretText::new("AAAA".into());
    let unknown = desk.store.consume_enrolment(&made_up, KEY, now).await;
    assert!(matches!(unknown, Err(EnrolError::Unknown)));

    let void = token(&desk).await;
    let good = token(&desk).await;
    let refused = desk.store.consume_enrolment(&void, KEY, now).await;
    assert!(matches!(refused, Err(EnrolError::Unknown)));

    let later = Now { wall: now.wall.plus(ENROLMENT_LASTS), ..now };
    let later = Now { wall: later.wall.plus(std::time::Duration::from_secs(60)), ..later };
    let old = desk.store.consume_enrolment(&good, KEY, later).await;
    assert!(matches!(old, Err(EnrolError::Expired)));
    desk.store.consume_enrolment(&good, KEY, now).await.unwrap();
}

#[tokio::test]
async fn after_a_power_cut_a_token_is_spent_exactly_if_its_key_is_registered() {
    let desk = Desk::new().await;
    let (token, now) = (token(&desk).await, Now::read());
    let before = desk.after_a_crash().await;
    desk.store.consume_enrolment(&token, KEY, now).await.unwrap();
    let after = desk.after_a_crash().await;

    assert!(before.store.device_of_key(KEY).await.unwrap().is_none());
    before.store.consume_enrolment(&token, KEY, now).await.unwrap();
    assert!(after.store.device_of_key(KEY).await.unwrap().is_some());
    let twice = after.store.consume_enrolment(&token, KEY, now).await;
    assert!(matches!(twice, Err(EnrolError::Used)));
}

#[tokio::test]
async fn a_token_survives_a_key_that_another_device_has() {
    let desk = Desk::new().await;
    let (token, now) = (token(&desk).await, Now::read());
    let taken = desk.store.consume_enrolment(&token, KeyDigest([1; 32]), now).await;
    assert!(matches!(taken, Err(EnrolError::KeyTaken)));
    desk.store.consume_enrolment(&token, KEY, now).await.unwrap();
}

#[tokio::test]
async fn the_token_is_kept_nowhere() {
    let desk = Desk::new().await;
    let token = token(&desk).await;
    assert!(token.expose().len() >= 43);
    desk.store.clone().close().await;
    let kept = std::fs::read(desk.path()).unwrap();
    let needle = token.expose().as_bytes();
    assert!(!kept.windows(needle.len()).any(|bytes| bytes == needle));
}

#[tokio::test]
async fn a_revoked_devices_key_and_token_are_let_in_no_more() {
    let desk = Desk::new().await;
    let (token, now) = (token(&desk).await, Now::read());
    let edge: DeviceId = "edge-2".parse().unwrap();
    desk.store.revoke_device(&by("wanda"), &edge, now).await.unwrap();
    assert!(desk.store.consume_enrolment(&token, KEY, now).await.is_err());
    desk.store.revoke_device(&by("wanda"), &"edge-1".parse().unwrap(), now).await.unwrap();
    assert!(desk.store.device_of_key(KeyDigest([1; 32])).await.unwrap().is_none());
    let again = desk.store.new_enrolment(&by("wanda"), &edge, now).await;
    assert!(matches!(again, Err(WriteError::Conflict(_))));
}

#[tokio::test]
async fn another_tenants_device_is_not_found() {
    let desk = Desk::new().await;
    let (theirs, now) = ("edge-9".parse().unwrap(), Now::read());
    let revoked = desk.store.revoke_device(&by("wanda"), &theirs, now).await;
    assert_eq!(refusal(revoked), "not_found");
    let press = "press-7".parse().unwrap();
    let paired = desk.store.pair_device(&by("wanda"), &press, Some(&theirs), now).await;
    assert_eq!(refusal(paired), "not_found");
    assert!(desk.store.device_of_key(KeyDigest([1; 32])).await.unwrap().is_some());
}

#[tokio::test]
async fn pairing_touches_the_asset_and_both_devices() {
    let desk = Desk::new().await;
    let (press, edge) = ("press-7".parse().unwrap(), "edge-2".parse().unwrap());
    let done = desk.store.pair_device(&by("wanda"), &press, Some(&edge), Now::read()).await;
    let done = done.unwrap();
    assert_eq!(done.value.device, Some(edge.clone()));
    let changes = desk.store.changes_since(Revision(done.revision.0 - 1)).await.unwrap();
    let first = Object::Device("edge-1".parse().unwrap());
    assert_eq!(changes[0].objects, [Object::Asset(press.clone()), first, Object::Device(edge)]);

    desk.store.pair_device(&by("wanda"), &press, None, Now::read()).await.unwrap();
    assert_eq!(desk.last_record().await.event(), Some(Event::DeviceUnpaired));
    assert_eq!(desk.store.asset(&press).await.unwrap().unwrap().device, None);
}
