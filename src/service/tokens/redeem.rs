//! Redeeming codes and refresh tokens, and what follows from a replay.

use std::sync::Arc;

use crate::crypto::credential::{Credential, CredentialKind};
use crate::domain::audit::{Event, EventType, Origin};
use crate::domain::binding::Binding;
use crate::domain::client::Client;
use crate::domain::grant::{CodeProofs, Grant, Presented, Redeemed, Refusal};
use crate::domain::ids::GrantId;
use crate::service::Services;
use crate::service::tokens::revoke;
use crate::spec::time::Ts;
use crate::store::db::settled_with;
use crate::store::error::StoreError;
use crate::telemetry::metrics;

/// Why nothing was redeemed.
#[derive(Debug)]
pub enum RedeemError {
    /// `invalid_grant`, with the sentence for `error_description`.
    InvalidGrant(&'static str),
    /// The store.
    Store(StoreError),
}

impl From<StoreError> for RedeemError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What a code says of itself.
pub fn opened_code(services: &Services, code: &str) -> Result<Credential, RedeemError> {
    services
        .credentials
        .open(CredentialKind::AuthorizationCode, code)
        .map_err(|_| RedeemError::InvalidGrant("code is not one that this server issued"))
}

/// What a refresh token says of itself.
pub fn opened_refresh_token(services: &Services, token: &str) -> Result<Credential, RedeemError> {
    services
        .credentials
        .open(CredentialKind::RefreshToken, token)
        .map_err(|_| RedeemError::InvalidGrant("refresh_token is not one that this server issued"))
}

/// The grant behind a code or refresh token, without redeeming it: what a wish is checked against before anything
/// is used up. Only the credential's own client gets it.
pub async fn peek(
    services: &Services,
    client: &Client,
    credential: Credential,
    now: Ts,
) -> Result<Grant, RedeemError> {
    let found = services
        .store
        .find_grant(grant_id(&credential), now)
        .await?;
    found
        .map(|found| found.grant)
        .filter(|grant| grant.client_id == client.id)
        .ok_or(RedeemError::InvalidGrant(sentence(Refusal::Unknown)))
}

/// Redeems an authorization code (RFC 6749 §4.1.3) with its proof.
pub async fn code(
    services: &Arc<Services>,
    client: &Client,
    code: &str,
    proof: CodeProofs,
    binding: Binding,
    origin: &Origin,
    now: Ts,
) -> Result<Grant, RedeemError> {
    let credential = opened_code(services, code)?;
    let presented = Presented {
        grant_id: grant_id(&credential),
        generation: credential.generation,
        client_id: client.id.clone(),
        code: Some(proof),
        binding,
        rotate: true,
    };
    redeem(services, presented, origin, now).await
}

/// Redeems a refresh token (RFC 6749 §6). The grant that comes back is the one to go on with, whether this
/// request advanced it or the answer to an earlier one was lost.
pub async fn refresh_token(
    services: &Arc<Services>,
    client: &Client,
    token: &str,
    binding: Binding,
    origin: &Origin,
    now: Ts,
) -> Result<Grant, RedeemError> {
    let credential = opened_refresh_token(services, token)?;
    let presented = Presented {
        grant_id: grant_id(&credential),
        generation: credential.generation,
        client_id: client.id.clone(),
        code: None,
        binding,
        rotate: !client.keeps_refresh_token(),
    };
    redeem(services, presented, origin, now).await
}

fn grant_id(credential: &Credential) -> GrantId {
    GrantId::from_bytes(credential.grant_id)
}

/// In a task of its own: a caller that replays and hangs up at once must not keep the family valid.
async fn redeem(
    services: &Arc<Services>,
    presented: Presented,
    origin: &Origin,
    now: Ts,
) -> Result<Grant, RedeemError> {
    let (services, origin) = (Arc::clone(services), origin.clone());
    let redeeming = async move { redeem_to_the_end(&services, presented, &origin, now).await };
    let redeeming = tokio::spawn(settled_with(redeeming));
    redeeming
        .await
        .map_err(|_| StoreError::Unavailable("redeeming was interrupted".to_owned()))?
}

async fn redeem_to_the_end(
    services: &Services,
    presented: Presented,
    origin: &Origin,
    now: Ts,
) -> Result<Grant, RedeemError> {
    let id = presented.grant_id;
    let client = presented.client_id.clone();
    let is_code = presented.generation == 0;
    match services
        .store
        .redeem(presented, now, services.grant_limits())
        .await?
    {
        Redeemed::Advanced(grant) => {
            metrics::grant_redeemed("advanced");
            Ok(*grant)
        }
        Redeemed::Retry(grant) => {
            metrics::grant_redeemed("retry");
            Ok(*grant)
        }
        Redeemed::Refused(Refusal::Replayed) => {
            metrics::grant_redeemed("replayed");
            tracing::warn!(client.id = %client, grant.id = %id, "a used {} of client {client} came back: grant {id} is revoked", if is_code { "code" } else { "refresh token" });
            let event = Event::new(EventType::TokenReplayed, origin, now)
                .target("grant", &id)
                .client(&client)
                .detail("kind", if is_code { "code" } else { "refresh_token" });
            revoke::replayed(services, id, &event, origin, now).await?;
            Err(RedeemError::InvalidGrant(sentence(Refusal::Replayed)))
        }
        Redeemed::Refused(refusal) => {
            metrics::grant_redeemed("refused");
            Err(RedeemError::InvalidGrant(sentence(refusal)))
        }
    }
}

const fn sentence(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Unknown => "the code or refresh token is unknown",
        Refusal::OtherClient => "the code or refresh token was issued to another client",
        Refusal::RedirectUri => "redirect_uri is not the one of the authorization request",
        Refusal::CodeVerifier => {
            "code_verifier does not fit the code_challenge of the authorization request, or one of them is missing"
        }
        Refusal::Binding => {
            "the request does not prove the key that the code or refresh token is bound to"
        }
        Refusal::Expired => "the code or refresh token has expired",
        Refusal::Revoked => "the grant was revoked",
        Refusal::Replayed => {
            "the code or refresh token was used before; everything issued from it is revoked"
        }
    }
}
