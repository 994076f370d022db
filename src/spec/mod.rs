//! The RFCs' words as types.

pub mod time;
