//! The sender: takes from the outbox what is due, has it sent, writes down how it went.
//!
//! ```text
//!              ring, clock                 one task a lane
//!   Store::due ----------> this task ----> webhooks / mail ----> Store::settle
//!        ^                     ^                                      |
//!        +---------------------+------------- lane is free -----------+
//! ```
//!
//! What always holds: a webhook gets one message at a time, in their order; a receiver that hangs
//! holds up nobody else; what was not written down as taken is sent again, under the same id.

#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, time::Duration};

use tokio::sync::mpsc;
use tracing::{debug, warn};

use crate::{
    clock::{Now, Wall, until},
    hooks::Outcome,
    ids::GatewayId,
    mail::Mailer,
    store::{Due, Parcel, Recipient, Store, StoreError},
    tasks::{Scope, Stop},
    webhooks,
};

/// Messages on their way at once.
const LANES_MAX: usize = 32;
/// How soon the store is asked again when it failed.
const AGAIN: Duration = Duration::from_secs(5);

/// What sends, and for whom it is written down.
#[derive(Clone, Debug)]
pub(super) struct Senders {
    pub(super) store: Store,
    pub(super) gateway: GatewayId,
    /// Where people log in.
    pub(super) url: String,
    pub(super) webhooks: webhooks::Sender,
    /// None is sent without one.
    pub(super) mail: Option<Mailer>,
}

/// Sends until it is asked to stop; what is on its way then may finish within the scope's grace.
pub(super) async fn run(senders: Senders, scope: Scope) {
    let stop = scope.stop();
    // Room for every lane that can be busy: none waits to say that it is free.
    let (free, mut freed) = mpsc::channel(LANES_MAX);
    let mut busy = BTreeSet::new();
    loop {
        let next = launch(&senders, &scope, &free, &mut busy).await;
        if !wait(&senders.store, &stop, next, &mut freed, &mut busy).await {
            return;
        }
    }
}

/// Starts what is due in lanes that are free; says when to look again.
async fn launch(
    senders: &Senders,
    scope: &Scope,
    free: &mpsc::Sender<String>,
    busy: &mut BTreeSet<String>,
) -> Option<Wall> {
    if let Err(fault) = write_mail(senders).await {
        warn!(%fault, "mail cannot be written; trying again");
        return Some(Now::read().wall.plus(AGAIN));
    }
    let now = Now::read().wall;
    let Due { parcels, next } = match senders.store.due(now).await {
        Ok(due) => due,
        Err(fault) => {
            warn!(%fault, "the outbox cannot be read; trying again");
            return Some(now.plus(AGAIN));
        }
    };
    for parcel in parcels {
        if busy.len() >= LANES_MAX {
            // A lane that becomes free has this called again.
            break;
        }
        let lane = parcel.lane().to_owned();
        if busy.insert(lane.clone()) {
            let (senders, free) = (senders.clone(), free.clone());
            scope.spawn("message", async move {
                let settled = deliver(&senders, &parcel).await;
                if !settled {
                    // Not again at once: the store has just failed.
                    tokio::time::sleep(AGAIN).await;
                }
                let _ = free.try_send(lane);
            });
        }
    }
    next
}

/// Makes mail of the records that people are to hear of.
async fn write_mail(senders: &Senders) -> Result<(), StoreError> {
    let gateway = senders.mail.as_ref().map(|_| senders.url.as_str());
    while senders.store.write_mail(gateway, Now::read()).await? {}
    Ok(())
}

/// Waits for something to do; false when the end was asked for.
async fn wait(
    store: &Store,
    stop: &Stop,
    next: Option<Wall>,
    freed: &mut mpsc::Receiver<String>,
    busy: &mut BTreeSet<String>,
) -> bool {
    let next = next.map(|next| Now::read().instant_of(next));
    let lane = tokio::select! {
        biased;
        // Cancel-safe: only observes.
        () = stop.asked() => return false,
        // Cancel-safe, by its documentation.
        lane = freed.recv() => lane,
        // Cancel-safe: a ring is kept.
        () = store.outbox_rang() => None,
        // Cancel-safe: made anew each turn.
        () = until(next) => None,
    };
    if let Some(lane) = lane {
        busy.remove(&lane);
    }
    true
}

/// Sends one message and writes down how it went; false when that could not be written down.
async fn deliver(senders: &Senders, parcel: &Parcel) -> bool {
    let outcome = match &parcel.to {
        Recipient::Hook { url, secrets, .. } => {
            let body = parcel.body.clone();
            senders.webhooks.post(url, parcel.id.as_str(), secrets, body).await
        }
        Recipient::Mail { address, subject } => match &senders.mail {
            Some(mail) => mail.send(parcel.id.as_str(), address, subject, &parcel.body).await,
            // It was written under another config; under this one nobody waits for it.
            None => {
                let fault = "no mail server is set up: [mail] in gateway.toml".to_owned();
                Outcome::Refused { status: None, fault }
            }
        },
    };
    debug!(message = %parcel.id, ?outcome, "sent");
    let settled = senders.store.settle(parcel, &outcome, &senders.gateway, Now::read()).await;
    if let Err(fault) = &settled {
        warn!(message = %parcel.id, %fault, "how a message went cannot be written down");
    }
    settled.is_ok()
}
