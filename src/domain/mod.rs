//! Entities and rules: what a client, a person, a session and a grant are, and what may happen to them.
//! No I/O, no `async`; time and randomness are handed in.

pub mod audience;
pub mod audit;
pub mod authorization;
pub mod binding;
pub mod client;
pub mod directory;
pub mod grant;
pub mod ids;
pub mod outbox;
pub mod pending;
pub mod policy;
pub mod rate;
pub mod redirect;
pub mod resource;
pub mod session;
pub mod sign_in;
pub mod signing_key;
pub mod user;
