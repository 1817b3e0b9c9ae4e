//! Visibility: which of the cases of their organisation people see, beside their own (domain.md G.3).
//!
//! ```text
//!   effective(others) = the most permissive of   the organisation's setting
//!                                                the person's setting (view at most)
//!                                                being CC'd on this very case (view and comment)
//! ```
//!
//! More permissive wins: right for *reading*, wrong for *opening tunnels*, where every condition
//! must hold. What comes out of here is reading and commenting, and nothing in it can say more.
//!
//! An organisation is a part of one company: its end users are those of the company's people whose
//! e-mail address is in one of its domains (INF: people of another company never belong, so that no
//! setting can lead over a tenant's boundary).

mod change;
mod domains;
mod sight;
#[cfg(test)]
mod tests;

pub use change::{ChangeRefused, Wider, may_change, may_widen};
pub use domains::{Domain, InvalidDomain, MembershipError, belongs, organisation_for};
pub use sight::{Cc, OrgSetting, PersonSetting, Sight, Standing, sight};
