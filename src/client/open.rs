//! One open tunnel: a session with its local listeners.
//!
//! ```text
//!   program -- accept --> carry --> Session::channel --> Line ---- OpenChannel ----> gateway
//!                           |             \                <------ Channel(token) --
//!                           |              +--> LegDialer::open(token) ==> leg
//!                           +== pump_tcp | pump_udp (sealed) ==> leg ==> the device's end
//! ```
//!
//! Nothing is announced before the seal stands: a `LISTEN` line is a promise that the right device
//! is at the other end. When the session ends, for whatever reason, every local connection is reset,
//! so that no program takes a cut for an end.

mod announce;
mod fate;
mod line;
mod listen;
mod plan;
mod program;
mod session;
mod socks;
mod tcp;
mod udp;

use std::{ffi::OsString, sync::Arc, time::Duration};

use self::{
    announce::Announced,
    fate::Fate,
    line::{Ask, Line},
    listen::Listening,
    session::Session,
};
use super::{
    Exit, Failure, Here,
    api::{TunnelRow, typed},
    cli::{Local, Open, Vnc},
    gate,
    show::Terminal,
};
use crate::{
    ids::{AssetId, CaseId, Name},
    tasks::Scope,
    transport::raise_open_files,
};

/// How long the tasks of a session may take to leave once it is over.
const GRACE: Duration = Duration::from_secs(2);

/// Under whose switch a tunnel is opened.
#[derive(Clone, Debug)]
enum Subject {
    Case(CaseId),
    Asset(AssetId),
}

/// What is done once the listeners are there.
#[derive(Debug)]
enum Then {
    /// Stay until somebody ends it.
    Stay,
    /// Run a program, and end with it.
    Run { program: OsString, args: Vec<OsString> },
    /// Run a viewer with the first listener's address, and end with it.
    View(OsString),
    /// Stay, and say where to point a viewer.
    AwaitViewer,
}

impl Then {
    fn runs_a_program(&self) -> bool {
        matches!(self, Self::Run { .. } | Self::View(_))
    }
}

impl Here {
    pub(super) async fn open(&self, open: Open) -> Result<Exit, Failure> {
        let usage = |error| Failure::new(Exit::Usage, error);
        let subject = if open.asset {
            Subject::Asset(open.subject.parse().map_err(usage)?)
        } else {
            Subject::Case(open.subject.parse().map_err(usage)?)
        };
        let mut words = open.program.into_iter();
        let then = match words.next() {
            Some(program) => Then::Run { program, args: words.collect() },
            None => Then::Stay,
        };
        self.tunnel(subject, open.tunnel, &open.local, then).await
    }

    pub(super) async fn vnc(&self, vnc: Vnc) -> Result<Exit, Failure> {
        let tunnel = match vnc.tunnel {
            Some(tunnel) => tunnel,
            None => self.screen_of(&vnc.case).await?,
        };
        let then = vnc.viewer.map_or(Then::AwaitViewer, Then::View);
        self.tunnel(Subject::Case(vnc.case), tunnel, &vnc.local, then).await
    }

    /// The only tunnel of kind vnc.
    async fn screen_of(&self, case: &CaseId) -> Result<Name, Failure> {
        let rows = self.tunnel_rows(&self.api()?, case).await?;
        let rows = rows.into_iter().map(typed).collect::<Result<Vec<TunnelRow>, _>>()?;
        let names: Vec<String> =
            rows.into_iter().filter(|row| row.kind == "vnc").map(|row| row.name).collect();
        match names.as_slice() {
            [only] => only.parse().map_err(|error| Failure::new(Exit::Other, error)),
            [] => Err(Failure::new(Exit::Refused, format!("{case} has no tunnel of kind vnc"))
                .code("config")
                .hint(format!("list what it has: `caseway tunnels {case}`"))),
            several => Err(Failure::new(Exit::Usage, format!("{case} has several screens"))
                .hint(format!("name one: {}", several.join(", ")))),
        }
    }

    /// Opens a tunnel and stays with it to its end.
    async fn tunnel(
        &self,
        subject: Subject,
        tunnel: Name,
        local: &Local,
        then: Then,
    ) -> Result<Exit, Failure> {
        plan::permitted(local)?;
        let login = self.logged_in()?;
        let (dialer, identity) = gate::peer(&login, local.carrier)?;
        let terminal = if then.runs_a_program() {
            self.terminal.beside_a_program()
        } else {
            // A program would inherit it, and few expect it.
            raise_open_files();
            self.terminal.clone()
        };
        let scope = Scope::new("open");
        let ask = Ask { subject, tunnel, reason: local.reason.clone() };
        let outcome = tokio::select! {
            biased;
            // Cancel-safe: only observe. Nothing is open yet.
            () = self.interrupt.asked() => Ok(None),
            () = self.stop.asked() => Ok(None),
            // Dropped on purpose: the connection ends with it, and the gateway sees that.
            line = Line::connect(&dialer, &terminal, &scope) => line.map(Some),
        };
        let outcome = match outcome {
            Ok(Some(line)) => {
                let doing = Doing { here: self, terminal, line: &line, scope: &scope };
                let outcome = doing.all(&identity, ask, local, then).await;
                line.hang_up().await;
                outcome
            }
            Ok(None) => Ok(Exit::Done),
            Err(failure) => Err(failure),
        };
        scope.close(GRACE).await;
        outcome
    }
}

/// The parts of one run that all its steps need.
struct Doing<'a> {
    here: &'a Here,
    terminal: Terminal,
    line: &'a Line,
    scope: &'a Scope,
}

impl Doing<'_> {
    async fn all(
        &self,
        identity: &crate::tls::Identity,
        ask: Ask,
        local: &Local,
        then: Then,
    ) -> Result<Exit, Failure> {
        let case = ask.subject.clone();
        let announced = tokio::select! {
            biased;
            // Cancel-safe: only observe. What was opened is closed by the caller.
            () = self.here.interrupt.asked() => return Ok(Exit::Done),
            () = self.here.stop.asked() => return Ok(Exit::Done),
            // Dropped on purpose: the session is over, and nothing was announced.
            fate = self.line.fate() => return Err(fate.failure(&case)),
            ready = self.prepare(identity, ask, local) => ready?,
        };
        match then {
            Then::Stay => self.stay(&case).await,
            Then::AwaitViewer => {
                if let Some(first) = announced.first() {
                    self.terminal.note(format_args!("point a VNC viewer at {}", first.viewer()));
                }
                self.stay(&case).await
            }
            Then::Run { program, args } => self.run(&case, program, args, &announced).await,
            Then::View(program) => {
                let first = announced.first().map(|first| first.viewer().into());
                self.run(&case, program, first.into_iter().collect(), &announced).await
            }
        }
    }

    /// From the request to listeners that serve and are announced.
    async fn prepare(
        &self,
        identity: &crate::tls::Identity,
        ask: Ask,
        local: &Local,
    ) -> Result<Announced, Failure> {
        let subject = ask.subject.clone();
        let name = ask.tunnel.clone();
        let opened = self.line.open(ask).await.map_err(|why| why.failure(&subject, &name))?;
        self.terminal.detail(format_args!("session {} was granted", opened.session));
        let plans = plan::listeners(&opened.targets, local, &self.terminal)?;
        let listening = Listening::bind(plans, local.socks).await?;
        let session = Session::seal(self.line, opened, identity, &self.terminal).await?;
        let announced = Announced::of(&listening, session.opened());
        announced.tell(&self.terminal);
        listening.serve(&Arc::new(session), &self.terminal, self.scope);
        Ok(announced)
    }

    async fn stay(&self, subject: &Subject) -> Result<Exit, Failure> {
        tokio::select! {
            biased;
            // Cancel-safe: all of them only observe.
            fate = self.line.fate() => Err(fate.failure(subject)),
            () = self.here.interrupt.asked() => Ok(Exit::Done),
            () = self.here.stop.asked() => Ok(Exit::Done),
        }
    }

    async fn run(
        &self,
        subject: &Subject,
        program: OsString,
        args: Vec<OsString>,
        announced: &Announced,
    ) -> Result<Exit, Failure> {
        let mut running = program::start(&program, &args, announced)?;
        let over: Option<Fate> = tokio::select! {
            biased;
            // Cancel-safe: `Child::wait`, by its documentation.
            code = running.wait() => return code,
            // Cancel-safe: only observe.
            () = self.here.stop.asked() => None,
            fate = self.line.fate() => Some(fate),
        };
        let code = running.end().await;
        match over {
            Some(fate) => Err(fate.failure(subject)),
            None => code,
        }
    }
}
