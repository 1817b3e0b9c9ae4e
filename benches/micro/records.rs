//! Records of a sealed channel, with keys from a real handshake.

use std::time::Duration;

use anyhow::{Result, ensure};
use caseway::{
    clock::Now,
    ids::{ChannelNo, PeerId, SessionId},
    relay::Leg,
    seal::{self, Pin, Records},
    tls::{Ca, Identity},
};
use criterion::{BatchSize, Criterion, Throughput};
use tokio::net::{TcpListener, TcpStream};

const KIB: usize = 1_024;
const LIFE: Duration = Duration::from_secs(3_600);

pub(crate) fn measure(criterion: &mut Criterion) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut near, mut far) = runtime.block_on(channel())?;
    let mut group = criterion.benchmark_group("records");
    for kib in [1, 16, 64] {
        let payload = kib * KIB;
        let blank = vec![7; payload + Records::OVERHEAD_BYTES];
        group.throughput(Throughput::Bytes(u64::try_from(payload)?));
        let mut frame = blank.clone();
        // What one end sealed, only the other can open: each pair of measurements has its own way.
        let mut sealed = near.seal(&mut frame);
        group.bench_function(format!("seal/{kib}KiB"), |b| {
            b.iter(|| sealed = near.seal(&mut frame));
        });
        sealed?;
        let mut opened = Ok(None);
        group.bench_function(format!("open/{kib}KiB"), |b| {
            let seal_one = || {
                let mut frame = blank.clone();
                // A record that was not sealed does not open, which is found below.
                let _ = far.seal(&mut frame);
                frame
            };
            b.iter_batched_ref(seal_one, |frame| opened = near.open(frame), BatchSize::SmallInput);
        });
        ensure!(opened?.is_some_and(|range| range.len() == payload), "a record does not open");
    }
    group.finish();
    Ok(())
}

/// Both ends of channel 1 of a session.
async fn channel() -> Result<(Records, Records)> {
    let ca = Ca::fresh("bench", Now::read().wall)?;
    let session: SessionId = "bench".parse()?;
    let (ana, press): (PeerId, PeerId) = ("person/ana".parse()?, "device/press".parse()?);
    let identity = |peer| ca.identity(peer, LIFE, Now::read().wall);
    let (technician, device) = (identity(&ana)?, identity(&press)?);
    let pin = |peer: &PeerId, of: &Identity| Pin { peer: peer.clone(), key: of.digest() };
    let (to_device, to_technician) = (pin(&press, &device), pin(&ana, &technician));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr()?), listener.accept());
    let (near, far) = tokio::join!(
        seal::connect(Leg::Tcp(near?), &technician, &to_device, &session),
        seal::accept(Leg::Tcp(far?.0), &device, &to_technician, &session),
    );
    let (near, far) = (near?.channel(ChannelNo(1))?, far?.channel(ChannelNo(1))?);
    Ok((Records::new(near), Records::new(far)))
}
