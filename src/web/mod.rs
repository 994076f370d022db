//! What people see: pages, their handlers and their assets. Every page goes out through [`visit::draw`], with
//! one set of headers.

pub mod account;
pub mod assets;
pub mod consent;
pub mod drawn;
pub mod login;
pub mod logout;
pub mod manual;
pub mod pages;
pub mod playground;
pub mod reference;
pub mod setup;
pub mod static_files;
pub mod visit;
