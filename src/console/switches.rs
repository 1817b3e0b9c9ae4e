//! Remote-access switches, of cases and of assets alike.

use serde::{Deserialize, Serialize};

use super::{desk::Desk, input::text, problem::Problem, views::Named};
use crate::{
    cases::Switch,
    clock::Wall,
    ids::{PersonId, Revision},
    store::{SwitchAsk, Switched, Turn},
};

/// A switch as it counts now: one that has expired is off.
#[derive(Clone, Debug, Serialize)]
pub(super) struct SwitchView {
    on: bool,
    until: Option<Wall>,
    /// Who turned it last, and when and why; null where nobody ever did.
    #[serde(skip_serializing_if = "Option::is_none")]
    turned: Option<TurnView>,
}

#[derive(Clone, Debug, Serialize)]
struct TurnView {
    on: bool,
    /// Null where its time was up.
    by: Option<Named<PersonId>>,
    at: Wall,
    reason: Option<String>,
}

impl SwitchView {
    pub(super) fn of(switch: &Switch, now: Wall) -> Self {
        let on = switch.is_on(now);
        Self { on, until: switch.until.filter(|_| on), turned: None }
    }

    pub(super) fn turned(self, turn: Option<Turn>) -> Self {
        let view = |turn: Turn| TurnView {
            on: turn.on,
            by: turn.person.map(|id| Named::or_id(&id, turn.name)),
            at: turn.at,
            reason: turn.reason,
        };
        Self { turned: turn.map(view), ..self }
    }
}

/// How it should stand.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SwitchBody {
    on: bool,
    until: Option<Wall>,
    reason: Option<String>,
}

impl SwitchBody {
    pub(super) fn checked(self, now: Wall) -> Result<SwitchAsk, Problem> {
        let Self { on, until, reason } = self;
        match until {
            Some(_) if !on => return Err(Problem::invalid("until goes with on = true alone")),
            Some(until) if until <= now => {
                return Err(Problem::invalid(format!("until is past: here it is {now}")));
            }
            Some(_) | None => {}
        }
        let reason = reason.map(|reason| text("reason", &reason)).transpose()?;
        Ok(SwitchAsk { on, until, reason })
    }
}

/// A switch that was turned, and what became of the sessions that it governs.
#[derive(Debug, Serialize)]
pub(super) struct Turned {
    on: bool,
    until: Option<Wall>,
    revision: Revision,
    cut: Cut,
    sessions_ended: u32,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Cut {
    /// Nothing that this denies flows any more.
    Confirmed,
    /// It is being cut.
    Pending,
}

impl Turned {
    /// Waits a moment for the cut, and says how far it is.
    pub(super) async fn settle(desk: &Desk, switched: Switched) -> Self {
        let Switched { revision, switch, committed_at: _ } = switched;
        let settled = desk.settled(revision).await;
        Self {
            on: switch.on,
            until: switch.until,
            revision,
            cut: if settled.confirmed { Cut::Confirmed } else { Cut::Pending },
            sessions_ended: settled.sessions_ended,
        }
    }
}
