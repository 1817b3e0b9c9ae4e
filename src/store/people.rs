//! Tenants, people, and their roles.

use super::{By, Store, StoreError, WriteError, Written};
use crate::{
    clock::Now,
    ids::{AssignmentId, PersonId, TenantId},
    secret::SecretText,
    tenancy::{Assignment, Person, Role, Scope, Tenant},
};

/// A person that somebody wants, in the tenant of who asks.
#[derive(Clone, Debug)]
pub struct NewPerson {
    pub email: String,
    pub name: String,
    /// An argon2 hash (PHC text); without it the person cannot log in by password.
    pub password_hash: Option<SecretText>,
}

impl Store {
    /// A tenant.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn tenant(&self, tenant: &TenantId) -> Result<Option<Tenant>, StoreError> {
        unimplemented!()
    }

    /// A person, whoever asks.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn person(&self, person: &PersonId) -> Result<Option<Person>, StoreError> {
        unimplemented!()
    }

    /// A tenant's people, by name.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn people(&self, tenant: &TenantId) -> Result<Vec<Person>, StoreError> {
        unimplemented!()
    }

    /// A person's roles and their scopes.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn assignments(&self, person: &PersonId) -> Result<Vec<Assignment>, StoreError> {
        unimplemented!()
    }

    /// Creates a person in the tenant of who asks.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn create_person(
        &self,
        by: &By,
        new: &NewPerson,
        now: Now,
    ) -> Result<Written<Person>, WriteError> {
        unimplemented!()
    }

    /// Gives a role with its scope.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn add_assignment(
        &self,
        by: &By,
        person: &PersonId,
        role: Role,
        scope: &Scope,
        now: Now,
    ) -> Result<Written<Assignment>, WriteError> {
        unimplemented!()
    }

    /// Takes a role away.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; the last Tenant Admin stays one.
    pub async fn remove_assignment(
        &self,
        by: &By,
        assignment: &AssignmentId,
        now: Now,
    ) -> Result<Written<()>, WriteError> {
        unimplemented!()
    }

    /// Disables a person, or lets them in again.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; the last Tenant Admin stays active.
    pub async fn set_person_active(
        &self,
        by: &By,
        person: &PersonId,
        active: bool,
        now: Now,
    ) -> Result<Written<Person>, WriteError> {
        unimplemented!()
    }
}
