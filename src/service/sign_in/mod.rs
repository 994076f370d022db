//! Signing in and out: what a person proves, and the browser session that begins and ends.

pub mod logout;
pub mod password;
pub mod sessions;
