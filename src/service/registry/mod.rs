//! Who may ask: clients with their secrets and keys, and resource servers.

pub mod client_keys;
pub mod client_secrets;
pub mod clients;
pub mod resources;
