//! The tests of Signet from outside: real processes, real HTTP, every engine.
//!
//! The modules mirror the endpoints; `security` is named by attack. `support` is the test house.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod admin;
mod architecture;
mod browser;
mod cli;
mod manual;
mod operations;
mod protocol;
mod relying_parties;
mod security;
mod support;
mod web;
