//! Ending everything of a person, as other systems ask for it
//! ([draft-parecki-oauth-global-token-revocation](https://datatracker.ietf.org/doc/draft-parecki-oauth-global-token-revocation/)):
//! subject identifiers of [RFC 9493](https://www.rfc-editor.org/rfc/rfc9493).

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api::{About, Api};
use super::call::{Answer, Call, begun};
use super::inputs::{Json, Nothing};
use super::problem::Problem;
use crate::domain::ids::UserId;

/// The user whose sessions, grants and tokens are revoked.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(rename = "GlobalTokenRevocation")]
pub(super) struct Revocation {
    /// The user.
    sub_id: SubjectId,
}

/// A subject identifier (RFC 9493 §3.2).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "format", rename_all = "snake_case")]
pub(super) enum SubjectId {
    /// A user of this issuer.
    IssSub {
        /// This issuer.
        iss: String,
        /// `sub`.
        sub: String,
    },
    /// A user by `sub`.
    Opaque {
        /// `sub`.
        id: String,
    },
    /// Every user with this verified e-mail address.
    Email {
        /// The address.
        email: String,
    },
}

pub(super) fn add(api: &mut Api) {
    let about = About::new(
        "users",
        "global_token_revocation",
        "Revoke the sessions, grants and tokens of a subject",
        "users.write",
    )
    .details("The request of the OAuth Global Token Revocation draft. Takes effect on every instance before the response is sent.")
    .named_in_body();
    api.add(Method::POST, "/v1/global_token_revocation", about, revoke);
}

async fn revoke(
    call: Call<Nothing, Nothing, Json<Revocation>>,
) -> Result<Answer<Nothing, 204>, Problem> {
    let services = &call.site.services;
    let unknown = || Problem::not_found("user", "of that sub_id");
    let users = match &call.body.0.sub_id {
        SubjectId::IssSub { iss, sub } => {
            if iss != services.config.issuer.as_str() {
                let detail = format!("expected {}", services.config.issuer.as_str());
                return Err(Problem::unprocessable("sub_id.iss", detail));
            }
            vec![UserId::parse(sub).ok_or_else(unknown)?]
        }
        SubjectId::Opaque { id } => vec![UserId::parse(id).ok_or_else(unknown)?],
        SubjectId::Email { email } => services.store.find_users_by_email(email).await?,
    };
    let mut act = begun!(call);
    let mut found = false;
    for id in users {
        if act.tx().find_user(id).await?.is_some() {
            act.revoke_user(id).await?;
            found = true;
        }
    }
    if !found {
        return Err(unknown());
    }
    call.gone(act).await
}
