//! Workspaces and case roles: who takes part in single cases, and who administers their division
//! (domain.md G.2).
//!
//! A [`UserType`] says what a person may do in the *administration* of a workspace, a case role
//! what in *one case*. Neither implies the other (G2-6), and neither reaches a tunnel or a switch:
//! the rights of a case role are reading and commenting.
//!
//! What always holds: who takes part in a case has a case role (G2-3); the Administrator of a
//! workspace is who founded it, for good (G2-5).

mod case_role;
#[cfg(test)]
mod tests;
mod user_type;

pub use case_role::{CaseRight, CaseRights, Predefined};
pub use user_type::{AdminRight, Member, NotChangeable, UserType, billed_seats};
