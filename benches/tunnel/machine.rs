//! The machine that a figure comes from.

use std::{fs, process::Command, thread::available_parallelism};

use crate::peers::{self, Version};

/// What is known of the machine, as lines.
pub(crate) fn facts() -> Vec<String> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = field(&read("/proc/cpuinfo"), "model name");
    let cores = available_parallelism().map_or(0, usize::from);
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    let kib: u64 = memory.split(' ').next().and_then(|kib| kib.parse().ok()).unwrap_or(0);
    let gib = kib.div_ceil(1024 * 1024);
    let kernel = read("/proc/sys/kernel/osrelease");
    vec![
        format!("Machine: {cores} cores of {cpu}, {gib} GiB, Linux {}", kernel.trim()),
        format!("Load of the last minute before the run: {}", load()),
    ]
}

/// Runnable tasks on average over the last minute.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("unknown").to_owned()
}

fn field(text: &str, name: &str) -> String {
    let line = text.lines().find(|line| line.starts_with(name));
    let value = line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim());
    value.unwrap_or("unknown").to_owned()
}

/// A program with its version, such as `nginx 1.22.1`; `None` where it is not installed.
pub(crate) fn version(of: &Version) -> Option<String> {
    let mut words = of.command.split(' ');
    let program = peers::found(words.next()?).ok()?;
    let output = Command::new(program).args(words).output().ok()?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let (_, behind) = said.split_once(of.before)?;
    let version = behind.split_whitespace().next()?.trim_end_matches(',');
    Some(format!("{} {version}", of.program))
}
