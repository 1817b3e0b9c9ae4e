//! Who is connected now, from which case, to what: told over a socket in the agent's directory.
//!
//! A socket rather than a file, because a file outlives the process that wrote it: where nobody
//! answers, the agent does not run.

use std::{
    fmt::Write as _,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
};
use tracing::debug;

use super::{
    board::Shown,
    ceiling::{Ceiling, Origin},
    link::{Agent, AgentError, Link},
};
use crate::{clock::Wall, tasks::Scope};

/// The socket, in the agent's directory; 0600.
pub(super) const SOCKET: &str = "agent.sock";
/// How long one reader may take.
const READER_TIMEOUT: Duration = Duration::from_secs(2);
/// The longest report that is read, in bytes: every session and channel that the limits allow.
const REPORT_BYTES_MAX: u64 = 4 << 20;

/// What `status` shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub device: String,
    pub gateway: String,
    pub link: Link,
    pub since: Wall,
    pub certificate_until: Wall,
    pub local_switch: SwitchShown,
    pub ceiling: CeilingShown,
    pub sessions: Vec<Shown>,
}

/// The local switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SwitchShown {
    NotUsed,
    Allows,
    Refuses,
}

/// The ceiling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CeilingShown {
    /// `default`, or the file.
    pub from: String,
    pub rules: Vec<String>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    #[error("the agent is not running: nobody answers at {}; start it with `caseway-agent run`, or name its \
         directory with --dir", .0.display())]
    NotRunning(PathBuf),
    #[error("cannot ask the agent at {}: run as its user", path.display())]
    Ask { path: PathBuf, source: io::Error },
    #[error("the agent does not answer in time")]
    TimedOut,
    #[error("the agent's answer cannot be read: is it of another version?")]
    Malformed(#[source] serde_json::Error),
}

impl From<&Ceiling> for CeilingShown {
    fn from(ceiling: &Ceiling) -> Self {
        let from = match ceiling.origin() {
            Origin::Default => "default".to_owned(),
            Origin::File(path) => path.display().to_string(),
        };
        Self { from, rules: ceiling.rules().iter().map(ToString::to_string).collect() }
    }
}

/// Answers whoever asks, in a task of `scope`.
pub(super) fn serve(agent: &Arc<Agent>, scope: &Scope) -> Result<(), AgentError> {
    let path = agent.options.dir.join(SOCKET);
    let fault = |source| AgentError::Status { path: path.clone(), source };
    // Left by a process that was killed: the directory's lock says that it is ours.
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fault(error)),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&path).map_err(fault)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(fault)?;
    let (agent, stop) = (Arc::clone(agent), scope.stop());
    scope.spawn("status", async move {
        loop {
            let accepted = tokio::select! {
                biased;
                // Cancel-safe: only observes.
                () = stop.asked() => break,
                // Cancel-safe: `UnixListener::accept`, by its documentation.
                accepted = listener.accept() => accepted,
            };
            if let Ok((stream, _)) = accepted {
                tell(&agent, stream).await;
            }
        }
        let _ = fs::remove_file(&path);
    });
    Ok(())
}

async fn tell(agent: &Agent, mut stream: UnixStream) {
    let Ok(text) = serde_json::to_vec(&agent.report()) else { return };
    let told = tokio::time::timeout(READER_TIMEOUT, async {
        stream.write_all(&text).await?;
        stream.shutdown().await
    });
    if !matches!(told.await, Ok(Ok(()))) {
        debug!("a reader of the status went away");
    }
}

impl Agent {
    fn report(&self) -> Report {
        let papers = self.papers();
        let (_, certificate_until) = papers.identity.validity();
        let local_switch = match (self.switch.is_used(), *self.switch.watch().borrow()) {
            (false, _) => SwitchShown::NotUsed,
            (true, true) => SwitchShown::Allows,
            (true, false) => SwitchShown::Refuses,
        };
        Report {
            device: papers.device.to_string(),
            gateway: self.url().to_string(),
            link: self.link(),
            since: self.since,
            certificate_until,
            local_switch,
            ceiling: CeilingShown::from(&self.options.ceiling),
            sessions: self.board.shown(),
        }
    }
}

/// Asks the agent that runs on `dir`.
///
/// # Errors
///
/// [`StatusError`]; that it does not run is one.
pub async fn status(dir: &Path) -> Result<Report, StatusError> {
    let path = dir.join(SOCKET);
    let nobody = [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused];
    let fault = |source: io::Error| {
        if nobody.contains(&source.kind()) {
            StatusError::NotRunning(path.clone())
        } else {
            StatusError::Ask { path: path.clone(), source }
        }
    };
    let mut text = Vec::new();
    let asked = tokio::time::timeout(READER_TIMEOUT, async {
        let stream = UnixStream::connect(&path).await?;
        stream.take(REPORT_BYTES_MAX).read_to_end(&mut text).await
    });
    asked.await.map_err(|_| StatusError::TimedOut)?.map_err(fault)?;
    serde_json::from_slice(&text).map_err(StatusError::Malformed)
}

impl Report {
    /// For programs.
    #[must_use]
    pub fn json(&self) -> String {
        // A report is text, numbers and lists: it can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// For people.
    #[must_use]
    pub fn table(&self) -> String {
        let link = match &self.link {
            Link::Connected { carrier, since } => format!("connected over {carrier} since {since}"),
            Link::Away { since, why } => format!("not connected since {since}: {why}"),
        };
        let switch = match self.local_switch {
            SwitchShown::NotUsed => "not used",
            SwitchShown::Allows => "on: remote access is allowed here",
            SwitchShown::Refuses => "off: remote access is not allowed here",
        };
        let ceiling = format!("{} ({} rules)", self.ceiling.from, self.ceiling.rules.len());
        let mut text = String::new();
        for (name, value) in [
            ("device", self.device.as_str()),
            ("gateway", &self.gateway),
            ("link", &link),
            ("certificate until", &self.certificate_until.to_string()),
            ("local switch", switch),
            ("ceiling", &ceiling),
        ] {
            // Writing to a `String` cannot fail.
            let _ = writeln!(text, "{name:<18} {value}");
        }
        if self.sessions.is_empty() {
            text.push_str("\nNobody is connected.\n");
        }
        for session in &self.sessions {
            text.push_str(&session.lines());
        }
        text
    }
}

impl Shown {
    fn lines(&self) -> String {
        let about = &self.about;
        let case = about.case.as_deref().unwrap_or("no case");
        let mut text = format!(
            "\n{} ({})  {case}  {}/{}  since {}, until {}  {} up, {} down\n",
            printable(&about.person),
            printable(&about.tenant),
            about.asset,
            about.tunnel,
            about.since,
            about.until,
            bytes(self.up),
            bytes(self.down),
        );
        for channel in &self.channels {
            let (to, since) = (printable(&channel.destination), channel.since);
            let (up, down) = (bytes(channel.up), bytes(channel.down));
            // Writing to a `String` cannot fail.
            let _ = writeln!(text, "  {to:<40} since {since}  {up} up, {down} down");
        }
        text
    }
}

/// Names come from the gateway and go to a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// `1.5 MiB`, in whole tenths.
fn bytes(count: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut shown = format!("{count} B");
    let mut tenths = count.saturating_mul(10);
    for unit in units {
        if tenths < 10 * 1_024 {
            break;
        }
        tenths /= 1_024;
        shown = format!("{}.{} {unit}", tenths / 10, tenths % 10);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::board::{About, ShownChannel};

    #[test]
    fn bytes_are_shown_in_the_largest_fitting_unit() {
        let shown: Vec<String> =
            [0, 1_023, 1_024, 1_536, 5 << 20, 3 << 40].into_iter().map(bytes).collect();
        assert_eq!(shown, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "5.0 MiB", "3.0 TiB"]);
    }

    #[test]
    fn people_at_the_machine_see_who_from_which_case_and_to_what() {
        let report = Report {
            device: "press-7".into(),
            gateway: "https://gw:8443".into(),
            link: Link::Connected { carrier: "tcp".into(), since: Wall(0) },
            since: Wall(0),
            certificate_until: Wall(0),
            local_switch: SwitchShown::Allows,
            ceiling: CeilingShown::from(&Ceiling::default()),
            sessions: vec![Shown {
                session: "s1".parse().unwrap(),
                about: About {
                    person: "Ana\u{1b}[2J".into(),
                    tenant: "Builder".into(),
                    case: Some("CASE-7".into()),
                    asset: "press-7".into(),
                    tunnel: "plc".into(),
                    since: Wall(0),
                    until: Wall(1_000),
                },
                up: 10,
                down: 2_048,
                channels: vec![ShownChannel {
                    destination: "tcp://10.0.0.5:502".into(),
                    since: Wall(0),
                    up: 10,
                    down: 2_048,
                }],
            }],
        };
        insta::assert_snapshot!(report.table(), @r"
        device             press-7
        gateway            https://gw:8443
        link               connected over tcp since 1970-01-01T00:00:00.000Z
        certificate until  1970-01-01T00:00:00.000Z
        local switch       on: remote access is allowed here
        ceiling            default (6 rules)

        Ana?[2J (Builder)  CASE-7  press-7/plc  since 1970-01-01T00:00:00.000Z, until 1970-01-01T00:00:01.000Z  10 B up, 2.0 KiB down
          tcp://10.0.0.5:502                       since 1970-01-01T00:00:00.000Z  10 B up, 2.0 KiB down
        ");
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }

    #[tokio::test]
    async fn an_agent_that_does_not_run_is_said_not_to() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(status(dir.path()).await, Err(StatusError::NotRunning(_))));
        // A killed agent leaves its socket behind.
        drop(UnixListener::bind(dir.path().join(SOCKET)).unwrap());
        assert!(matches!(status(dir.path()).await, Err(StatusError::NotRunning(_))));
    }
}
