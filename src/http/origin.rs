//! Where a request comes from, for the audit trail.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::client_ip::ClientIp;
use super::request_id::RequestId;
use crate::domain::audit::Origin;

/// The origin of a request before its caller is authenticated; an extractor.
#[derive(Clone, Debug)]
pub struct RequestOrigin(pub Origin);

impl<S: Sync> FromRequestParts<S> for RequestOrigin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let ClientIp(ip) = ClientIp::from_request_parts(parts, state).await?;
        let id = RequestId::from_request_parts(parts, state).await?;
        Ok(Self(Origin::request(ip, id.as_str().to_owned())))
    }
}
