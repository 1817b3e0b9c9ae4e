//! Mail against a real SMTP server (aiosmtpd, of the Debian package python3-aiosmtpd) on loopback.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
};

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{Encryption, Mailer, Options, is_mailbox};
use crate::{clock::Now, hooks::Outcome, tls::Ca};

/// The server: says its port, then one line for each message that it took. Users other than
/// `caseway` with the password `right` are refused; so is whoever writes to `nobody@`.
const SERVER: &str = r#"
import asyncio, json, ssl, sys
from aiosmtpd.smtp import SMTP, AuthResult

mode, auth, cert, key = sys.argv[1:5]

class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such mailbox"
        if address.startswith("later@"):
            return "451 4.3.0 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        print(json.dumps({
            "from": envelope.mail_from, "to": envelope.rcpt_tos,
            "tls": server.transport.get_extra_info("sslcontext") is not None,
            "content": envelope.content.decode("utf-8", "replace"),
        }), flush=True)
        return "250 OK"

def check(server, session, envelope, mechanism, data):
    good = data.login == b"caseway" and data.password == b"right"
    return AuthResult(success=good, handled=False)

context = None
if cert != "-":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

def smtp():
    starttls = context if mode == "starttls" else None
    return SMTP(Handler(), hostname="mail.test", tls_context=starttls, require_starttls=starttls is not None,
                authenticator=check, auth_required=auth == "auth", auth_require_tls=mode == "starttls")

async def serve():
    loop = asyncio.get_running_loop()
    # Port 0 is the system's to choose.
    server = await loop.create_server(smtp, "127.0.0.1", 0, ssl=context if mode == "tls" else None)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)

asyncio.run(serve())
"#;

/// Says loudly that a test did not run; in CI it fails.
fn cannot_run(why: &str) {
    let lacks = "no SMTP server to test with: install python3-aiosmtpd";
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{lacks}\n{why}");
    let _ = writeln!(std::io::stderr(), "SKIPPED: {lacks}");
}

/// A real one, for the tests of whoever sends.
pub(crate) struct Server {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts one, unless this machine has no aiosmtpd; then the test says so, and CI fails.
    pub(crate) fn start(mode: &str, auth: bool, identity: Option<(&Path, &Path)>) -> Option<Self> {
        let path = |one: Option<&Path>| one.map_or("-".into(), |one| one.display().to_string());
        let mut child = Command::new("/usr/bin/python3")
            .args(["-c", SERVER, mode, if auth { "auth" } else { "open" }])
            .arg(path(identity.map(|(cert, _)| cert)))
            .arg(path(identity.map(|(_, key)| key)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| cannot_run(&error.to_string()))
            .ok()?;
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        match line.trim().parse() {
            Ok(port) => Some(Self { child, out, port }),
            Err(_) => {
                let said = child.wait_with_output().unwrap();
                let said = String::from_utf8_lossy(&said.stderr).into_owned();
                assert!(said.contains("No module named 'aiosmtpd'"), "the server failed: {said}");
                cannot_run(&said);
                None
            }
        }
    }

    /// The next message that it took.
    pub(crate) fn message(&mut self) -> serde_json::Value {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    pub(crate) fn options(&self, encryption: Encryption) -> Options {
        Options {
            host: "127.0.0.1".into(),
            port: self.port,
            encryption,
            login: None,
            from: "Caseway <caseway@firm.example>".into(),
            ca: None,
        }
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let lines: Vec<String> = der.chunks(48).map(|line| STANDARD.encode(line)).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn content(message: &serde_json::Value) -> String {
    message["content"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_mail_arrives_as_plain_text_with_its_id() {
    let Some(mut server) = Server::start("plain", false, None) else { return };
    let mailer = Mailer::new(&server.options(Encryption::DangerNone)).unwrap();
    let text = "Grüße aus Halle 1.\n\nBis bald\n";
    let sent = mailer.send("0196-1", "ann@op.example", "CASE-7 was opened: Ölleck", text).await;
    assert_eq!(sent, Outcome::Taken { status: 250 });
    let message = server.message();
    assert_eq!(message["from"], "caseway@firm.example");
    assert_eq!(message["to"], serde_json::json!(["ann@op.example"]));
    let content = content(&message);
    for header in [
        "From: Caseway <caseway@firm.example>",
        "To: ann@op.example",
        "Message-ID: <0196-1@firm.example>",
        "Auto-Submitted: auto-generated",
        "Content-Type: text/plain; charset=utf-8",
        "Subject: CASE-7 was opened: =?utf-8?b?",
    ] {
        assert!(content.contains(header), "{header}: {content}");
    }
}

#[tokio::test]
async fn nobody_adds_a_header_or_a_reader() {
    let Some(mut server) = Server::start("plain", false, None) else { return };
    let mailer = Mailer::new(&server.options(Encryption::DangerNone)).unwrap();
    let evil = "Leak\r\nBcc: eve@evil.example\r\n\r\nHello";
    let body = "one\r\n.\r\nMAIL FROM:<x@y>\r\n";
    let sent = mailer.send("0196-2", "ann@op.example", evil, body).await;
    assert_eq!(sent, Outcome::Taken { status: 250 });
    let message = server.message();
    assert_eq!(message["to"], serde_json::json!(["ann@op.example"]));
    let content = content(&message);
    let (head, rest) = content.split_once("\r\n\r\n").unwrap();
    assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
    assert!(rest.contains("MAIL FROM"), "the whole text is the text: {rest}");
    for bad in ["ann@op.example\r\nRCPT TO:<eve@evil.example>", "ann", "a b@c.example", ""] {
        let refused = mailer.send("0196-3", bad, "s", "t").await;
        assert!(matches!(refused, Outcome::Refused { status: None, .. }), "{bad:?}: {refused:?}");
    }
}

#[tokio::test]
async fn a_servers_never_ends_it_and_its_not_now_does_not() {
    let Some(server) = Server::start("plain", false, None) else { return };
    let mailer = Mailer::new(&server.options(Encryption::DangerNone)).unwrap();
    let never = mailer.send("0196-4", "nobody@op.example", "s", "t").await;
    assert!(matches!(never, Outcome::Refused { status: Some(550), .. }), "{never:?}");
    let later = mailer.send("0196-5", "later@op.example", "s", "t").await;
    assert!(matches!(later, Outcome::Failed { status: Some(451), .. }), "{later:?}");
    let options = server.options(Encryption::DangerNone);
    drop(server);
    let gone = Mailer::new(&options).unwrap().send("0196-6", "a@op.example", "s", "t").await;
    assert!(matches!(gone, Outcome::Failed { status: None, .. }), "{gone:?}");
}

#[tokio::test]
async fn a_password_goes_over_tls_to_the_server_that_the_authority_vouches_for() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::fresh("mail", Now::read().wall).unwrap();
    let (cert, key) = (dir.path().join("server.pem"), dir.path().join("server.key"));
    let identity = ca.server(&["127.0.0.1".to_owned()], Now::read().wall).unwrap();
    let chain = identity.chain().iter().map(|der| pem("CERTIFICATE", der)).collect::<String>();
    std::fs::write(&cert, chain).unwrap();
    std::fs::write(&key, pem("PRIVATE KEY", identity.key().secret_der())).unwrap();
    let (authority, password) = (dir.path().join("ca.pem"), dir.path().join("password"));
    std::fs::write(&authority, ca.certificate()).unwrap();
    for (mode, encryption) in [("tls", Encryption::Tls), ("starttls", Encryption::StartTls)] {
        let Some(mut server) = Server::start(mode, true, Some((&cert, &key))) else { return };
        let mut options = server.options(encryption);
        options.ca = Some(authority.clone());
        options.login = Some(("caseway".into(), password.clone()));
        std::fs::write(&password, "right\n").unwrap();
        let sent = Mailer::new(&options).unwrap().send("0196-7", "a@op.example", "s", "t").await;
        assert_eq!(sent, Outcome::Taken { status: 250 }, "{mode}");
        assert_eq!(server.message()["tls"], true, "{mode}");

        std::fs::write(&password, "wrong\n").unwrap();
        let refused = Mailer::new(&options).unwrap().send("0196-8", "a@op.example", "s", "t").await;
        assert!(matches!(refused, Outcome::Failed { status: Some(535), .. }), "{refused:?}");

        options.ca = None;
        let foreign = Mailer::new(&options).unwrap().send("0196-9", "a@op.example", "s", "t").await;
        assert!(matches!(foreign, Outcome::Failed { status: None, .. }), "{foreign:?}");
    }
}

#[test]
fn what_mail_needs_is_told_with_its_key() {
    let options = Options {
        host: "smtp.example".into(),
        port: 465,
        encryption: Encryption::Tls,
        login: Some(("u".into(), "/nowhere/password".into())),
        from: "c@firm.example".into(),
        ca: None,
    };
    let said = Mailer::new(&options).unwrap_err().to_string();
    assert!(said.starts_with("mail.password_file: cannot read /nowhere/password"), "{said}");
    let options = Options { login: None, ca: Some("/nowhere/ca.pem".into()), ..options };
    let said = Mailer::new(&options).unwrap_err().to_string();
    assert!(said.starts_with("mail.ca: cannot read /nowhere/ca.pem"), "{said}");
}

#[test]
fn an_address_is_one_line_with_one_mailbox() {
    for good in ["a@b.example", "Ann Lee <ann@firm.example>", "<a@b.example>"] {
        assert!(is_mailbox(good), "{good}");
    }
    for bad in ["", "ann", "a@b.example, c@d.example", "a@b\nBcc: c@d", "Ann <ann>"] {
        assert!(!is_mailbox(bad), "{bad}");
    }
}
