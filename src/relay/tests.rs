//! Splices over real loopback sockets, and over streams that are none.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::*;
use crate::{clock::Now, tasks::Scope};

const SOON: Duration = Duration::from_secs(5);

/// Two ends of one connection.
pub(crate) async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (near, far) = (near.unwrap(), far.unwrap().0);
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    (near, far)
}

/// A carrier that is no socket; aborting it makes the other end see an early end.
struct Carrier(Option<DuplexStream>);

impl LegStream for Carrier {
    fn abort(&mut self) {
        self.0 = None;
    }
}

impl AsyncRead for Carrier {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(self.0.as_mut().unwrap()).poll_read(cx, buf)
    }
}

impl AsyncWrite for Carrier {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.0.as_mut().unwrap()).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.0.as_mut().unwrap()).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.0.as_mut().unwrap()).poll_shutdown(cx)
    }
}

/// Two ends of a boxed leg.
pub(crate) fn carriers() -> (Leg, Leg) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    (Leg::Stream(Box::new(Carrier(Some(near)))), Leg::Stream(Box::new(Carrier(Some(far)))))
}

/// A splice that runs, and the handles on it.
pub(crate) struct Running {
    pub(crate) meter: Arc<Meter>,
    pub(crate) pools: Pools,
    pub(crate) terms: Terms,
    pub(crate) keeper: LeaseKeeper,
    pub(crate) spliced: tokio::sync::oneshot::Receiver<Spliced>,
    pub(crate) scope: Scope,
}

pub(crate) fn run(technician: Leg, device: Leg) -> Running {
    run_capped(technician, device, Vec::new())
}

fn run_capped(technician: Leg, device: Leg, caps: Vec<Cap>) -> Running {
    let (keeper, lease) = Lease::begin(Now::read());
    let terms = Terms { lease, cut: Cut::new(), caps };
    let (meter, pools) = (Arc::new(Meter::new(Now::read())), Pools::with_bulk_threads());
    let scope = Scope::new("relay");
    let (done, spliced) = tokio::sync::oneshot::channel();
    let (meter2, pools2, terms2) = (meter.clone(), pools.clone(), terms.clone());
    scope.spawn("splice", async move {
        let _ = done.send(splice(technician, device, meter2, &terms2, &pools2).await);
    });
    Running { meter, pools, terms, keeper, spliced, scope }
}

#[tokio::test]
async fn the_end_of_one_direction_leaves_the_other_alive() {
    let (mut ana, technician) = sockets().await;
    let (device, mut press) = sockets().await;
    let running = run(Leg::Tcp(technician), Leg::Tcp(device));

    ana.write_all(b"how are you").await.unwrap();
    ana.shutdown().await.unwrap();
    let mut heard = Vec::new();
    press.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"how are you");
    press.write_all(b"well").await.unwrap();
    drop(press);
    let mut answer = Vec::new();
    ana.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"well");

    let spliced = timeout(SOON, running.spliced).await.unwrap().unwrap();
    assert!(matches!(spliced.how, How::Closed), "{spliced:?}");
    assert_eq!((spliced.up, spliced.down), (11, 4));
    assert_eq!(running.meter.tally(), Tally { up: 11, down: 4 });
}

#[tokio::test]
async fn an_idle_channel_holds_neither_pipe_nor_buffer() {
    let (mut ana, technician) = sockets().await;
    let (device, mut press) = sockets().await;
    let in_kernel = run(Leg::Tcp(technician), Leg::Tcp(device));
    ana.write_all(b"ping").await.unwrap();
    press.read_exact(&mut [0; 4]).await.unwrap();
    press.write_all(b"pong").await.unwrap();
    ana.read_exact(&mut [0; 4]).await.unwrap();

    let (mut olaf, technician) = carriers();
    let (device, mut oven) = carriers();
    let copied = run(technician, device);
    olaf.write_all(b"ping").await.unwrap();
    oven.read_exact(&mut [0; 4]).await.unwrap();

    timeout(SOON, async {
        let held = |pools: &Pools| pools.pipes_lent() + pools.buffers_lent();
        while held(&in_kernel.pools) + held(&copied.pools) > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

/// How long it takes until `bytes` have gone down a capped channel, and whether they were all there.
async fn time_down(legs: [(Leg, TcpStream); 2], caps: Vec<Cap>, bytes: usize) -> Duration {
    let [(technician, ana), (device, mut press)] = legs;
    let running = run_capped(technician, device, caps);
    let began = Now::read();
    let said = async {
        press.write_all(&vec![7; bytes]).await.unwrap();
        press.shutdown().await.unwrap();
        press
    };
    let mut ana = ana;
    let mut heard = Vec::new();
    let (press, read) = tokio::join!(said, ana.read_to_end(&mut heard));
    read.unwrap();
    assert_eq!(heard.len(), bytes);
    drop((press, ana, running));
    Now::read().mono - began.mono
}

async fn legs() -> [(Leg, TcpStream); 2] {
    let ((ana, technician), (device, press)) = (sockets().await, sockets().await);
    [(Leg::Tcp(technician), ana), (Leg::Tcp(device), press)]
}

#[tokio::test]
async fn a_cap_holds_the_channels_that_share_it_together_to_its_rate() {
    const BYTES: usize = 400_000;
    let uncapped = time_down(legs().await, Vec::new(), BYTES).await;
    let cap = Cap::new(2_000_000, Now::read());
    let (one, other) = tokio::join!(
        time_down(legs().await, vec![cap.clone()], BYTES),
        time_down(legs().await, vec![cap.clone()], BYTES),
    );
    // Together 800,000 bytes at 2,000,000 a second; the rate is a bound, never a promise.
    assert!(one.max(other) >= Duration::from_millis(350), "{one:?} {other:?}");
    assert!(uncapped < one.max(other), "{uncapped:?}");
}

#[tokio::test]
async fn a_cut_drops_what_is_under_way_and_resets_both_ends() {
    let (mut ana, technician) = sockets().await;
    let (device, mut press) = sockets().await;
    let running = run(Leg::Tcp(technician), Leg::Tcp(device));
    let block = vec![7; 1 << 20];
    // The press does not read: pipe and kernel buffers fill until nothing moves.
    while timeout(Duration::from_millis(200), ana.write_all(&block)).await.is_ok() {}

    running.terms.cut.now();
    let spliced = timeout(SOON, running.spliced).await.unwrap().unwrap();
    assert!(matches!(spliced.how, How::Cut), "{spliced:?}");
    let lost = timeout(SOON, async {
        let mut buffer = vec![0; 1 << 16];
        loop {
            match press.read(&mut buffer).await {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => return Some(error.kind()),
            }
        }
    });
    assert_eq!(lost.await.unwrap(), Some(io::ErrorKind::ConnectionReset));
    let seen = timeout(SOON, ana.read(&mut [0; 1])).await.unwrap();
    assert_eq!(seen.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(running.pools.pipes_lent(), 0);
}

#[tokio::test]
async fn a_leg_that_is_reset_resets_the_other_and_is_named() {
    let (ana, technician) = sockets().await;
    let (device, mut press) = sockets().await;
    let running = run(Leg::Tcp(technician), Leg::Tcp(device));
    Leg::Tcp(ana).abort();
    let spliced = timeout(SOON, running.spliced).await.unwrap().unwrap();
    assert!(matches!(spliced.how, How::Failed(Side::Technician, _)), "{spliced:?}");
    let seen = timeout(SOON, press.read(&mut [0; 1])).await.unwrap();
    assert_eq!(seen.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test(start_paused = true)]
async fn a_lease_holds_while_it_is_renewed_and_ends_the_splice_when_it_is_not() {
    let (_ana, technician) = carriers();
    let (device, _press) = carriers();
    let mut running = run(technician, device);
    for _ in 0..10 {
        tokio::time::advance(LEASE_TTL / 2).await;
        running.keeper.renew(Now::read());
        assert!(running.spliced.try_recv().is_err());
    }
    let before = Now::read();
    let spliced = running.spliced.await.unwrap();
    assert!(matches!(spliced.how, How::LeaseLapsed), "{spliced:?}");
    let took = Now::read().mono - before.mono;
    assert!(took >= LEASE_TTL && took < LEASE_TTL + Duration::from_millis(100), "{took:?}");

    running.keeper.renew(Now::read());
    assert!(running.terms.lease.has_lapsed(Now::read()), "a lapsed lease came back");
}

#[tokio::test]
async fn a_dropped_splice_resets_both_ends() {
    let (mut ana, technician) = sockets().await;
    let (device, mut press) = sockets().await;
    let running = run(Leg::Tcp(technician), Leg::Tcp(device));
    ana.write_all(b"x").await.unwrap();
    press.read_exact(&mut [0; 1]).await.unwrap();
    assert_eq!(running.scope.close(Duration::ZERO).await, 1);
    for end in [&mut ana, &mut press] {
        let seen = timeout(SOON, end.read(&mut [0; 1])).await.unwrap();
        assert_eq!(seen.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }
}
