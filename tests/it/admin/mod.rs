//! The administration API.

mod clients;
mod directory;
mod escalation;
mod roundabout;
mod schemathesis;
mod support;
mod trail;
mod users;
