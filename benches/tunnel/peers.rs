//! What a user could pick instead. Their configurations are the files of `benches/peers/`, in which
//! `@words@` stand for what differs from run to run.
//!
//! ```text
//!   @local@    where the load generator connects      @machine@  the server
//!   @gateway@  the gateway's port                     @inner@    a port between two steps in the gateway
//!   @device@   the device's port, of tunnels whose gateway dials the device
//!   @dir@      keys and certificates                  @noise_private@, @noise_public@
//! ```

use std::{
    collections::BTreeMap,
    env, fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::{
    load,
    product::must,
    way::{Label, Part, Server, Way},
    yard::Yard,
};

/// The templates.
const TEMPLATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers");
/// Cargo's `target/tmp`; `benches/peers/install` puts rathole beside it.
const TARGET_TMP: &str = env!("CARGO_TARGET_TMPDIR");
/// A short pause between a port that listens and a tunnel that stands.
const BREATH: Duration = Duration::from_millis(200);

pub(crate) const RATHOLE_TLS: Label = Label {
    name: "rathole TLS",
    about: "device dials out; TLS from the gateway to the device only: one hop less encrypted",
};
pub(crate) const RATHOLE_NOISE: Label =
    Label { name: "rathole Noise", about: "the same, Noise_NK_25519_ChaChaPoly_BLAKE2s" };
pub(crate) const RATHOLE_PLAIN: Label =
    Label { name: "rathole plain", about: "the same, nothing encrypted" };
pub(crate) const OPENSSH: Label = Label {
    name: "OpenSSH",
    about: "`ssh -R` of the device and `ssh -L` of the technician through one sshd, AES-256-GCM",
};
pub(crate) const HAPROXY_CHAIN: Label = Label {
    name: "HAProxy chain",
    about: "TLS to the gateway, which decrypts, and TLS on to the device, which has an open port",
};
pub(crate) const HAPROXY_BLIND: Label = Label {
    name: "HAProxy pass-through",
    about: "TLS from end to end, the gateway joins TCP; the device has an open port",
};
pub(crate) const NGINX_CHAIN: Label =
    Label { name: "nginx chain", about: "as HAProxy chain, nginx stream" };
pub(crate) const NGINX_BLIND: Label =
    Label { name: "nginx pass-through", about: "as HAProxy pass-through, nginx stream" };
pub(crate) const STUNNEL: Label =
    Label { name: "stunnel chain", about: "as HAProxy chain, stunnel" };

/// One process of a peer.
#[derive(Clone, Copy, Debug)]
struct Step {
    part: Part,
    command: &'static str,
    template: &'static str,
    /// The port that listens once it is up.
    ready: &'static str,
}

/// How a program tells its version.
#[derive(Debug)]
pub(crate) struct Version {
    pub(crate) program: &'static str,
    pub(crate) command: &'static str,
    /// What stands before it.
    pub(crate) before: &'static str,
}

/// One tunnel that a user could pick instead.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) label: Label,
    pub(crate) version: &'static Version,
    /// In the order in which they are started.
    steps: &'static [Step],
}

const fn step(
    part: Part,
    command: &'static str,
    template: &'static str,
    ready: &'static str,
) -> Step {
    Step { part, command, template, ready }
}

const RATHOLE_SERVER: &str = "rathole --server @file@";
const RATHOLE_CLIENT: &str = "rathole --client @file@";
const SSH: &str = "ssh -N -F @file@ gateway";
const HAPROXY: &str = "haproxy -f @file@";
const NGINX: &str = "nginx -p @dir@ -c @file@";
const HAPROXY_VERSION: Version =
    Version { program: "HAProxy", command: "haproxy -v", before: "HAProxy version " };
const NGINX_VERSION: Version = Version { program: "nginx", command: "nginx -v", before: "nginx/" };
const RATHOLE_VERSION: Version =
    Version { program: "rathole", command: "rathole --version", before: "Build Version:" };
const SSH_VERSION: Version = Version { program: "OpenSSH", command: "ssh -V", before: "OpenSSH_" };
const STUNNEL_VERSION: Version =
    Version { program: "stunnel", command: "stunnel -version", before: "stunnel " };
/// What all of them but Noise encrypt with.
pub(crate) const OPENSSL_VERSION: Version =
    Version { program: "OpenSSL", command: "openssl version", before: "OpenSSL " };

pub(crate) const ALL: &[Peer] = &[
    Peer {
        label: RATHOLE_TLS,
        version: &RATHOLE_VERSION,
        steps: &[
            step(Part::Gateway, RATHOLE_SERVER, "rathole/tls-gateway.toml", "gateway"),
            step(Part::Device, RATHOLE_CLIENT, "rathole/tls-device.toml", "local"),
        ],
    },
    Peer {
        label: RATHOLE_NOISE,
        version: &RATHOLE_VERSION,
        steps: &[
            step(Part::Gateway, RATHOLE_SERVER, "rathole/noise-gateway.toml", "gateway"),
            step(Part::Device, RATHOLE_CLIENT, "rathole/noise-device.toml", "local"),
        ],
    },
    Peer {
        label: RATHOLE_PLAIN,
        version: &RATHOLE_VERSION,
        steps: &[
            step(Part::Gateway, RATHOLE_SERVER, "rathole/plain-gateway.toml", "gateway"),
            step(Part::Device, RATHOLE_CLIENT, "rathole/plain-device.toml", "local"),
        ],
    },
    Peer {
        label: OPENSSH,
        version: &SSH_VERSION,
        steps: &[
            step(Part::Gateway, "sshd -D -e -f @file@", "openssh/sshd_config", "gateway"),
            step(Part::Device, SSH, "openssh/device.conf", "inner"),
            step(Part::Technician, SSH, "openssh/technician.conf", "local"),
        ],
    },
    Peer {
        label: HAPROXY_CHAIN,
        version: &HAPROXY_VERSION,
        steps: &[
            step(Part::Device, HAPROXY, "haproxy/device.cfg", "device"),
            step(Part::Gateway, HAPROXY, "haproxy/gateway.cfg", "gateway"),
            step(Part::Technician, HAPROXY, "haproxy/technician.cfg", "local"),
        ],
    },
    Peer {
        label: HAPROXY_BLIND,
        version: &HAPROXY_VERSION,
        steps: &[
            step(Part::Device, HAPROXY, "haproxy/device.cfg", "device"),
            step(Part::Gateway, HAPROXY, "haproxy/blind.cfg", "gateway"),
            step(Part::Technician, HAPROXY, "haproxy/technician.cfg", "local"),
        ],
    },
    Peer {
        label: NGINX_CHAIN,
        version: &NGINX_VERSION,
        steps: &[
            step(Part::Device, NGINX, "nginx/device.conf", "device"),
            step(Part::Gateway, NGINX, "nginx/gateway.conf", "gateway"),
            step(Part::Technician, NGINX, "nginx/technician.conf", "local"),
        ],
    },
    Peer {
        label: NGINX_BLIND,
        version: &NGINX_VERSION,
        steps: &[
            step(Part::Device, NGINX, "nginx/device.conf", "device"),
            step(Part::Gateway, NGINX, "nginx/blind.conf", "gateway"),
            step(Part::Technician, NGINX, "nginx/technician.conf", "local"),
        ],
    },
    Peer {
        label: STUNNEL,
        version: &STUNNEL_VERSION,
        steps: &[
            step(Part::Device, "stunnel @file@", "stunnel/device.conf", "device"),
            step(Part::Gateway, "stunnel @file@", "stunnel/gateway.conf", "gateway"),
            step(Part::Technician, "stunnel @file@", "stunnel/technician.conf", "local"),
        ],
    },
];

/// Starts a peer, and proves with one byte that it leads to the server.
///
/// # Errors
///
/// When it is not installed, or does not come up; what was started is stopped again.
pub(crate) fn start(peer: &Peer, yard: &Yard, server: Server) -> Result<Way> {
    let mark = yard.mark();
    let started = start_all(peer, yard, server);
    if started.is_err() {
        yard.clear_from(mark);
    }
    started
}

fn start_all(peer: &Peer, yard: &Yard, server: Server) -> Result<Way> {
    let name = peer.label.name;
    let dir = yard.room(name)?;
    let mut words = words(yard, server, &dir)?;
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, port(&words, "local")?));
    let mut way = Way::new(peer.label, local, server);
    for Step { part, command, template, ready } in peer.steps {
        let file = dir.join(template.replace('/', "-"));
        let text = fs::read_to_string(Path::new(TEMPLATES).join(template))
            .with_context(|| (*template).to_owned())?;
        fs::write(&file, fill(&text, &words)?)?;
        words.insert("file", file.display().to_string());
        let mut line = command.split(' ').map(|word| fill(word, &words));
        let program = found(&line.next().context("no program")??)?;
        let called = format!("{name} {}", part.name());
        let args = line.collect::<Result<Vec<String>>>()?;
        let pid = yard.start(&called, Command::new(program).args(args))?;
        yard.listening(&called, SocketAddr::from((Ipv4Addr::LOCALHOST, port(&words, ready)?)))?;
        way = way.with(*part, pid);
    }
    std::thread::sleep(BREATH);
    yard.until(name, || load::open(local).ok()).context("no byte came back")?;
    Ok(way)
}

/// What stands for the words of the templates.
fn words(yard: &Yard, server: Server, dir: &Path) -> Result<BTreeMap<&'static str, String>> {
    must(Command::new(Path::new(TEMPLATES).join("keys")).arg(dir)).context("benches/peers/keys")?;
    let key = |name: &str| fs::read_to_string(dir.join(name)).context("noise key");
    let mut words = BTreeMap::from([
        ("dir", dir.display().to_string()),
        ("machine", server.at.port().to_string()),
        ("noise_private", key("noise.private")?),
        ("noise_public", key("noise.public")?),
    ]);
    for word in ["local", "gateway", "device", "inner"] {
        words.insert(word, yard.port()?.to_string());
    }
    Ok(words)
}

fn port(words: &BTreeMap<&str, String>, word: &str) -> Result<u16> {
    Ok(words.get(word).context("no such port")?.parse()?)
}

fn fill(text: &str, words: &BTreeMap<&str, String>) -> Result<String> {
    let mut filled = text.to_owned();
    for (word, value) in words {
        filled = filled.replace(&format!("@{word}@"), value);
    }
    Ok(filled)
}

/// Where a program is: beside our own builds, in the path, or where servers are.
pub(crate) fn found(program: &str) -> Result<PathBuf> {
    let ours = Path::new(TARGET_TMP).with_file_name("peers").join("bin");
    let path = env::var_os("PATH").unwrap_or_default();
    let places = [ours].into_iter().chain(env::split_paths(&path)).chain(["/usr/sbin".into()]);
    let found = places.map(|place| place.join(program)).find(|file| file.is_file());
    match found {
        Some(file) => Ok(file),
        None => bail!("{program} is not installed: run benches/peers/install"),
    }
}
