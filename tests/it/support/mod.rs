//! The test house: real processes, real databases, real HTTP.

pub(crate) mod browser;
pub(crate) mod client;
pub(crate) mod engines;
pub(crate) mod jwt;
pub(crate) mod patience;
pub(crate) mod ports;
pub(crate) mod postgres;
pub(crate) mod receiver;
pub(crate) mod redis;
pub(crate) mod script;
pub(crate) mod server;
mod watchdog;
