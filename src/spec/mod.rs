//! The words of the RFCs as types.

pub mod alg;
