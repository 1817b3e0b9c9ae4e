//! The device's own word: its local switch, its ceiling, its one-time token; and what is not there.

use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
use tokio::{io::AsyncReadExt, net::TcpListener, net::TcpStream};

use super::{meets_a_reset, ran};
use crate::world::{AGENT, Demo, Done, Edge, within};

#[tokio::test(flavor = "multi_thread")]
async fn the_local_switch_refuses_and_cuts_at_once_whatever_the_case_says() {
    let demo = Demo::start().await;
    let manager = demo.technician("workshop_manager").await;
    let technician = demo.technician("service_technician").await;
    manager.switch("CASE-1", "on").await;
    let place = tempfile::tempdir().unwrap();
    let allowed = place.path().join("remote-access-allowed");
    let config = format!("local_switch = '{}'\n", allowed.display());
    let edge = Edge::run(Edge::enrol(&demo, &manager, "press-7", &config, &[]).await, &[]);
    edge.connected().await;

    let refused = technician.run(&["open", "CASE-1", "cell"]).await;
    refused.failed(4, &["[edge_refused]", "at the machine"]);

    std::fs::write(&allowed, "").unwrap();
    let opened = async {
        // The agent looks at the file every now and then; until it has, it still refuses.
        while !technician
            .run(&["why", "CASE-1", "cell"])
            .await
            .stdout
            .contains("cell from CASE-1: allow")
        {}
        technician.open(&["CASE-1", "cell"], 4).await
    };
    let mut open = within("the switch to be seen", opened).await;
    let mut stream = TcpStream::connect(open.to("source")).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, b"send 1000000000000\n").await.unwrap();
    within("the first bytes", stream.read_exact(&mut [0; 65_536])).await.unwrap();

    std::fs::remove_file(&allowed).unwrap();
    let (code, said) = open.ended().await;
    println!("exit {code:?}: {said}");
    assert_eq!(code, Some(8), "{said}");
    assert!(said.contains("edge_refused") && said.contains("at the machine"), "{said}");
    demo.audit_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_devices_ceiling_does_not_allow_is_refused_by_the_device() {
    let demo = Demo::start().await;
    let manager = demo.technician("workshop_manager").await;
    manager.switch("CASE-1", "on").await;
    let dir = Edge::enrol(&demo, &manager, "press-7", "", &[]).await;
    let ceiling = "[[allow]]\nhost = '10.0.0.0/8'\nports = 502\n";
    std::fs::write(dir.path().join("agent").join("ceiling.toml"), ceiling).unwrap();
    let edge = Edge::run(dir, &[]);
    edge.connected().await;

    let technician = demo.technician("service_technician").await;
    let mut open = technician.open(&["CASE-1", "hmi-web"], 1).await;
    let said = meets_a_reset(&mut open, "hmi-web").await;
    assert!(said.contains("hmi-web (tcp://127.0.0.1:"), "{said}");
    assert!(said.contains("ceiling does not allow it; whoever looks after the device"), "{said}");
    assert!(edge.log().contains("127.0.0.1"), "the device's log names it: {}", edge.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enrolment_token_that_is_unknown_used_or_expired_is_told_apart() {
    let demo = Demo::start().await;
    let manager = demo.technician("workshop_manager").await;
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let ca = demo.facts.ca.to_str().unwrap();
    let enroll = async |token: &str, into: &str| -> Done {
        let url = &demo.facts.gateway;
        let (token, into) = (at(token), at(into));
        let args = ["enroll", "--gateway", url, "--ca", ca, "--token-file", &token, "--dir", &into];
        ran(AGENT, &args).await
    };
    let next = "ask an administrator for a new one";

    std::fs::write(at("unknown"), "A".repeat(43)).unwrap();
    enroll("unknown", "none").await.failed(4, &["token is unknown", next]);

    manager.must(&["device", "add", "edge-8"]).await;
    manager.must(&["device", "enrolment", "edge-8", "--out", &at("used")]).await;
    let done = enroll("used", "first").await;
    assert!(done.status.success(), "{}", done.stderr);
    enroll("used", "second").await.failed(4, &["was already used", next]);
    enroll("used", "first").await.failed(2, &["already enrolled as edge-8", "--replace"]);

    manager.must(&["device", "add", "edge-7"]).await;
    manager.must(&["device", "enrolment", "edge-7", "--out", &at("expired")]).await;
    let file = demo.home().join("caseway.db");
    let mut rows = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
    let aged = "UPDATE enrolments SET expires = 1 WHERE device = 'edge-7'";
    sqlx::raw_sql(aged).execute(&mut rows).await.unwrap();
    rows.close().await.unwrap();
    enroll("expired", "third").await.failed(4, &["has expired", next]);

    enroll("lost", "fourth").await.failed(2, &[&at("lost"), "one-time token"]);
    ran(AGENT, &["run", "--dir", &at("fourth")]).await.failed(2, &["not enrolled", "enroll"]);
    ran(AGENT, &["status", "--dir", &at("first")]).await.failed(1, &["not running", "run"]);
    demo.audit_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_said_in_one_line_with_what_to_do() {
    let demo = Demo::start().await;
    let manager = demo.technician("workshop_manager").await;
    manager.switch("CASE-1", "on").await;
    let open = async |args: &[&str]| manager.run(&[&["open"], args].concat()).await;

    open(&["CASE-1", "plx"]).await.failed(4, &["plx", "[config]", "caseway tunnels CASE-1"]);
    open(&["CASE-9", "plc"]).await.failed(4, &["CASE-9", "[not_found]", "caseway cases"]);
    open(&["CASE-1", "cell", "-L", "0:plx"]).await.failed(2, &["plx", "udp-echo"]);
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = taken.local_addr().unwrap();
    let port = at.port().to_string();
    open(&["CASE-1", "plc", "-L", &port]).await.failed(1, &[&at.to_string(), "-L"]);

    // Of the three machines, the lathe's device is not connected.
    manager.must(&["asset", "switch", "lathe-3", "on"]).await;
    let offline = open(&["--asset", "lathe-3", "plc"]).await;
    offline.failed(5, &["[edge_offline]", "power and network"]);

    manager.run(&["end", "01a1ffe5-285f-7449-9965-0c6dd1e654f9"]).await.failed(4, &["not_found"]);
    manager.run(&["device", "enrolment", "edge-0"]).await.failed(4, &["not_found"]);
}
