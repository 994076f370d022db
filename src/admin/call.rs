//! One call of the API: who calls, what they send, and what they are answered.

use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::{FromRequestParts as _, RawPathParams, Request};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, LOCATION};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::conditions::{if_match, is_among, request_key};
use super::inputs::{self, Body, Known};
use super::problem::Problem;
use crate::crypto::b64;
use crate::crypto::digest::sha256;
use crate::http::bearer::{self, Admitted, Refused, TokenUse, Unreadable, bearer};
use crate::http::caller::Caller;
use crate::http::headers::json_no_store;
use crate::http::json::{Unwritable, json};
use crate::http::limits::{BodyLimit, read};
use crate::http::rate_limit::{self, Policy};
use crate::http::site::Site;
use crate::service::administration::{
    Act, AdministrationError, Administrator, Answered, Begun, RequestKey, begin,
};
use crate::spec::scope::Scope;
use crate::spec::time::Ts;

/// A call with everything that it brings.
pub(super) struct Call<P, Q, B> {
    /// The parameters of the path.
    pub(super) path: P,
    /// The parameters of the query.
    pub(super) query: Q,
    /// The body.
    pub(super) body: B,
    context: Context,
}

/// What every call brings, whatever the operation.
pub(super) struct Context {
    /// The server.
    pub(super) site: Site,
    /// Who calls.
    pub(super) by: Administrator,
    /// When.
    pub(super) now: Ts,
    /// How much the caller may still ask.
    pub(super) admitted: rate_limit::Admitted,
    bearer: Admitted,
    /// What was found to be allowed, to be asked again when it is the caller's turn to write.
    allowed: Mutex<Vec<(String, Option<String>)>>,
    /// The entity tags that the caller saw, of which one must be current.
    if_match: Option<Vec<String>>,
    /// `If-None-Match: *`: nothing may be there yet (RFC 9110 §13.1.2).
    only_new: bool,
    key: Option<RequestKey>,
}

impl Clone for Context {
    /// As it was before anything was found to be allowed.
    fn clone(&self) -> Self {
        Self {
            site: self.site.clone(),
            by: self.by.clone(),
            now: self.now,
            admitted: self.admitted,
            bearer: self.bearer.clone(),
            allowed: Mutex::default(),
            if_match: self.if_match.clone(),
            only_new: self.only_new,
            key: self.key.clone(),
        }
    }
}

impl<P, Q, B> Deref for Call<P, Q, B> {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

/// A request of a caller who may use this API, before the operation's types read it.
#[derive(Clone)]
pub(super) struct Arrived {
    /// Who calls, and when.
    pub(super) context: Context,
    headers: HeaderMap,
    path: String,
    query: String,
    body: Bytes,
}

/// An answer with a body of type `T`, under a status.
pub(super) struct Answer<T, const STATUS: u16 = 200> {
    answered: Result<Answered, Unwritable>,
    shape: std::marker::PhantomData<fn() -> T>,
}

impl<T, const STATUS: u16> Answer<T, STATUS> {
    /// What was written, or what was answered to the same request before.
    pub(super) const fn from_answered(answered: Answered) -> Self {
        Self::from_result(Ok(answered))
    }

    const fn from_result(answered: Result<Answered, Unwritable>) -> Self {
        Self {
            answered,
            shape: std::marker::PhantomData,
        }
    }

    pub(super) fn into_answered(self) -> Result<Answered, Problem> {
        Ok(self.answered?)
    }
}

impl<T: Serialize, const STATUS: u16> Answer<T, STATUS> {
    /// This value.
    pub(super) fn of(value: &T) -> Self {
        Self::from_result(answered(STATUS, value))
    }
}

fn answered(status: u16, value: &impl Serialize) -> Result<Answered, Unwritable> {
    let body = json(value)?;
    Ok(Answered {
        status,
        location: None,
        etag: Some(etag(&body)),
        body: Some(body),
    })
}

/// A strong validator (RFC 9110 §8.8.3): the same text has the same one, on every instance.
fn etag(body: &str) -> String {
    let digest = sha256(body.as_bytes());
    format!("\"{}\"", b64::encode(&digest[..16]))
}

/// What is to be done, or was done before.
pub(super) enum Turn<T, const STATUS: u16> {
    /// Done before.
    Before(Answer<T, STATUS>),
    /// To be done.
    Now(Box<Act>),
}

impl Arrived {
    /// Authenticates before it answers anything else, so a caller without a token learns nothing.
    pub(super) async fn read(site: Site, request: Request) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let Ok(caller) = Caller::from_request_parts(&mut parts, &()).await;
        let limit = parts.extensions.get::<BodyLimit>().copied();
        let body = read(body, limit.unwrap_or_default());
        let (bearer, body) = administrator(&site, &caller, body).await?;
        let by = Administrator {
            user: bearer.token().user_id,
            client: bearer.client().id.clone(),
            sign_in: bearer.token().sign_in.clone(),
            ip: caller.ip,
            origin: bearer.origin().clone(),
        };
        let now = bearer.at();
        let admitted = rate_limit::check(&site, Policy::Api, &by.name()).await?;
        let body = body?;
        let params = RawPathParams::from_request_parts(&mut parts, &())
            .await
            .map_err(|error| Problem::invalid("path", error.body_text()))?;
        let if_match = if_match(&parts.headers)?;
        let only_new = is_among(Some("*"), &parts.headers) && !parts.method.is_safe();
        let key = request_key(&parts.method, &parts.uri, &parts.headers, &body)?;
        Ok(Self {
            context: Context {
                site,
                by,
                now,
                admitted,
                bearer,
                allowed: Mutex::default(),
                if_match,
                only_new,
                key,
            },
            path: inputs::pairs(params.iter()),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            body,
        })
    }
}

impl<P, Q, B> Call<P, Q, B>
where
    P: DeserializeOwned,
    Q: DeserializeOwned,
    B: Body,
{
    /// Reads what the operation takes.
    pub(super) fn of(arrived: Arrived, known: &Known) -> Result<Self, Problem> {
        Ok(Self {
            path: inputs::path(&arrived.path)?,
            query: inputs::query(&arrived.query, &known.query)?,
            body: B::read(&arrived.headers, &arrived.body, &known.body)?,
            context: arrived.context,
        })
    }
}

impl Context {
    /// Refuses a caller who may not do this to what belongs to that organization, or to none.
    pub(super) async fn must(
        &self,
        action: &str,
        organization: Option<&str>,
    ) -> Result<(), Problem> {
        if self.may(action, organization).await? {
            let mut allowed = self.allowed.lock().unwrap_or_else(PoisonError::into_inner);
            allowed.push((action.to_owned(), organization.map(str::to_owned)));
            Ok(())
        } else {
            Err(Problem::forbidden(action))
        }
    }

    /// Whether the caller may do this to what belongs to that organization, or to none.
    pub(super) async fn may(
        &self,
        action: &str,
        organization: Option<&str>,
    ) -> Result<bool, Problem> {
        let services = &self.site.services;
        Ok(self
            .by
            .may(services, action, organization, self.now)
            .await?)
    }

    /// Begins to write, unless the same request was answered before.
    pub(super) async fn write<T, const STATUS: u16>(&self) -> Result<Turn<T, STATUS>, Problem> {
        let services = &self.site.services;
        match Box::pin(begin(services, &self.by, self.key.clone(), self.now)).await? {
            Begun::Before(answered) => Ok(Turn::Before(Answer::from_answered(answered))),
            Begun::Now(act) => {
                self.must_still().await?;
                Ok(Turn::Now(act))
            }
        }
    }

    /// Refuses a caller who lost the right, or the token, while waiting for the turn.
    async fn must_still(&self) -> Result<(), Problem> {
        if !self.bearer.is_still_valid(&self.site).await? {
            let detail = "the token was revoked";
            return Err(Problem::unauthorized("invalid_token", detail));
        }
        let allowed = {
            let allowed = self.allowed.lock().unwrap_or_else(PoisonError::into_inner);
            allowed.clone()
        };
        for (action, organization) in allowed {
            if !self.may(&action, organization.as_deref()).await? {
                return Err(Problem::forbidden(&action));
            }
        }
        Ok(())
    }

    /// Refuses to change what is not any more what the caller saw (RFC 9110 §13.1.1).
    pub(super) fn must_match(&self, shown: &impl Serialize) -> Result<(), Problem> {
        let Some(expected) = &self.if_match else {
            return Ok(());
        };
        let current = etag(&json(shown)?);
        if expected.iter().any(|tag| tag == "*" || *tag == current) {
            Ok(())
        } else {
            Err(AdministrationError::Changed.into())
        }
    }

    /// The same of what may not be there yet: then nothing matches, not even `*`.
    pub(super) fn must_match_if_any(&self, shown: Option<&impl Serialize>) -> Result<(), Problem> {
        match shown {
            Some(_) if self.only_new => Err(AdministrationError::Changed.into()),
            Some(shown) => self.must_match(shown),
            None if self.if_match.is_some() => Err(AdministrationError::Changed.into()),
            None => Ok(()),
        }
    }

    /// Finishes with this body.
    pub(super) async fn done<T: Serialize, const STATUS: u16>(
        &self,
        act: Box<Act>,
        value: &T,
    ) -> Result<Answer<T, STATUS>, Problem> {
        self.finish(act, answered(STATUS, value)?).await
    }

    /// Finishes with what was created and where it is.
    pub(super) async fn created<T: Serialize>(
        &self,
        act: Box<Act>,
        value: &T,
        location: String,
    ) -> Result<Answer<T, 201>, Problem> {
        let answer = Answered {
            location: Some(location),
            ..answered(201, value)?
        };
        self.finish(act, answer).await
    }

    /// Finishes with what holds a secret that is told once: no later answer has its entity tag.
    pub(super) async fn told_once<T: Serialize>(
        &self,
        act: Box<Act>,
        value: &T,
        location: String,
    ) -> Result<Answer<T, 201>, Problem> {
        let answer = Answered {
            location: Some(location),
            etag: None,
            ..answered(201, value)?
        };
        self.finish(act, answer).await
    }

    /// Finishes with nothing to say.
    pub(super) async fn gone<T>(&self, act: Box<Act>) -> Result<Answer<T, 204>, Problem> {
        let answer = Answered {
            status: 204,
            ..Answered::default()
        };
        self.finish(act, answer).await
    }

    async fn finish<T, const STATUS: u16>(
        &self,
        act: Box<Act>,
        answer: Answered,
    ) -> Result<Answer<T, STATUS>, Problem> {
        let answered = Box::pin(act.finish(answer)).await?;
        Ok(Answer::from_answered(answered))
    }
}

/// The act to do; leaves the operation with the answer of before if it was done already.
macro_rules! begun {
    ($call:expr) => {
        match $call.write().await? {
            $crate::admin::call::Turn::Before(answer) => return Ok(answer),
            $crate::admin::call::Turn::Now(act) => act,
        }
    };
}
pub(super) use begun;

/// The caller's token, admitted once the body has come.
async fn administrator<T>(
    site: &Site,
    caller: &Caller,
    body: impl Future<Output = T>,
) -> Result<(Admitted, T), Problem> {
    let shown = bearer(&caller.headers).map_err(|Unreadable| {
        Problem::invalid("Authorization", "expected one value of visible ASCII")
    })?;
    let Some(shown) = shown else {
        let detail = "this needs an access token: Authorization: Bearer …";
        return Err(Problem::unauthorized("missing_token", detail).hint(format!(
            "ask /token for the scope {}, with a client that is registered for it",
            Scope::ADMIN
        )));
    };
    bearer::admit(site, caller, shown, TokenUse::Administration, body)
        .await
        .map_err(|refused| match refused {
            Refused::InvalidToken(sentence) => Problem::unauthorized("invalid_token", sentence),
            Refused::InsufficientScope(_) => Problem::insufficient_scope(),
            Refused::Limited(limited) => limited.into(),
            Refused::Store(error) => error.into(),
        })
}

/// The answer on the wire; 304 where the caller has it already (RFC 9110 §13.1.2).
pub(super) fn respond(answered: Answered, headers: &HeaderMap, safe: bool) -> Response {
    let status = StatusCode::from_u16(answered.status).unwrap_or(StatusCode::OK);
    let unchanged = safe && is_among(answered.etag.as_deref(), headers);
    let mut response = match answered.body {
        Some(body) if !unchanged => (status, json_no_store(), body).into_response(),
        Some(_) => StatusCode::NOT_MODIFIED.into_response(),
        None => (status, json_no_store()).into_response(),
    };
    if status == StatusCode::NO_CONTENT {
        response.headers_mut().remove(CONTENT_TYPE);
    }
    for (name, value) in [(ETAG, answered.etag), (LOCATION, answered.location)] {
        if let Some(Ok(value)) = value.map(|value| HeaderValue::from_str(&value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
