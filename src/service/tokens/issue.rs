//! The one place where tokens are made. Every grant type ends here.

use serde::Serialize;
use serde_json::Map;

use crate::crypto::credential::CredentialKind;
use crate::crypto::jose::{MAX_JWT_BYTES, at_hash};
use crate::crypto::{b64, random};
use crate::domain::audience::Audience;
use crate::domain::audit::{Event, EventType, Origin};
use crate::domain::binding::Binding;
use crate::domain::client::Client;
use crate::domain::grant::Grant;
use crate::domain::resource::Resource;
use crate::service::Services;
use crate::service::tokens::claims;
use crate::service::tokens::keys::KeyError;
use crate::spec::claims::{Audience as Aud, Claim, ClaimSet};
use crate::spec::grant_type::GrantType;
use crate::spec::scope::Scope;
use crate::spec::time::Ts;
use crate::telemetry::metrics;

/// On whose behalf tokens are issued.
#[derive(Clone, Copy, Debug)]
pub enum Basis<'a> {
    /// A person's, who gave this grant; it stands as it is after redeeming.
    Grant(&'a Grant),
    /// The client's own (RFC 6749 §4.4).
    Client,
}

/// What to issue.
#[derive(Clone, Copy, Debug)]
pub struct Issuance<'a> {
    /// To whom.
    pub client: &'a Client,
    /// By which grant type.
    pub grant_type: GrantType,
    /// On whose behalf.
    pub basis: Basis<'a>,
    /// What the access token is good for.
    pub scope: &'a Scope,
    /// For whom the access token is.
    pub audience: &'a Audience,
    /// The key that the request has proven to hold: the access token is bound to it.
    pub binding: Binding,
    /// Where the request comes from.
    pub origin: &'a Origin,
    /// When.
    pub now: Ts,
}

/// A successful token response (RFC 6749 §5.1).
#[derive(Debug, Serialize)]
pub struct TokenResponse {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    scope: String,
}

/// Whether the keys are there that this client's tokens, for any resource server, are signed with: asked before anything
/// is used up.
pub async fn can_issue(
    services: &Services,
    client: &Client,
    all: &[Resource],
    now: Ts,
) -> Result<(), KeyError> {
    let own = [client.access_token_alg(), client.id_token_alg()];
    let servers = all.iter().filter_map(|it| it.access_token_signing_alg);
    for alg in own.into_iter().chain(servers) {
        services.keys.signing(alg, now).await?;
    }
    Ok(())
}

/// Issues what the grant type gives: an access token always, a refresh token and an ID token where the grant
/// has them.
pub async fn issue(services: &Services, issuance: Issuance<'_>) -> Result<TokenResponse, KeyError> {
    let AccessToken {
        jwt: access_token,
        jti,
        expires_in,
    } = access_token(services, &issuance).await?;
    let (refresh_token, id_token) = match issuance.basis {
        Basis::Client => (None, None),
        Basis::Grant(grant) => (
            refresh_token(services, issuance.client, grant),
            id_token(services, &issuance, grant, &access_token).await?,
        ),
    };
    metrics::token_issued(issuance.grant_type.as_str());
    note(services, &issuance, &jti);
    Ok(TokenResponse {
        access_token,
        token_type: issuance.binding.token_type(),
        expires_in,
        refresh_token,
        id_token,
        scope: issuance.scope.to_string(),
    })
}

/// Every token is an event, unless the operator wants none.
fn note(services: &Services, issuance: &Issuance<'_>, jti: &str) {
    let kind = match issuance.grant_type {
        GrantType::RefreshToken => EventType::TokenRefreshed,
        GrantType::AuthorizationCode | GrantType::ClientCredentials => EventType::TokenIssued,
    };
    if !services.audit.wants(kind) {
        return;
    }
    let mut event = Event::new(kind, issuance.origin, issuance.now)
        .target("access_token", jti)
        .client(&issuance.client.id)
        .detail("grant_type", issuance.grant_type.as_str())
        .detail("scope", issuance.scope.to_string());
    if let Basis::Grant(grant) = issuance.basis {
        event = event
            .user(grant.user_id)
            .detail("grant_id", grant.id.to_string());
    }
    services.audit.note(event);
}

/// An access token, its name, and how many seconds it lasts.
struct AccessToken {
    jwt: String,
    jti: String,
    expires_in: i64,
}

async fn access_token(
    services: &Services,
    issuance: &Issuance<'_>,
) -> Result<AccessToken, KeyError> {
    let Issuance { client, now, .. } = issuance;
    let grant = match issuance.basis {
        Basis::Grant(grant) => Some(grant),
        Basis::Client => None,
    };
    let issuer = services.config.issuer.as_str();
    let format = issuance.audience.format();
    let chosen = match grant {
        Some(grant) => {
            // What the client chose, and what those chose who will read it.
            let read_by = issuance.audience.servers().iter();
            let names = client.metadata.access_token_claims.iter();
            let names = names.chain(read_by.flat_map(|resource| &resource.access_token_claims));
            let names = names.map(String::as_str);
            claims::of(services, client, grant.user_id, names, *now).await?
        }
        None => Map::new(),
    };
    let lifetime = client.access_token_lifetime(services.config.access_token_lifetime);
    let mut expires_at = now.plus(lifetime);
    if let Some(grant) = grant {
        expires_at = expires_at.min(grant.expires_at);
    }
    let subject = grant.map_or_else(
        || client.id.as_str().to_owned(),
        |grant| grant.user_id.to_string(),
    );
    let jti = b64::encode(&random::bytes::<16>());
    // RFC 9068 §2.2, with Signet's own names for what revocation needs.
    let mut claims = ClaimSet::default();
    claims.set(Claim::Iss, issuer);
    claims.set(Claim::Sub, subject);
    let aud = issuance.audience.aud(issuance.scope);
    claims.set(Claim::Aud, Aud::from(aud));
    claims.set(Claim::ClientId, client.id.as_str());
    claims.set(Claim::Scope, issuance.scope.to_string());
    claims.set(Claim::Iat, now.secs());
    claims.set(Claim::Exp, expires_at.secs());
    claims.set(Claim::Jti, jti.as_str());
    claims.set_some(Claim::Cnf, issuance.binding.cnf());
    if let Some(grant) = grant {
        claims.set(Claim::AuthTime, grant.auth_time.secs());
        claims.set(Claim::Acr, grant.acr.as_str());
        if !grant.amr.is_empty() {
            claims.set(Claim::Amr, grant.amr.clone());
        }
        if !grant.offline {
            claims.set(Claim::Sid, grant.session_id.to_string());
        }
        claims.set(Claim::GrantId, grant.id.to_string());
        claims.set(Claim::Ver, grant.user_version);
    }
    claims::put_into_access_token(services, &mut claims, chosen, issuance.scope);
    let key = services.keys.signing(format.alg, *now).await?;
    let token = key.sign(format.typ.as_str(), &claims)?;
    Ok(AccessToken {
        jwt: token,
        jti,
        expires_in: expires_at.secs() - now.secs(),
    })
}

/// The refresh token is the grant's counter as it stands; the same counter gives the same token.
fn refresh_token(services: &Services, client: &Client, grant: &Grant) -> Option<String> {
    client.has_grant_type(GrantType::RefreshToken).then(|| {
        services
            .credentials
            .mint(
                CredentialKind::RefreshToken,
                grant.id.bytes(),
                grant.generation,
            )
            .expose()
            .to_owned()
    })
}

/// The ID token (OpenID Connect Core §2), for OpenID Connect grants.
async fn id_token(
    services: &Services,
    issuance: &Issuance<'_>,
    grant: &Grant,
    access_token: &str,
) -> Result<Option<String>, KeyError> {
    if !issuance.scope.is_openid() {
        return Ok(None);
    }
    let now = issuance.now;
    let alg = issuance.client.id_token_alg();
    let mut claims = ClaimSet::default();
    claims.set(Claim::Iss, services.config.issuer.as_str());
    claims.set(Claim::Sub, grant.user_id.to_string());
    claims.set(Claim::Aud, grant.client_id.as_str());
    let lifetime = services.config.id_token_lifetime;
    claims.set(Claim::Exp, now.plus(lifetime).secs());
    claims.set(Claim::Iat, now.secs());
    claims.set(Claim::AuthTime, grant.auth_time.secs());
    claims.set(Claim::Acr, grant.acr.as_str());
    claims.set(Claim::Amr, grant.amr.clone());
    claims.set(Claim::Sid, grant.session_id.to_string());
    claims.set(Claim::AtHash, at_hash(alg, access_token));
    // Only the answer to the code carries it: OpenID Connect Core §12.2.
    if let (GrantType::AuthorizationCode, Some(nonce)) = (issuance.grant_type, &grant.nonce) {
        claims.set(Claim::Nonce, nonce.as_str());
    }
    let least = claims.clone();
    let (client, scope) = (issuance.client, issuance.scope);
    // Boxed: most ID tokens need no claims about the person, and all would carry room for them.
    let about_person = claims::put_into_id_token(services, &mut claims, client, grant, scope, now);
    Box::pin(about_person).await?;
    let key = services.keys.signing(alg, now).await?;
    let jwt = key.sign("JWT", &claims)?;
    if jwt.len() <= MAX_JWT_BYTES {
        return Ok(Some(jwt));
    }
    // What Signet issues it must be able to read again, as a hint; `/userinfo` has the claims.
    tracing::warn!(user.id = %grant.user_id, client.id = %grant.client_id, "the claims about user {} are too long for an ID token and are left out", grant.user_id);
    Ok(Some(key.sign("JWT", &least)?))
}
