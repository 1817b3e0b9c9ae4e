//! The first rows, for `init` and `demo`.

use super::{Store, StoreError};
use crate::{
    cases::Case,
    clock::Now,
    ids::GatewayId,
    machines::{Asset, CustomerMachine, Device, Tunnel},
    secret::SecretText,
    tenancy::{Assignment, Person, Tenant},
};

/// A person, with what a log-in is checked against.
#[derive(Clone, Debug)]
pub struct SeedPerson {
    pub person: Person,
    /// An argon2 hash (PHC text).
    pub password_hash: Option<SecretText>,
}

/// The first rows of an empty database.
#[derive(Clone, Debug, Default)]
pub struct Seed {
    pub tenants: Vec<Tenant>,
    pub people: Vec<SeedPerson>,
    pub assignments: Vec<Assignment>,
    pub devices: Vec<Device>,
    pub assets: Vec<Asset>,
    pub machines: Vec<CustomerMachine>,
    pub tunnels: Vec<Tunnel>,
    /// Ids as given; new cases are numbered after the highest `CASE-n`.
    pub cases: Vec<Case>,
}

impl Store {
    /// Writes the first rows, all or none; recorded as the gateway's act.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotEmpty`] when there is a tenant already.
    pub async fn seed(&self, seed: &Seed, gateway: &GatewayId, now: Now) -> Result<(), StoreError> {
        unimplemented!()
    }
}
