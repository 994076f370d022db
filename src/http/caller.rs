//! Who calls an endpoint, as far as the request itself says: its headers, its address, its id and the key it proves.

use std::convert::Infallible;
use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;

use super::client_ip::ClientIp;
use super::origin::RequestOrigin;
use crate::domain::audit::Origin;
use crate::domain::binding::Binding;

/// The headers and the address of a request; an extractor.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The headers.
    pub headers: HeaderMap,
    /// The address, behind trusted proxies.
    pub ip: IpAddr,
    /// The key that the request proves to hold. Nothing that Signet takes proves one yet, so it is none.
    pub binding: Binding,
    /// Both for the audit trail, before the caller is authenticated.
    pub origin: Origin,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self {
            ip: ClientIp::from_request_parts(parts, state).await?.0,
            origin: RequestOrigin::from_request_parts(parts, state).await?.0,
            binding: Binding::None,
            headers: parts.headers.clone(),
        })
    }
}
