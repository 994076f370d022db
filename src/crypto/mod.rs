//! Stub of the room `crypto`.
pub mod random;
