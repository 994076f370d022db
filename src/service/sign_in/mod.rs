//! Signing in and out: what a person proves, and the browser session that begins and ends. A factor has a file of its
//! own with its check; `step` has all that is the same for every factor.

pub mod logout;
pub mod password;
pub mod sessions;
pub mod step;
