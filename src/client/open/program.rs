//! A program that runs for as long as a session, and decides how the command ends.

use std::{
    ffi::{OsStr, OsString},
    os::unix::process::ExitStatusExt,
    process::ExitStatus,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    time::timeout,
};

use super::announce::Announced;
use crate::client::{Exit, Failure};

/// How long a program may take to leave when it is asked to.
const LEAVE_TIME_MAX: Duration = Duration::from_secs(5);

/// What shells add to a signal's number.
const SIGNAL_BASE: i32 = 128;

/// A running program. Killed when it is dropped.
#[derive(Debug)]
pub(super) struct Running {
    name: String,
    child: Child,
}

/// Starts `program` with the listeners' addresses in its environment.
pub(super) fn start(
    program: &OsStr,
    args: &[OsString],
    announced: &Announced,
) -> Result<Running, Failure> {
    let name = program.to_string_lossy().into_owned();
    let spawned =
        Command::new(program).args(args).envs(announced.variables()).kill_on_drop(true).spawn();
    match spawned {
        Ok(child) => Ok(Running { name, child }),
        Err(error) => Err(Failure::new(Exit::Other, format!("cannot run {name}: {error}"))
            .hint("is it installed, and in PATH?")),
    }
}

impl Running {
    /// Its exit code, once it ends by itself. Cancel-safe.
    pub(super) async fn wait(&mut self) -> Result<Exit, Failure> {
        let status = self.child.wait().await;
        status.map(exit_of).map_err(|error| {
            Failure::new(Exit::Other, format!("cannot wait for {}: {error}", self.name))
        })
    }

    /// Asks it to leave; kills it if it does not.
    pub(super) async fn end(mut self) -> Result<Exit, Failure> {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // Fails only for one that has just left.
            let _ = kill_process(pid, Signal::TERM);
        }
        match timeout(LEAVE_TIME_MAX, self.wait()).await {
            Ok(ended) => ended,
            Err(_) => {
                // As above.
                let _ = self.child.start_kill();
                self.wait().await
            }
        }
    }
}

/// Its own code; that of a shell for a signal.
fn exit_of(status: ExitStatus) -> Exit {
    let code = status.code().or_else(|| status.signal().map(|signal| SIGNAL_BASE + signal));
    let code = code.and_then(|code| u8::try_from(code).ok());
    Exit::Program(code.unwrap_or(u8::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Running {
        let args = ["-c", script].map(OsString::from);
        start(OsStr::new("sh"), &args, &Announced::none()).unwrap()
    }

    #[tokio::test]
    async fn the_command_ends_with_the_programs_exit_code() {
        assert_eq!(shell("exit 42").wait().await, Ok(Exit::Program(42)));
        assert_eq!(shell("exit 0").wait().await.unwrap().code(), 0);
        assert_eq!(shell("kill -KILL $$").wait().await, Ok(Exit::Program(128 + 9)));
    }

    #[tokio::test]
    async fn a_program_is_asked_to_leave_before_it_is_killed() {
        let mut running = shell("trap 'exit 3' TERM; while :; do sleep 0.05; done");
        // It must have set its trap: without one it would end by the signal.
        let waited = timeout(Duration::from_millis(300), running.wait()).await;
        assert!(waited.is_err(), "it stays by itself");
        assert_eq!(running.end().await, Ok(Exit::Program(3)));
    }

    #[test]
    fn a_missing_program_is_one_line() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _inside = runtime.enter();
        let failure = start(OsStr::new("/no/such/program"), &[], &Announced::none()).unwrap_err();
        assert_eq!(failure.exit, Exit::Other);
        assert!(failure.to_string().contains("/no/such/program"));
    }
}
