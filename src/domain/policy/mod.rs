//! Who may do what: one decision over roles (RBAC), levels on single resources, and policies over attributes (ABAC).
//!
//! Refused unless something allows; a `forbid` always wins; the order never matters. See [`Snapshot::decide`].

mod attributes;
mod bounds;
mod cedar;
mod compile;
mod could_ever;
mod decision;
mod family;
mod groups;
mod permission;
mod roles;
mod snapshot;
mod standing;

#[cfg(test)]
mod compile_tests;
#[cfg(test)]
mod could_ever_tests;
#[cfg(test)]
mod seen_tests;
#[cfg(test)]
mod standing_tests;
#[cfg(test)]
mod tests;

pub use attributes::{AttributeType, Declaration, Declarations, MAX_DECLARATIONS, Misfit, Of};
pub use bounds::{Bounded, Count, check_counts};
pub use cedar::{Named, Problem, Vocabulary, is_type_name, validate};
pub use compile::{Changes, Written};
pub use decision::{
    Application, Assignment, Decision, Levels, Object, Question, Reason, Standing, Subject,
};
pub use groups::Group;
pub use permission::{ADMIN_PERMISSION, ADMIN_ROLE, Level, MAX_NAME, Permission, ResourceName};
pub use roles::{Role, in_cycles};
pub use snapshot::Snapshot;
