//! Stub of the room `app`.
pub mod health;
pub mod management;
pub mod shutdown;
