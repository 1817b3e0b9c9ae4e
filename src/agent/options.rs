//! What an agent is told: by its config file, by the demo, or by a test.

use std::path::PathBuf;

use super::ceiling::Ceiling;
use crate::transport::{CarrierChoice, DialOptions, GatewayUrl, HttpProxy};

/// Where the agent keeps its identity where nothing else is said.
pub const DIR_DEFAULT: &str = "/var/lib/caseway-agent";

/// How an agent runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// The agent's own directory, 0700.
    pub dir: PathBuf,
    /// Where to dial instead of where it was enrolled: a new address of the same gateway.
    pub gateway: Option<GatewayUrl>,
    pub carrier: CarrierChoice,
    pub proxy: Option<HttpProxy>,
    /// A file whose presence means "remote access allowed here"; `None`: always allowed.
    pub local_switch: Option<PathBuf>,
    pub ceiling: Ceiling,
}

impl Options {
    /// The defaults, with everything under `dir`.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            gateway: None,
            carrier: CarrierChoice::Auto,
            proxy: None,
            local_switch: None,
            ceiling: Ceiling::default(),
        }
    }

    pub(super) fn dial(&self, url: &GatewayUrl, carrier: CarrierChoice) -> DialOptions {
        DialOptions {
            host: url.host.clone(),
            port: url.port,
            carrier,
            proxy: self.proxy.clone(),
            bind: None,
        }
    }
}
