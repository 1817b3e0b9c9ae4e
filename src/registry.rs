//! Devices that are connected now. The newest authenticated connection of a device wins: two boxes
//! with one identity cannot both be reached, and a device that came back need not wait for the
//! gateway to notice that its old connection is dead.
//!
//! Driven by `broker`; read wherever a decision asks whether a device can be reached.
//!
//! What always holds: a connection that was replaced changes nothing any more.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::ids::DeviceId;

/// One connection of a device among all that this process has seen, from 1; the default is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionNo(u64);

/// The devices that are connected now; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    /// Guards every entry together with the counter.
    devices: Arc<Mutex<Devices>>,
}

#[derive(Debug, Default)]
struct Devices {
    seen: u64,
    connected: BTreeMap<DeviceId, Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    connection: ConnectionNo,
    /// The device's local switch.
    allows: bool,
}

/// A connection that was let in, and the older one that it replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub connection: ConnectionNo,
    pub replaced: Option<ConnectionNo>,
}

impl Registry {
    /// Lets a connection of `device` in. Until it says otherwise its local switch allows.
    #[must_use]
    pub fn arrive(&self, device: &DeviceId) -> Arrival {
        self.with(|devices| {
            devices.seen = devices.seen.saturating_add(1);
            let connection = ConnectionNo(devices.seen);
            let older =
                devices.connected.insert(device.clone(), Entry { connection, allows: true });
            Arrival { connection, replaced: older.map(|entry| entry.connection) }
        })
    }

    /// Forgets a connection; false if it had been replaced or was never there.
    pub fn depart(&self, device: &DeviceId, connection: ConnectionNo) -> bool {
        self.with(|devices| {
            let is_newest = devices.is_newest(device, connection);
            if is_newest {
                devices.connected.remove(device);
            }
            is_newest
        })
    }

    /// Notes a device's local switch; false if nothing changed, or an older connection says so.
    pub fn local_switch(&self, device: &DeviceId, connection: ConnectionNo, allows: bool) -> bool {
        self.with(|devices| match devices.connected.get_mut(device) {
            Some(entry) if entry.connection == connection && entry.allows != allows => {
                entry.allows = allows;
                true
            }
            Some(_) | None => false,
        })
    }

    /// Whether this is the connection through which the device is reached.
    #[must_use]
    pub fn is_newest(&self, device: &DeviceId, connection: ConnectionNo) -> bool {
        self.with(|devices| devices.is_newest(device, connection))
    }

    /// What a connected device's local switch says; `None` while it is not connected.
    #[must_use]
    pub fn allows(&self, device: &DeviceId) -> Option<bool> {
        self.with(|devices| devices.connected.get(device).map(|entry| entry.allows))
    }

    /// How many devices are connected.
    #[must_use]
    pub fn count(&self) -> usize {
        self.with(|devices| devices.connected.len())
    }

    fn with<T>(&self, work: impl FnOnce(&mut Devices) -> T) -> T {
        // No line under this lock can leave an entry half written, so a poisoned one is sound.
        work(&mut self.devices.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Devices {
    fn is_newest(&self, device: &DeviceId, connection: ConnectionNo) -> bool {
        self.connected.get(device).is_some_and(|entry| entry.connection == connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> DeviceId {
        "press-7".parse().unwrap()
    }

    #[test]
    fn the_newest_connection_wins_and_the_older_changes_nothing_any_more() {
        let registry = Registry::default();
        let first = registry.arrive(&device());
        assert_eq!(first.replaced, None);
        let second = registry.arrive(&device());
        assert_eq!(second.replaced, Some(first.connection));

        assert!(!registry.local_switch(&device(), first.connection, false));
        assert!(!registry.depart(&device(), first.connection));
        assert_eq!(registry.allows(&device()), Some(true));
        assert!(registry.is_newest(&device(), second.connection));
    }

    #[test]
    fn a_device_is_reached_until_its_newest_connection_departs() {
        let registry = Registry::default();
        let arrival = registry.arrive(&device());
        assert!(registry.local_switch(&device(), arrival.connection, false));
        assert!(!registry.local_switch(&device(), arrival.connection, false), "said before");
        assert_eq!(registry.allows(&device()), Some(false));
        assert!(registry.depart(&device(), arrival.connection));
        assert_eq!((registry.allows(&device()), registry.count()), (None, 0));
    }

    #[test]
    fn a_device_that_comes_back_starts_with_its_local_switch_allowing() {
        let registry = Registry::default();
        let first = registry.arrive(&device());
        registry.local_switch(&device(), first.connection, false);
        let _ = registry.arrive(&device());
        assert_eq!(registry.allows(&device()), Some(true));
    }
}
