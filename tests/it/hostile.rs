//! Strangers at the port: garbage, floods and endless frames end that one connection; nobody else
//! notices, and memory stays bounded.

use std::{sync::Arc, time::Duration};

use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::world::{Demo, within};

const STRANGERS: usize = 150;
/// The most that one stranger may make the gateway hold (`wire::PREAUTH_BYTES_MAX`).
const PREAUTH_BYTES_MAX: u64 = caseway::wire::PREAUTH_BYTES_MAX as u64;
/// What a stranger pours in, far beyond what may be held.
const POURED: usize = 4 << 20;
/// The allocator's and the kernel's own share, for all strangers together.
const SLACK: u64 = 24 << 20;

fn address(demo: &Demo) -> String {
    demo.facts.gateway.strip_prefix("https://").unwrap().replace("localhost", "127.0.0.1")
}

/// TLS without a client certificate, under `alpn`.
async fn tls(demo: &Demo, alpn: &[u8]) -> std::io::Result<TlsStream<TcpStream>> {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&demo.facts.ca).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let stream = TcpStream::connect(address(demo)).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

fn resident(demo: &Demo) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", demo.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

/// Pours until the gateway ends the connection.
async fn pour<S: AsyncReadExt + AsyncWriteExt + Unpin>(mut stream: S, first: &[u8]) {
    let ended = timeout(Duration::from_secs(30), async {
        if stream.write_all(first).await.is_err() {
            return;
        }
        let block = [0x41; 16_384];
        for _ in 0..POURED / block.len() {
            if stream.write_all(&block).await.is_err() {
                return;
            }
        }
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
    });
    ended.await.expect("the gateway let a stranger go on");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_at_the_port_disturb_nobody_and_memory_stays_bounded() {
    let demo = Demo::start().await;
    let operator = demo.technician("machine_operator").await;
    let technician = demo.technician("service_technician").await;
    operator.switch("CASE-1", "on").await;
    let open = technician.open(&["CASE-1", "hmi-web"], 1).await;
    let before = resident(&demo);

    let mut strangers = JoinSet::new();
    for number in 0..STRANGERS {
        // An oversized frame, an endless JSON text, an unknown version, bare noise.
        let firsts: [&[u8]; 3] = [&[1, 1, 0xFF, 0xFF, b'{'], &[9, 9, 9, 9], b"{\"a\":[[[[[["];
        let first = firsts[number % 3].to_vec();
        match number % 3 {
            0 => {
                if let Ok(stream) = tls(&demo, b"caseway-enrol/1").await {
                    strangers.spawn(async move { pour(stream, &first).await });
                }
            }
            1 => {
                let stream = TcpStream::connect(address(&demo)).await.unwrap();
                strangers.spawn(async move { pour(stream, &first).await });
            }
            _ => {
                if let Ok(stream) = tls(&demo, b"http/1.1").await {
                    strangers.spawn(async move { pour(stream, &first).await });
                }
            }
        }
    }
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for size in 1..1_200 {
        socket.send_to(&vec![0xC3; size], address(&demo)).await.unwrap();
    }
    // Without a certificate nobody is a peer.
    let mut peer = tls(&demo, b"caseway/1").await;
    if let Ok(stream) = &mut peer {
        let refused = within("the refusal", stream.read(&mut [0; 1])).await;
        assert!(refused.is_err() || refused.unwrap() == 0);
    }

    let url = format!("http://{}/reading", open.to("hmi-web"));
    for _ in 0..20 {
        let got = tokio::process::Command::new("curl").args(["-sS", "--fail", &url]).output();
        assert!(within("the tunnel", got).await.unwrap().status.success());
    }
    within("the strangers' end", async {
        while strangers.join_next().await.transpose().unwrap().is_some() {}
    })
    .await;
    let grown = resident(&demo).saturating_sub(before);
    let allowed = STRANGERS as u64 * PREAUTH_BYTES_MAX + SLACK;
    assert!(grown <= allowed, "{grown} bytes more, {allowed} allowed");
}
