//! Who may do what: one decision over roles (RBAC), levels on single resources, and policies over attributes (ABAC).
//!
//! Refused unless something allows; a `forbid` always wins; the order never matters. See [`Snapshot::decide`].

mod cedar;
mod decision;
mod permission;
mod roles;
mod snapshot;
mod standing;

#[cfg(test)]
mod tests;

pub use cedar::{Broken, Problem, check_text};
pub use decision::{Assignment, Decision, Levels, Object, Question, Reason, Standing, Subject};
pub use permission::{ADMIN_PERMISSION, ADMIN_ROLE, Level, MAX_NAME, Permission, ResourceName};
pub use roles::{Role, in_cycles};
pub use snapshot::{Group, Snapshot, Written};
