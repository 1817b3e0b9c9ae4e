//! The load generator: one piece of work a function, the same for every way.
//!
//! Blocking sockets and threads: the least that stands between the clock and the wire.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use caseway::clock::Now;

use crate::{
    figure::Bulk,
    server::{BUFFER_BYTES, DOWN, ECHO, PING, UP, receive, send},
    yard::since,
};

/// A way that says nothing for so long is taken for broken.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Failures in a row after which a client of [`churn`] gives up.
const FAILURES_MAX: usize = 100;

/// Times of single deeds.
#[derive(Debug)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// In milliseconds: the time that `percent` of the deeds did not exceed.
    pub(crate) fn at(&self, percent: usize) -> Option<f64> {
        let rank = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
        self.0.get(rank).map(|time| time.as_secs_f64() * 1_000.0)
    }
}

/// Connects to a way.
pub(crate) fn connect(at: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(at)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    stream.set_write_timeout(Some(SILENCE_MAX))?;
    Ok(stream)
}

/// Opens a channel and has one byte back through it.
pub(crate) fn open(at: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = connect(at)?;
    stream.write_all(&[PING])?;
    stream.read_exact(&mut [0])?;
    Ok(stream)
}

/// Moves `bytes` in all, over as many streams as `bulk` says; from the first request to the last byte.
pub(crate) fn bulk(at: SocketAddr, bulk: Bulk, bytes: u64) -> Result<Duration> {
    let streams = bulk.streams();
    let each = bytes / streams as u64;
    let ready = Barrier::new(streams + 1);
    thread::scope(|scope| {
        let moving: Vec<_> = (0..streams)
            .map(|_| {
                scope.spawn(|| -> Result<()> {
                    let stream = connect(at);
                    ready.wait();
                    transfer(&mut stream?, bulk, each)
                })
            })
            .collect();
        ready.wait();
        let begun = Now::read().mono;
        for moved in moving {
            moved.join().map_err(|_| anyhow!("a stream's thread is gone"))??;
        }
        Ok(since(begun))
    })
}

fn transfer(stream: &mut TcpStream, bulk: Bulk, bytes: u64) -> Result<()> {
    let mut request = Vec::with_capacity(9);
    request.push(if bulk.is_down() { DOWN } else { UP });
    request.extend_from_slice(&bytes.to_be_bytes());
    stream.write_all(&request)?;
    if bulk.is_down() {
        receive(stream, bytes).context("receiving")
    } else {
        send(stream, bytes).context("sending")?;
        stream.read_exact(&mut [0]).context("the server's answer")
    }
}

/// Opens channels one after the other, each closed before the next: connect, a byte there, a byte back.
pub(crate) fn openings(at: SocketAddr, count: usize, patience: Duration) -> Result<Times> {
    let begun = Now::read().mono;
    let mut times = Vec::with_capacity(count);
    while times.len() < count && since(begun) < patience {
        let before = Now::read().mono;
        let stream = open(at)?;
        times.push(since(before));
        drop(stream);
    }
    Ok(Times::new(times))
}

/// Sends `size` bytes on an open channel and has them back, again and again.
pub(crate) fn trips(
    at: SocketAddr,
    size: usize,
    count: usize,
    patience: Duration,
) -> Result<Times> {
    let mut stream = connect(at)?;
    stream.write_all(&[ECHO])?;
    let mut bytes = vec![7; size];
    let begun = Now::read().mono;
    let mut times = Vec::with_capacity(count);
    while times.len() < count && since(begun) < patience {
        let before = Now::read().mono;
        stream.write_all(&bytes)?;
        stream.read_exact(&mut bytes)?;
        times.push(since(before));
    }
    Ok(Times::new(times))
}

/// The same beside a transfer through the same way that goes on all the while.
pub(crate) fn trips_beside(
    at: SocketAddr,
    size: usize,
    count: usize,
    patience: Duration,
) -> Result<Times> {
    let done = AtomicBool::new(false);
    let flows = Barrier::new(2);
    thread::scope(|scope| {
        let bulk = scope.spawn(|| endless(at, &flows, &done));
        flows.wait();
        let times = trips(at, size, count, patience);
        done.store(true, Ordering::Release);
        bulk.join().map_err(|_| anyhow!("the transfer's thread is gone"))??;
        times
    })
}

/// Takes bytes from the first until somebody is `done`.
fn endless(at: SocketAddr, flows: &Barrier, done: &AtomicBool) -> Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let begun = connect(at).and_then(|mut stream| {
        stream.write_all(&[DOWN])?;
        stream.write_all(&u64::MAX.to_be_bytes())?;
        stream.read_exact(&mut buffer)?;
        Ok(stream)
    });
    flows.wait();
    let mut stream = begun?;
    while !done.load(Ordering::Acquire) {
        if stream.read(&mut buffer)? == 0 {
            bail!("the transfer ended");
        }
    }
    Ok(())
}

/// What came of [`churn`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Churned {
    pub(crate) opened: usize,
    pub(crate) failed: usize,
    pub(crate) took: Duration,
}

/// Many clients that open and close channels as fast as they can.
pub(crate) fn churn(at: SocketAddr, clients: usize, time: Duration) -> Result<Churned> {
    let begun = Now::read().mono;
    let mut all = thread::scope(|scope| {
        let busy: Vec<_> =
            (0..clients).map(|_| scope.spawn(|| churn_alone(at, begun + time))).collect();
        let mut all = Churned::default();
        for client in busy {
            let one = client.join().map_err(|_| anyhow!("a client's thread is gone"))?;
            all.opened += one.opened;
            all.failed += one.failed;
        }
        anyhow::Ok(all)
    })?;
    all.took = since(begun);
    if all.opened == 0 {
        bail!("none of {} channels opened", all.failed);
    }
    Ok(all)
}

fn churn_alone(at: SocketAddr, until: std::time::Instant) -> Churned {
    let mut done = Churned::default();
    let mut in_a_row = 0;
    while Now::read().mono < until && in_a_row < FAILURES_MAX {
        if open(at).is_ok() {
            done.opened += 1;
            in_a_row = 0;
        } else {
            done.failed += 1;
            in_a_row += 1;
        }
    }
    done
}
