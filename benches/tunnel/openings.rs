//! How long a session takes to open. Ours alone: no peer has a decision to make, or a record to keep.
//!
//! ```text
//!   caseway open: read the log-in, dial the gateway (TCP, TLS 1.3 with both certificates; or QUIC),
//!   ask; the gateway decides, writes the session's row and record to disk, offers the first channel to
//!   the device; both ends join and seal it; a local port is announced | a connection to it, a byte, back
//! ```
//!
//! All of that is in the time but the start of a process: the command runs within this program, as
//! `src/bin/caseway.rs` runs it. Nothing is kept from one session to the next but the log-in on disk.

use std::{
    io::{self, Write},
    net::SocketAddr,
    sync::mpsc::{self, Receiver, Sender},
    time::Duration,
};

use anyhow::{Context, Result};
use caseway::{
    client::{self, Home, Surroundings, Terminal},
    clock::Now,
    tasks::Scope,
};

use crate::{
    load::{self, Times},
    product::{CASE, TUNNEL},
    way::Desk,
    yard::since,
};

const OPEN_MAX: Duration = Duration::from_secs(30);

/// Opens sessions one after the other, each ended before the next.
pub(crate) fn sessions(desk: &Desk, count: usize, patience: Duration) -> Result<Times> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let begun = Now::read().mono;
    let mut times = Vec::with_capacity(count);
    while times.len() < count && since(begun) < patience {
        let scope = Scope::new("session");
        let (said, heard) = mpsc::channel();
        let before = Now::read().mono;
        runtime.block_on(async { open(desk, &scope, Said(said)) });
        let address = announced(&heard)?;
        drop(load::open(address).context("the session's first channel")?);
        times.push(since(before));
        runtime.block_on(scope.close(OPEN_MAX));
    }
    Ok(Times::new(times))
}

fn open(desk: &Desk, scope: &Scope, said: Said) {
    let around = Surroundings {
        terminal: Terminal::new(said.clone(), said),
        home: Home::at(desk.home.clone()),
        interrupt: scope.stop(),
        stop: scope.stop(),
    };
    let args = ["caseway", "open", CASE, TUNNEL, "-L", "0", "--carrier", desk.carrier];
    scope.spawn("open", async move {
        client::main(args, around).await;
    });
}

/// What a client prints, as it prints it.
#[derive(Clone)]
struct Said(Sender<Vec<u8>>);

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Nobody listens any more once the address is known.
        let _ = self.0.send(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn announced(heard: &Receiver<Vec<u8>>) -> Result<SocketAddr> {
    let mut text = String::new();
    loop {
        let piece = heard.recv_timeout(OPEN_MAX).with_context(|| format!("no LISTEN: {text}"))?;
        text.push_str(&String::from_utf8_lossy(&piece));
        let mut words = text.split(' ');
        // Whole once another word stands behind it.
        let address = words.find_map(|word| word.strip_prefix("addr=")).map(str::to_owned);
        if let (Some(address), Some(_)) = (address, words.next()) {
            return address.parse().with_context(|| text);
        }
    }
}
