//! Bad input, as its user meets it: one line that says what failed, where, and what to do next; the
//! documented exit code; no backtrace and no debug text.

mod edges;
mod files;
mod strangers;

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::TcpStream,
    process::Child,
};

use crate::world::{Demo, Done, Edge, GATEWAY, Open, log, program, read_log, until, within};

/// Runs one of the programs to its end.
async fn ran(name: &str, args: &[&str]) -> Done {
    let output = within(&args.join(" "), program(name).args(args).output()).await.unwrap();
    Done {
        status: output.status,
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// That nothing of how the program is made shows.
fn plain(said: &str) {
    for inside in ["panicked", "RUST_BACKTRACE", "Some(", "Err(", "Os {", "kind: ", "docs.rs"] {
        assert!(!said.contains(inside), "`{inside}` in: {said}");
    }
}

impl Done {
    /// That it failed with `code`, in one line that says all of `words`. The line.
    #[track_caller]
    fn failed(&self, code: i32, words: &[&str]) -> &str {
        let said = self.stderr.trim_end();
        // What the tests print is what people read: `cargo test -- --nocapture` shows it.
        println!("exit {:?}: {said}", self.status.code());
        assert_eq!(self.status.code(), Some(code), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.starts_with("caseway"), "{said}");
        for word in words {
            assert!(said.contains(word), "`{word}` is not in: {said}");
        }
        plain(said);
        said
    }
}

/// `caseway-gateway run` on a data directory.
struct Gateway {
    child: Child,
    dir: PathBuf,
    log: String,
}

impl Gateway {
    /// On `port`, with `limits` as the section of that name; until it listens.
    async fn run(data: &Path, port: &str, limits: &str) -> Self {
        let dir = data.parent().unwrap().to_owned();
        let name = format!("run-{}.log", std::fs::read_dir(&dir).unwrap().count());
        let config = dir.join(format!("{name}.toml"));
        let text = format!(
            "data_dir = '{}'\nlisten = '127.0.0.1:{port}'\n[limits]\n{limits}\n",
            data.display()
        );
        std::fs::write(&config, text).unwrap();
        let child = program(GATEWAY)
            .args(["run", "--config"])
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(log(&dir, &name))
            .spawn()
            .unwrap();
        let mut gateway = Self { child, dir, log: name };
        until("a gateway that listens", || {
            let ended = gateway.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {}", gateway.log());
            let listens = gateway.log().contains("listening on");
            async move { listens.then_some(()) }
        })
        .await;
        gateway
    }

    /// Until `edge` is connected to it, and not to its predecessor.
    async fn has(&self, edge: &Edge) {
        until("the device to come back", || async {
            self.log().contains("device online").then_some(())
        })
        .await;
        edge.connected().await;
    }

    fn log(&self) -> String {
        read_log(&self.dir, &self.log)
    }
}

/// A data directory that `init` made, and its config file.
async fn initialized() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let name = data.to_str().unwrap();
    let args = ["init", name, "--name", "localhost", "--listen", "127.0.0.1:0"];
    let made = ran(GATEWAY, &args).await;
    assert!(made.status.success(), "{}", made.stderr);
    let config = data.join("gateway.toml");
    (dir, config)
}

/// Connects to `target`, meets a reset, and gives what `open` says about it.
async fn meets_a_reset(open: &mut Open, target: &str) -> String {
    let mut stream = TcpStream::connect(open.to(target)).await.unwrap();
    let read = within("the reset", stream.read(&mut [0; 1])).await;
    assert!(read.is_err(), "an end that looks clean: {read:?}");
    let mut said = BufReader::new(open.child.stderr.take().unwrap()).lines();
    let line = within("why", said.next_line()).await.unwrap().unwrap_or_default();
    println!("{line}");
    plain(&line);
    line
}

fn port_of(demo: &Demo) -> String {
    demo.facts.gateway.rsplit(':').next().unwrap().to_owned()
}
