//! Stub of the room `cli`.
pub mod document;
