//! Signet, an OAuth 2.0 and OpenID Connect identity provider in one small binary.
//!
//! `src/README.md` is the map: what each room is for and what may import what.

pub mod admin;
pub mod app;
pub mod cli;
pub mod config;
pub mod crypto;
pub mod domain;
pub mod http;
pub mod protocol;
pub mod service;
pub mod spec;
pub mod store;
pub mod telemetry;
pub mod web;
