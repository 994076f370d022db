//! The protocol endpoints.

mod discovery;
