//! The command line beside a running server.

mod policy;
