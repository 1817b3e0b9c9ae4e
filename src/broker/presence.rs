//! What decisions see of the devices that are connected now.

use crate::{
    authz::{Presence, PresenceOf},
    ids::DeviceId,
    registry::Registry,
};

impl PresenceOf for Registry {
    fn presence(&self, device: &DeviceId) -> Presence {
        match self.allows(device) {
            None => Presence::Offline,
            Some(true) => Presence::Online,
            Some(false) => Presence::Refusing,
        }
    }
}
