//! A company's first day, as the README tells it: from an empty directory to bytes from a machine,
//! each step by the person whose job it is.

use std::{net::SocketAddr, path::Path};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::world::{AGENT, Edge, Gateway, Technician, program, until, within};

const PAGE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nit turns\n";

/// The machine's own page, on a port of its own, for one reader at a time.
async fn machine() -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1_024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(PAGE.as_bytes()).await;
        }
    });
    (at, serving)
}

async fn page(at: SocketAddr) -> String {
    within("the machine's page", async {
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: machine\r\n\r\n").await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    })
    .await
}

/// Somebody new, with the password that was made for them, logged in.
async fn colleague(gateway: &Gateway, admin: &Technician, name: &str, role: &str) -> Technician {
    let email = format!("{name}@aurora.example");
    let password = gateway.dir.path().join(format!("{name}.password"));
    let out = password.to_str().unwrap();
    let args = ["user", "add", &email, "--name", name, "--role", role, "--password-out", out];
    let said = admin.must(&args).await;
    assert_eq!(said, format!("{email}: added, {role}\n"));
    gateway.technician(&email, &password).await
}

/// Makes the device known with `token`, and runs it from `dir`.
async fn edge(gateway: &Gateway, dir: TempDir, token: &Path) -> Edge {
    let agent = dir.path().join("agent");
    let url = gateway.url.as_str();
    let enrolled = program(AGENT)
        .args(["enroll", "--gateway", url, "--ca"])
        .arg(gateway.ca())
        .arg("--token-file")
        .arg(token)
        .arg("--dir")
        .arg(&agent)
        .output()
        .await
        .unwrap();
    assert!(enrolled.status.success(), "{}", String::from_utf8_lossy(&enrolled.stderr));
    let config = format!("dir = \"{}\"\n", agent.display());
    std::fs::write(dir.path().join("agent.toml"), config).unwrap();
    Edge::run(dir, &[])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_company_that_begins_with_an_administrator_reaches_its_machine_the_same_day() {
    let gateway = Gateway::start("ada@aurora.example").await;
    let admin = gateway.technician("ada@aurora.example", &gateway.admin_password()).await;

    // An administrator has no say over machines: that takes the right people.
    let done = admin.run(&["asset", "add", "press-7", "--name", "Press 7"]).await;
    assert_eq!(done.status.code(), Some(4), "{}", done.stderr);
    let manager = colleague(&gateway, &admin, "wim", "workshop_manager").await;
    let engineer = colleague(&gateway, &admin, "mia", "maintenance_engineer").await;

    // The workshop manager describes the machine and the device beside it.
    manager.must(&["asset", "add", "press-7", "--name", "Press 7", "--serial", "SN-7"]).await;
    manager.must(&["device", "add", "press-7-edge", "--asset", "press-7"]).await;
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    let out = token.to_str().unwrap();
    manager.must(&["device", "enrolment", "press-7-edge", "--out", out]).await;
    let edge = edge(&gateway, dir, &token).await;
    until("the device online", || async {
        let devices = manager.must(&["device", "list", "--json"]).await;
        devices.contains(r#""online":true"#).then_some(())
    })
    .await;
    let (at, _serving) = machine().await;
    let target = format!("tcp://{at}");
    manager.must(&["tunnel", "add", "press-7", "web", "--kind", "ssc", "--target", &target]).await;
    let listed = manager.must(&["tunnel", "list", "press-7"]).await;
    assert!(listed.contains(&format!("web={target}")), "{listed}");

    // The engineer opens a case, consents, and is in.
    let args = ["case", "create", "--type", "operator_internal", "--asset", "press-7"];
    let args = [&args[..], &["--severity", "degraded"]].concat();
    let case = engineer.must(&[&args[..], &["--title", "It squeaks"]].concat()).await;
    let case = case.trim();
    let done = engineer.run(&["open", case, "web"]).await;
    assert!(done.status.code() == Some(4) && done.stderr.contains("switch_off"), "{}", done.stderr);
    engineer.switch(case, "on").await;
    let mut open = engineer.open(&[case, "web"], 1).await;
    assert!(page(open.to("web")).await.contains("it turns"));
    let who = edge.status().await["sessions"].to_string();
    assert!(who.contains("mia") && who.contains(case), "{who}");

    // Whoever runs the machine may end it, and everything was recorded.
    manager.switch(case, "off").await;
    let (code, said) = open.ended().await;
    assert!(code == Some(8) && said.contains("switch_off"), "{said}");
    let past = manager.must(&["sessions", "--all"]).await;
    assert!(past.contains("ended: switch_off"), "{past}");
    let records = manager.must(&["audit", "--case", case]).await;
    assert!(records.contains("mia"), "{records}");
    gateway.audit_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_gives_roles_takes_them_and_shuts_somebody_out() {
    let gateway = Gateway::start("ada@aurora.example").await;
    let admin = gateway.technician("ada@aurora.example", &gateway.admin_password()).await;
    let wim = colleague(&gateway, &admin, "wim", "workshop_manager").await;
    wim.must(&["facility", "add", "hall-1", "--name", "Hall 1"]).await;
    wim.must(&["asset", "add", "press-7", "--name", "Press 7", "--facility", "hall-1"]).await;
    let email = "wim@aurora.example";
    let add = ["asset", "add", "press-8", "--name", "Press 8"];

    admin.must(&["user", "role", "remove", email, "workshop_manager"]).await;
    let done = wim.run(&add).await;
    assert!(done.status.code() == Some(4) && done.stderr.contains("[role]"), "{}", done.stderr);

    let hall = ["user", "role", "add", email, "machine_operator", "--facility", "hall-1"];
    admin.must(&hall).await;
    let people = admin.must(&["user", "list"]).await;
    assert!(people.contains("machine_operator (hall-1)"), "{people}");
    assert!(wim.must(&["assets"]).await.contains("press-7"));

    admin.must(&["user", "disable", email]).await;
    let done = wim.run(&["assets"]).await;
    assert!(!done.status.success(), "{}", done.stdout);
    admin.must(&["user", "enable", email]).await;
    let password = gateway.dir.path().join("wim.password");
    gateway.technician(email, &password).await.must(&["assets"]).await;

    let done = admin.run(&["user", "role", "add", email, "service_technician"]).await;
    assert!(
        done.status.code() == Some(1) && done.stderr.contains("tenant role"),
        "{}",
        done.stderr
    );
    let done = admin.run(&["user", "role", "add", email, "boss"]).await;
    assert!(done.status.code() == Some(2) && done.stderr.contains("workshop_manager"));
    let done = admin.run(&["user", "disable", "nobody@aurora.example"]).await;
    assert!(done.status.code() == Some(4) && done.stderr.contains("not_found"), "{}", done.stderr);
    gateway.audit_verifies().await;
}
