//! What the API answers, as far as people are shown it. Unknown fields are left alone: a newer
//! gateway may say more.

use serde::Deserialize;
use serde_json::Value;

use crate::{clock::Wall, machines::Target, tenancy::Scope};

/// One page of a list.
#[derive(Debug, Deserialize)]
pub(in crate::client) struct Items {
    pub(in crate::client) items: Vec<Value>,
    #[serde(default)]
    pub(in crate::client) next: Option<String>,
}

/// Something with an id and perhaps a name; some answers give the id alone.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(in crate::client) enum Named {
    Id(String),
    Both {
        id: String,
        #[serde(default)]
        name: Option<String>,
    },
}

impl Named {
    /// What identifies it.
    pub(in crate::client) fn id(&self) -> &str {
        match self {
            Self::Id(id) | Self::Both { id, .. } => id,
        }
    }

    /// What people call it.
    pub(in crate::client) fn name(&self) -> &str {
        match self {
            Self::Both { name: Some(name), .. } => name,
            Self::Id(id) | Self::Both { id, name: None } => id,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(in crate::client) struct Token {
    pub(in crate::client) token: String,
    pub(in crate::client) expires_at: Wall,
}

#[derive(Debug, Deserialize)]
pub(in crate::client) struct Certificate {
    /// PEM, leaf first.
    pub(in crate::client) certificate: String,
    pub(in crate::client) expires_at: Wall,
}

#[derive(Debug, Deserialize)]
pub(in crate::client) struct Me {
    pub(in crate::client) person: String,
    pub(in crate::client) name: String,
    pub(in crate::client) email: String,
    pub(in crate::client) tenant: Named,
    #[serde(default)]
    pub(in crate::client) assignments: Vec<Held>,
}

/// A role that one holds, and what it covers.
#[derive(Debug, Deserialize)]
pub(in crate::client) struct Held {
    #[serde(default)]
    pub(in crate::client) id: String,
    pub(in crate::client) role: String,
    #[serde(default)]
    pub(in crate::client) scope: Option<Scope>,
}

/// A role that a company made for itself.
#[derive(Debug, Deserialize)]
pub(in crate::client) struct RoleRow {
    pub(in crate::client) id: String,
    pub(in crate::client) name: String,
    #[serde(default)]
    pub(in crate::client) permissions: Vec<String>,
    /// Of those, the ones that give nothing in this company.
    #[serde(default)]
    pub(in crate::client) inert: Vec<String>,
}

/// A colleague; `assignments` is there in lists.
#[derive(Debug, Deserialize)]
pub(in crate::client) struct PersonRow {
    pub(in crate::client) id: String,
    pub(in crate::client) email: String,
    pub(in crate::client) name: String,
    pub(in crate::client) active: bool,
    #[serde(default)]
    pub(in crate::client) assignments: Vec<Held>,
}

#[derive(Clone, Debug, Deserialize)]
pub(in crate::client) struct SwitchState {
    pub(in crate::client) on: bool,
    #[serde(default)]
    pub(in crate::client) until: Option<Wall>,
    #[serde(default)]
    pub(in crate::client) turned: Option<Turn>,
}

/// Who turned a switch last, and when and why.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::client) struct Turn {
    pub(in crate::client) on: bool,
    /// Nobody, where its time was up.
    #[serde(default)]
    pub(in crate::client) by: Option<Named>,
    pub(in crate::client) at: Wall,
    #[serde(default)]
    pub(in crate::client) reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(in crate::client) struct Contact {
    #[serde(default)]
    pub(in crate::client) phone: Option<String>,
    #[serde(default)]
    pub(in crate::client) email: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(in crate::client) struct CaseRow {
    pub(in crate::client) id: String,
    #[serde(rename = "type")]
    pub(in crate::client) kind: String,
    pub(in crate::client) title: String,
    pub(in crate::client) state: String,
    #[serde(default)]
    pub(in crate::client) asset: Option<Named>,
    #[serde(default)]
    pub(in crate::client) machine: Option<Named>,
    #[serde(default)]
    pub(in crate::client) switch: Option<SwitchState>,
    #[serde(default)]
    pub(in crate::client) assignee: Option<Named>,
    #[serde(default)]
    pub(in crate::client) created_by: Option<Named>,
    pub(in crate::client) created_at: Wall,
    #[serde(default)]
    pub(in crate::client) closed_at: Option<Wall>,
    #[serde(default)]
    pub(in crate::client) description: String,
    #[serde(default)]
    pub(in crate::client) severity: Option<String>,
    #[serde(default)]
    pub(in crate::client) priority: Option<String>,
    #[serde(default)]
    pub(in crate::client) contact: Contact,
    #[serde(default)]
    pub(in crate::client) external_id: Option<String>,
    #[serde(default)]
    pub(in crate::client) revision: Option<u64>,
}

/// A request for remote access.
#[derive(Debug, Deserialize)]
pub(in crate::client) struct RequestRow {
    pub(in crate::client) id: String,
    pub(in crate::client) case: Named,
    pub(in crate::client) person: Named,
    pub(in crate::client) reason: String,
    #[serde(default, rename = "for")]
    pub(in crate::client) seconds: Option<u64>,
    pub(in crate::client) state: String,
    pub(in crate::client) asked_at: Wall,
    #[serde(default)]
    pub(in crate::client) answered_by: Option<Named>,
    #[serde(default)]
    pub(in crate::client) answer: Option<String>,
}

/// What became of a request that was answered.
#[derive(Debug, Deserialize)]
pub(in crate::client) struct Answered {
    #[serde(default)]
    pub(in crate::client) switch: Option<Switched>,
}

#[derive(Debug, Deserialize)]
pub(in crate::client) struct MessageRow {
    pub(in crate::client) author: Named,
    pub(in crate::client) at: Wall,
    pub(in crate::client) text: String,
    #[serde(default)]
    pub(in crate::client) mentions: Vec<Named>,
}

/// One entry of a case's history.
#[derive(Debug, Deserialize)]
pub(in crate::client) struct HistoryRow {
    pub(in crate::client) at: Wall,
    pub(in crate::client) event: String,
    pub(in crate::client) actor_name: String,
    pub(in crate::client) done: bool,
    #[serde(default)]
    pub(in crate::client) reason: Option<String>,
    #[serde(default)]
    pub(in crate::client) old: Option<String>,
    #[serde(default)]
    pub(in crate::client) new: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(in crate::client) struct AssetRow {
    pub(in crate::client) id: String,
    #[serde(default)]
    pub(in crate::client) name: String,
    #[serde(default)]
    pub(in crate::client) serial: String,
    #[serde(default)]
    pub(in crate::client) device: Option<Named>,
    #[serde(default)]
    pub(in crate::client) switch: Option<SwitchState>,
    #[serde(default)]
    pub(in crate::client) status: Option<String>,
    #[serde(default)]
    pub(in crate::client) facility: Option<String>,
    #[serde(default)]
    pub(in crate::client) confirm_targets: Option<bool>,
}

/// What was set up or changed on an asset.
#[derive(Debug, Deserialize)]
pub(in crate::client) struct ChangeRow {
    pub(in crate::client) at: Wall,
    pub(in crate::client) event: String,
    pub(in crate::client) by: String,
    #[serde(default)]
    pub(in crate::client) tenant: Option<String>,
    #[serde(default)]
    pub(in crate::client) object: Option<String>,
    #[serde(default)]
    pub(in crate::client) old: Option<String>,
    #[serde(default)]
    pub(in crate::client) new: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(in crate::client) struct DecommissionRow {
    pub(in crate::client) device: String,
    pub(in crate::client) state: String,
    #[serde(default)]
    pub(in crate::client) reset_sent: bool,
    #[serde(default)]
    pub(in crate::client) multi: bool,
    #[serde(default)]
    pub(in crate::client) sessions: u64,
}

#[derive(Debug, Deserialize)]
pub(in crate::client) struct FacilityRow {
    pub(in crate::client) id: String,
    pub(in crate::client) name: String,
    #[serde(default)]
    pub(in crate::client) assets: u64,
}

#[derive(Debug, Deserialize)]
pub(in crate::client) struct ModelRow {
    pub(in crate::client) id: String,
    pub(in crate::client) name: String,
    #[serde(default)]
    pub(in crate::client) brand: Option<String>,
    #[serde(default)]
    pub(in crate::client) technology: Option<String>,
    #[serde(default)]
    pub(in crate::client) machines: u64,
    pub(in crate::client) revision: u64,
}

#[derive(Debug, Deserialize)]
pub(in crate::client) struct DeviceRow {
    pub(in crate::client) id: String,
    #[serde(default)]
    pub(in crate::client) name: String,
    #[serde(default)]
    pub(in crate::client) online: Option<bool>,
    #[serde(default)]
    pub(in crate::client) active: Option<bool>,
    #[serde(default)]
    pub(in crate::client) enrolled: Option<bool>,
    #[serde(default)]
    pub(in crate::client) state: Option<String>,
    #[serde(default)]
    pub(in crate::client) assets: Vec<String>,
}

/// What turning a switch did.
#[derive(Debug, Deserialize)]
pub(in crate::client) struct Switched {
    pub(in crate::client) on: bool,
    #[serde(default)]
    pub(in crate::client) until: Option<Wall>,
    /// `confirmed`: nothing flows any more; `pending`: it is being cut.
    #[serde(default)]
    pub(in crate::client) cut: Option<String>,
    #[serde(default)]
    pub(in crate::client) sessions_ended: u64,
}

/// A tunnel config of an asset, or a template of a machine model.
#[derive(Debug, Deserialize)]
pub(in crate::client) struct ConfigRow {
    pub(in crate::client) id: String,
    pub(in crate::client) name: String,
    pub(in crate::client) kind: String,
    pub(in crate::client) mode: String,
    #[serde(default)]
    pub(in crate::client) targets: Vec<TargetRow>,
    #[serde(default)]
    pub(in crate::client) enabled: Option<bool>,
    #[serde(default)]
    pub(in crate::client) template: Option<String>,
    #[serde(default)]
    pub(in crate::client) overridden: Vec<String>,
    #[serde(default)]
    pub(in crate::client) confirmed: Option<bool>,
    #[serde(default)]
    pub(in crate::client) followers: Option<u64>,
    #[serde(default)]
    pub(in crate::client) revision: u64,
}

#[derive(Debug, Deserialize)]
pub(in crate::client) struct TunnelRow {
    pub(in crate::client) name: String,
    pub(in crate::client) kind: String,
    pub(in crate::client) mode: String,
    #[serde(default)]
    pub(in crate::client) targets: Vec<TargetRow>,
    pub(in crate::client) decision: String,
    #[serde(default)]
    pub(in crate::client) reason: Option<String>,
}

/// A target as the API spells it: with one host and port, or as the domain's own shape.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(in crate::client) enum TargetRow {
    Whole(Target),
    Brief {
        name: String,
        #[serde(default)]
        proto: Option<String>,
        #[serde(default)]
        host: Option<String>,
        #[serde(default)]
        port: Option<Value>,
        #[serde(default)]
        port_last: Option<u16>,
    },
}

impl std::fmt::Display for TargetRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(target) => match target.single() {
                Some(single) => write!(f, "{}={single}", target.name),
                None => write!(f, "{}", target.name),
            },
            Self::Brief { name, proto, host, port, port_last } => {
                f.write_str(name)?;
                if let Some(host) = host {
                    write!(f, "={}://{host}", proto.as_deref().unwrap_or("tcp"))?;
                }
                match port {
                    Some(Value::String(port)) => write!(f, ":{port}")?,
                    Some(port) if !port.is_null() => write!(f, ":{port}")?,
                    _ => {}
                }
                port_last.map_or(Ok(()), |last| write!(f, "-{last}"))
            }
        }
    }
}

#[derive(Debug, Deserialize)]
pub(in crate::client) struct Explanation {
    pub(in crate::client) decision: String,
    #[serde(default)]
    pub(in crate::client) reason: Option<String>,
    #[serde(default)]
    pub(in crate::client) checks: Vec<Check>,
}

#[derive(Debug, Deserialize)]
pub(in crate::client) struct Check {
    pub(in crate::client) reason: String,
    pub(in crate::client) passed: bool,
    #[serde(default)]
    pub(in crate::client) what: String,
    #[serde(default)]
    pub(in crate::client) remedy: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(in crate::client) struct SessionRow {
    pub(in crate::client) id: String,
    #[serde(default)]
    pub(in crate::client) case: Option<Named>,
    #[serde(default)]
    pub(in crate::client) asset: Option<Named>,
    #[serde(default)]
    pub(in crate::client) tunnel: Option<Named>,
    #[serde(default)]
    pub(in crate::client) person: Option<Named>,
    pub(in crate::client) state: String,
    #[serde(default)]
    pub(in crate::client) started_at: Option<Wall>,
    #[serde(default)]
    pub(in crate::client) up: u64,
    #[serde(default)]
    pub(in crate::client) down: u64,
    #[serde(default)]
    pub(in crate::client) cause: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(in crate::client) struct Enrolment {
    pub(in crate::client) token: String,
    pub(in crate::client) expires_at: Wall,
}
