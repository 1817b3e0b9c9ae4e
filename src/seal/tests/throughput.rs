//! How fast a sealed channel is, and what it costs:
//! `cargo test --release --lib -- --ignored --nocapture throughput`.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::channels::{Legs, open};
use crate::clock::Now;

const BYTES: usize = 4 << 30;

/// User and system time of this process so far.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit(')').next().unwrap().split_whitespace().collect::<Vec<_>>();
    // Fields 14 and 15 of proc(5), counted from the third; a tick is 10 ms.
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

async fn measure(legs: Legs) {
    let mut channel = open(legs).await;
    let keeper = channel.relay.keeper;
    let renewing = async {
        let mut beat = tokio::time::interval(Duration::from_secs(2));
        loop {
            beat.tick().await;
            keeper.renew(Now::read());
        }
    };
    let (wall, before): (Instant, Duration) = (Now::read().mono, cpu());
    let pour = async {
        let block = vec![7; 256 * 1024];
        for _ in 0..BYTES / block.len() {
            channel.ana.write_all(&block).await.unwrap();
        }
        channel.ana.shutdown().await.unwrap();
    };
    let drain = async {
        let (mut block, mut came) = (vec![0; 256 * 1024], 0);
        loop {
            match channel.press.read(&mut block).await.unwrap() {
                0 => return came,
                more => came += more,
            }
        }
    };
    let came = tokio::select! {
        (came, ()) = async { tokio::join!(drain, pour) } => came,
        () = renewing => 0,
    };
    assert_eq!(came, BYTES);
    let (took, spent) = (Now::read().mono - wall, cpu() - before);
    let gib = (BYTES >> 30) as f64;
    println!(
        "{legs:?}: {:.2} Gbit/s, {:.2} CPU-s/GiB of source, seal, relay, seal and sink together",
        BYTES as f64 * 8.0 / took.as_secs_f64() / 1e9,
        spent.as_secs_f64() / gib,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: run it alone, in a release build"]
async fn throughput_through_sockets() {
    measure(Legs::Tcp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: run it alone, in a release build"]
async fn throughput_through_other_carriers() {
    measure(Legs::Boxed).await;
}
