//! Cases and their switch.

use super::{By, Listed, Page, Store, StoreError, Switched, WriteError, Written};
use crate::{
    cases::{Case, CaseType, State},
    clock::{Now, Wall},
    ids::{AssetId, CaseId, MachineId, PersonId},
};

/// A case that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCase {
    pub case_type: CaseType,
    pub about: About,
    pub title: String,
}

/// What a case is about: an asset, or for a provider-internal one a customer machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    Asset(AssetId),
    Machine(MachineId),
}

/// How a switch should stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwitchAsk {
    pub on: bool,
    pub until: Option<Wall>,
    pub reason: Option<String>,
}

/// Which cases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaseFilter {
    pub case_type: Option<CaseType>,
    pub state: Option<State>,
    pub asset: Option<AssetId>,
    /// Text in the title or the id, case folded.
    pub text: Option<String>,
}

impl Store {
    /// Creates a case; its switch is off.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn create_case(
        &self,
        by: &By,
        new: &NewCase,
        now: Now,
    ) -> Result<Written<Case>, WriteError> {
        unimplemented!()
    }

    /// Moves a case to `state`. Closing turns its switch off in the same transaction; reopening
    /// leaves it off.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn change_case_state(
        &self,
        by: &By,
        case: &CaseId,
        state: State,
        now: Now,
    ) -> Result<Written<Case>, WriteError> {
        unimplemented!()
    }

    /// Gives a case to somebody, or to nobody.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn assign_case(
        &self,
        by: &By,
        case: &CaseId,
        to: Option<&PersonId>,
        now: Now,
    ) -> Result<Written<Case>, WriteError> {
        unimplemented!()
    }

    /// Turns a case's switch.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub async fn switch_case(
        &self,
        by: &By,
        case: &CaseId,
        ask: &SwitchAsk,
        now: Now,
    ) -> Result<Switched, WriteError> {
        unimplemented!()
    }

    /// The case, if `who` may read it.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn case(
        &self,
        who: &PersonId,
        case: &CaseId,
        now: Now,
    ) -> Result<Option<Case>, StoreError> {
        unimplemented!()
    }

    /// The cases that `who` may read, newest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn cases(
        &self,
        who: &PersonId,
        filter: &CaseFilter,
        page: &Page,
        now: Now,
    ) -> Result<Listed<Case>, StoreError> {
        unimplemented!()
    }
}
