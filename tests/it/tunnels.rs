//! Real programs through a tunnel opened from the shared case, over both carriers.

use std::{fmt::Write as _, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    process::Command,
    task::JoinSet,
};
use tokio_modbus::client::{Reader, tcp};

use crate::world::{Demo, Open, Technician, cannot_run, within};

/// How much goes each way; `CASEWAY_TEST_BYTES` sets another figure.
const BYTES: u64 = 64 << 20;
const CONNECTIONS: usize = 200;
const DATAGRAM_BYTES_MAX: usize = 1_400;

struct Way {
    demo: Demo,
    operator: Technician,
    technician: Technician,
}

impl Way {
    async fn over(carrier: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let demo = Demo::start_in(dir, &["--port", "0", "--carrier", carrier], &[]).await;
        let operator = demo.technician("machine_operator").await;
        let technician = demo.technician("service_technician").await;
        operator.switch("CASE-1", "on").await;
        Self { demo, operator, technician }
    }

    async fn open(&self, tunnel: &str, carrier: &str, listeners: usize) -> Open {
        self.technician.open(&["CASE-1", tunnel, "--carrier", carrier], listeners).await
    }
}

async fn everything_works_over(carrier: &str) {
    let way = Way::over(carrier).await;
    let cell = way.open("cell", carrier, 4).await;

    page(cell.to("hmi-web")).await;
    registers_move(cell.to("plc")).await;
    bytes_arrive_whole(cell.to("source")).await;
    many_connections(cell.to("source")).await;
    datagrams_come_back_whole(cell.to("udp-echo")).await;

    let screen = way.open("screen", carrier, 1).await;
    picture(screen.to("screen")).await;

    way.operator.switch("CASE-1", "off").await;
    for mut open in [cell, screen] {
        let (code, said) = open.ended().await;
        assert_eq!(code, Some(8), "{said}");
        assert!(said.contains("switch_off"), "{said}");
    }
    way.demo.audit_verifies().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_on_the_machine_can_be_used_over_tcp_and_ends_with_the_switch() {
    everything_works_over("tcp").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_on_the_machine_can_be_used_over_quic_and_ends_with_the_switch() {
    everything_works_over("quic").await;
}

async fn page(at: SocketAddr) {
    let url = format!("http://{at}/");
    let got = Command::new("curl").args(["-sS", "--fail", &url]).output().await.unwrap();
    assert!(got.status.success(), "{}", String::from_utf8_lossy(&got.stderr));
    assert!(String::from_utf8_lossy(&got.stdout).contains("<title>Press 7</title>"));
}

async fn registers_move(at: SocketAddr) {
    within("moving registers", async {
        let mut client = tcp::connect(at).await.unwrap();
        let first = client.read_input_registers(0, 6).await.unwrap().unwrap();
        while client.read_input_registers(0, 6).await.unwrap().unwrap() == first {}
    })
    .await;
}

async fn order(at: SocketAddr, order: &str) -> TcpStream {
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(format!("{order}\n").as_bytes()).await.unwrap();
    stream
}

async fn answer(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text.trim().to_owned()
}

/// Down: what `send` gives hashes to what `hash` says. Up: what `take` got is what was sent.
async fn bytes_arrive_whole(at: SocketAddr) {
    let bytes = std::env::var("CASEWAY_TEST_BYTES").map_or(BYTES, |text| text.parse().unwrap());
    let expected = answer(order(at, &format!("hash {bytes}")).await).await;

    let mut down = order(at, &format!("send {bytes}")).await;
    let mut up = order(at, &format!("take {bytes}")).await;
    let (mut from_up, mut into_up) = up.split();
    let mut hash = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    let mut buffer = vec![0; 65_536];
    let mut left = bytes;
    while left > 0 {
        let read = down.read(&mut buffer).await.unwrap();
        assert!(read > 0, "{left} bytes are missing");
        hash.update(&buffer[..read]);
        into_up.write_all(&buffer[..read]).await.unwrap();
        left -= read as u64;
    }
    assert_eq!(down.read(&mut buffer).await.unwrap(), 0, "more than was asked for");
    let mut got = String::new();
    for byte in hash.finish().as_ref() {
        write!(got, "{byte:02x}").unwrap();
    }
    assert_eq!(got, expected, "down");
    let mut taken = String::new();
    from_up.read_to_string(&mut taken).await.unwrap();
    assert_eq!(taken.trim(), expected, "up");
}

/// All are open before the first one is read to its end.
async fn many_connections(at: SocketAddr) {
    let bytes = 100_000;
    let expected = answer(order(at, &format!("hash {bytes}")).await).await;
    let mut open = Vec::new();
    for _ in 0..CONNECTIONS {
        open.push(order(at, &format!("take {bytes}")).await);
    }
    let source = order(at, &format!("send {bytes}")).await;
    let mut payload = Vec::new();
    let mut source = source;
    source.read_to_end(&mut payload).await.unwrap();
    let mut takes = JoinSet::new();
    for mut stream in open {
        let (payload, expected) = (payload.clone(), expected.clone());
        takes.spawn(async move {
            stream.write_all(&payload).await.unwrap();
            assert_eq!(answer(stream).await, expected);
        });
    }
    within("all connections", async {
        while takes.join_next().await.transpose().unwrap().is_some() {}
    })
    .await;
}

async fn datagrams_come_back_whole(at: SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(at).await.unwrap();
    let mut buffer = vec![0; 2_048];
    within("every datagram", async {
        for bytes in 1..=DATAGRAM_BYTES_MAX {
            let sent: Vec<u8> = (0..bytes).map(|at| (at ^ bytes).to_le_bytes()[0]).collect();
            socket.send(&sent).await.unwrap();
            let read = socket.recv(&mut buffer).await.unwrap();
            assert_eq!(buffer[..read], sent);
        }
    })
    .await;
}

/// A real VNC client takes a picture; its size and its colours are the screen's.
async fn picture(at: SocketAddr) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("screen.jpg");
    let display = format!("{}::{}", at.ip(), at.port());
    let shot = Command::new("vncsnapshot").arg("-quiet").arg(&display).arg(&file).output().await;
    let Ok(shot) = shot else {
        return cannot_run("a picture by a real VNC client", "vncsnapshot is not installed");
    };
    assert!(shot.status.success(), "{}", String::from_utf8_lossy(&shot.stderr));
    let jpeg = std::fs::read(&file).unwrap();
    assert_eq!(jpeg[..3], [0xFF, 0xD8, 0xFF]);
    assert!(jpeg.len() > 5_000, "an empty screen: {} bytes", jpeg.len());
}
