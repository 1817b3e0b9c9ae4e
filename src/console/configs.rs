//! What tunnel configs and their templates say, as the API spells it.

use serde::{Deserialize, Serialize};

use super::{
    problem::Problem,
    targets::{self, TargetBody},
};
use crate::{
    ids::Name,
    machines::{Mode, TunnelConfig, TunnelKind},
};

/// A config as it is shown.
#[derive(Debug, Serialize)]
pub(super) struct ConfigView {
    name: Name,
    kind: TunnelKind,
    mode: Mode,
    enabled: bool,
    targets: Vec<TargetBody>,
}

impl From<&TunnelConfig> for ConfigView {
    fn from(config: &TunnelConfig) -> Self {
        let TunnelConfig { name, kind, mode, targets, enabled } = config.clone();
        let targets = targets.into_iter().map(TargetBody::from).collect();
        Self { name, kind, mode, enabled, targets }
    }
}

/// A config as it is wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigBody {
    name: Name,
    kind: TunnelKind,
    #[serde(default = "any")]
    mode: Mode,
    targets: Vec<TargetBody>,
    #[serde(default = "enabled")]
    enabled: bool,
}

fn any() -> Mode {
    Mode::Any
}

fn enabled() -> bool {
    true
}

impl ConfigBody {
    pub(super) fn checked(self) -> Result<TunnelConfig, Problem> {
        let Self { name, kind, mode, targets, enabled } = self;
        let targets = targets::checked(kind, targets)?;
        Ok(TunnelConfig { name, kind, mode, targets, enabled })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_may_be_called_as_technicians_call_it() {
        for (alias, kind) in [("tcp", "ssc"), ("web_vnc", "vnc"), ("data_link", "data_link")] {
            let body = format!(
                r#"{{"name":"a","kind":"{alias}","targets":[{{"name":"a","host":"b","port":1}}]}}"#
            );
            let config = serde_json::from_str::<ConfigBody>(&body).unwrap().checked().unwrap();
            let shown = serde_json::to_value(ConfigView::from(&config)).unwrap();
            assert_eq!(shown["kind"], kind);
        }
    }
}
