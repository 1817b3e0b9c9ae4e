//! What processes have used so far, from `/proc`: CPU time and resident memory of whole process trees.

use std::{collections::BTreeMap, fs, time::Duration};

use anyhow::{Context, Result};

/// `USER_HZ`, the unit of times in `/proc/PID/stat`: 100 on every Linux, whatever its kernel's own.
const TICK: Duration = Duration::from_millis(10);
/// Bytes of a page in `/proc/PID/statm`, where this is run.
const PAGE_BYTES: u64 = 4_096;

/// A process, and whether those that it started count with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Root {
    pub(crate) pid: u32,
    pub(crate) tree: bool,
}

/// One line of `/proc/PID/stat`, as far as it matters here.
#[derive(Clone, Copy, Debug)]
struct Stat {
    parent: u32,
    own: Duration,
    /// Of children that have ended and were waited for.
    ended: Duration,
}

/// All processes, at one moment.
#[derive(Debug)]
pub(crate) struct Moment(BTreeMap<u32, Stat>);

impl Moment {
    pub(crate) fn now() -> Result<Self> {
        let mut all = BTreeMap::new();
        for entry in fs::read_dir("/proc").context("/proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            // A process may end while the directory is read.
            let Ok(line) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
            if let Some(stat) = Stat::read(&line) {
                all.insert(pid, stat);
            }
        }
        Ok(Self(all))
    }

    /// CPU time, user and system, of `root` since it began; to 10 ms.
    pub(crate) fn cpu(&self, root: Root) -> Duration {
        let pids = self.pids(root);
        let stats = pids.iter().filter_map(|pid| self.0.get(pid));
        stats.map(|stat| if root.tree { stat.own + stat.ended } else { stat.own }).sum()
    }

    /// `root`, and its descendants where they count.
    pub(crate) fn pids(&self, root: Root) -> Vec<u32> {
        let mut found = vec![root.pid];
        let mut next = 0;
        while let Some(&parent) = found.get(next).filter(|_| root.tree) {
            found.extend(self.0.iter().filter(|(_, stat)| stat.parent == parent).map(|(p, _)| p));
            next += 1;
        }
        found
    }
}

impl Stat {
    fn read(line: &str) -> Option<Self> {
        // The name stands in brackets and may contain anything.
        let fields: Vec<&str> = line.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at)?.parse::<u32>().ok().map(|ticks| TICK * ticks);
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            own: ticks(11)? + ticks(12)?,
            ended: ticks(13)? + ticks(14)?,
        })
    }
}

/// Resident bytes of `root` now. Pages shared within a tree are counted once for each process.
pub(crate) fn resident(root: Root) -> Result<u64> {
    let pids = Moment::now()?.pids(root);
    Ok(pids.into_iter().filter_map(resident_of).sum())
}

fn resident_of(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * PAGE_BYTES)
}
