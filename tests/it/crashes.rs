//! `kill -9` of each program in the middle of a transfer: the others learn it, and nothing is left.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::world::{Demo, Edge, Open, Technician, until, within};

/// By then every end knows.
const KNOWN_WITHIN: Duration = Duration::from_secs(20);
/// And by then no session is shown live any more.
const NO_GHOST_AFTER: Duration = Duration::from_secs(15);
/// The agent is back this long after the gateway.
const BACK_WITHIN: Duration = Duration::from_secs(5);

/// A download that would last for hours, and has begun.
async fn transfer(open: &Open) -> TcpStream {
    let mut stream = TcpStream::connect(open.to("source")).await.unwrap();
    stream.write_all(b"send 1000000000000\n").await.unwrap();
    let mut some = vec![0; 1 << 20];
    within("the first bytes", stream.read_exact(&mut some)).await.unwrap();
    stream
}

/// Reads until an error; a clean end of a truncated transfer would be a lie.
async fn fails(mut stream: TcpStream) {
    let mut buffer = vec![0; 1 << 16];
    let ended = timeout(KNOWN_WITHIN, async {
        loop {
            match stream.read(&mut buffer).await {
                Ok(0) => return Err("a clean end of truncated data"),
                Ok(_) => {}
                Err(_) => return Ok(()),
            }
        }
    });
    ended.await.expect("the end was not noticed in time").unwrap();
}

async fn live_sessions(who: &Technician) -> usize {
    let done = who.run(&["sessions", "--json"]).await;
    done.stdout.lines().filter(|line| !line.trim().is_empty()).count()
}

async fn no_ghost(who: &Technician) {
    let since = Instant::now();
    until("no live session", || async { (live_sessions(who).await == 0).then_some(()) }).await;
    assert!(since.elapsed() < NO_GHOST_AFTER, "a ghost for {:?}", since.elapsed());
}

async fn online(edge: &Edge) {
    until("the agent online", || async {
        (edge.status().await["link"]["state"] == "connected").then_some(())
    })
    .await;
}

struct Scene {
    demo: Demo,
    operator: Technician,
    technician: Technician,
    edge: Edge,
}

impl Scene {
    async fn new(more: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let demo = Demo::start_in(dir, &[&["--port", "0"], more].concat(), &[]).await;
        let manager = demo.technician("workshop_manager").await;
        let edge = Edge::start(&demo, &manager, "press-7").await;
        online(&edge).await;
        let technician = demo.technician("service_technician").await;
        manager.switch("CASE-1", "on").await;
        Self { demo, operator: manager, technician, edge }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_technician_leaves_no_session() {
    let scene = Scene::new(&[]).await;
    let mut open = scene.technician.open(&["CASE-1", "cell"], 4).await;
    let stream = transfer(&open).await;
    assert_eq!(live_sessions(&scene.operator).await, 1);
    open.child.kill().await.unwrap();
    drop(stream);
    no_ghost(&scene.operator).await;
    until("an agent without channels", || async {
        scene.edge.status().await["sessions"].as_array().filter(|all| all.is_empty()).map(|_| ())
    })
    .await;
    scene.demo.audit_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_agent_is_an_error_at_the_technician_and_comes_back() {
    let scene = Scene::new(&[]).await;
    let mut open = scene.technician.open(&["CASE-1", "cell"], 4).await;
    let stream = transfer(&open).await;
    let dir = scene.edge.kill().await;
    fails(stream).await;
    let (code, said) = open.ended().await;
    assert_eq!(code, Some(8), "{said}");
    assert!(said.contains("edge_offline"), "{said}");
    no_ghost(&scene.operator).await;

    let edge = Edge::run(dir, &[]);
    online(&edge).await;
    let again = scene.technician.open(&["CASE-1", "cell"], 4).await;
    transfer(&again).await;
    scene.demo.audit_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_gateway_is_an_error_at_both_ends_and_the_agent_returns_to_its_successor() {
    let scene = Scene::new(&[]).await;
    let mut open = scene.technician.open(&["CASE-1", "cell"], 4).await;
    let stream = transfer(&open).await;
    let port = scene.demo.facts.gateway.rsplit(':').next().unwrap().to_owned();
    let (dir, _) = scene.demo.kill().await;
    fails(stream).await;
    let (code, said) = open.ended().await;
    assert_eq!(code, Some(7), "{said}");

    let demo = Demo::start_in(dir, &["--port", &port], &[]).await;
    let since = Instant::now();
    online(&scene.edge).await;
    assert!(since.elapsed() < BACK_WITHIN, "{:?}: {}", since.elapsed(), scene.edge.log());
    no_ghost(&scene.operator).await;
    let past = scene.operator.must(&["sessions", "--all", "--json"]).await;
    assert!(past.contains("gateway_shutdown"), "{past}");
    demo.audit_verifies().await;
    let again = scene.technician.open(&["CASE-1", "cell"], 4).await;
    transfer(&again).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_asked_to_stop_tells_both_ends_and_exits_0() {
    let mut scene = Scene::new(&[]).await;
    let mut open = scene.technician.open(&["CASE-1", "cell"], 4).await;
    let stream = transfer(&open).await;
    let status = scene.demo.stop().await;
    assert!(status.success(), "{status}: {}", scene.demo.log());
    fails(stream).await;
    let (code, said) = open.ended().await;
    assert_eq!(code, Some(8), "{said}");
    scene.demo.audit_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_the_tunnel_and_its_session() {
    let scene = Scene::new(&[]).await;
    let mut open = scene.technician.open(&["CASE-1", "cell"], 4).await;
    open.interrupt();
    let (code, said) = open.ended().await;
    assert_eq!(code, Some(0), "{said}");
    no_ghost(&scene.operator).await;
}
