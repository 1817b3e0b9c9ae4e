//! What a process holds, by the kernel's own books (proc(5)).

use std::{collections::BTreeMap, fs, time::Duration};

use anyhow::{Context, Result};
use caseway::clock::Now;

const KIB: u64 = 1_024;
/// What sockstat counts in.
const PAGE_BYTES: u64 = 4_096;
/// A tick of `/proc/PID/stat`: 100 a second on every Linux that this is built for.
const TICK: Duration = Duration::from_millis(10);

/// How often a process is looked at until it has settled, ...
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// ... how many looks in a row must agree, ...
const LOOKS_ALIKE: u32 = 6;
/// ... within what, ...
const ALIKE_BYTES: u64 = 128 * KIB;
/// ... and how long it may take; it is taken as it is then.
const SETTLE_MAX: Duration = Duration::from_secs(60);

/// One process's memory, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// Its share of everything: private pages, and shared ones divided among those who share.
    pub(crate) pss: u64,
    /// What it wrote to and shares with nobody: heap and stacks.
    pub(crate) dirty: u64,
    /// All that is resident, shared program code included: what `ps` and `top` show.
    pub(crate) rss: u64,
}

impl Memory {
    /// What `pid` holds now.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let path = format!("/proc/{pid}/smaps_rollup");
        let text = fs::read_to_string(&path).with_context(|| path)?;
        let bytes =
            |key| field(&text, key).map(|kib| kib * KIB).with_context(|| format!("no {key}"));
        Ok(Self { pss: bytes("Pss:")?, dirty: bytes("Private_Dirty:")?, rss: bytes("Rss:")? })
    }

    /// What `pid` holds once it holds no more and no less for a while.
    pub(crate) async fn settled(pid: u32) -> Result<Self> {
        let until = Now::read().mono + SETTLE_MAX;
        let mut last = Self::of(pid)?;
        let mut alike = 0;
        while alike < LOOKS_ALIKE && Now::read().mono < until {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = Self::of(pid)?;
            alike = if now.pss.abs_diff(last.pss) <= ALIKE_BYTES { alike + 1 } else { 0 };
            if alike == 0 {
                last = now;
            }
        }
        Self::of(pid)
    }

    /// How much more than `before`, a piece.
    pub(crate) fn growth(self, before: Self, pieces: usize) -> Growth {
        let each = |now: u64, before: u64| signed(now, before) / pieces as f64;
        Growth { pss: each(self.pss, before.pss), dirty: each(self.dirty, before.dirty) }
    }
}

/// Bytes a piece.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth {
    pub(crate) pss: f64,
    pub(crate) dirty: f64,
}

/// What the kernel holds for sockets, of all processes together; both ends of a loopback connection
/// are in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sockets {
    /// Bytes of buffers (`/proc/net/sockstat`), TCP and UDP.
    buffers: u64,
    /// Bytes of the objects behind a socket (`/proc/slabinfo`, which only root may read).
    objects: Option<u64>,
}

/// The slab caches that an open socket takes something from.
const SOCKET_CACHES: [&str; 8] =
    ["TCP", "TCPv6", "UDP", "UDPv6", "sock_inode_cache", "filp", "eventpoll_epi", "eventpoll_pwq"];

impl Sockets {
    pub(crate) fn now() -> Result<Self> {
        let stat = fs::read_to_string("/proc/net/sockstat").context("/proc/net/sockstat")?;
        let pages: u64 = stat
            .lines()
            .filter(|line| line.starts_with("TCP:") || line.starts_with("UDP:"))
            .filter_map(|line| field(line, "mem"))
            .sum();
        let objects = fs::read_to_string("/proc/slabinfo").ok().map(|text| objects(&text));
        Ok(Self { buffers: pages * PAGE_BYTES, objects })
    }

    /// Buffers and objects more than `before`, a socket.
    pub(crate) fn growth(&self, before: &Self, sockets: usize) -> (f64, Option<f64>) {
        let each = |now: u64, before: u64| signed(now, before) / sockets as f64;
        let objects = self.objects.zip(before.objects).map(|(now, before)| each(now, before));
        (each(self.buffers, before.buffers), objects)
    }
}

/// Active objects times their size, of the caches that sockets use.
fn objects(slabinfo: &str) -> u64 {
    let caches: BTreeMap<&str, u64> = slabinfo
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let name = fields.next()?;
            let active: u64 = fields.next()?.parse().ok()?;
            let size: u64 = fields.nth(1)?.parse().ok()?;
            Some((name, active * size))
        })
        .collect();
    SOCKET_CACHES.iter().filter_map(|name| caches.get(name)).sum()
}

/// User and system time of `pid` so far.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| path)?;
    // Behind the name, which may hold anything: fields 14 and 15 of proc(5), counted from the third.
    let ticks = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    let ticks: u32 = ticks.filter_map(|field| field.parse::<u32>().ok()).sum();
    Ok(TICK * ticks)
}

/// The number behind `key`.
fn field(text: &str, key: &str) -> Option<u64> {
    let mut words = text.split_whitespace().skip_while(|word| *word != key);
    words.nth(1)?.parse().ok()
}

fn signed(now: u64, before: u64) -> f64 {
    now as f64 - before as f64
}
