//! Signet, an OAuth 2.0 and OpenID Connect identity provider in one small binary.

pub mod web;
