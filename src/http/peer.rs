//! Where a connection comes from.

use std::net::SocketAddr;

/// The address a request's connection came from; a request extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);
