//! Machine models, their tunnel templates, and how a machine's tunnel config follows its template.
//!
//! ```text
//!   template   name   kind+targets   mode   enabled
//!                │         ╳           │       │        ╳ overridden on the machine
//!   tunnel     name   kind+targets   mode   enabled
//! ```
//!
//! What always holds: a tunnel says what its template says, but for the fields that it overrides
//! (domain.md D.2). A field is overridden exactly while it was last written differently from the
//! template, so that writing the template's value gives the field back.
//!
//! INF: kind and targets are one field. How many targets there may be, and of which sort, depends on
//! the kind; inherited apart they could contradict each other.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use super::{Hosts, Mode, Proto, TARGETS_MAX, Target, Tunnel, TunnelKind};
use crate::ids::{AssetId, ModelId, Name, TemplateId, TenantId, TunnelId};

/// A type of machine, as its provider describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    pub id: ModelId,
    pub provider: TenantId,
    pub name: String,
    pub brand: Option<String>,
    pub technology: Option<String>,
}

/// A tunnel config that machines of a model inherit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    pub id: TemplateId,
    pub model: ModelId,
    pub config: TunnelConfig,
}

/// What a tunnel config says, of whatever asset or model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TunnelConfig {
    pub name: Name,
    pub kind: TunnelKind,
    pub mode: Mode,
    pub targets: Vec<Target>,
    pub enabled: bool,
}

/// A config that contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsoundConfig {
    #[error("targets: two have the same name")]
    TwinTargets,
    #[error("targets: ports are 1 to 65535, the first not above the last")]
    Ports,
    #[error("targets: a host is one machine or a block of them, not every address and no group")]
    Host,
    #[error(
        "targets: ssc and vnc lead to one tcp host and port; data_link to 1 to {TARGETS_MAX} targets"
    )]
    Kind,
}

impl TunnelConfig {
    /// Whether its parts fit together (domain.md D.1, D.2).
    ///
    /// The device dials the host, so whether it can be reached is for the device to find out; here
    /// only what can be nobody's address is refused.
    ///
    /// # Errors
    ///
    /// [`UnsoundConfig`] says which do not.
    pub fn check(&self) -> Result<(), UnsoundConfig> {
        let names: BTreeSet<&Name> = self.targets.iter().map(|target| &target.name).collect();
        if names.len() != self.targets.len() {
            return Err(UnsoundConfig::TwinTargets);
        }
        if self.targets.iter().any(|one| one.ports.first == 0 || one.ports.first > one.ports.last) {
            return Err(UnsoundConfig::Ports);
        }
        if self.targets.iter().any(|one| is_nobodys(&one.hosts)) {
            return Err(UnsoundConfig::Host);
        }
        let fits = match self.kind {
            TunnelKind::Ssc | TunnelKind::Vnc => {
                matches!(
                    self.targets.as_slice(),
                    [one] if one.proto == Proto::Tcp && one.single().is_some()
                )
            }
            TunnelKind::DataLink => (1..=TARGETS_MAX).contains(&self.targets.len()),
        };
        if fits { Ok(()) } else { Err(UnsoundConfig::Kind) }
    }

    /// The config as a tunnel of an asset.
    #[must_use]
    pub fn as_tunnel(&self, id: TunnelId, asset: &AssetId) -> Tunnel {
        let Self { name, kind, mode, targets, enabled } = self.clone();
        Tunnel { id, asset: asset.clone(), name, kind, mode, targets, enabled }
    }

    /// Whether it leads elsewhere than `other`.
    #[must_use]
    pub fn leads_elsewhere(&self, other: &Self) -> bool {
        self.differs(other, Field::Targets)
    }

    fn differs(&self, other: &Self, field: Field) -> bool {
        match field {
            Field::Name => self.name != other.name,
            Field::Targets => self.kind != other.kind || self.targets != other.targets,
            Field::Mode => self.mode != other.mode,
            Field::Enabled => self.enabled != other.enabled,
        }
    }

    fn take(&mut self, other: &Self, field: Field) {
        match field {
            Field::Name => self.name.clone_from(&other.name),
            Field::Targets => {
                self.kind = other.kind;
                self.targets.clone_from(&other.targets);
            }
            Field::Mode => self.mode = other.mode,
            Field::Enabled => self.enabled = other.enabled,
        }
    }
}

impl From<&Tunnel> for TunnelConfig {
    fn from(tunnel: &Tunnel) -> Self {
        let Tunnel { id: _, asset: _, name, kind, mode, targets, enabled } = tunnel.clone();
        Self { name, kind, mode, targets, enabled }
    }
}

/// The unspecified address, a group's, or everybody's: nothing that a device could dial.
fn is_nobodys(hosts: &Hosts) -> bool {
    match hosts {
        Hosts::Ip(ip) => {
            let everybody = matches!(ip, std::net::IpAddr::V4(v4) if v4.is_broadcast());
            ip.is_unspecified() || ip.is_multicast() || everybody
        }
        Hosts::Block(block) => block.addr().is_multicast(),
        Hosts::Dns(_) => false,
    }
}

/// A field that is inherited or overridden as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    Name,
    /// The kind with its targets.
    Targets,
    Mode,
    Enabled,
}

impl Field {
    /// Every field.
    pub const ALL: [Self; 4] = [Self::Name, Self::Targets, Self::Mode, Self::Enabled];

    /// The field as the API spells it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Targets => "targets",
            Self::Mode => "mode",
            Self::Enabled => "enabled",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Fields that a machine overrides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fields(pub BTreeSet<Field>);

/// How a machine's config follows a template: which one, and in which fields not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Follow {
    pub template: TemplateId,
    pub overridden: Fields,
}

impl Fields {
    /// The fields in which a machine's own config was written differently from its template.
    #[must_use]
    pub fn between(template: &TunnelConfig, own: &TunnelConfig) -> Self {
        Self(Field::ALL.into_iter().filter(|field| own.differs(template, *field)).collect())
    }

    /// What a config says whose template now says `template`: exactly the fields that are not
    /// overridden are the template's.
    #[must_use]
    pub fn inherit(&self, template: &TunnelConfig, own: &TunnelConfig) -> TunnelConfig {
        let mut config = own.clone();
        for field in Field::ALL.into_iter().filter(|field| !self.0.contains(field)) {
            config.take(template, field);
        }
        config
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::machines::Ports;

    fn target(name: &str, proto: Proto, host: &str, port: u16) -> Target {
        let hosts = match (host.parse(), host.parse()) {
            (Ok(ip), _) => Hosts::Ip(ip),
            (_, Ok(block)) => Hosts::Block(block),
            _ => Hosts::Dns(host.to_owned()),
        };
        let ports = Ports { first: port, last: port };
        Target { name: name.parse().unwrap(), proto, hosts, ports }
    }

    prop_compose! {
        fn config()(
            name in "[a-c]",
            kind in prop::sample::select(vec![TunnelKind::Ssc, TunnelKind::Vnc, TunnelKind::DataLink]),
            mode in prop::sample::select(vec![Mode::Sealed, Mode::Recorded, Mode::Any]),
            ports in prop::collection::vec(1_u16..4, 1..3),
            enabled in any::<bool>(),
        ) -> TunnelConfig {
            let ports = if kind == TunnelKind::DataLink { ports } else { ports[..1].to_vec() };
            let targets = ports.into_iter().enumerate().map(|(n, port)| {
                target(&format!("t{n}"), Proto::Tcp, "10.0.0.5", port)
            }).collect();
            TunnelConfig { name: name.parse().unwrap(), kind, mode, targets, enabled }
        }
    }

    fn fields() -> impl Strategy<Value = Fields> {
        prop::collection::btree_set(prop::sample::select(Field::ALL.to_vec()), 0..=4)
            .prop_map(Fields)
    }

    proptest! {
        #[test]
        fn a_template_edit_changes_exactly_the_fields_that_are_not_overridden(
            template in config(), own in config(), overridden in fields(),
        ) {
            let now = overridden.inherit(&template, &own);
            for field in Field::ALL {
                if overridden.0.contains(&field) {
                    prop_assert!(!now.differs(&own, field), "{field} is the machine's own");
                } else {
                    prop_assert!(!now.differs(&template, field), "{field} is the template's");
                }
            }
            prop_assert_eq!(now.check(), Ok(()), "parts that were sound stay so together");
        }

        #[test]
        fn what_is_written_on_a_machine_survives_every_later_edit_of_its_template(
            first in config(), own in config(), then in prop::collection::vec(config(), 0..4),
        ) {
            let overridden = Fields::between(&first, &own);
            let mut now = own.clone();
            for template in &then {
                now = overridden.inherit(template, &now);
            }
            for field in &overridden.0 {
                prop_assert!(!now.differs(&own, *field));
            }
            if let Some(last) = then.last() {
                for field in Field::ALL.iter().filter(|field| !overridden.0.contains(field)) {
                    prop_assert!(!now.differs(last, *field));
                }
            }
        }

        #[test]
        fn writing_the_templates_values_gives_every_field_back(template in config()) {
            prop_assert_eq!(Fields::between(&template, &template), Fields::default());
        }
    }

    #[test]
    fn a_config_that_contradicts_itself_is_refused_by_what_is_wrong() {
        let sound = TunnelConfig {
            name: "plc".parse().unwrap(),
            kind: TunnelKind::Ssc,
            mode: Mode::Any,
            targets: vec![target("plc", Proto::Tcp, "10.0.0.5", 502)],
            enabled: true,
        };
        assert_eq!(sound.check(), Ok(()));
        let with = |kind: TunnelKind, targets: &[(&str, Proto, &str, u16)]| {
            let targets =
                targets.iter().map(|(name, proto, host, port)| target(name, *proto, host, *port));
            TunnelConfig { kind, targets: targets.collect(), ..sound.clone() }.check()
        };
        let (ssc, link) = (TunnelKind::Ssc, TunnelKind::DataLink);
        let (tcp, udp) = (Proto::Tcp, Proto::Udp);
        for (kind, targets, fault) in [
            (ssc, vec![], UnsoundConfig::Kind),
            (ssc, vec![("a", udp, "10.0.0.5", 1)], UnsoundConfig::Kind),
            (ssc, vec![("a", tcp, "10.0.0.0/24", 1)], UnsoundConfig::Kind),
            (ssc, vec![("a", tcp, "10.0.0.5", 0)], UnsoundConfig::Ports),
            (ssc, vec![("a", tcp, "0.0.0.0", 1)], UnsoundConfig::Host),
            (ssc, vec![("a", tcp, "::", 1)], UnsoundConfig::Host),
            (ssc, vec![("a", tcp, "255.255.255.255", 1)], UnsoundConfig::Host),
            (link, vec![("a", udp, "224.0.0.0/8", 1)], UnsoundConfig::Host),
            (link, vec![("a", tcp, "a", 1), ("a", tcp, "b", 1)], UnsoundConfig::TwinTargets),
        ] {
            assert_eq!(with(kind, &targets), Err(fault), "{targets:?}");
        }
        // The device's own loopback is a place like another.
        assert_eq!(with(ssc, &[("a", tcp, "127.0.0.1", 80)]), Ok(()));
        let most: Vec<String> = (0..=TARGETS_MAX).map(|n| format!("t{n}")).collect();
        let most: Vec<_> = most.iter().map(|name| (name.as_str(), tcp, "a", 1)).collect();
        assert_eq!(with(link, &most[..TARGETS_MAX]), Ok(()));
        assert_eq!(with(link, &most), Err(UnsoundConfig::Kind));
    }
}
