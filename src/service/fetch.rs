//! The one way out: every HTTP request that Signet makes goes through here.
//!
//! What others publish is fetched only over https, without redirects, bounded in size and time, and never
//! from an address that is not public: a client's `jwks_uri` must not reach into the operator's network (SSRF).
//! Hosts that the operator lists in `fetch_allow_hosts` may be private and plain http.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::ClientBuilder;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::CONTENT_TYPE;
use url::{Host, Url};

use crate::config::Config;
use crate::config::parse::HostPattern;

/// How long one fetch may take, name resolution and body included.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How large an answer may be, in bytes.
const MAX_BODY: usize = 256 * 1024;

/// The outbound client; cheap to clone.
#[derive(Clone)]
pub struct Fetcher {
    http: reqwest::Client,
    allowed: Arc<[HostPattern]>,
}

impl Fetcher {
    pub(super) fn new(config: &Config) -> Result<Self, String> {
        let allowed: Arc<[HostPattern]> = config.fetch_allow_hosts.clone().into();
        let http = builder(config.fetch_ca_file.as_ref())?
            .dns_resolver(PublicOnly {
                allowed: Arc::clone(&allowed),
            })
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { http, allowed })
    }

    /// Fetches a JSON document. The error is a sentence for the log and for the client's developer.
    pub async fn json(&self, address: &str) -> Result<serde_json::Value, String> {
        let url = self.check(address)?;
        let mut response = self
            .http
            .get(url)
            .header("accept", "application/json")
            .send()
            .await
            .map_err(|error| format!("{address} cannot be fetched: {}", root_cause(&error)))?;
        if !response.status().is_success() {
            return Err(format!(
                "{address} answered {} where 200 was expected (redirects are not followed)",
                response.status()
            ));
        }
        let body = read_body(&mut response, address).await?;
        serde_json::from_slice(&body).map_err(|_| format!("{address} did not answer JSON"))
    }

    /// Posts a JSON document. The status that was answered; the error is a sentence.
    pub async fn post_json(
        &self,
        address: &str,
        headers: &[(&'static str, String)],
        body: String,
    ) -> Result<u16, String> {
        let url = self.check(address)?;
        let mut request = self.http.post(url).header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let response = request
            .body(body)
            .send()
            .await
            .map_err(|error| format!("{address} cannot be reached: {}", root_cause(&error)))?;
        Ok(response.status().as_u16())
    }

    /// Whether anything would be sent to this address at all; the error is a sentence.
    pub fn check_address(&self, address: &str) -> Result<(), String> {
        self.check(address).map(drop)
    }

    fn check(&self, address: &str) -> Result<Url, String> {
        let url = Url::parse(address).map_err(|_| format!("{address} is not a URL"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(format!("{address} carries a user name or password"));
        }
        let host = url.host_str().unwrap_or_default();
        let allowed = is_allowed(
            &self.allowed,
            host,
            url.port_or_known_default().unwrap_or(443),
        );
        // Its resolver is let through for these ports alone.
        if !allowed
            && self
                .allowed
                .iter()
                .any(|it| it.host.eq_ignore_ascii_case(host))
        {
            return Err(format!(
                "{address}: fetch_allow_hosts allows other ports of this host"
            ));
        }
        match url.scheme() {
            "https" => {}
            "http" if allowed => {}
            _ => {
                return Err(format!(
                    "{address} must use https, unless its host stands in fetch_allow_hosts"
                ));
            }
        }
        // Addresses written as numbers never reach the resolver.
        let literal = match url.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            Some(Host::Domain(_)) | None => None,
        };
        match literal {
            Some(ip) if !is_public(ip) && !allowed => Err(format!(
                "{address} is not a public address; fetch_allow_hosts lists hosts that may be private"
            )),
            Some(_) | None => Ok(url),
        }
    }
}

/// What every outbound request has in common.
fn builder(ca_file: Option<&PathBuf>) -> Result<ClientBuilder, String> {
    let builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .timeout(TIMEOUT)
        .connect_timeout(Duration::from_secs(3))
        .user_agent(concat!("signet/", env!("CARGO_PKG_VERSION")));
    let Some(path) = ca_file else {
        return Ok(builder);
    };
    let pem = std::fs::read(path)
        .map_err(|error| format!("fetch_ca_file {}: {error}", path.display()))?;
    let certificates = reqwest::Certificate::from_pem_bundle(&pem)
        .map_err(|error| format!("fetch_ca_file {}: {error}", path.display()))?;
    Ok(builder.tls_certs_merge(certificates))
}

async fn read_body(response: &mut reqwest::Response, address: &str) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| format!("{address} broke off: {}", root_cause(&error)))?
    {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(format!("{address} answered more than {MAX_BODY} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

struct PublicOnly {
    allowed: Arc<[HostPattern]>,
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self
            .allowed
            .iter()
            .any(|pattern| pattern.host.eq_ignore_ascii_case(name.as_str()));
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let addresses: Vec<SocketAddr> = found
                .filter(|address| allowed || is_public(address.ip()))
                .collect();
            if addresses.is_empty() {
                return Err(format!(
                    "{} has no public address; fetch_allow_hosts lists hosts that may be private",
                    name.as_str()
                )
                .into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

fn is_allowed(patterns: &[HostPattern], host: &str, port: u16) -> bool {
    patterns.iter().any(|pattern| pattern.matches(host, port))
}

/// Whether an address is public: not private, local, shared, documentation or multicast.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_broadcast()
                || ip.is_documentation()
                || ip.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (b & 0xfe) == 18))
        }
        IpAddr::V6(ip) => {
            if let Some(ip) = ip.to_ipv4_mapped() {
                return is_public(IpAddr::V4(ip));
            }
            let [a, b, ..] = ip.segments();
            // Global unicast is 2000::/3; of that, 2002::/16 and 2001::/32 wrap IPv4 and 2001:db8::/32 is for books.
            (a & 0xe000) == 0x2000 && a != 0x2002 && !(a == 0x2001 && (b == 0 || b == 0x0db8))
        }
    }
}

fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_setting_that_allows_it() {
        let fetcher = Fetcher {
            http: reqwest::Client::new(),
            allowed: Arc::new([]),
        };
        for address in [
            "https://127.0.0.1/jwks",
            "https://[fd00::1]/jwks",
            "http://app.example/jwks",
        ] {
            let told = fetcher.check(address).unwrap_err();
            assert!(told.contains("fetch_allow_hosts"), "{told}");
        }
        assert!(fetcher.check("https://app.example/jwks").is_ok());
    }

    #[test]
    fn only_public_addresses_are_fetched() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "172.16.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001:db8::1",
            "ff02::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["9.9.9.9", "2620:fe::fe"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }
}
