//! The administration API.

mod clients;
mod directory;
mod document;
mod escalation;
mod events;
mod every_operation;
mod guards;
mod roundabout;
mod schemathesis;
mod support;
mod trail;
mod users;
