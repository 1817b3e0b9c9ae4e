//! A way: an address that leads to the server, and the processes that carry it there.

use std::{net::SocketAddr, path::PathBuf};

use crate::cpu::Root;

/// What is said of a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) name: &'static str,
    /// How the bytes go.
    pub(crate) about: &'static str,
}

pub(crate) const BARE: Label =
    Label { name: "bare", about: "no tunnel: a loopback connection to the server, for reference" };
pub(crate) const TCP: Label = Label {
    name: "caseway",
    about: "TCP legs; sealed end to end, the gateway cannot read; each channel authorised",
};
pub(crate) const QUIC: Label =
    Label { name: "caseway quic", about: "QUIC legs on both sides, and the same seal within" };

/// Whose CPU time is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    All,
    Load,
    Technician,
    Gateway,
    Device,
    Server,
}

impl Part {
    /// Those that are processes.
    pub(crate) const REAL: [Self; 5] =
        [Self::Load, Self::Technician, Self::Gateway, Self::Device, Self::Server];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Load => "load",
            Self::Technician => "technician",
            Self::Gateway => "gateway",
            Self::Device => "device",
            Self::Server => "server",
        }
    }
}

/// The server behind every way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server {
    pub(crate) at: SocketAddr,
    pub(crate) pid: u32,
}

/// Whose sessions can be opened: a technician's directory, and the carrier.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) home: PathBuf,
    pub(crate) carrier: &'static str,
}

#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) label: Label,
    /// Leads to the server.
    pub(crate) at: SocketAddr,
    pub(crate) cast: Vec<(Part, Root)>,
    /// Caseway's alone.
    pub(crate) desk: Option<Desk>,
}

impl Way {
    /// A way with the load generator and the server in its cast already.
    pub(crate) fn new(label: Label, at: SocketAddr, server: Server) -> Self {
        let load = Root { pid: std::process::id(), tree: false };
        let cast = vec![(Part::Load, load), (Part::Server, Root { pid: server.pid, tree: false })];
        Self { label, at, cast, desk: None }
    }

    pub(crate) fn bare(server: Server) -> Self {
        Self::new(BARE, server.at, server)
    }

    /// Adds a process, with those that it starts.
    pub(crate) fn with(mut self, part: Part, pid: u32) -> Self {
        self.cast.push((part, Root { pid, tree: true }));
        self
    }

    pub(crate) fn root(&self, part: Part) -> Option<Root> {
        self.cast.iter().find(|(is, _)| *is == part).map(|(_, root)| *root)
    }
}
