//! Machine models, their templates, and the tunnel configs that follow them.

use super::*;
use crate::{
    audit::{EndCause, Event},
    authz::{Door, Via, Want},
    ids::{AssetId, MachineId, ModelId, TemplateId, TunnelId},
    machines::{Field, TunnelConfig},
};

fn config(name: &str, port: u16) -> TunnelConfig {
    TunnelConfig {
        name: name.parse().unwrap(),
        kind: TunnelKind::Ssc,
        mode: Mode::Any,
        targets: vec![target(name, port)],
        enabled: true,
    }
}

fn press() -> AssetId {
    "press-7".parse().unwrap()
}

fn machine() -> MachineId {
    "machine-7".parse().unwrap()
}

/// A desk with a model of the provider's, whose machine is press-7.
async fn modelled() -> (Desk, ModelId) {
    let desk = Desk::new().await;
    let text = ModelText { name: "P 700".into(), brand: Some("Brandt".into()), technology: None };
    let model: ModelId = "p-700".parse().unwrap();
    let now = Now::read();
    desk.store.create_model(&by("marc"), Some(model.clone()), &text, now).await.unwrap();
    desk.store.set_model(&by("clara"), &machine(), Some(&model), now).await.unwrap();
    (desk, model)
}

async fn template(desk: &Desk, model: &ModelId, config: &TunnelConfig) -> TemplateId {
    let made = desk.store.create_template(&by("marc"), model, config, Now::read()).await;
    made.unwrap().value.template.id
}

async fn change(
    desk: &Desk,
    model: &ModelId,
    template: &TemplateId,
    config: &TunnelConfig,
) -> Result<Written<TemplateEntry>, WriteError> {
    desk.store.change_template(&by("marc"), (model, template), None, config, Now::read()).await
}

async fn entry(desk: &Desk, name: &str) -> Option<TunnelEntry> {
    let entries = desk.store.tunnel_entries(&press()).await.unwrap();
    entries.into_iter().find(|entry| entry.tunnel.name.as_str() == name)
}

/// Writes a config of press-7 in the name of `who`.
async fn write(desk: &Desk, who: &str, tunnel: &TunnelId, config: &TunnelConfig) -> TunnelEntry {
    let (who, now) = (by(who), Now::read());
    desk.store.update_tunnel(&who, (&press(), tunnel), None, config, now).await.unwrap().value
}

#[tokio::test]
async fn a_template_becomes_a_config_of_every_linked_machine_of_its_model() {
    let (desk, model) = modelled().await;
    let id = template(&desk, &model, &config("hmi", 80)).await;
    let made = entry(&desk, "hmi").await.unwrap();
    assert_eq!(made.follows.as_ref().unwrap().template, id);
    assert_eq!(TunnelConfig::from(&made.tunnel), config("hmi", 80));
    assert!(!made.confirmed, "a provider wrote where it leads");
    let told = desk.last_record().await;
    assert_eq!(
        (told.event(), told.asset.as_deref()),
        (Some(Event::TunnelCreated), Some("press-7"))
    );
    assert!(desk.store.tunnels(&"mixer-2".parse().unwrap()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_machine_that_is_linked_later_inherits_then() {
    let (desk, model) = modelled().await;
    let now = Now::read();
    desk.store.remove_link(&by("wanda"), &machine(), now).await.unwrap();
    template(&desk, &model, &config("hmi", 80)).await;
    assert!(entry(&desk, "hmi").await.is_none(), "no link, no config");

    let proposed =
        "UPDATE machines SET link = 'proposed', asset = 'press-7' WHERE id = 'machine-7'";
    desk.tamper(proposed).await.unwrap();
    desk.store.answer_link(&by("wanda"), &machine(), true, now).await.unwrap();
    assert!(entry(&desk, "hmi").await.is_some());
}

#[tokio::test]
async fn editing_a_template_changes_what_is_not_overridden_and_nothing_else() {
    let (desk, model) = modelled().await;
    let id = template(&desk, &model, &config("hmi", 80)).await;
    let made = entry(&desk, "hmi").await.unwrap();
    let own = write(&desk, "wanda", &made.tunnel.id, &config("hmi", 8080)).await;
    assert_eq!(own.follows.unwrap().overridden.0, [Field::Targets].into());

    let edited = TunnelConfig { mode: Mode::Sealed, ..config("screen", 81) };
    change(&desk, &model, &id, &edited).await.unwrap();
    let now = entry(&desk, "screen").await.unwrap();
    assert_eq!(now.tunnel.mode, Mode::Sealed);
    assert_eq!(now.tunnel.targets, config("hmi", 8080).targets);

    // The template's value, written on the machine, gives the field back.
    write(&desk, "wanda", &made.tunnel.id, &edited).await;
    change(&desk, &model, &id, &config("screen", 82)).await.unwrap();
    assert_eq!(entry(&desk, "screen").await.unwrap().tunnel.targets, config("screen", 82).targets);
}

#[tokio::test]
async fn a_name_that_the_machine_has_already_stays_the_machines_own() {
    let (desk, model) = modelled().await;
    let id = template(&desk, &model, &config("plc", 102)).await;
    let second = entry(&desk, "plc-2").await.unwrap();
    assert_eq!(second.follows.unwrap().overridden.0, [Field::Name].into());
    assert_eq!(entry(&desk, "plc").await.unwrap().follows, None);

    let other = template(&desk, &model, &config("hmi", 80)).await;
    let taken = change(&desk, &model, &other, &config("plc", 80)).await;
    assert!(matches!(taken, Err(WriteError::Conflict(Conflict::Exists(_)))), "{taken:?}");
    let id_of_hmi = entry(&desk, "hmi").await.unwrap().tunnel.id;
    desk.store.delete_template(&by("marc"), (&model, &id), Now::read()).await.unwrap();
    change(&desk, &model, &other, &config("plc", 81)).await.unwrap();
    let kept = entry(&desk, "hmi").await.unwrap();
    assert_eq!((kept.tunnel.id, kept.tunnel.targets), (id_of_hmi, config("plc", 81).targets));
}

#[tokio::test]
async fn deleting_a_template_deletes_what_nobody_uses_and_leaves_what_somebody_does() {
    let (desk, model) = modelled().await;
    let (used, idle) = (
        template(&desk, &model, &config("hmi", 80)).await,
        template(&desk, &model, &config("cam", 554)).await,
    );
    desk.switch("milo", "CASE-1", true).await.unwrap();
    let ask = SessionAsk {
        who: "stella".parse().unwrap(),
        key: KeyDigest([5; 32]),
        source_ip: None,
        via: Via::Case("CASE-1".parse().unwrap()),
        tunnel: "hmi".parse().unwrap(),
        door: Door::Native,
        want: Want::Control,
        reason: None,
        gateway: gateway(),
    };
    let session = desk.store.request_session(&ask, Now::read()).await.unwrap();
    for gone in [&used, &idle] {
        desk.store.delete_template(&by("marc"), (&model, gone), Now::read()).await.unwrap();
    }
    assert!(entry(&desk, "cam").await.is_none());
    assert_eq!(entry(&desk, "hmi").await.unwrap().follows, None, "the asset's own from now on");

    let over = Ended {
        session: session.session,
        cause: EndCause::UserClosed,
        at: Now::read().wall,
        up: 0,
        down: 0,
        by: None,
    };
    desk.store.end_session(&over).await.unwrap();
    assert!(entry(&desk, "hmi").await.is_some());
}

#[tokio::test]
async fn when_the_link_is_gone_the_provider_changes_nothing_any_more() {
    let (desk, model) = modelled().await;
    let id = template(&desk, &model, &config("hmi", 80)).await;
    desk.store.remove_link(&by("wanda"), &machine(), Now::read()).await.unwrap();
    assert_eq!(entry(&desk, "hmi").await.unwrap().follows, None);
    change(&desk, &model, &id, &config("hmi", 81)).await.unwrap();
    assert_eq!(entry(&desk, "hmi").await.unwrap().tunnel.targets, config("hmi", 80).targets);
}

#[tokio::test]
async fn another_model_brings_its_own_templates_in_place_of_the_old_ones() {
    let (desk, model) = modelled().await;
    template(&desk, &model, &config("hmi", 80)).await;
    let text = ModelText { name: "P 800".into(), brand: None, technology: None };
    let next: ModelId = "p-800".parse().unwrap();
    let now = Now::read();
    desk.store.create_model(&by("marc"), Some(next.clone()), &text, now).await.unwrap();
    template(&desk, &next, &config("cam", 554)).await;
    desk.store.set_model(&by("clara"), &machine(), Some(&next), now).await.unwrap();
    assert!(entry(&desk, "hmi").await.is_none() && entry(&desk, "cam").await.is_some());
    desk.store.set_model(&by("clara"), &machine(), None, now).await.unwrap();
    assert!(entry(&desk, "cam").await.is_none() && entry(&desk, "plc").await.is_some());
}

#[tokio::test]
async fn models_are_their_companys_data_managers() {
    let (desk, model) = modelled().await;
    let (text, now) = (ModelText { name: "X".into(), brand: None, technology: None }, Now::read());
    for who in ["stella", "clara", "lara", "wanda"] {
        let made = desk.store.create_model(&by(who), None, &text, now).await;
        assert_eq!(refusal(made), "role", "{who}");
    }
    let twice = ModelText { name: "P 700".into(), ..text.clone() };
    let twice = desk.store.create_model(&by("marc"), None, &twice, now).await;
    assert!(matches!(twice, Err(WriteError::Conflict(Conflict::Exists(_)))));
    let given = desk.store.set_model(&by("stella"), &machine(), None, now).await;
    assert_eq!(refusal(given), "role");
    let used = desk.store.delete_model(&by("marc"), &model, now).await;
    assert!(matches!(used, Err(WriteError::Conflict(Conflict::InUse(_)))));
    desk.store.set_model(&by("clara"), &machine(), None, now).await.unwrap();
    template(&desk, &model, &config("hmi", 80)).await;
    desk.store.delete_model(&by("marc"), &model, now).await.unwrap();
    assert!(desk.store.models(&"sp".parse().unwrap()).await.unwrap().is_empty());
}

#[tokio::test]
async fn who_saw_an_older_row_overwrites_nothing() {
    let (desk, model) = modelled().await;
    let id = template(&desk, &model, &config("hmi", 80)).await;
    let seen = desk.store.templates(&"sp".parse().unwrap(), &model).await.unwrap().unwrap();
    let seen = Some(seen[0].revision);
    let write = async |port| {
        let (to, now) = (config("hmi", port), Now::read());
        desk.store.change_template(&by("marc"), (&model, &id), seen, &to, now).await
    };
    write(81).await.unwrap();
    assert!(matches!(write(82).await, Err(WriteError::Conflict(Conflict::Stale { .. }))));

    let tunnel = entry(&desk, "hmi").await.unwrap();
    let old = Some(Revision(tunnel.revision.0 - 1));
    let to = config("hmi", 83);
    let (id, now) = (&tunnel.tunnel.id, Now::read());
    let stale = desk.store.update_tunnel(&by("wanda"), (&press(), id), old, &to, now).await;
    assert!(matches!(stale, Err(WriteError::Conflict(Conflict::Stale { .. }))));
    assert_eq!(entry(&desk, "hmi").await.unwrap(), tunnel);
}

#[tokio::test]
async fn a_model_has_so_many_templates_and_an_asset_so_many_tunnels_and_no_more() {
    let (desk, model) = modelled().await;
    for n in 0..TEMPLATES_MAX {
        template(&desk, &model, &config(&format!("t{n}"), 80)).await;
    }
    let more = config("more", 80);
    let over = desk.store.create_template(&by("marc"), &model, &more, Now::read()).await;
    assert!(matches!(over, Err(WriteError::Conflict(Conflict::Limit(_)))), "{over:?}");

    for n in TEMPLATES_MAX + 1..TUNNELS_MAX {
        let one = config(&format!("own{n}"), 80);
        desk.store.create_tunnel(&by("wanda"), &press(), &one, Now::read()).await.unwrap();
    }
    let over = desk.store.create_tunnel(&by("wanda"), &press(), &more, Now::read()).await;
    assert!(matches!(over, Err(WriteError::Conflict(Conflict::Limit(_)))), "{over:?}");
}

#[tokio::test]
async fn a_target_that_a_provider_wrote_waits_for_the_operator_who_asks_for_that() {
    let (desk, model) = modelled().await;
    let now = Now::read();
    let id = template(&desk, &model, &config("hmi", 80)).await;
    desk.switch("milo", "CASE-1", true).await.unwrap();
    let answer = async |name: &str| {
        let subject = Subject::case("stella".parse().unwrap(), "CASE-1".parse().unwrap())
            .tunnel(TunnelKey::Name(name.parse().unwrap()));
        let facts = desk.store.facts(&subject).await.unwrap();
        let tunnel = facts.tunnel.clone().unwrap().id;
        let via = Via::Case("CASE-1".parse().unwrap());
        let action = Action::UseTunnel { tunnel, via, door: Door::Native, want: Want::Control };
        let request = Request { who: "stella".parse().unwrap(), action, at: now.wall };
        match decide(request, &facts) {
            Decision::Allow(_) => "allow",
            Decision::Deny(denial) => denial.reason.code(),
        }
    };
    assert_eq!(answer("hmi").await, "allow", "nobody asks for it");
    let asks = AssetChange { confirm_targets: Some(true), ..AssetChange::default() };
    desk.store.change_asset(&by("wanda"), &press(), None, &asks, now).await.unwrap();
    assert_eq!(answer("hmi").await, "config");
    assert_eq!(answer("plc").await, "allow", "the operator's own");

    let hmi = entry(&desk, "hmi").await.unwrap();
    let confirm = async |who: &str, seen: Revision| {
        desk.store.confirm_tunnel(&by(who), &press(), &hmi.tunnel.id, seen, now).await
    };
    assert_eq!(refusal(confirm("stella", hmi.revision).await), "role");
    assert_eq!(refusal(confirm("emil", hmi.revision).await), "role");
    let unseen = confirm("wanda", Revision(hmi.revision.0 - 1)).await;
    assert!(matches!(unseen, Err(WriteError::Conflict(Conflict::Stale { .. }))));
    confirm("wanda", hmi.revision).await.unwrap();
    assert_eq!(desk.last_record().await.event(), Some(Event::TunnelConfirmed));
    assert_eq!(answer("hmi").await, "allow");

    // What leads nowhere else needs no new consent; another target does, whoever of them writes it.
    let sealed = TunnelConfig { mode: Mode::Sealed, ..config("hmi", 80) };
    change(&desk, &model, &id, &sealed).await.unwrap();
    assert_eq!(answer("hmi").await, "allow");
    change(&desk, &model, &id, &config("hmi", 81)).await.unwrap();
    assert_eq!(answer("hmi").await, "config");
    write(&desk, "wanda", &hmi.tunnel.id, &config("hmi", 82)).await;
    assert_eq!(answer("hmi").await, "allow");
    write(&desk, "stella", &hmi.tunnel.id, &config("hmi", 83)).await;
    assert_eq!(answer("hmi").await, "config");
}

#[tokio::test]
async fn the_operator_sees_every_change_and_a_provider_its_own() {
    let (desk, model) = modelled().await;
    let now = Now::read();
    template(&desk, &model, &config("hmi", 80)).await;
    let own = config("cam", 554);
    desk.store.create_tunnel(&by("wanda"), &press(), &own, now).await.unwrap();
    let seen = async |who: &str| {
        let who = who.parse().unwrap();
        let page = Page::default();
        let found = desk.store.asset_changes(&who, &press(), &page, now).await.unwrap();
        found.map(|found| {
            let told = |row: Row| (row.event, row.actor_name);
            found.items.into_iter().map(told).collect::<Vec<_>>()
        })
    };
    let by_marc = ("tunnel_created".to_owned(), "marc".to_owned());
    let by_wanda = ("tunnel_created".to_owned(), "wanda".to_owned());
    assert_eq!(seen("milo").await.unwrap(), [by_marc.clone(), by_wanda]);
    assert_eq!(seen("stella").await.unwrap(), [by_marc]);
    assert!(seen("tessa").await.is_none());
}
