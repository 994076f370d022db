//! Browser sessions and grants: what people are signed in to, and what applications may do for them.

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api::{About, Api};
use super::call::{Answer, Call, begun};
use super::inputs::Nothing;
use super::page::{List, Page, Range};
use super::problem::Problem;
use super::users::ById;
use crate::domain::grant::Grant;
use crate::domain::ids::{GrantId, SessionId, UserId};
use crate::domain::session::Session;
use crate::spec::time::Ts;

const READ: &str = "sessions.read";
const WRITE: &str = "sessions.write";

/// A valid browser session.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Session")]
pub(super) struct SessionView {
    /// `sid`.
    id: SessionId,
    /// `sub`.
    user_id: UserId,
    /// Time of the last sign-in, RFC 3339.
    auth_time: String,
    /// Authentication methods (RFC 8176).
    amr: Vec<String>,
    /// Time of last use, to the minute, RFC 3339.
    last_seen_at: String,
    /// Time of expiry, RFC 3339.
    expires_at: String,
}

/// A valid grant.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Grant")]
pub(super) struct GrantView {
    /// Its id.
    id: GrantId,
    /// The client.
    client_id: String,
    /// The user's `sub`.
    user_id: UserId,
    /// `sid` of the session in which it was made.
    session_id: SessionId,
    /// Whether it stays valid after that session (`offline_access`).
    offline: bool,
    /// Granted scope.
    scope: String,
    /// Time of creation, RFC 3339.
    created_at: String,
    /// Time of last use, RFC 3339.
    last_used_at: String,
    /// Time of expiry, RFC 3339.
    expires_at: String,
}

/// Selects grants.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GrantQuery {
    /// Only grants of this client.
    client_id: Option<String>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
    /// Page size, 1 to 100 (default 20).
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
}

/// One session.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct BySession {
    /// `sid`.
    id: SessionId,
}

/// One grant.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ByGrant {
    /// Its id.
    id: GrantId,
}

pub(super) fn add(api: &mut Api) {
    let about = |id, summary, action| About::new("sessions", id, summary, action);
    let list = about("list_sessions", "List a user's valid sessions", READ);
    api.add(Method::GET, "/v1/users/{id}/sessions", list, list_sessions);
    let get = about("get_session", "Read a valid session", READ);
    api.add(Method::GET, "/v1/sessions/{id}", get, get_session);
    let everywhere = "Takes effect on every instance before the response is sent.";
    let end = about("end_session", "End a session and revoke its tokens", WRITE);
    let end = end.details(everywhere);
    api.add(Method::DELETE, "/v1/sessions/{id}", end, end_session);
    let list = about("list_grants", "List a user's valid grants", READ);
    api.add(Method::GET, "/v1/users/{id}/grants", list, list_grants);
    let get = about("get_grant", "Read a valid grant", READ);
    api.add(Method::GET, "/v1/grants/{id}", get, get_grant);
    let revoke = about("revoke_grant", "Revoke a grant and its tokens", WRITE);
    let revoke = revoke.details(everywhere);
    api.add(Method::DELETE, "/v1/grants/{id}", revoke, revoke_grant);
}

async fn list_sessions(
    call: Call<ById, List, Nothing>,
) -> Result<Answer<Page<SessionView>>, Problem> {
    let id = known(&call.site, call.path.id).await?;
    let range = Range::of(&call.query)?;
    let after = range.after_id(SessionId::parse)?;
    let store = &call.site.services.store;
    let rows = store.page_of_sessions(id, after, range.rows(), call.now);
    let key = |row: &Session| row.id.to_string();
    Ok(Answer::of(&range.page(rows.await?, key, session)))
}

async fn get_session(
    call: Call<BySession, Nothing, Nothing>,
) -> Result<Answer<SessionView>, Problem> {
    Ok(Answer::of(&session(living_session(&call).await?)))
}

async fn end_session(
    call: Call<BySession, Nothing, Nothing>,
) -> Result<Answer<Nothing, 204>, Problem> {
    let mut act = begun!(call);
    let session = living_session(&call).await?;
    act.end_session(session.id, session.user_id).await?;
    call.gone(act).await
}

async fn list_grants(
    call: Call<ById, GrantQuery, Nothing>,
) -> Result<Answer<Page<GrantView>>, Problem> {
    let id = known(&call.site, call.path.id).await?;
    let query = &call.query;
    let range = Range::new(query.cursor.as_deref(), query.limit)?;
    let after = range.after_id(GrantId::parse)?;
    let client = query.client_id.as_deref().unwrap_or_default();
    let store = &call.site.services.store;
    let rows = store.page_of_grants(id, client, after, range.rows(), call.now);
    let key = |row: &Grant| row.id.to_string();
    Ok(Answer::of(&range.page(rows.await?, key, |row| grant(&row))))
}

async fn get_grant(call: Call<ByGrant, Nothing, Nothing>) -> Result<Answer<GrantView>, Problem> {
    Ok(Answer::of(&grant(&living_grant(&call).await?)))
}

async fn revoke_grant(
    call: Call<ByGrant, Nothing, Nothing>,
) -> Result<Answer<Nothing, 204>, Problem> {
    let mut act = begun!(call);
    let grant = living_grant(&call).await?;
    act.revoke_grant(grant.id, grant.user_id).await?;
    call.gone(act).await
}

async fn known(site: &crate::http::site::Site, id: UserId) -> Result<UserId, Problem> {
    let found = site.services.store.find_user(id).await?;
    found
        .map(|user| user.id)
        .ok_or_else(|| Problem::not_found("user", id))
}

async fn living_session<Q, B>(call: &Call<BySession, Q, B>) -> Result<Session, Problem> {
    let id = call.path.id;
    let found = call.site.services.store.find_session_by_id(id, call.now);
    found
        .await?
        .ok_or_else(|| Problem::not_found("living session", id))
}

async fn living_grant<Q, B>(call: &Call<ByGrant, Q, B>) -> Result<Grant, Problem> {
    let id = call.path.id;
    let found = call.site.services.store.find_living_grant(id, call.now);
    found
        .await?
        .ok_or_else(|| Problem::not_found("living grant", id))
}

fn session(row: Session) -> SessionView {
    SessionView {
        id: row.id,
        user_id: row.user_id,
        auth_time: row.auth_time.rfc3339(),
        amr: row.amr,
        last_seen_at: row.last_seen_at.rfc3339(),
        expires_at: row.expires_at.rfc3339(),
    }
}

fn grant(row: &Grant) -> GrantView {
    let at = Ts::rfc3339;
    GrantView {
        id: row.id,
        client_id: row.client_id.as_str().to_owned(),
        user_id: row.user_id,
        session_id: row.session_id,
        offline: row.offline,
        scope: row.scope.to_string(),
        created_at: at(row.created_at),
        last_used_at: at(row.advanced_at),
        expires_at: at(row.expires_at),
    }
}
