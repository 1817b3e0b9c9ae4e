//! Files, ports, disks and directories that are not as they should be.

use std::{path::Path, process::Stdio};

use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::TcpListener,
};

use super::{Gateway, initialized, meets_a_reset, port_of, ran};
use crate::world::{AGENT, Demo, Edge, GATEWAY, program, signal, until, within};

/// Does to a database what nobody should.
async fn tamper(file: &Path, statement: &'static str) {
    let mut rows = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
    let done = sqlx::raw_sql(statement).execute(&mut rows).await.unwrap();
    assert!(done.rows_affected() > 0, "{statement}");
    rows.close().await.unwrap();
}

#[tokio::test]
async fn every_fault_of_a_gateways_config_is_told_at_once_with_file_key_and_expectation() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("gateway.toml");
    let text = "lisen = 'x'\nlisten = 'nowhere'\nnames = ['-bad-']\n[sessions]\nidle = '4 parsecs'\n\
                [limits]\nfree_disk_mib = -3\n[extra]\nx = 1\n";
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    for command in ["run", "check"] {
        let done = ran(GATEWAY, &[command, "--config", file]).await;
        assert_eq!(done.status.code(), Some(2), "{}", done.stderr);
        let said = done.stderr.replace(file, "FILE");
        // The list of all keys grows with the product.
        let key = |line: &'_ str| line.split("data_dir, ").next().unwrap_or_default().to_owned();
        let mut lines: Vec<String> = said.lines().map(key).collect();
        lines.sort_unstable();
        insta::assert_snapshot!("gateway.toml", lines.join("\n"));
    }
}

#[tokio::test]
async fn every_fault_of_an_agents_two_files_is_told_at_once_with_file_key_and_expectation() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("agent.toml");
    let ceiling = dir.path().join("ceiling.toml");
    let text = format!("carier = 'tcp'\ncarrier = 'pigeon'\nceiling = '{}'\n", ceiling.display());
    std::fs::write(&file, text).unwrap();
    std::fs::write(&ceiling, "alow = 1\n[[allow]]\nhosst = '10.0.0.1'\nports = '9-1'\n").unwrap();
    for command in ["run", "check", "status"] {
        let done = ran(AGENT, &[command, "--config", file.to_str().unwrap()]).await;
        assert_eq!(done.status.code(), Some(2), "{}", done.stderr);
        let said = done.stderr.replace(dir.path().to_str().unwrap(), "DIR");
        let mut lines: Vec<&str> = said.lines().collect();
        lines.sort_unstable();
        insta::assert_snapshot!("agent.toml", lines.join("\n"));
    }
}

#[tokio::test]
async fn a_config_that_is_no_toml_or_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("gateway.toml");
    std::fs::write(&file, "listen = = 1").unwrap();
    let file = file.to_str().unwrap();
    ran(GATEWAY, &["check", "--config", file]).await.failed(2, &[file, "line 1", "TOML"]);
    let nowhere = "/nowhere/gateway.toml";
    ran(GATEWAY, &["run", "--config", nowhere]).await.failed(2, &[nowhere, "cannot be read"]);
}

#[tokio::test]
async fn a_port_in_use_is_named_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = taken.local_addr().unwrap();
    let (_dir, config) = initialized().await;
    let args = ["run", "--config", config.to_str().unwrap(), "--listen", &at.to_string()];
    ran(GATEWAY, &args).await.failed(1, &[&at.to_string(), "in use", "another port"]);
    let port = at.port().to_string();
    ran(GATEWAY, &["demo", "--port", &port]).await.failed(1, &[&port, "in use", "another port"]);
}

#[tokio::test]
async fn two_gateways_do_not_share_a_data_directory() {
    let (dir, config) = initialized().await;
    let data = dir.path().join("data");
    let _first = Gateway::run(&data, "0", "").await;
    let config = config.to_str().unwrap();
    ran(GATEWAY, &["run", "--config", config])
        .await
        .failed(1, &["caseway.db", "in use by another gateway", "stop that one"]);
}

#[tokio::test]
async fn a_directory_that_holds_something_else_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let kept = dir.path().join("thesis.txt");
    std::fs::write(&kept, "years of work").unwrap();
    let name = dir.path().to_str().unwrap();
    let expected = [name, "is not empty", "name a directory"];
    ran(GATEWAY, &["demo", "--port", "0", "--dir", name]).await.failed(2, &expected);
    ran(GATEWAY, &["init", name]).await.failed(2, &expected);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "years of work");

    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let config = empty.join("gateway.toml");
    std::fs::write(&config, "").unwrap();
    ran(GATEWAY, &["run", "--config", config.to_str().unwrap()])
        .await
        .failed(1, &["no gateway's data directory", "caseway-gateway init"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_that_runs_already_is_said_to() {
    let demo = Demo::start().await;
    let home = demo.home();
    let args = ["demo", "--port", "0", "--dir", home.to_str().unwrap()];
    ran(GATEWAY, &args).await.failed(1, &["if this demo runs already, stop it"]);
}

#[tokio::test]
async fn a_demo_prints_one_line_for_programs_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let began = tokio::time::Instant::now();
    let mut child = program(GATEWAY)
        .args(["demo", "--json", "--port", "0"])
        .env("TMPDIR", dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = within("the demo's line", lines.next_line()).await.unwrap().unwrap();
    println!("up after {:?}", began.elapsed());
    serde_json::from_str::<serde_json::Value>(&line).unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);

    signal(&child, "-INT");
    let ended = within("the demo's end", child.wait()).await.unwrap();
    assert_eq!(ended.code(), Some(0));
    assert_eq!(lines.next_line().await.unwrap(), None, "a second line");
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "something is left");
}

#[tokio::test]
async fn a_tampered_audit_log_is_told_by_record() {
    let (dir, _) = initialized().await;
    let data = dir.path().join("data");
    let mut gateway = Gateway::run(&data, "0", "").await;
    gateway.child.kill().await.unwrap();
    let file = data.join("caseway.db");
    let args = ["audit", "verify", "--file", file.to_str().unwrap()];
    assert!(ran(GATEWAY, &args).await.status.success());

    tamper(&file, "UPDATE records SET actor_name = 'nobody' WHERE seq = 2").await;
    ran(GATEWAY, &args).await.failed(1, &["record 2 was changed"]);
    tamper(&file, "DELETE FROM records WHERE seq = 2").await;
    ran(GATEWAY, &args).await.failed(1, &["record 2 is missing"]);

    let other = dir.path().join("letter.txt");
    std::fs::write(&other, "dear reader, ".repeat(100)).unwrap();
    ran(GATEWAY, &["audit", "verify", "--file", other.to_str().unwrap()])
        .await
        .failed(1, &["letter.txt", "not a Caseway database"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_and_a_store_that_is_gone_start_nothing_and_say_so() {
    let demo = Demo::start().await;
    let manager = demo.technician("workshop_manager").await;
    let technician = demo.technician("service_technician").await;
    manager.switch("CASE-1", "on").await;
    let edge = Edge::start(&demo, &manager, "press-7").await;
    let port = port_of(&demo);
    let data = demo.home();
    let (_dir, _) = demo.kill().await;

    let mut full = Gateway::run(&data, &port, "free_disk_mib = 1048576").await;
    full.has(&edge).await;
    let refused = technician.run(&["open", "CASE-1", "hmi-web"]).await;
    refused.failed(1, &["disk is full", "[unavailable]"]);
    assert!(full.log().contains("1048576 MiB are kept free"), "{}", full.log());
    full.child.kill().await.unwrap();

    let gateway = Gateway::run(&data, &port, "free_disk_mib = 1").await;
    gateway.has(&edge).await;
    // The demo's machine died with the demo.
    let mut open = technician.open(&["CASE-1", "hmi-web", "-L", "0"], 1).await;
    let said = meets_a_reset(&mut open, "hmi-web").await;
    assert!(said.contains("the machine does not answer there"), "{said}");
    assert!(said.contains("does its service run?"), "{said}");
    drop(open);

    for gone in ["caseway.db", "caseway.db-wal", "caseway.db-shm"] {
        std::fs::rename(data.join(gone), data.join(format!("{gone}.moved"))).unwrap();
    }
    let refused = technician.run(&["open", "CASE-1", "hmi-web"]).await;
    refused.failed(1, &["store is not available", "[unavailable]"]);
    let refused = manager.run(&["case", "switch", "CASE-1", "off"]).await;
    refused.failed(1, &["store is not available", "[unavailable]"]);
    assert!(gateway.log().contains("was removed or replaced"), "{}", gateway.log());
    until("what is put back to be used again", || async {
        for gone in ["caseway.db", "caseway.db-wal", "caseway.db-shm"] {
            let _ = std::fs::rename(data.join(format!("{gone}.moved")), data.join(gone));
        }
        technician.run(&["cases"]).await.status.success().then_some(())
    })
    .await;
}
