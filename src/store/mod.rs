//! The record of truth: SQL on two engines, and what is kept beside it to answer fast.

pub mod batch;
pub mod db;
pub mod dialect;
pub mod error;
pub mod migrate;
pub mod replay;
pub mod revocations;
