//! Stub of the room `http`.
pub mod client_ip;
pub mod cookies;
pub mod headers;
pub mod limits;
pub mod request_id;
pub mod server;
