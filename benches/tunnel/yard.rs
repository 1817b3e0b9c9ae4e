//! What a run has started and changed on this machine, and how all of it is undone: at the end, after
//! an error, on Ctrl-C.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use caseway::clock::Now;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use crate::say;

/// The system's congestion control for new sockets.
pub(crate) const CONGESTION: &str = "/proc/sys/net/ipv4/tcp_congestion_control";
/// How long a program may take until it serves.
const START_MAX: Duration = Duration::from_secs(30);
/// How long it may take to leave.
const STOP_MAX: Duration = Duration::from_secs(5);
const GLANCE: Duration = Duration::from_millis(20);
/// Lines of a program's log that are shown when it failed.
const TAIL: usize = 8;
/// Ports are taken from here, below those that the system hands out for connections.
const PORTS_FROM: u16 = 20_000;
const PORTS_TO: u16 = 32_000;

struct Running {
    name: String,
    child: Child,
}

pub(crate) struct Yard {
    dir: TempDir,
    running: Mutex<Vec<Running>>,
    /// What was set before we changed it.
    congestion: Mutex<Option<String>>,
    port: AtomicU16,
}

/// Whoever holds it leaves a tidy yard, by an error or a panic too.
pub(crate) struct Keeper(pub(crate) Arc<Yard>);

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.tidy();
    }
}

impl Yard {
    pub(crate) fn lay_out() -> Result<Keeper> {
        // Two benchmarks at once begin at different places.
        let room = u32::from(PORTS_TO - PORTS_FROM);
        let first = u16::try_from(std::process::id() % room)?;
        let yard = Arc::new(Self {
            dir: tempfile::tempdir()?,
            running: Mutex::default(),
            congestion: Mutex::default(),
            port: AtomicU16::new(first),
        });
        let watched = Arc::clone(&yard);
        std::thread::Builder::new().name("signals".into()).spawn(move || watched.watch())?;
        Ok(Keeper(yard))
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// An empty directory for what is called `name`; one of that name, under another congestion
    /// control, is over.
    pub(crate) fn room(&self, name: &str) -> Result<PathBuf> {
        let room = self.dir().join(name.replace(' ', "-"));
        if room.exists() {
            fs::remove_dir_all(&room)?;
        }
        fs::create_dir_all(&room)?;
        Ok(room)
    }

    /// A port that nobody has, for TCP and UDP.
    pub(crate) fn port(&self) -> Result<u16> {
        for _ in PORTS_FROM..PORTS_TO {
            let step = self.port.fetch_add(1, Ordering::Relaxed) % (PORTS_TO - PORTS_FROM);
            let port = PORTS_FROM + step;
            let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            if TcpListener::bind(at).is_ok() && UdpSocket::bind(at).is_ok() {
                return Ok(port);
            }
        }
        bail!("no free port from {PORTS_FROM} to {PORTS_TO}")
    }

    /// Starts a program that stays. What it says goes to a file.
    pub(crate) fn start(&self, name: &str, command: &mut Command) -> Result<u32> {
        let log = File::create(self.log(name))?;
        command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("starting {name}"))?;
        let pid = child.id();
        lock(&self.running).push(Running { name: name.to_owned(), child });
        Ok(pid)
    }

    /// Waits until somebody listens there.
    pub(crate) fn listening(&self, name: &str, at: SocketAddr) -> Result<()> {
        self.until(name, || TcpStream::connect(at).ok().map(drop))
    }

    /// Waits for the program's first `addr=`, and gives what stands behind it.
    pub(crate) fn announced(&self, name: &str) -> Result<SocketAddr> {
        self.until(name, || {
            let text = fs::read_to_string(self.log(name)).ok()?;
            let line = text.split_inclusive('\n').find(|line| line.ends_with('\n'))?;
            line.split_whitespace().find_map(|word| word.strip_prefix("addr=")?.parse().ok())
        })
    }

    /// Looks again and again, while the program runs.
    pub(crate) fn until<T>(&self, name: &str, mut look: impl FnMut() -> Option<T>) -> Result<T> {
        let until = Now::read().mono + START_MAX;
        loop {
            if let Some(found) = look() {
                return Ok(found);
            }
            self.check()?;
            if Now::read().mono > until {
                bail!("{name}: not ready within {START_MAX:?}: {}", self.said(name));
            }
            sleep(GLANCE);
        }
    }

    /// Fails if a program has left by itself.
    pub(crate) fn check(&self) -> Result<()> {
        for Running { name, child } in lock(&self.running).iter_mut() {
            if let Some(how) = child.try_wait()? {
                bail!("{name} left ({how}): {}", self.said(name));
            }
        }
        Ok(())
    }

    /// The last lines of a program's log.
    pub(crate) fn said(&self, name: &str) -> String {
        let text = fs::read_to_string(self.log(name)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(TAIL)..).unwrap_or_default().join(" | ")
    }

    /// Says what the programs that run said last.
    pub(crate) fn tell(&self) {
        for Running { name, .. } in lock(&self.running).iter() {
            say(format_args!("{name}: {}", self.said(name)));
        }
    }

    fn log(&self, name: &str) -> PathBuf {
        self.dir().join(format!("{}.log", name.replace([' ', '/'], "-")))
    }

    /// How many programs run; for [`Self::clear_from`].
    pub(crate) fn mark(&self) -> usize {
        lock(&self.running).len()
    }

    /// Stops every program, the youngest first.
    pub(crate) fn clear(&self) {
        self.clear_from(0);
    }

    /// Stops the programs that were started after the mark.
    pub(crate) fn clear_from(&self, mark: usize) {
        let stopped = {
            let mut running = lock(&self.running);
            let keep = mark.min(running.len());
            running.split_off(keep)
        };
        for Running { mut child, .. } in stopped.into_iter().rev() {
            drop(child.stdin.take());
            // Asked first: some have children of their own to end.
            if let Ok(pid) = i32::try_from(child.id())
                && let Some(pid) = Pid::from_raw(pid)
            {
                let _ = kill_process(pid, Signal::TERM);
            }
            let until = Now::read().mono + STOP_MAX;
            while matches!(child.try_wait(), Ok(None)) && Now::read().mono < until {
                sleep(GLANCE);
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sets the congestion control of sockets to come.
    pub(crate) fn set_congestion(&self, to: &str) -> Result<()> {
        let before = congestion();
        if before == to {
            return Ok(());
        }
        fs::write(CONGESTION, to).with_context(|| {
            format!("setting congestion control {to} (needs root, and a kernel that has it)")
        })?;
        lock(&self.congestion).get_or_insert(before);
        Ok(())
    }

    /// Undoes everything. May be called again.
    fn tidy(&self) {
        self.clear();
        let _ = fs::remove_dir_all(self.dir());
        if let Some(before) = lock(&self.congestion).take() {
            let _ = fs::write(CONGESTION, before);
        }
    }

    fn watch(&self) {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
            return;
        };
        runtime.block_on(async {
            let (Ok(mut interrupt), Ok(mut terminate)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            tokio::select! {
                biased;
                // Cancel-safe: `Signal::recv`, by its documentation.
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        // The work goes on meanwhile, and fails; nobody wants to read that.
        let _silence = std::io::stdout().lock();
        self.tidy();
        std::process::exit(130);
    }
}

/// What new sockets get now.
pub(crate) fn congestion() -> String {
    fs::read_to_string(CONGESTION).map_or_else(|_| "unknown".into(), |text| text.trim().to_owned())
}

/// Since `before`.
pub(crate) fn since(before: Instant) -> Duration {
    Now::read().mono.saturating_duration_since(before)
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
