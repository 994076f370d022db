//! `private_key_jwt`: an assertion signed with the client's own key (RFC 7523 §2.2 and §3, OpenID Connect Core §9).

use std::time::Duration;

use serde_json::{Map, Value};

use crate::crypto::digest::sha256;
use crate::crypto::jose::unverified_claims;
use crate::domain::client::Client;
use crate::http::error::OAuthError;
use crate::http::site::Site;
use crate::spec::alg::SigningAlg;
use crate::spec::params::Params;
use crate::spec::time::Ts;
use crate::store::replay::OneTime;

/// `client_assertion_type` (RFC 7523 §2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How far the clocks of client and server may be apart.
const SKEW: Duration = Duration::from_secs(30);

/// How long an assertion may be valid at most: until then its `jti` is remembered.
const LONGEST: Duration = Duration::from_hours(1);

fn refuse(description: impl Into<String>) -> OAuthError {
    OAuthError::invalid_client(description.into())
}

/// Which client an assertion claims to be of; nothing is proven yet.
pub(super) fn claimed_client(params: &Params, assertion: &str) -> Result<String, OAuthError> {
    if params.find("client_assertion_type") != Some(ASSERTION_TYPE) {
        return Err(OAuthError::invalid_request(format!(
            "client_assertion_type must be {ASSERTION_TYPE}"
        )));
    }
    let claims = unverified_claims(assertion)
        .ok_or_else(|| refuse("client_assertion is not a signed JWT"))?;
    claims
        .get("sub")
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| refuse("client_assertion lacks sub"))
}

/// Checks the assertion in full and uses its `jti` up.
pub(super) async fn prove(
    site: &Site,
    client: &Client,
    assertion: &str,
    now: Ts,
) -> Result<(), OAuthError> {
    let services = &site.services;
    let registered = client.metadata.token_endpoint_auth_signing_alg;
    let allowed = registered.map_or_else(|| SigningAlg::ALL.to_vec(), |alg| vec![alg]);
    let verified = services
        .client_keys
        .verify(client, assertion, &allowed, now)
        .await
        .map_err(|error| refuse(format!("client_assertion: {error}")))?;
    let claims = &verified.claims;
    for name in ["iss", "sub"] {
        if claims.get(name).and_then(Value::as_str) != Some(client.id.as_str()) {
            return Err(refuse(format!(
                "client_assertion: {name} must be the client_id"
            )));
        }
    }
    check_audience(site, claims)?;
    let expires_at = check_times(claims, now)?;
    let jti = claims
        .get("jti")
        .and_then(Value::as_str)
        .filter(|jti| !jti.is_empty() && jti.len() <= 512)
        .ok_or_else(|| refuse("client_assertion lacks jti, which must be different every time"))?;
    let used = sha256(format!("{}\n{jti}", client.id).as_bytes());
    if !services
        .replay
        .once(
            OneTime::ClientAssertion,
            &used,
            expires_at.plus(SKEW + SKEW),
        )
        .await?
    {
        return Err(refuse(
            "client_assertion was used before; make a new one, with a new jti, for every request",
        ));
    }
    Ok(())
}

/// `aud` names this server alone: an assertion meant for two could be replayed by one at the other.
fn check_audience(site: &Site, claims: &Map<String, Value>) -> Result<(), OAuthError> {
    let issuer = &site.services.config.issuer;
    let ours = [issuer.as_str().to_owned(), issuer.endpoint("/token")];
    let is_ours = |value: &Value| {
        value
            .as_str()
            .is_some_and(|audience| ours.iter().any(|own| own == audience))
    };
    let fits = match claims.get("aud") {
        Some(Value::Array(all)) => !all.is_empty() && all.iter().all(is_ours),
        Some(one) => is_ours(one),
        None => false,
    };
    if fits {
        Ok(())
    } else {
        Err(refuse(format!(
            "client_assertion: aud must be {issuer} and nothing else"
        )))
    }
}

/// `exp`, `iat` and `nbf`, with some tolerance for clocks.
fn check_times(claims: &Map<String, Value>, now: Ts) -> Result<Ts, OAuthError> {
    let at = |name: &str| {
        claims
            .get(name)
            .map(|value| value.as_f64().filter(|secs| secs.abs() < 1e11))
    };
    let Some(Some(expires)) = at("exp") else {
        return Err(refuse("client_assertion lacks exp, a number of seconds"));
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "bounded by the filter above"
    )]
    let instant = |secs: f64| Ts::from_secs(secs as i64);
    let expires_at = instant(expires);
    if expires_at.plus(SKEW) <= now {
        return Err(refuse("client_assertion has expired"));
    }
    if expires_at > now.plus(LONGEST + SKEW) {
        return Err(refuse("client_assertion is valid for more than an hour"));
    }
    for name in ["iat", "nbf"] {
        match at(name) {
            None => {}
            Some(Some(secs)) if instant(secs) <= now.plus(SKEW) => {}
            Some(_) => {
                return Err(refuse(format!(
                    "client_assertion: {name} lies in the future"
                )));
            }
        }
    }
    Ok(expires_at)
}
