//! Certificates that have ended or are another's, clocks that are far off, gateways of another
//! version.

use std::{net::SocketAddr, path::Path, time::Duration};

use caseway::{
    clock::{Now, Wall},
    ids::PeerId,
    tasks::Scope,
    tls::{Ca, CertificateRequest, GatewayTls, NewKey, PeerTls, Trust},
    transport::{CarrierChoice, DialOptions, Dialer, Limits, ListenOptions, Listener, PeerArrival},
    wire::{
        EnrolReply, EnrolRequest, Enrolled, GatewayTellsAgent, PAYLOAD_BYTES_MAX, PROTOCOL, Welcome,
    },
};
use serde_json::Value;

use super::{Gateway, initialized, plain, ran};
use crate::world::{AGENT, CASEWAY, Demo, Done, Edge, GATEWAY, Technician, program, until, within};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// This clock, `by` milliseconds off.
fn wall(by: i64) -> Wall {
    Wall(Now::read().wall.0 + by)
}

/// A gateway that welcomes whoever comes, in its own way.
struct Stand {
    address: SocketAddr,
    _scope: Scope,
}

impl Stand {
    /// With a certificate of the CA in `dir`: it speaks `protocol`, and its clock is `off`.
    fn open(dir: &Path, protocol: u16, off: i64) -> Self {
        let ca = Ca::load(dir).unwrap();
        let server = ca.server(&["localhost".to_owned()], Now::read().wall).unwrap();
        let trust = Trust::from_pem(ca.certificate()).unwrap();
        let tls = GatewayTls::new(&server, &trust).unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        let options = ListenOptions { listen, limits: Limits::default() };
        let listener = Listener::bind(&options, &tls).unwrap();
        let address = listener.local_addr();
        let scope = Scope::new("stand");
        let mut arrivals = listener.run(&scope);
        scope.spawn("answers", async move {
            let mut held = Vec::new();
            while let Some(arrival) = arrivals.peers.recv().await {
                match arrival {
                    PeerArrival::Control(mut peer) => {
                        let _ = peer.reader.frame(PAYLOAD_BYTES_MAX).await;
                        let welcome = welcome(protocol, off);
                        let _ = peer.writer.send(&GatewayTellsAgent::Welcome(welcome)).await;
                        held.push(peer);
                    }
                    PeerArrival::Enrol(pending) => {
                        let reply = reply(&ca, &pending.request, protocol, off);
                        let _ = pending.reply(&reply).await;
                    }
                    PeerArrival::Leg(_) => {}
                }
            }
        });
        Self { address, _scope: scope }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }
}

fn welcome(protocol: u16, off: i64) -> Welcome {
    let build = "caseway-gateway 9.0.0".to_owned();
    Welcome { protocol, build, wall: wall(off), heartbeat_ms: 1_000 }
}

fn reply(ca: &Ca, request: &EnrolRequest, protocol: u16, off: i64) -> EnrolReply {
    if protocol != PROTOCOL {
        let detail = format!(
            "the gateway speaks protocol {protocol}, this program {PROTOCOL}; install version 9"
        );
        return EnrolReply::Refused { code: "protocol".to_owned(), detail };
    }
    let device = PeerId::Device("edge-9".parse().unwrap());
    let csr = CertificateRequest::from_pem(&request.csr).unwrap();
    let life = Duration::from_secs(86_400);
    EnrolReply::Enrolled(Enrolled {
        device: "edge-9".parse().unwrap(),
        gateway: "stand".parse().unwrap(),
        certificate: ca.issue(&csr, &device, life, Now::read().wall).unwrap().certificate,
        ca: ca.certificate().to_owned(),
        warrant_key: "A".repeat(43),
        wall: wall(off),
    })
}

/// Changes what stands in a file of ours.
fn edit(file: &Path, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    change(&mut value);
    std::fs::write(file, serde_json::to_vec(&value).unwrap()).unwrap();
}

/// Replaces the certificate in `file` by one of the same key that ended two days ago.
fn expire(file: &Path, ca: &Path, peer: &PeerId) {
    edit(file, |papers| {
        let key = NewKey::from_pem(papers["key"].as_str().unwrap()).unwrap();
        let request = CertificateRequest::from_pem(&key.request_pem().unwrap()).unwrap();
        let life = Duration::from_secs(86_400);
        let issued = Ca::load(ca).unwrap().issue(&request, peer, life, wall(-3 * DAY_MS)).unwrap();
        papers["certificate"] = issued.certificate.into();
    });
}

/// What `enroll` says to `stand`, which is trusted as `demo` is.
async fn enrol_at(stand: &Stand, demo: &Demo, dir: &Path) -> Done {
    std::fs::write(dir.join("token"), "A".repeat(43)).unwrap();
    let at = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let (url, ca, token, into) =
        (stand.url(), demo.facts.ca.to_str().unwrap(), at("token"), at("second"));
    let flags = ["--gateway", &url, "--ca", ca, "--token-file", &token, "--dir", &into];
    ran(AGENT, &[&["enroll"], flags.as_slice()].concat()).await
}

/// Sends an agent or a technician to another gateway.
fn redirect_agent(dir: &Path, url: &str) {
    let text = format!("dir = '{}'\ngateway = '{url}'\n", dir.join("agent").display());
    std::fs::write(dir.join("agent.toml"), text).unwrap();
}

fn redirect_technician(technician: &Technician, url: &str) {
    edit(&technician.home.path().join("gateway.json"), |kept| kept["url"] = url.into());
    edit(&technician.home.path().join("login.json"), |kept| kept["gateway"] = url.into());
}

/// Runs the agent until its log says all of `words` in one line; the line.
async fn logs(edge: &Edge, words: &[&str]) -> String {
    let line = until(&format!("{words:?} in the agent's log"), || async {
        let log = edge.log();
        let found = log.lines().find(|line| words.iter().all(|word| line.contains(word)));
        found.map(str::to_owned)
    })
    .await;
    println!("{line}");
    plain(&line);
    line
}

/// The agent's own word on why it is not connected.
async fn away(edge: &Edge, words: &[&str]) {
    until(&format!("{words:?} in the agent's status"), || async {
        let status = edge.status().await;
        let why = status["link"]["why"].as_str().unwrap_or_default().to_owned();
        words.iter().all(|word| why.contains(word)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_is_named_with_its_end_and_what_to_do() {
    let demo = Demo::start().await;
    let manager = demo.technician("workshop_manager").await;
    let dir = Edge::enrol(&demo, &manager, "press-7", "", &[]).await;
    let device = PeerId::Device("edge-9".parse().unwrap());
    expire(&dir.path().join("agent/identity.json"), &demo.home(), &device);
    let config = dir.path().join("agent.toml");

    let checked = ran(AGENT, &["check", "--config", config.to_str().unwrap()]).await;
    checked.failed(4, &["certificate ended at", "enrol again"]);
    let edge = Edge::run(dir, &[]);
    logs(&edge, &["our certificate has expired", "enrol or log in again"]).await;
    away(&edge, &["our certificate has expired"]).await;

    let technician = demo.technician("service_technician").await;
    let person = PeerId::Person("stella".parse().unwrap());
    expire(&technician.home.path().join("login.json"), &demo.home(), &person);
    let refused = technician.run(&["open", "CASE-1", "plc"]).await;
    refused.failed(3, &["has expired", "log in again"]);
}

#[tokio::test]
async fn a_gateway_whose_ca_has_ended_does_not_start() {
    let (dir, config) = initialized().await;
    let data = dir.path().join("data");
    for name in ["ca.pem", "ca.key"] {
        std::fs::remove_file(data.join(name)).unwrap();
    }
    Ca::create(&data, "old", wall(-11 * 365 * DAY_MS)).unwrap();
    let done = ran(GATEWAY, &["run", "--config", config.to_str().unwrap()]).await;
    done.failed(1, &["ca.pem", "ended at", "set the clock"]);

    for name in ["ca.pem", "ca.key"] {
        std::fs::remove_file(data.join(name)).unwrap();
    }
    Ca::create(&data, "early", wall(400 * DAY_MS)).unwrap();
    let done = ran(GATEWAY, &["run", "--config", config.to_str().unwrap()]).await;
    done.failed(1, &["ca.pem", "only holds from", "set the clock"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_certificate_is_named_on_either_side() {
    let demo = Demo::start().await;
    let (other_dir, _) = initialized().await;
    let other = other_dir.path().join("data");
    let foreign = other.join("ca.pem");
    let user = demo.user("service_technician").clone();
    let home = tempfile::tempdir().unwrap();
    let password = home.path().join("password");
    std::fs::write(&password, &user.password).unwrap();
    let login = program(CASEWAY)
        .env("CASEWAY_HOME", home.path())
        .args(["login", &demo.facts.gateway, "--user", &user.email, "--ca"])
        .arg(&foreign)
        .arg("--password-file")
        .arg(&password)
        .output();
    let login = within("login", login).await.unwrap();
    let said = String::from_utf8(login.stderr).unwrap();
    println!("{said}");
    assert_eq!(login.status.code(), Some(7), "{said}");
    assert!(said.contains("another CA") && said.contains("--ca FILE"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");

    // An agent that was enrolled at another gateway, and one whose own certificate is another's.
    let manager = demo.technician("workshop_manager").await;
    let dir = Edge::enrol(&demo, &manager, "press-7", "", &[]).await;
    let gateway = Gateway::run(&other, "0", "").await;
    let at = gateway.log();
    let at = at.split("listening on ").nth(1).unwrap().split(' ').next().unwrap();
    let port = at.rsplit(':').next().unwrap();
    redirect_agent(dir.path(), &format!("https://localhost:{port}"));
    let config = dir.path().join("agent.toml").to_str().unwrap().to_owned();
    let checked = ran(AGENT, &["check", "--config", &config]).await;
    checked.failed(7, &["another CA", "check the CA file"]);
    let edge = Edge::run(dir, &[]);
    away(&edge, &["another CA"]).await;
    let dir = edge.kill().await;

    let ca = std::fs::read_to_string(&foreign).unwrap();
    edit(&dir.path().join("agent/identity.json"), |papers| papers["ca"] = ca.into());
    let edge = Edge::run(dir, &[]);
    logs(&edge, &["does not know the CA of our certificate", "enrol"]).await;
    away(&edge, &["does not know the CA of our certificate"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_far_off_is_named_at_both_ends() {
    let demo = Demo::start().await;
    let manager = demo.technician("workshop_manager").await;
    let technician = demo.technician("service_technician").await;
    let dir = Edge::enrol(&demo, &manager, "press-7", "", &[]).await;

    // The gateway turns a device away whose clock is off, before its token is spent.
    let tls = PeerTls::new(&Trust::load(&demo.facts.ca).unwrap(), None).unwrap();
    let port = super::port_of(&demo).parse().unwrap();
    let options = DialOptions {
        host: "localhost".to_owned(),
        port,
        carrier: CarrierChoice::Tcp,
        proxy: None,
        bind: None,
    };
    let request = EnrolRequest {
        protocol: PROTOCOL,
        token: "A".repeat(43),
        csr: NewKey::generate().unwrap().request_pem().unwrap(),
        build: "test".to_owned(),
        wall: wall(-HOUR_MS),
    };
    let refused = within("the answer", Dialer::new(options, tls).enrol(&request)).await.unwrap();
    let EnrolReply::Refused { code, detail } = refused else { panic!("{refused:?}") };
    assert_eq!(code, "clock", "{detail}");
    assert!(detail.contains("the clock of the device"), "{detail}");

    // And the device names it, whoever of the two is wrong.
    let stand = Stand::open(&demo.home(), PROTOCOL, HOUR_MS);
    let enrolled = enrol_at(&stand, &demo, dir.path()).await;
    println!("{}", enrolled.stdout);
    assert!(enrolled.stdout.contains("behind the gateway's: set it"), "{}", enrolled.stdout);

    redirect_agent(dir.path(), &stand.url());
    let edge = Edge::run(dir, &[]);
    logs(&edge, &["this clock is not the gateway's: set it"]).await;

    redirect_technician(&technician, &stand.url());
    let mut child = technician.command(&["open", "CASE-1", "plc"]);
    let mut child = child.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut stderr = tokio::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    within("the warning", tokio::io::AsyncBufReadExt::read_line(&mut stderr, &mut line))
        .await
        .unwrap();
    println!("{line}");
    assert!(line.contains("clock is") && line.contains("set it"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_of_another_version_is_named_with_both_versions() {
    let demo = Demo::start().await;
    let manager = demo.technician("workshop_manager").await;
    let technician = demo.technician("service_technician").await;
    let dir = Edge::enrol(&demo, &manager, "press-7", "", &[]).await;
    let stand = Stand::open(&demo.home(), 9, 0);

    redirect_technician(&technician, &stand.url());
    let refused = technician.run(&["open", "CASE-1", "plc"]).await;
    refused.failed(7, &["speaks protocol 9", "this program 1", "update"]);

    let refused = enrol_at(&stand, &demo, dir.path()).await;
    refused.failed(4, &["speaks protocol 9", "this program 1", "install version 9"]);

    redirect_agent(dir.path(), &stand.url());
    let edge = Edge::run(dir, &[]);
    logs(&edge, &["protocol 9", "this agent 1", "install the agent"]).await;
    away(&edge, &["protocol 9"]).await;
}
