//! Who is connected, so that a connection ends when its key is no longer let in.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::broadcast::error::RecvError;
use tracing::{info, warn};

use super::Desk;
use crate::{
    clock::Now,
    ids::{KeyDigest, PeerId},
    store::{Object, Store, StoreError},
    tasks::Stop,
    transport::Closer,
};

/// Every peer's connections; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Present {
    /// Guards the numbers together with the entries.
    connections: Arc<Mutex<Connections>>,
}

#[derive(Debug, Default)]
struct Connections {
    made: u64,
    /// By peer and number, in one map: a map for each of ten thousand devices is mostly empty.
    of: BTreeMap<(PeerId, u64), (KeyDigest, Closer)>,
}

/// One connection's place; given up when dropped.
#[derive(Debug)]
pub(super) struct Place {
    present: Present,
    peer: PeerId,
    number: u64,
}

impl Present {
    pub(super) fn enter(&self, peer: &PeerId, key: KeyDigest, closer: Closer) -> Place {
        self.with(|connections| {
            connections.made = connections.made.saturating_add(1);
            let number = connections.made;
            connections.of.insert((peer.clone(), number), (key, closer));
            Place { present: self.clone(), peer: peer.clone(), number }
        })
    }

    fn peers(&self) -> BTreeSet<PeerId> {
        self.with(|connections| connections.of.keys().map(|(peer, _)| peer.clone()).collect())
    }

    fn of(&self, peer: &PeerId) -> Vec<(KeyDigest, Closer)> {
        let all = (peer.clone(), 0)..=(peer.clone(), u64::MAX);
        self.with(|connections| connections.of.range(all).map(|(_, one)| one.clone()).collect())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Connections) -> T) -> T {
        act(&mut self.connections.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.present.with(|connections| {
            connections.of.remove(&(self.peer.clone(), self.number));
        });
    }
}

/// Closes connections whose keys are no longer let in, as the store changes, until stopped.
pub async fn watch(desk: Desk, stop: Stop) {
    let mut changes = desk.store.changes();
    loop {
        let change = tokio::select! {
            biased;
            // Cancel-safe: only observes.
            () = stop.asked() => return,
            // Cancel-safe: `broadcast::Receiver::recv`, by its documentation.
            change = changes.recv() => change,
        };
        let touched = match change {
            Ok(change) => change.objects.iter().filter_map(peer_of).collect(),
            // What was missed may have been about anybody.
            Err(RecvError::Lagged(_)) => desk.present.peers(),
            Err(RecvError::Closed) => return,
        };
        for peer in touched {
            judge(&desk, &peer).await;
        }
    }
}

fn peer_of(object: &Object) -> Option<PeerId> {
    match object {
        Object::Person(id) => Some(PeerId::Person(id.clone())),
        Object::Device(id) => Some(PeerId::Device(id.clone())),
        Object::Tenant(_)
        | Object::Case(_)
        | Object::Asset(_)
        | Object::Machine(_)
        | Object::Tunnel(_)
        | Object::Facility(_)
        | Object::Model(_) => None,
    }
}

async fn judge(desk: &Desk, peer: &PeerId) {
    for (key, closer) in desk.present.of(peer) {
        match is_let_in(&desk.store, peer, key).await {
            Ok(true) => {}
            Ok(false) => {
                info!(%peer, "its key is no longer let in; its connection is closed");
                closer.close();
            }
            // The lease of its sessions decides; a connection alone moves no byte.
            Err(error) => warn!(%peer, %error, "whether it is still let in cannot be asked"),
        }
    }
}

/// Whether the store still lets this key in under this name.
pub(super) async fn is_let_in(
    store: &Store,
    peer: &PeerId,
    key: KeyDigest,
) -> Result<bool, StoreError> {
    Ok(match peer {
        PeerId::Device(device) => {
            store.device_of_key(key).await?.is_some_and(|known| known.id == *device)
        }
        PeerId::Person(person) => {
            let known = store.person_of_key(key, Now::read().wall).await?;
            known.is_some_and(|known| known.id == *person)
        }
        PeerId::Face(_) => false,
    })
}
