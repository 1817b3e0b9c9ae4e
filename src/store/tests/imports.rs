//! Imports: all or nothing, under the rules of single writes, the same the second time.

use super::*;
use crate::{
    audit::Event,
    imports::{assets, users},
};

fn shown(imported: &Imported) -> Vec<String> {
    let lines =
        imported.lines.iter().map(|one| format!("{} {} {:?}", one.line, one.key, one.outcome));
    let faults =
        imported.faults.iter().map(|one| format!("{}:{}: {}", one.line, one.column, one.fault));
    lines.chain(faults).collect()
}

async fn people(desk: &Desk, who: &str, table: &str, dry_run: bool) -> Imported {
    let table = users(table.as_bytes());
    desk.store.import_people(&by(who), &table, dry_run, Now::read()).await.unwrap()
}

const TABLE: &str = "email;name;roles\n\
    ann@op.example;Ann;machine_operator@hall-1\n\
    milo@op.example;Milo Operator;\n\
    wanda@op.example;wanda;workshop_manager\n";

#[tokio::test]
async fn a_table_of_people_says_what_becomes_of_each_line() {
    let desk = Desk::new().await;
    let before = desk.all_records().await.len();
    let outcome =
        ["2 ann@op.example Created", "3 milo@op.example Changed", "4 wanda@op.example Unchanged"];
    let tried = people(&desk, "tessa", TABLE, true).await;
    assert!(!tried.done);
    assert_eq!(shown(&tried), outcome);
    assert_eq!(desk.all_records().await.len(), before, "a dry run leaves nothing behind");
    assert_eq!(desk.store.people(&"op".parse().unwrap()).await.unwrap().len(), 4);

    let done = people(&desk, "tessa", TABLE, false).await;
    assert!(done.done);
    assert_eq!(shown(&done), outcome);
    let told: Vec<_> = desk.all_records().await[before..].iter().map(Row::event).collect();
    let events = [Event::PersonCreated, Event::AssignmentAdded, Event::PersonChanged];
    assert_eq!(told, events.map(Some), "recorded as the single writes that they stand for");

    let again = people(&desk, "tessa", TABLE, false).await;
    assert!(again.lines.iter().all(|line| line.outcome == LineOutcome::Unchanged), "{again:?}");
}

#[tokio::test]
async fn one_fault_anywhere_and_nothing_is_imported() {
    let desk = Desk::new().await;
    let table = "email,name,roles\n\
        new@op.example,New,machine_operator\n\
        stella@sp.example,Stolen,\n\
        svc@op.example,Service,service_technician service_manager\n";
    let refused = people(&desk, "tessa", table, false).await;
    assert!(!refused.done);
    insta::assert_snapshot!(shown(&refused).join("\n"));
    let people = desk.store.people(&"op".parse().unwrap()).await.unwrap();
    assert!(!people.iter().any(|person| person.email == "new@op.example"));
    let stella = desk.store.person(&"stella".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(stella.name, "stella");
}

#[tokio::test]
async fn an_import_takes_the_permission_of_the_single_write() {
    let desk = Desk::new().await;
    for dry_run in [true, false] {
        let table = users(TABLE.as_bytes());
        let refused = desk.store.import_people(&by("wanda"), &table, dry_run, Now::read()).await;
        assert_eq!(refusal(refused), "role");
        let table = assets(b"serial,name\nX,Y\n");
        let refused = desk.store.import_assets(&by("stella"), &table, dry_run, Now::read()).await;
        assert_eq!(refusal(refused), "role");
    }
}

#[tokio::test]
async fn assets_are_known_by_their_serial_number() {
    let desk = Desk::new().await;
    let import = async |table: &str| {
        let table = assets(table.as_bytes());
        desk.store.import_assets(&by("wanda"), &table, false, Now::read()).await.unwrap()
    };
    let table = "serial,name,facility,id\n\
        SN-press-7,Press 7,hall-1,\n\
        SN-mixer-2,mixer-2,,mixer-2\n\
        SN-3,Oven,hall-1,oven-3\n";
    let outcome = ["2 SN-press-7 Changed", "3 SN-mixer-2 Unchanged", "4 SN-3 Created"];
    assert_eq!(shown(&import(table).await), outcome);
    let oven = desk.store.asset(&"oven-3".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((oven.name.as_str(), oven.active, oven.device), ("Oven", true, None));
    let mixer = desk.store.asset(&"mixer-2".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(mixer.facility, Some("hall-1".parse().unwrap()), "an empty cell changes nothing");
    assert!(import(table).await.lines.iter().all(|one| one.outcome == LineOutcome::Unchanged));
    let faults = import("serial,name,id\nSN-press-7,Press 7,other\nSN-9,Nine,oven-3\n").await;
    insta::assert_snapshot!(shown(&faults).join("\n"));
}
