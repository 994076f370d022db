//! Who is asking: the peer's address, or what proxies in front of us say it is.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use ipnet::IpNet;

use super::peer::Peer;

/// The address of the client, for rate limits and audit; a request extension and an extractor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientIp(pub IpAddr);

impl<S: Sync> FromRequestParts<S> for ClientIp {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let peer = || {
            parts
                .extensions
                .get::<Peer>()
                .map(|peer| Self(peer.0.ip().to_canonical()))
        };
        let known = parts.extensions.get::<Self>().copied().or_else(peer);
        // Only a request that came through no listener (a test) has no peer.
        Ok(known.unwrap_or(Self(IpAddr::from([0, 0, 0, 0]))))
    }
}

/// The proxies whose `X-Forwarded-For` and `X-Request-Id` are believed.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Arc<[IpNet]>);

impl TrustedProxies {
    /// Trusts these networks only.
    pub fn new(networks: &[IpNet]) -> Self {
        Self(networks.into())
    }

    /// Whether `address` is a trusted proxy.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The client's address: the rightmost one in `X-Forwarded-For` that is no trusted proxy, as
    /// every proxy appends whom it was talking to and anything further left is hearsay. A header
    /// that cannot be read, or comes from a peer that is not trusted, means the peer itself.
    /// `Forwarded` (RFC 7239) is ignored: proxies that do not set it pass a client's own on.
    pub fn client_ip(&self, peer: IpAddr, headers: &HeaderMap) -> ClientIp {
        let peer = peer.to_canonical();
        if !self.contains(peer) {
            return ClientIp(peer);
        }
        let mut client = peer;
        for line in headers.get_all("x-forwarded-for").iter().rev() {
            let Ok(line) = line.to_str() else {
                return ClientIp(peer);
            };
            for hop in line.rsplit(',') {
                let Some(hop) = parse_hop(hop.trim()) else {
                    return ClientIp(peer);
                };
                client = hop;
                if !self.contains(hop) {
                    return ClientIp(hop);
                }
            }
        }
        ClientIp(client)
    }
}

/// An address, with a port or without; some proxies write the port, some the brackets.
fn parse_hop(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .or_else(|| {
            text.strip_prefix('[')?
                .strip_suffix(']')?
                .parse()
                .ok()
                .map(IpAddr::V6)
        })
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let trusted =
            TrustedProxies::new(&["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        trusted
            .client_ip(peer.parse().unwrap(), &headers)
            .0
            .to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(client("192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("::ffff:10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
    }

    #[test]
    fn the_rightmost_untrusted_address_counts() {
        assert_eq!(
            client("10.0.0.1", &["198.51.100.1, 203.0.113.9, 10.0.0.2"]),
            "203.0.113.9"
        );
        assert_eq!(
            client("10.0.0.1", &["198.51.100.1", "203.0.113.9,10.0.0.2"]),
            "203.0.113.9"
        );
        assert_eq!(
            client("10.0.0.1", &["nonsense, 203.0.113.9"]),
            "203.0.113.9"
        );
        assert_eq!(client("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
    }

    #[test]
    fn ports_and_brackets_are_understood() {
        assert_eq!(client("::1", &["203.0.113.9:4711"]), "203.0.113.9");
        assert_eq!(client("::1", &["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(client("::1", &["[2001:db8::1]"]), "2001:db8::1");
    }

    #[test]
    fn a_header_that_cannot_be_read_means_the_peer() {
        for line in [
            "",
            "unknown",
            "203.0.113.9, ",
            "203.0.113.9;10.0.0.2",
            "203.0.113.999",
            "for=203.0.113.9",
        ] {
            assert_eq!(client("10.0.0.1", &[line]), "10.0.0.1", "{line}");
        }
        assert_eq!(client("10.0.0.1", &["203.0.113.9, ünknown"]), "10.0.0.1");
    }
}
