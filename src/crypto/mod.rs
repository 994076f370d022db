//! Tokens, passwords, sealing and randomness: the only room that touches cryptographic libraries.
//!
//! Nothing here knows about storage, requests or configuration. Every key is derived from the
//! [`master_key::MasterKey`] for one named purpose, so no two uses ever share a key.

pub mod b64;
pub mod client_secret;
pub mod credential;
pub mod digest;
pub mod jose;
pub mod master_key;
pub mod password;
pub mod random;
pub mod seal;
pub mod secret;
pub mod webhook;
