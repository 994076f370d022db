//! Attacks and faults, each test named by what is tried.

mod access;
mod audit;
mod browser_state;
mod consent;
mod cors;
mod forms;
mod headers;
mod http;
mod limits;
mod login;
mod look_last;
mod old_names;
mod pages;
mod races;
mod redirect_uri;
mod revocation;
mod tokens;
