//! A long path on this machine: two network namespaces, and a program that carries every packet between
//! them, late and at a rate. The kernels here have no netem.
//!
//! ```text
//!   [ns G]  10.79.0.1  tun <==== this program: a queue each way, 500 Mbit/s, 50 ms ====> tun  10.79.0.2  [ns D]
//! ```
//!
//! A packet leaves when those before it have, at the line's rate, and arrives a delay later. One that
//! would have to wait for longer than [`QUEUE_MAX`] is dropped, as a router drops it.

use std::{
    collections::VecDeque,
    fs::File,
    io,
    net::Ipv4Addr,
    os::fd::AsFd,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::time::{Instant, sleep_until};
use tokio_tun::Tun;

use crate::{product::must, say};

/// What the line carries each way, packet headers included.
pub(crate) const RATE_MBIT: u32 = 500;
/// From one end to the other.
pub(crate) const DELAY: Duration = Duration::from_millis(50);
/// The longest queue before the line: one round trip, the usual advice for one flow.
const QUEUE_MAX: Duration = Duration::from_millis(100);
const PACKET_BYTES_MAX: usize = 1_500;
/// What long fat paths ask of the kernel: buffers that may grow to 32 MiB (tcp(7)).
const BUFFERS: &str = "4096 131072 33554432";

pub(crate) const GATEWAY_SIDE: Ipv4Addr = Ipv4Addr::new(10, 79, 0, 1);
pub(crate) const DEVICE_SIDE: Ipv4Addr = Ipv4Addr::new(10, 79, 0, 2);

/// The namespaces, and with them the line, until dropped.
pub(crate) struct Line {
    gateway: String,
    pub(crate) device: String,
}

impl Line {
    /// Lays the line and moves the calling thread to the gateway's side of it.
    pub(crate) fn lay() -> Result<Self> {
        let name = |side: &str| format!("cw-far-{side}-{}", std::process::id());
        let line = Self { gateway: name("g"), device: name("d") };
        for space in [&line.gateway, &line.device] {
            must(Command::new("ip").args(["netns", "add", space])).context("needs root")?;
        }
        let (near, far) =
            (format!("cwg{}", std::process::id()), format!("cwd{}", std::process::id()));
        carry(near.clone(), far.clone())?;
        for (space, tun, address, other) in [
            (&line.gateway, &near, GATEWAY_SIDE, DEVICE_SIDE),
            (&line.device, &far, DEVICE_SIDE, GATEWAY_SIDE),
        ] {
            let (address, other) = (address.to_string(), other.to_string());
            must(Command::new("ip").args(["link", "set", tun, "netns", space]))?;
            let ip = |args: &[&str]| must(Command::new("ip").args(["-n", space]).args(args));
            ip(&["address", "add", &address, "peer", &other, "dev", tun])?;
            ip(&["link", "set", "lo", "up"])?;
            ip(&["link", "set", tun, "txqueuelen", "10000", "up"])?;
            let buffers = format!(
                "echo {BUFFERS} > /proc/sys/net/ipv4/tcp_rmem; echo {BUFFERS} > /proc/sys/net/ipv4/tcp_wmem; \
                 echo cubic > /proc/sys/net/ipv4/tcp_congestion_control"
            );
            must(Command::new("ip").args(["netns", "exec", space, "sh", "-c", &buffers]))?;
        }
        let space = File::open(format!("/run/netns/{}", line.gateway))?;
        move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network))?;
        Ok(line)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        for space in [&self.gateway, &self.device] {
            let mut gone = Command::new("ip");
            let _ = gone.args(["netns", "del", space]).stderr(Stdio::null()).status();
        }
    }
}

/// Makes both interfaces and carries packets between them for as long as this program lives.
fn carry(near: String, far: String) -> Result<()> {
    let (made, heard) = mpsc::channel();
    let carrying = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            let both = tun(&near).and_then(|near| Ok((near, tun(&far)?)));
            let (near, far) = match both {
                Ok(both) => both,
                Err(error) => return drop(made.send(Err(error))),
            };
            drop(made.send(Ok(())));
            let (there, back) = tokio::join!(one_way(&near, &far), one_way(&far, &near));
            for ended in [there, back] {
                if let Err(error) = ended {
                    say(format_args!("the line broke: {error}"));
                }
            }
        });
    };
    thread::Builder::new().name("line".into()).spawn(carrying)?;
    heard.recv().context("the line's thread is gone")?
}

fn tun(name: &str) -> Result<Tun> {
    let mut made = Tun::builder().name(name).build().context("a TUN interface (needs root)")?;
    match made.pop() {
        Some(tun) => Ok(tun),
        None => bail!("no TUN interface"),
    }
}

async fn one_way(from: &Tun, to: &Tun) -> io::Result<()> {
    let mut under_way: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
    let mut free = Instant::now();
    let mut packet = [0; PACKET_BYTES_MAX];
    loop {
        let due = under_way.front().map(|(due, _)| *due);
        tokio::select! {
            biased;
            // Cancel-safe: made anew each turn.
            () = sleep_until(due.unwrap_or(free)), if due.is_some() => {
                let now = Instant::now();
                while let Some((_, packet)) = under_way.pop_front_if(|(due, _)| *due <= now) {
                    to.send_all(&packet).await?;
                }
            }
            // Cancel-safe: a packet is read whole or not at all.
            read = from.recv(&mut packet) => {
                let mut bytes = read?;
                loop {
                    let now = Instant::now();
                    free = free.max(now);
                    if free - now < QUEUE_MAX {
                        free += on_the_line(bytes);
                        under_way.push_back((free + DELAY, packet.get(..bytes).unwrap_or_default().to_vec()));
                    }
                    match from.try_recv(&mut packet) {
                        Ok(next) => bytes = next,
                        Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => break,
                        Err(fault) => return Err(fault),
                    }
                }
            }
        }
    }
}

/// How long a packet takes to be sent at the line's rate.
fn on_the_line(bytes: usize) -> Duration {
    let bits = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(8);
    Duration::from_nanos(bits.saturating_mul(1_000) / u64::from(RATE_MBIT))
}
