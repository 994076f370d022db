//! Signing keys: what is published, and the next one.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api::{About, Api};
use super::call::{Answer, Call, begun};
use super::inputs::{Json, Nothing};
use super::page::{List, Page, Range};
use super::problem::Problem;
use crate::domain::signing_key::KeyState;
use crate::service::tokens::keys::{KeyError, KeyReport};
use crate::spec::alg::SigningAlg;

/// A signing key that is published, without its private part.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "SigningKey")]
pub(super) struct KeyView {
    /// Its thumbprint (RFC 7638).
    kid: String,
    /// Its algorithm.
    alg: SigningAlg,
    /// `next`, `active` or `retiring`.
    state: String,
    /// Time of the first signature, RFC 3339.
    activates_at: String,
}

/// A key to make.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(super) struct NewSigningKey {
    /// Its algorithm.
    alg: SigningAlg,
    /// Seconds between its publication and its first signature (default: `key_publish_lead`). Verifiers that have not
    /// read it refuse its signatures: use 0 only if the active key has leaked.
    #[serde(default)]
    lead: Option<u32>,
}

pub(super) fn add(api: &mut Api) {
    let about = |id, summary, action| About::new("signing_keys", id, summary, action);
    let list_keys = about("list_signing_keys", "List signing keys", "keys.read");
    api.add(Method::GET, "/v1/signing_keys", list_keys, list);
    let rotate = about("rotate_signing_key", "Make the next signing key", "keys.write")
        .details("The active key signs until the new one does, and stays published until its last token has expired.");
    api.add(Method::POST, "/v1/signing_keys", rotate, create);
}

async fn list(call: Call<Nothing, List, Nothing>) -> Result<Answer<Page<KeyView>>, Problem> {
    let range = Range::of(&call.query)?;
    let mut all = call.site.services.keys.report(call.now).await?;
    all.sort_by(|a, b| a.kid.cmp(&b.kid));
    all.retain(|key| key.kid.as_str() > range.after());
    let page = range.page(all, |key| key.kid.clone(), |key| view(&key));
    Ok(Answer::of(&page))
}

async fn create(
    call: Call<Nothing, Nothing, Json<NewSigningKey>>,
) -> Result<Answer<KeyView, 201>, Problem> {
    let services = &call.site.services;
    let Json(NewSigningKey { alg, lead }) = &call.body;
    let lead = lead.map(u64::from).map(Duration::from_secs);
    let (usual, longest) = (
        services.config.key_publish_lead,
        services.config.key_rotation_interval,
    );
    let lead = lead.unwrap_or(usual);
    if lead > longest {
        let detail = format!("expected at most {} seconds", longest.as_secs());
        return Err(Problem::unprocessable("lead", detail));
    }
    // RSA takes a good part of a second: before the transaction.
    let key = services.keys.make_next(*alg, lead, call.now).await?;
    let mut act = begun!(call);
    let all = services.keys.report(call.now).await?;
    let next = |key: &KeyReport| key.alg == *alg && key.state == KeyState::Next;
    if all.iter().any(next) {
        let detail = "the next key of that algorithm is there already";
        return Err(Problem::conflict("exists", detail));
    }
    act.add_signing_key(&key, lead).await?;
    let made = KeyView {
        kid: key.kid.clone(),
        alg: *alg,
        state: if lead.is_zero() { "active" } else { "next" }.to_owned(),
        activates_at: key.dates.activates_at.rfc3339(),
    };
    let answer = call
        .created(act, &made, "/v1/signing_keys".to_owned())
        .await?;
    services.keys.load(call.now).await?;
    Ok(answer)
}

impl From<KeyError> for Problem {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Store(error) => return error.into(),
            KeyError::NotNeeded(_) => return Self::unprocessable("alg", error.to_string()),
            KeyError::Jose(_)
            | KeyError::Sealed { .. }
            | KeyError::NoActiveKey(_)
            | KeyError::Generation(_) => {}
        }
        tracing::error!(%error, "answered 500");
        let detail = "the server failed; its log has the cause under the request id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }
}

fn view(key: &KeyReport) -> KeyView {
    KeyView {
        kid: key.kid.clone(),
        alg: key.alg,
        state: key.state.as_str().to_owned(),
        activates_at: key.activates_at.rfc3339(),
    }
}
