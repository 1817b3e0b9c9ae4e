//! `agent.toml`, `ceiling.toml`, and the command line of `caseway-agent`.
//!
//! ```toml
//! # agent.toml: every key may be left out
//! dir = "/var/lib/caseway-agent"       # the identity, the status socket
//! gateway = "https://gw.example:8443"  # where it was enrolled, unless said here
//! carrier = "auto"                     # auto, tcp or quic
//! proxy = "http://proxy.example:3128"  # for TCP, by CONNECT
//! proxy_user = "press-7"
//! proxy_password_file = "/etc/caseway/proxy-password"
//! local_switch = "/run/caseway/allow"  # remote access is allowed while this file is there
//! ceiling = "/etc/caseway/ceiling.toml"
//!
//! # ceiling.toml: what may be reached from here, whatever the gateway says
//! [[allow]]
//! host = "192.168.10.0/24"             # an address, a block, or a DNS name
//! ports = "502-503"                    # all, if not given
//! proto = "tcp"                        # tcp, udp or any
//! ```

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{Args, Parser, Subcommand};
use toml::Value;

use super::{Faults, Page, parse};
use crate::{
    agent::{
        DIR_DEFAULT, Enrolment, Exit, Failure, Options,
        ceiling::{Ceiling, Host, RULES_MAX, Rule},
    },
    machines::{Ports, Proto},
    secret::SecretText,
    telemetry::one_line,
    tls::Trust,
    transport::{CarrierChoice, GatewayUrl, HttpProxy},
};

/// What environment variables begin with.
const VARIABLES: &str = "CASEWAY_AGENT_";
/// The longest token or password file that is read, in bytes.
const SECRET_BYTES_MAX: u64 = 4_096;

/// Gives technicians a way to the machines beside it, case by case.
#[derive(Debug, Parser)]
#[command(name = "caseway-agent", version)]
pub struct CommandLine {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub place: Place,
}

/// How much is said, and for whom.
#[derive(Clone, Copy, Debug, Args)]
pub struct Output {
    /// Print for programs: one JSON value a line
    #[arg(long, global = true)]
    pub json: bool,
    /// Say nothing but errors
    #[arg(long, global = true)]
    pub quiet: bool,
    /// Say more; twice for still more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// Where things are.
#[derive(Clone, Debug, Default, Args)]
pub struct Place {
    /// The config file [default: agent.toml in the agent's directory, if it is there]
    #[arg(long, global = true, value_name = "FILE", env = "CASEWAY_AGENT_CONFIG")]
    pub config: Option<PathBuf>,
    /// The agent's directory [default: /var/lib/caseway-agent] [env: CASEWAY_AGENT_DIR]
    #[arg(long, global = true)]
    pub dir: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make this device known to a gateway, with a one-time token
    Enroll(Enroll),
    /// Dial the gateway and stay
    Run,
    /// Show who is connected now, from which case, to what
    Status,
    /// Check the configuration, and whether the gateway can be reached
    Check,
}

/// The flags of `enroll`.
#[derive(Debug, Args)]
pub struct Enroll {
    /// The gateway.
    #[arg(long, value_name = "URL", help = "The gateway, such as https://gateway.example:8443")]
    pub gateway: String,
    /// The file that holds the one-time token
    #[arg(long, value_name = "FILE")]
    pub token_file: PathBuf,
    /// The gateway's CA certificate (ca.pem)
    #[arg(long, value_name = "FILE", env = "CASEWAY_AGENT_CA")]
    pub ca: Option<PathBuf>,
    /// Replace papers that are there already
    #[arg(long)]
    pub replace: bool,
}

/// The options for `place`, over `environment`.
///
/// # Errors
///
/// Every fault of both files at once, each with its key.
pub fn load<I>(place: &Place, environment: I) -> Result<Options, Faults>
where
    I: IntoIterator<Item = (String, String)>,
{
    let ours: Vec<(String, String)> =
        environment.into_iter().filter(|(name, _)| name.starts_with(VARIABLES)).collect();
    let told = ours.iter().find(|(name, _)| name == "CASEWAY_AGENT_DIR");
    let dir = place.dir.clone().or(told.map(|(_, dir)| dir.into()));
    let dir = dir.unwrap_or_else(|| DIR_DEFAULT.into());
    let page = match &place.config {
        Some(path) => Page::load(path, false)?,
        None => Page::load(&dir.join("agent.toml"), true)?,
    };
    let mut page = page.over(VARIABLES, ours);
    if let Some(dir) = &place.dir {
        page.put("dir", dir.display().to_string());
    }
    read(page, dir)
}

fn read(mut page: Page, dir: PathBuf) -> Result<Options, Faults> {
    let carriers =
        [("auto", CarrierChoice::Auto), ("tcp", CarrierChoice::Tcp), ("quic", CarrierChoice::Quic)];
    let dir = page.or("dir", dir, parse::path);
    let gateway = page.optional("gateway", parse::parsed("https://HOST[:PORT]"));
    let carrier = page.or("carrier", CarrierChoice::Auto, parse::one_of(&carriers));
    let proxy = proxy(&mut page);
    if proxy.is_some() && carrier == CarrierChoice::Quic {
        page.fault("proxy", "carries TCP alone, and carrier is quic: choose one of them");
    }
    let local_switch = page.optional("local_switch", parse::path);
    let named = page.optional("ceiling", parse::path);
    let mut faults = Faults::default();
    let ceiling = ceiling(named.as_deref(), &dir).unwrap_or_else(|wrong| {
        faults = wrong;
        Ceiling::default()
    });
    let options =
        page.finish(|| Some(Options { dir, gateway, carrier, proxy, local_switch, ceiling }));
    match options {
        Ok(options) if faults.is_empty() => Ok(options),
        Ok(_) => Err(faults),
        Err(mut first) => {
            first.absorb(faults);
            Err(first)
        }
    }
}

fn proxy(page: &mut Page) -> Option<HttpProxy> {
    let address = page.optional("proxy", |value| {
        let text = value.as_str().and_then(|text| text.strip_prefix("http://"));
        let text = text.map(|text| text.strip_suffix('/').unwrap_or(text));
        text.and_then(|text| text.rsplit_once(':'))
            .and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)))
            .filter(|(host, port)| !host.is_empty() && !host.contains('@') && *port > 0)
            .map(|(host, port)| (host.trim_matches(['[', ']']).to_owned(), port))
            .ok_or_else(|| "expected http://HOST:PORT (user and password have keys)".to_owned())
    });
    let user = page.optional("proxy_user", parse::text);
    let password = page.optional("proxy_password_file", |value| {
        let path = parse::path(value)?;
        secret_file(&path).map_err(|why| format!("expected a readable file: {why}"))
    });
    let basic = match (user, password) {
        (Some(user), Some(password)) => Some((user, password)),
        (None, None) => None,
        (Some(_), None) => {
            page.fault("proxy_password_file", "missing; expected beside proxy_user");
            None
        }
        (None, Some(_)) => {
            page.fault("proxy_user", "missing; expected beside proxy_password_file");
            None
        }
    };
    let (host, port) = address?;
    Some(HttpProxy { host, port, basic })
}

/// The ceiling in the file that was named, else in the directory; the default one, if there is none.
fn ceiling(named: Option<&Path>, dir: &Path) -> Result<Ceiling, Faults> {
    let path = match named {
        Some(path) => path.to_owned(),
        None => dir.join("ceiling.toml"),
    };
    // Only a file that surely is not there leaves the default: one that cannot be read bars the way.
    if named.is_none() && matches!(path.try_exists(), Ok(false)) {
        return Ok(Ceiling::default());
    }
    let mut page = Page::load(&path, false)?;
    let rules = page.tables("allow", rule);
    if rules.len() > RULES_MAX {
        page.fault("allow", format!("expected at most {RULES_MAX} rules"));
    }
    page.finish(|| Some(Ceiling::from_file(path, rules)))
}

fn rule(page: &mut Page) -> Option<Rule> {
    let expected = "an address, a block such as 192.168.1.0/24, or a DNS name";
    let host = page.required("host", expected, parse::parsed::<Host>(expected));
    let ports = page.or("ports", Ports { first: 1, last: u16::MAX }, ports);
    let protos = [("tcp", Some(Proto::Tcp)), ("udp", Some(Proto::Udp)), ("any", None)];
    let proto = page.or("proto", None, parse::one_of(&protos));
    Some(Rule { host: host?, ports, proto })
}

/// `502`, `"502"` or `"502-503"`.
fn ports(value: &Value) -> parse::Parsed<Ports> {
    if value.is_integer() {
        return parse::port(value).map(|port| Ports { first: port, last: port });
    }
    let range = value.as_str().and_then(|text| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let ports = Ports { first: first.trim().parse().ok()?, last: last.trim().parse().ok()? };
        (ports.first > 0 && ports.first <= ports.last).then_some(ports)
    });
    range.ok_or_else(|| "expected a port or a range such as 502-503".to_owned())
}

/// What to enrol with.
///
/// # Errors
///
/// A [`Failure`] that names the flag and says what to do.
pub fn enrolment(flags: &Enroll, options: Options) -> Result<Enrolment, Failure> {
    let usage = |line: String| Failure::new(Exit::Usage, line);
    let gateway: GatewayUrl = flags
        .gateway
        .parse()
        .map_err(|error| usage(format!("--gateway `{}`: {error}", flags.gateway)))?;
    let token = secret_file(&flags.token_file).map_err(|why| {
        usage(format!(
            "--token-file {}: {why}; expected a file with the one-time token",
            flags.token_file.display()
        ))
    })?;
    let Some(ca) = &flags.ca else {
        let from = "the gateway's CA is not known here: pass --ca FILE";
        return Err(usage(format!("{from} (ca.pem in the gateway's data directory)")));
    };
    let ca = Trust::load(ca).map_err(|error| usage(format!("--ca: {}", one_line(&error))))?;
    Ok(Enrolment { options, gateway, token, ca, replace: flags.replace })
}

/// The first line of a file that holds a secret.
fn secret_file(path: &Path) -> Result<SecretText, String> {
    let about = fs::metadata(path).map_err(|error| error.to_string())?;
    if about.len() > SECRET_BYTES_MAX {
        return Err(format!("longer than {SECRET_BYTES_MAX} bytes"));
    }
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    match text.lines().next().map(str::trim) {
        Some(line) if !line.is_empty() => Ok(SecretText::new(line.to_owned())),
        Some(_) | None => Err("empty".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Dir(tempfile::TempDir);

    impl Dir {
        fn with(files: &[(&str, &str)]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            for (name, text) in files {
                fs::write(dir.path().join(name), text).unwrap();
            }
            Self(dir)
        }

        fn load(&self, variables: &[(&str, &str)]) -> Result<Options, String> {
            let place = Place { config: None, dir: Some(self.0.path().to_owned()) };
            let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            let path = format!("{}/", self.0.path().display());
            load(&place, variables).map_err(|faults| faults.to_string().replace(&path, ""))
        }
    }

    #[test]
    fn an_empty_directory_gives_the_defaults() {
        let options = Dir::with(&[]).load(&[]).unwrap();
        assert_eq!(options.carrier, CarrierChoice::Auto);
        assert_eq!(options.ceiling, Ceiling::default());
        assert!(options.proxy.is_none() && options.local_switch.is_none());
    }

    #[test]
    fn what_the_files_say_is_what_the_agent_does() {
        let dir = Dir::with(&[
            (
                "agent.toml",
                "gateway = 'https://gw:9'\ncarrier = 'tcp'\nproxy = 'http://proxy:3128'\n\
                 local_switch = '/run/allow'",
            ),
            ("ceiling.toml", "[[allow]]\nhost = '10.0.0.0/8'\nports = '502-503'\nproto = 'tcp'"),
        ]);
        let options = dir.load(&[]).unwrap();
        assert_eq!(options.gateway.unwrap().to_string(), "https://gw:9");
        assert_eq!(options.carrier, CarrierChoice::Tcp);
        assert_eq!(options.proxy.unwrap().port, 3128);
        assert_eq!(options.local_switch, Some("/run/allow".into()));
        assert_eq!(options.ceiling.rules()[0].to_string(), "10.0.0.0/8 tcp 502-503");
    }

    #[test]
    fn every_fault_of_both_files_is_told_at_once() {
        let dir = Dir::with(&[
            (
                "agent.toml",
                "carier = 'tcp'\ncarrier = 'foo'\nproxy = 'https://p'\nproxy_user = 'u'",
            ),
            ("ceiling.toml", "[[allow]]\nhost = '10.0.0.300'\n[[allow]]\nport = 1\nports = '9-1'"),
        ]);
        insta::assert_snapshot!(dir.load(&[]).unwrap_err(), @r"
        agent.toml: carrier: `foo`: expected auto, tcp or quic
        agent.toml: proxy: `https://p`: expected http://HOST:PORT (user and password have keys)
        agent.toml: proxy_password_file: missing; expected beside proxy_user
        agent.toml: carier: unknown key; did you mean carrier?
        ceiling.toml: allow[1].host: `10.0.0.300`: expected an address, a block such as 192.168.1.0/24, or a DNS name
        ceiling.toml: allow[2].host: missing; expected an address, a block such as 192.168.1.0/24, or a DNS name
        ceiling.toml: allow[2].ports: `9-1`: expected a port or a range such as 502-503
        ceiling.toml: allow[2].port: unknown key; did you mean ports?
        ");
    }

    #[test]
    fn a_ceiling_that_is_named_must_be_there() {
        let dir = Dir::with(&[("agent.toml", "ceiling = '/nowhere/ceiling.toml'")]);
        let faults = dir.load(&[]).unwrap_err();
        assert!(faults.starts_with("/nowhere/ceiling.toml: cannot be read"), "{faults}");
    }

    #[test]
    fn an_empty_ceiling_file_allows_nothing() {
        let options = Dir::with(&[("ceiling.toml", "")]).load(&[]).unwrap();
        assert!(options.ceiling.rules().is_empty());
    }

    #[test]
    fn the_environment_stands_behind_the_file() {
        let variables = [("CASEWAY_AGENT_CARRIER", "quic"), ("CASEWAY_AGENT_LOCAL_SWITCH", "/a")];
        let options = Dir::with(&[("agent.toml", "carrier = 'tcp'")]).load(&variables).unwrap();
        assert_eq!(options.carrier, CarrierChoice::Tcp);
        assert_eq!(options.local_switch, Some("/a".into()));
    }

    #[test]
    fn a_proxy_password_is_read_from_its_file_and_never_printed() {
        let dir = Dir::with(&[("password", "hunter2\n")]);
        let file = dir.0.path().join("password");
        let text = format!(
            "proxy = 'http://[fd00::1]:3128'\nproxy_user = 'u'\nproxy_password_file = '{}'",
            file.display()
        );
        fs::write(dir.0.path().join("agent.toml"), text).unwrap();
        let options = dir.load(&[]).unwrap();
        assert!(!format!("{options:?}").contains("hunter2"));
        let proxy = options.proxy.unwrap();
        assert_eq!((proxy.host.as_str(), proxy.port), ("fd00::1", 3128));
        assert_eq!(proxy.basic.unwrap().1.expose(), "hunter2");
    }

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        CommandLine::command().debug_assert();
        let line = "caseway-agent enroll --gateway https://gw --token-file t --json --dir d";
        let line = CommandLine::try_parse_from(line.split(' ')).unwrap();
        assert!(line.output.json && matches!(line.command, Command::Enroll(_)));
    }
}
