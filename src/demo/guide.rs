//! What the demo says when it is up: to people, what to try next; to programs, one line of JSON.

use std::{fmt::Write as _, path::PathBuf};

use serde::Serialize;

use super::world::{self, Login};
use crate::{
    cases::CaseType,
    machines::{Mode, TunnelKind},
    secret::SecretText,
    store::Seed,
};

/// Everything that the demo tells.
#[derive(Debug)]
pub(super) struct Guide {
    /// `https://localhost:PORT`.
    pub(super) url: String,
    pub(super) ca: PathBuf,
    pub(super) dir: PathBuf,
    /// False: the directory goes with the demo.
    pub(super) kept: bool,
    pub(super) password: SecretText,
}

#[derive(Serialize)]
struct Facts<'a> {
    gateway: &'a str,
    ca: &'a PathBuf,
    /// The SSH door, where this gateway has one.
    ssh: Option<&'a str>,
    users: Vec<User<'a>>,
    cases: Vec<CaseFacts>,
    tunnels: Vec<TunnelFacts>,
    devices: Vec<DeviceFacts>,
}

#[derive(Serialize)]
struct User<'a> {
    email: String,
    password: &'a str,
    tenant: &'a str,
    roles: Vec<crate::tenancy::Role>,
}

#[derive(Serialize)]
struct CaseFacts {
    id: String,
    #[serde(rename = "type")]
    kind: CaseType,
    /// The asset, or the provider's machine where the case is the provider's own.
    asset: String,
    switch_on: bool,
}

#[derive(Serialize)]
struct TunnelFacts {
    asset: String,
    name: String,
    kind: TunnelKind,
    mode: Mode,
    targets: Vec<String>,
}

#[derive(Serialize)]
struct DeviceFacts {
    id: String,
    asset: String,
    online: bool,
}

impl Guide {
    /// One line of JSON (architecture: the demo's `--json`).
    ///
    /// # Errors
    ///
    /// When a path is not UTF-8.
    pub(super) fn json(&self, seed: &Seed) -> Result<String, serde_json::Error> {
        serde_json::to_string(&Facts {
            gateway: &self.url,
            ca: &self.ca,
            ssh: None,
            users: world::logins().into_iter().map(|login| self.user(login)).collect(),
            cases: cases(seed),
            tunnels: tunnels(seed),
            devices: devices(seed),
        })
    }

    fn user(&self, login: Login) -> User<'_> {
        User {
            email: login.email,
            password: self.password.expose(),
            tenant: login.tenant,
            roles: vec![login.role],
        }
    }

    /// For people: what is there, and what to try next.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let url = &self.url;
        let ca = self.ca.display();
        let password = self.password.expose();
        let _ = writeln!(text, "\nCaseway demo: {url}\n");
        let _ = writeln!(text, "  CA file    {ca}");
        let _ = writeln!(text, "  Password   {password}   (everybody's)\n");
        for tenant in ["brandt", "aurora"] {
            let (name, what) = match tenant {
                "brandt" => ("Brandt Machines", "provider"),
                _ => ("Aurora Foods", "operator"),
            };
            let _ = writeln!(text, "  {name} ({what})");
            for login in world::logins().iter().filter(|login| login.tenant == tenant) {
                let role = words(login.role);
                let _ = writeln!(text, "    {:<24}{:<15}{role}", login.email, login.name);
            }
        }
        let _ = write!(
            text,
            "
  CASE-1  shared             Press 7 stops at the bottom of its stroke    switch off
  CASE-2  operator-internal  Mixer 2 drifts in speed                      switch off
  CASE-3  provider-internal  Prepare the spindle retrofit                 no switch, ever

Try next, in a second terminal:

  export CASEWAY_HOME=/tmp/stella
  caseway login {url} --ca {ca} --user stella@brandt.example
  caseway cases
  caseway why CASE-1 hmi-web

  CASEWAY_HOME=/tmp/milo caseway login {url} --ca {ca} --user milo@aurora.example
  CASEWAY_HOME=/tmp/milo caseway case switch CASE-1 on --for 1h

  caseway open CASE-1 cell                     web page, controller, UDP echo, byte source
  caseway vnc CASE-1 --viewer xtigervncviewer

  CASEWAY_HOME=/tmp/milo caseway case switch CASE-1 off      and the tunnels end

"
        );
        let _ = if self.kept {
            writeln!(text, "Ctrl-C stops it; {} stays.", self.dir.display())
        } else {
            writeln!(text, "Ctrl-C stops it and leaves nothing behind.")
        };
        text
    }
}

fn words(role: crate::tenancy::Role) -> &'static str {
    use crate::tenancy::Role;
    match role {
        Role::TenantAdmin => "Tenant Admin",
        Role::DataAnalyst => "Data Analyst - Controller",
        Role::MachineOperator => "Machine Operator",
        Role::WorkshopManager => "Workshop Manager",
        Role::InternalServiceCases => "Operator - internal Service Cases",
        Role::MaintenanceEngineer => "Maintenance Engineer",
        Role::FirstLevelSupport => "1st Level Support",
        Role::ServiceTechnician => "Service Technician",
        Role::MasterDataManager => "Master Data Manager",
        Role::CustomerDataManager => "Customer Data Manager",
        Role::ServiceManager => "Service Manager (deprecated)",
    }
}

fn cases(seed: &Seed) -> Vec<CaseFacts> {
    use crate::cases::Kind;
    seed.cases
        .iter()
        .map(|case| CaseFacts {
            id: case.id.to_string(),
            kind: case.case_type(),
            asset: match &case.kind {
                Kind::Shared { asset, .. } | Kind::OperatorInternal { asset, .. } => {
                    asset.to_string()
                }
                Kind::ProviderInternal { machine, .. } => machine.to_string(),
            },
            switch_on: case.switch().is_some_and(|switch| switch.on),
        })
        .collect()
}

fn tunnels(seed: &Seed) -> Vec<TunnelFacts> {
    seed.tunnels
        .iter()
        .map(|tunnel| TunnelFacts {
            asset: tunnel.asset.to_string(),
            name: tunnel.name.to_string(),
            kind: tunnel.kind,
            mode: tunnel.mode,
            targets: tunnel.targets.iter().map(|target| target.name.to_string()).collect(),
        })
        .collect()
}

fn devices(seed: &Seed) -> Vec<DeviceFacts> {
    let mut all = Vec::new();
    for asset in &seed.assets {
        if let Some(device) = &asset.device {
            all.push(DeviceFacts {
                id: device.to_string(),
                asset: asset.id.to_string(),
                online: device.as_str() == world::ONLINE,
            });
        }
    }
    all
}
