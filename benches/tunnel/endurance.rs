//! Two long hauls: a reader that stops in the middle of 10 GiB, and 1,000 channels at once.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, sleep},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use aws_lc_rs::digest::{self, SHA256};
use caseway::clock::Now;

use crate::{
    args::GIB,
    cpu::{Root, resident},
    load,
    product::{Site, World},
    say,
    server::{self, BUFFER_BYTES, DOWN, ECHO, pattern},
    way::TCP,
    yard::{Yard, since},
};

const HAUL_BYTES: u64 = 10 * GIB;
/// How long the reader stops, half way.
const REST: Duration = Duration::from_secs(60);
const GLANCE: Duration = Duration::from_secs(5);
/// Sessions, and channels of each: a session may have 256.
const SESSIONS: usize = 5;
const CHANNELS: usize = 200;
const CHANNEL_BYTES: usize = 1024 * 1024;
/// Of a thread that keeps its bytes elsewhere.
const STACK_BYTES: usize = 128 * 1024;

pub(crate) fn run(yard: &Yard) -> Result<()> {
    let server = server::start(yard)?;
    let world = World::start(yard, &Site::HERE, server, TCP.name, "tcp")?;
    let gateway = Root { pid: world.gateway, tree: true };
    let ways: Vec<SocketAddr> = (0..SESSIONS)
        .map(|session| Ok(world.open(&format!("technician {session}"))?.1))
        .collect::<Result<_>>()?;
    let first = *ways.first().context("no session")?;
    rest(first, gateway)?;
    crowd(&ways, gateway)?;
    yard.check()
}

/// 10 GiB, every byte compared, with a minute's rest; the gateway's memory all along.
fn rest(at: SocketAddr, gateway: Root) -> Result<()> {
    say("10 GiB down, the reader stops for a minute half way; gateway resident, KiB:");
    let done = AtomicBool::new(false);
    let begun = Now::read().mono;
    let (least, most) = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let read = read_with_rest(at);
            done.store(true, Ordering::Release);
            read
        });
        let watched = watch(gateway, &done);
        reader.join().map_err(|_| anyhow!("the reader's thread is gone"))??;
        watched
    })?;
    say(format_args!(
        "  {} GiB right in {:.1} s; gateway resident from {} to {} KiB",
        HAUL_BYTES / GIB,
        since(begun).as_secs_f64(),
        least / 1024,
        most / 1024
    ));
    Ok(())
}

fn read_with_rest(at: SocketAddr) -> Result<()> {
    let mut stream = load::connect(at)?;
    let mut request = vec![DOWN];
    request.extend_from_slice(&HAUL_BYTES.to_be_bytes());
    stream.write_all(&request)?;
    let pattern = pattern();
    let mut buffer = vec![0; BUFFER_BYTES];
    let half = HAUL_BYTES / 2 / BUFFER_BYTES as u64;
    for block in 0..HAUL_BYTES / BUFFER_BYTES as u64 {
        if block == half {
            say("  the reader stops");
            sleep(REST);
            say("  the reader goes on");
        }
        stream.read_exact(&mut buffer)?;
        if buffer != pattern {
            bail!("wrong bytes in block {block}");
        }
    }
    Ok(())
}

/// The least and the most resident bytes, looked at until it is done.
fn watch(gateway: Root, done: &AtomicBool) -> Result<(u64, u64)> {
    let (mut least, mut most) = (u64::MAX, 0);
    let begun = Now::read().mono;
    let mut next = begun;
    while !done.load(Ordering::Acquire) {
        let now = Now::read().mono;
        if now >= next {
            let bytes = resident(gateway)?;
            (least, most) = (least.min(bytes), most.max(bytes));
            say(format_args!(
                "  {:>4} s {:>8} (the kernel's TCP buffers, all programs: {} KiB)",
                since(begun).as_secs(),
                bytes / 1024,
                tcp_buffers()
            ));
            next = now + GLANCE;
        }
        sleep(Duration::from_millis(50));
    }
    Ok((least, most))
}

/// What the kernel holds for all TCP sockets, in KiB.
fn tcp_buffers() -> u64 {
    let text = std::fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("TCP:")).unwrap_or_default();
    let pages = line.split(' ').next_back().and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4
}

/// 1,000 channels, all open before any carries its MiB there and back.
fn crowd(ways: &[SocketAddr], gateway: Root) -> Result<()> {
    let count = ways.len() * CHANNELS;
    say(format_args!("{count} channels at once, 1 MiB each there and back, SHA-256 of each:"));
    let before = resident(gateway)?;
    let begun = Now::read().mono;
    let open: Vec<TcpStream> = ways
        .iter()
        .flat_map(|way| (0..CHANNELS).map(|_| echoing(*way)))
        .collect::<Result<_>>()
        .context("opening")?;
    let (opened, held) = (since(begun), resident(gateway)?);
    let begun = Now::read().mono;
    let wrong = everyone(open)?;
    let most = resident(gateway)?;
    say(format_args!(
        "  opened in {:.1} s, {} of {count} right in {:.1} s; gateway resident {} KiB before, {} KiB with all \
         open, {} KiB after",
        opened.as_secs_f64(),
        count - wrong,
        since(begun).as_secs_f64(),
        before / 1024,
        held / 1024,
        most / 1024
    ));
    if wrong > 0 {
        bail!("{wrong} channels gave back other bytes");
    }
    Ok(())
}

/// A channel that has given one byte back already.
fn echoing(at: SocketAddr) -> Result<TcpStream> {
    let mut stream = load::connect(at)?;
    stream.write_all(&[ECHO, 7])?;
    stream.read_exact(&mut [0])?;
    Ok(stream)
}

/// How many of them were given back other bytes than they sent.
fn everyone(open: Vec<TcpStream>) -> Result<usize> {
    let start = Barrier::new(open.len());
    thread::scope(|scope| {
        let mut busy = Vec::new();
        for (number, stream) in open.into_iter().enumerate() {
            let start = &start;
            let worker = thread::Builder::new().stack_size(STACK_BYTES);
            busy.push(worker.spawn_scoped(scope, move || there_and_back(stream, number, start))?);
        }
        let mut wrong = 0;
        for worker in busy {
            let right = worker.join().map_err(|_| anyhow!("a channel's thread is gone"))?;
            match right {
                Ok(true) => {}
                Ok(false) => wrong += 1,
                Err(error) => {
                    say(format_args!("  FAILED: {error:#}"));
                    wrong += 1;
                }
            }
        }
        Ok(wrong)
    })
}

/// Sends a MiB of its own while it reads it back; whether both have the same digest.
fn there_and_back(mut stream: TcpStream, number: usize, start: &Barrier) -> Result<bool> {
    let sent = own_bytes(number);
    let mut writer = stream.try_clone()?;
    start.wait();
    thread::scope(|scope| {
        let worker = thread::Builder::new().stack_size(STACK_BYTES);
        let writing = worker.spawn_scoped(scope, || -> Result<()> {
            writer.write_all(&sent)?;
            Ok(writer.shutdown(Shutdown::Write)?)
        })?;
        let mut back = Vec::with_capacity(CHANNEL_BYTES);
        stream.read_to_end(&mut back).with_context(|| format!("channel {number}"))?;
        writing.join().map_err(|_| anyhow!("a writer's thread is gone"))??;
        let same =
            digest::digest(&SHA256, &back).as_ref() == digest::digest(&SHA256, &sent).as_ref();
        Ok(same && back.len() == CHANNEL_BYTES)
    })
}

/// A MiB that no other channel sends.
fn own_bytes(number: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        pattern().into_iter().cycle().skip(number).take(CHANNEL_BYTES).collect();
    let mark = (number as u64).to_be_bytes();
    for (byte, mark) in bytes.iter_mut().zip(mark) {
        *byte = mark;
    }
    bytes
}
