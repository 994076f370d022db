//! The administration API.

mod support;
mod users;
