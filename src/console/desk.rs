//! What every handler works with.

use std::{net::IpAddr, sync::Arc, time::Duration};

use tracing::error;

use super::{delays::Delays, passwords::Passwords, problem::Problem};
use crate::{
    authz::{Action, Decision, Grant, Request, decide},
    broker::{Broker, Settled},
    clock::Now,
    ids::{PersonId, Revision},
    store::{Conflict, Store, StoreError, Subject, WriteError},
    tls::Ca,
};

/// How long a request waits for the cut that it caused; past it the answer says `pending`.
const SETTLE_MAX: Duration = Duration::from_secs(1);

/// The rooms behind the console, and what it remembers itself.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    pub(super) store: Store,
    pub(super) broker: Broker,
    pub(super) ca: Arc<Ca>,
    pub(super) passwords: Passwords,
    pub(super) delays: Arc<Delays>,
}

impl Desk {
    /// The grant, if the facts about `subject` allow `action` now.
    pub(super) async fn allowed(
        &self,
        subject: &Subject,
        action: Action,
        now: Now,
    ) -> Result<Grant, Problem> {
        let facts = self.store.facts(subject).await?;
        let request = Request { who: subject.who.clone(), action, at: now.wall };
        match decide(request, &facts) {
            Decision::Allow(grant) => Ok(grant),
            Decision::Deny(denial) => Err(denial.into()),
        }
    }

    /// Whether `who` may do what concerns the own tenant alone.
    pub(super) async fn may(&self, who: &PersonId, action: Action) -> Result<Grant, Problem> {
        let subject = Subject::of(who.clone());
        self.allowed(&subject, action, Now::read()).await
    }

    /// Waits until what `revision` denies is cut.
    pub(super) async fn settled(&self, revision: Revision) -> Settled {
        self.broker.settled(revision, SETTLE_MAX).await
    }
}

/// An address as people write it: IPv4 inside IPv6 is IPv4.
pub(super) fn canonical(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

impl From<StoreError> for Problem {
    fn from(fault: StoreError) -> Self {
        match fault {
            StoreError::DiskFull { .. } | StoreError::Full | StoreError::Busy => {
                Self::unavailable(fault.to_string())
            }
            StoreError::Gone { .. } => {
                error!(error = %fault, "the store is gone");
                Self::unavailable("the gateway's store is not available".to_owned())
            }
            StoreError::Open { .. }
            | StoreError::NotOurs { .. }
            | StoreError::Newer { .. }
            | StoreError::Locked { .. }
            | StoreError::NotEmpty
            | StoreError::KeyTaken
            | StoreError::Unreadable { .. }
            | StoreError::NoRandomness(_)
            | StoreError::Sql(_) => Self::internal(&fault),
        }
    }
}

impl From<WriteError> for Problem {
    fn from(fault: WriteError) -> Self {
        match fault {
            WriteError::Denied(denial) => denial.into(),
            WriteError::Conflict(Conflict::Invalid(what)) => Self::invalid(what),
            WriteError::Conflict(Conflict::Unsound(what)) => Self::invalid(what.to_string()),
            WriteError::Conflict(stale @ Conflict::Stale { .. }) => Self::stale(stale.to_string()),
            WriteError::Conflict(beyond @ Conflict::Beyond(_)) => Self::invalid(beyond.to_string()),
            WriteError::Conflict(conflict @ Conflict::Field { .. }) => {
                Self::invalid(conflict.to_string())
            }
            WriteError::Conflict(conflict) => Self::conflict(conflict.to_string()),
            WriteError::Store(fault) => fault.into(),
        }
    }
}
