//! Who may, what may be done, and to what (AuthZEN §8). Whatever is found would be allowed by an evaluation.

use serde_json::{Value, json};

use super::request::{Evaluation, Open, Page, Posed};
use crate::crypto::b64;
use crate::domain::ids::UserId;
use crate::http::error::OAuthError;
use crate::http::site::Site;
use crate::service::decisions::{DecisionRequest, Place};
use crate::spec::time::Ts;

/// How many results a page has when nothing is said, and at most.
const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 100;

pub(super) async fn subjects(site: &Site, posed: Posed, now: Ts) -> Result<Value, OAuthError> {
    let asked = question(&posed, Open::Subject, now)?;
    if !posed.asks_for_people() {
        return Ok(page(&[], None));
    }
    let after = match token(&posed.page)? {
        Some(text) => Some(UserId::parse(&text).ok_or_else(bad_token)?),
        None => None,
    };
    let (found, next) = site
        .services
        .decisions
        .search_subjects(&asked, after, limit(&posed.page)?, now)
        .await?;
    let results: Vec<Value> = found
        .into_iter()
        .map(|id| json!({ "type": "user", "id": id }))
        .collect();
    let next = next.map(|id| id.to_string());
    Ok(page(&results, next.as_deref()))
}

pub(super) async fn resources(site: &Site, posed: Posed, now: Ts) -> Result<Value, OAuthError> {
    let asked = question(&posed, Open::Resource, now)?;
    let after = match token(&posed.page)? {
        Some(text) => Some(place(&text).ok_or_else(bad_token)?),
        None => None,
    };
    let (found, next) = site
        .services
        .decisions
        .search_resources(&asked, after, limit(&posed.page)?, now)
        .await?;
    let results: Vec<Value> = found
        .into_iter()
        .map(|id| json!({ "type": asked.resource_type, "id": id }))
        .collect();
    let next = next.map(|place| match place {
        Place::Written(id) => format!("w{id}"),
        Place::Level(id) => format!("l{id}"),
    });
    Ok(page(&results, next.as_deref()))
}

/// There are few actions, so all of them are one page.
pub(super) async fn actions(site: &Site, posed: Posed, now: Ts) -> Result<Value, OAuthError> {
    let asked = question(&posed, Open::Action, now)?;
    let found = site.services.decisions.search_actions(&asked, now).await?;
    let results: Vec<Value> = found
        .into_iter()
        .map(|name| json!({ "name": name }))
        .collect();
    Ok(page(&results, None))
}

fn question(posed: &Posed, open: Open, now: Ts) -> Result<DecisionRequest, OAuthError> {
    posed
        .question(&Evaluation::default(), open, now)
        .map_err(OAuthError::invalid_request)
}

fn page(results: &[Value], next: Option<&str>) -> Value {
    let next = next.map_or_else(String::new, |place| b64::encode(place.as_bytes()));
    json!({ "results": results, "page": { "next_token": next, "count": results.len() } })
}

fn limit(page: &Page) -> Result<usize, OAuthError> {
    match page.limit {
        None => Ok(DEFAULT_LIMIT),
        Some(0) => Err(OAuthError::invalid_request("page.limit must be at least 1")),
        Some(limit) => Ok(limit.min(MAX_LIMIT)),
    }
}

/// Where the last page ended; an empty token is the first page.
fn token(page: &Page) -> Result<Option<String>, OAuthError> {
    let Some(token) = page.token.as_deref().filter(|token| !token.is_empty()) else {
        return Ok(None);
    };
    b64::decode(token)
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .filter(|text| !text.contains('\0'))
        .map(Some)
        .ok_or_else(bad_token)
}

fn place(text: &str) -> Option<Place> {
    let (kind, id) = text.split_at_checked(1)?;
    match kind {
        "w" => Some(Place::Written(id.to_owned())),
        "l" => Some(Place::Level(id.to_owned())),
        _ => None,
    }
}

fn bad_token() -> OAuthError {
    OAuthError::invalid_request(
        "page.token is not the page.next_token of an answer of this endpoint",
    )
}
