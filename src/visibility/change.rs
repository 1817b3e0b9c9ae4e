//! Who may change what others see.

/// Why a setting stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeRefused {
    #[error("only an approver of the organisation changes what its people see")]
    NoApprover,
    #[error("the organisation has not agreed that its partners see more")]
    NotAgreed,
}

/// Whether somebody may change an organisation's settings: its listed approvers, nobody else, not
/// even a Tenant Admin (G3-9; S4's primary contact or business owner).
///
/// # Errors
///
/// [`ChangeRefused::NoApprover`].
pub fn may_change(approver: bool) -> Result<(), ChangeRefused> {
    if approver { Ok(()) } else { Err(ChangeRefused::NoApprover) }
}

/// A wish that the partners of an organisation see all of its cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wider {
    pub on: bool,
    /// Whether the *associated* organisation itself has agreed.
    pub agreed: bool,
}

/// Whether the wider option may be set so: on, only once the associated organisation has agreed; off
/// always (G3-6).
///
/// # Errors
///
/// [`ChangeRefused::NotAgreed`].
pub fn may_widen(wider: Wider) -> Result<(), ChangeRefused> {
    if wider.on && !wider.agreed { Err(ChangeRefused::NotAgreed) } else { Ok(()) }
}
