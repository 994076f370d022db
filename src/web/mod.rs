//! What people see: pages and their assets.

pub mod assets;
pub mod pages;
