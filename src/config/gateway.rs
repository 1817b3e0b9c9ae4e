//! `gateway.toml`: what it may say, what it means, and a first one to edit.

use std::{
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Fault, Faults, Page, outbound, parse};
use crate::gateway::Options;

/// What environment variables begin with.
const VARIABLES: &str = "CASEWAY_GATEWAY_";
/// Names in the server certificate at most.
const NAMES_MAX: usize = 32;
/// A DNS name's length at most (RFC 1035 section 2.3.4), in bytes.
const DNS_BYTES_MAX: usize = 253;
/// How a secret is shown.
const REDACTED: &str = "[redacted]";

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MINUTE: Duration = Duration::from_secs(60);
const MIB: u64 = 1024 * 1024;

const IDLE_RANGE: RangeInclusive<Duration> = SECOND..=DAY;
/// Devices believe no warrant that holds for longer than a working day.
const MAX_RANGE: RangeInclusive<Duration> = MINUTE..=Duration::from_secs(8 * 60 * 60);
const GRACE_RANGE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(10 * 60);
const DRAIN_RANGE: RangeInclusive<Duration> = Duration::ZERO..=DAY;
const CONNECTIONS_RANGE: RangeInclusive<u32> = 1..=65_536;
const SESSIONS_RANGE: RangeInclusive<u32> = 1..=1_024;
const FREE_DISK_MIB_RANGE: RangeInclusive<u32> = 0..=1_048_576;
const MBIT_RANGE: RangeInclusive<u32> = 0..=1_000_000;
/// Bytes a second.
const MBIT: u64 = 1_000_000 / 8;

/// What goes before the file.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    pub listen: Option<String>,
}

/// Reads the file at `path`, under `flags` and over `environment`.
///
/// # Errors
///
/// Every fault at once, each with its key.
pub fn load<I>(path: &Path, flags: &Flags, environment: I) -> Result<Options, Faults>
where
    I: IntoIterator<Item = (String, String)>,
{
    let page = Page::load(path, false)?.over(VARIABLES, environment);
    let beside = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    read(page, beside.unwrap_or(Path::new(".")), flags)
}

fn read(mut page: Page, beside: &Path, flags: &Flags) -> Result<Options, Faults> {
    if let Some(listen) = &flags.listen {
        page.put("listen", listen.clone());
    }
    let dir = page.or("data_dir", PathBuf::from("."), parse::path);
    let mut options = Options::new(beside.join(dir));
    let expected = "a name of 1 to 63 letters, digits and inner hyphens";
    options.gateway = page.or("gateway", options.gateway, parse::parsed(expected));
    options.listen = page.or("listen", options.listen, parse::socket_address);
    options.names = page.or("names", options.names, parse::list(NAMES_MAX, server_name));
    sessions(&mut page, &mut options);
    limits(&mut page, &mut options);
    outbound::read(&mut page, beside, &mut options);
    page.finish(|| Some(options))
}

fn sessions(page: &mut Page, options: &mut Options) {
    let Options { session_idle, session_max, decision_grace, drain, .. } = options;
    *session_idle = page.or("sessions.idle", *session_idle, parse::duration(IDLE_RANGE));
    *session_max = page.or("sessions.max", *session_max, parse::duration(MAX_RANGE));
    *decision_grace =
        page.or("sessions.decision_grace", *decision_grace, parse::duration(GRACE_RANGE));
    *drain = page.or("sessions.drain", *drain, parse::duration(DRAIN_RANGE));
    if session_idle > session_max {
        page.fault("sessions.idle", "is longer than sessions.max; expected less");
    }
}

fn limits(page: &mut Page, options: &mut Options) {
    let connections = page.optional("limits.http_connections", parse::integer(CONNECTIONS_RANGE));
    if let Some(connections) = connections.and_then(|number| usize::try_from(number).ok()) {
        options.http_connections_max = connections;
    }
    let Options { sessions_per_person, sessions_per_device, .. } = options;
    *sessions_per_person =
        page.or("limits.sessions_per_person", *sessions_per_person, parse::integer(SESSIONS_RANGE));
    *sessions_per_device =
        page.or("limits.sessions_per_device", *sessions_per_device, parse::integer(SESSIONS_RANGE));
    let rates = [
        ("limits.session_mbit", &mut options.rates.session),
        ("limits.device_mbit", &mut options.rates.device),
        ("limits.case_mbit", &mut options.rates.case),
    ];
    for (key, rate) in rates {
        let mbit = page.optional(key, parse::integer(MBIT_RANGE));
        *rate = mbit.filter(|mbit| *mbit > 0).map(|mbit| u64::from(mbit) * MBIT);
    }
    if let Some(mib) = page.optional("limits.free_disk_mib", parse::integer(FREE_DISK_MIB_RANGE)) {
        options.free_bytes_min = u64::from(mib) * MIB;
    }
}

/// A DNS name or a literal address.
fn server_name(value: &toml::Value) -> parse::Parsed<String> {
    let name = value.as_str().unwrap_or_default();
    let is_address = name.parse::<IpAddr>().is_ok();
    let is_dns = name.len() <= DNS_BYTES_MAX
        && name.split('.').all(|label| {
            let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            (1..=63).contains(&label.len())
                && label.bytes().all(inner)
                && !label.starts_with('-')
                && !label.ends_with('-')
        });
    if is_address || is_dns {
        return Ok(name.to_owned());
    }
    Err("expected a DNS name or an address, such as gateway.example.com".to_owned())
}

/// Checks names that come from the command line.
///
/// # Errors
///
/// Every name that is none.
pub fn check_names(names: &[String]) -> Result<(), Faults> {
    let mut faults = Faults::default();
    for name in names {
        if let Err(expected) = server_name(&toml::Value::String(name.clone())) {
            faults.add(Fault::new("command line", "--name", format!("`{name}`: {expected}")));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// The options as `check` prints them. There is no secret among them: those stay in files.
#[must_use]
pub fn shown(options: &Options) -> Vec<(&'static str, String)> {
    let mut shown = vec![
        ("data_dir", options.dir.components().collect::<PathBuf>().display().to_string()),
        ("gateway", options.gateway.to_string()),
        ("listen", options.listen.to_string()),
        ("names", options.names.join(", ")),
        ("sessions.idle", parse::shown(options.session_idle)),
        ("sessions.max", parse::shown(options.session_max)),
        ("sessions.decision_grace", parse::shown(options.decision_grace)),
        ("sessions.drain", parse::shown(options.drain)),
        ("limits.http_connections", options.http_connections_max.to_string()),
        ("limits.sessions_per_person", options.sessions_per_person.to_string()),
        ("limits.sessions_per_device", options.sessions_per_device.to_string()),
        ("limits.session_mbit", mbit(options.rates.session)),
        ("limits.device_mbit", mbit(options.rates.device)),
        ("limits.case_mbit", mbit(options.rates.case)),
        ("limits.free_disk_mib", (options.free_bytes_min / MIB).to_string()),
        ("ca.key", REDACTED.to_owned()),
        ("warrant.key", REDACTED.to_owned()),
    ];
    shown.extend(outbound::shown(options));
    shown
}

/// A rate in Mbit/s; 0 is none.
fn mbit(rate: Option<u64>) -> String {
    (rate.unwrap_or(0) / MBIT).to_string()
}

/// A first `gateway.toml`: what must be decided is set, the rest stands as comments with its
/// default.
#[must_use]
pub fn first(listen: SocketAddr, names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    let (listen, names) = (listen.to_string(), names.join(", "));
    let defaults = Options::new(PathBuf::new());
    let duration = |one: Duration| parse::shown(one);
    format!(
        "# A Caseway gateway. Check this file with: caseway-gateway check --config FILE\n\
         \n\
         # Where the CA, the keys and the database are; relative to this file.\n\
         data_dir = \".\"\n\
         # This gateway's name among its siblings.\n\
         gateway = \"{}\"\n\
         # TCP and UDP. Everything goes through this one port.\n\
         listen = \"{listen}\"\n\
         # The names under which devices and people reach it; they stand in its certificate.\n\
         names = [{names}]\n\
         \n\
         [sessions]\n\
         # A session without payload for this long ends.\n\
         #idle = \"{}\"\n\
         # A session ends after this, whatever it does.\n\
         #max = \"{}\"\n\
         # How long live sessions go on while the database cannot confirm them.\n\
         #decision_grace = \"{}\"\n\
         # How long live sessions may go on when the gateway is asked to stop.\n\
         #drain = \"{}\"\n\
         \n\
         [limits]\n\
         # HTTP connections at once.\n\
         #http_connections = {}\n\
         # Live sessions at once, of one person and of one device.\n\
         #sessions_per_person = {}\n\
         #sessions_per_device = {}\n\
         # How fast the bytes of one session, of one device and of one case may flow, in Mbit/s\n\
         # each way; 0: as fast as they can.\n\
         #session_mbit = {}\n\
         #device_mbit = {}\n\
         #case_mbit = {}\n\
         # Disk space that is kept free for audit records; without it no session starts.\n\
         #free_disk_mib = {}\n\
         \n\
         {}",
        defaults.gateway,
        duration(defaults.session_idle),
        duration(defaults.session_max),
        duration(defaults.decision_grace),
        duration(defaults.drain),
        defaults.http_connections_max,
        defaults.sessions_per_person,
        defaults.sessions_per_device,
        mbit(defaults.rates.session),
        mbit(defaults.rates.device),
        mbit(defaults.rates.case),
        defaults.free_bytes_min / MIB,
        outbound::FIRST,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> Result<Options, Faults> {
        let page = Page::read("gateway.toml", text)?.over(VARIABLES, Vec::new());
        read(page, Path::new("/srv/caseway"), &Flags::default())
    }

    #[test]
    fn every_fault_of_a_gateway_file_is_told_at_once() {
        let faults = options(
            "gateway = \"no spaces\"\nlisten = \"8443\"\nname = [\"a\"]\nnames = [\"ok.example\", \"b_d\"]\n\
             [sessions]\nidle = \"2h\"\nmax = \"1h\"\ngrace = \"1s\"\ndrain = \"2\"\n\
             [limits]\nhttp_connections = 0\nfree_disk_mib = \"1GiB\"\n[tls]\nkey = \"x\"",
        )
        .unwrap_err();
        insta::assert_snapshot!(faults);
    }

    #[test]
    fn an_empty_file_means_the_safe_defaults() {
        assert_eq!(options("").unwrap(), Options::new("/srv/caseway/.".into()));
    }

    #[test]
    fn rates_are_told_in_mbit_and_zero_is_none() {
        let rates = options("[limits]\nsession_mbit = 8\ncase_mbit = 0").unwrap().rates;
        assert_eq!((rates.session, rates.device, rates.case), (Some(1_000_000), None, None));
    }

    #[test]
    fn the_first_file_says_what_the_defaults_say_and_every_key_in_it_is_known() {
        let listen = "0.0.0.0:8443".parse().unwrap();
        let text = first(listen, &["gate.example".into(), "192.0.2.1".into()]);
        let written = options(&text).unwrap();
        assert_eq!(written.names, ["gate.example", "192.0.2.1"]);
        let uncommented: Vec<&str> = text
            .lines()
            .map(|line| line.strip_prefix('#').filter(|l| !l.starts_with(' ')).unwrap_or(line))
            .collect();
        let mut all = options(&uncommented.join("\n")).unwrap();
        assert!(all.mail.take().is_some(), "mail is an example: there is no default server");
        assert_eq!(all, written);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_flag_goes_before_the_file_and_the_file_before_the_environment() {
        let variables = [("CASEWAY_GATEWAY_LISTEN", "[::]:1"), ("CASEWAY_GATEWAY_GATEWAY", "west")];
        let variables = variables.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let page =
            Page::read("g.toml", "listen = \"127.0.0.1:2\"").unwrap().over(VARIABLES, variables);
        let flags = Flags { listen: Some("127.0.0.1:3".into()) };
        let options = read(page, Path::new("."), &flags).unwrap();
        assert_eq!((options.listen.port(), options.gateway.as_str()), (3, "west"));
    }

    #[test]
    fn what_check_prints_holds_every_key_of_the_file() {
        let mail = options("[mail]\nhost = 'smtp.example'\nfrom = 'c@firm.example'").unwrap();
        let shown = shown(&mail);
        let text = first("0.0.0.0:8443".parse().unwrap(), &[]);
        let keys = text.lines().filter_map(|line| line.trim_start_matches('#').split_once(" = "));
        for (key, _) in keys {
            assert!(shown.iter().any(|(one, _)| one.ends_with(key)), "{key}");
        }
    }
}
