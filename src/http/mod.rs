//! Stub of the room `http`.
mod activity;
pub mod client_ip;
pub mod cookies;
pub mod headers;
pub mod limits;
pub mod observe;
pub mod request_id;
pub mod server;
