//! The administration API.

mod clients;
mod directory;
mod escalation;
mod support;
mod trail;
mod users;
