//! What callers of the API are told when something is wrong: problem details
//! ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) that name the member and say what to do.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::config::nearest;
use crate::http::challenge::{Challenge, UNAUTHORIZED, challenge};
use crate::http::json::{Unwritable, json};
use crate::http::limits::BodyError;
use crate::http::rate_limit::Limited;
use crate::service::administration::AdministrationError;
use crate::spec::members::Rejected;
use crate::spec::scope::Scope;
use crate::store::error::StoreError;

/// An error of the API.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    param: Option<Box<str>>,
    hint: Option<Box<str>>,
    errors: Vec<Mistake>,
    collided: bool,
    limited: Option<Box<Limited>>,
}

/// One mistake of several in a request.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct Mistake {
    /// The member that is wrong.
    pub(super) param: String,
    /// What is wrong with it and what was expected.
    pub(super) detail: String,
}

/// The body of an answer that is an error (RFC 9457).
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(super) struct ProblemBody {
    /// Always `about:blank`: the status and `code` say what kind of problem it is.
    r#type: &'static str,
    /// The HTTP status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What kind of problem it is, for programs.
    code: &'static str,
    /// What is wrong and what was expected, for people.
    detail: String,
    /// The parameter or member that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// Every mistake, where there may be several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Mistake>,
    /// The name of this request in the server's log.
    request_id: String,
}

/// The code of a token without the scope of this API (RFC 6750 §3.1).
const INSUFFICIENT_SCOPE: &str = "insufficient_scope";

impl Problem {
    /// A problem with its sentence.
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            param: None,
            hint: None,
            errors: Vec::new(),
            collided: false,
            limited: None,
        }
    }

    /// 400 about one parameter.
    pub(super) fn invalid(param: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_param", detail).param(param)
    }

    /// 400 about a name that means nothing here.
    pub(super) fn unknown_name<'a>(
        name: &str,
        known: impl Iterator<Item = &'a str> + Clone,
    ) -> Self {
        let problem = Self::new(
            StatusCode::BAD_REQUEST,
            "unknown_param",
            format!("{name:?} is not known here"),
        );
        let problem = problem.param(name);
        if let Some(near) = nearest(name, known.clone()) {
            return problem.hint(format!("did you mean {near:?}?"));
        }
        let known: Vec<&str> = known.collect();
        problem.hint(if known.is_empty() {
            "nothing is expected here".to_owned()
        } else {
            format!("known are: {}", known.join(", "))
        })
    }

    /// 404.
    pub(super) fn not_found(what: &str, name: impl std::fmt::Display) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("there is no {what} {name}"),
        )
    }

    /// 422 about one member.
    pub(super) fn unprocessable(param: impl Into<String>, detail: impl Into<String>) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self::new(status, "invalid_param", detail).param(param)
    }

    /// 422 about every member that does not fit.
    pub(super) fn rejected(rejected: Vec<Rejected>) -> Self {
        let mistakes = rejected.into_iter().map(|rejected| Mistake {
            param: rejected.field,
            detail: rejected.problem,
        });
        Self::mistakes(mistakes.collect())
    }

    fn mistakes(errors: Vec<Mistake>) -> Self {
        let first = errors.first().cloned();
        let detail = first.as_ref().map(|first| first.detail.clone());
        let problem = Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_param",
            detail.unwrap_or_default(),
        );
        Self {
            param: first.map(|first| first.param.into_boxed_str()),
            errors,
            ..problem
        }
    }

    /// 409.
    pub(super) fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 401: the token is missing or not good.
    pub(super) fn unauthorized(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(UNAUTHORIZED, code, detail)
    }

    /// 403: the token has not the scope of this API.
    pub(super) fn insufficient_scope() -> Self {
        let detail = format!("the token does not have the scope {}", Scope::ADMIN);
        Self::new(StatusCode::FORBIDDEN, INSUFFICIENT_SCOPE, detail)
            .hint("request a token with that scope; the client must be registered for it")
    }

    /// 403: the caller may not do this.
    pub(super) fn forbidden(action: &str) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            format!("this needs the permission signet:{action}"),
        )
        .hint("an administrator can give you a role that has it")
    }

    /// The same under another status.
    #[must_use]
    pub(super) const fn with_status(mut self, status: StatusCode, code: &'static str) -> Self {
        self.status = status;
        self.code = code;
        self
    }

    /// Names the parameter.
    #[must_use]
    pub(super) fn param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into().into_boxed_str());
        self
    }

    /// Says what to do.
    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into().into_boxed_str());
        self
    }

    /// Whether another transaction was in the way: nothing was done, and doing it again may succeed at once.
    pub(super) const fn is_collision(&self) -> bool {
        self.collided
    }

    /// 500: the log has the cause.
    pub(super) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the server failed; its log has the cause under the request id",
        )
    }

    /// Why the caller may not, if that is the problem.
    pub(super) fn denial(&self) -> Option<&str> {
        let denials = ["forbidden", "beyond_your_rights", "last_administrator"];
        denials.contains(&self.code).then_some(&self.detail)
    }

    /// The answer, which names the request.
    pub(super) fn answer(self, request_id: &str) -> Response {
        tracing::info!(error = self.code, "refused: {}", self.detail);
        let mut challenged = HeaderMap::new();
        if self.status == UNAUTHORIZED || self.code == INSUFFICIENT_SCOPE {
            let error = (self.code != "missing_token").then_some((self.code, self.detail.as_str()));
            let scope = Some(Scope::ADMIN);
            challenge(&mut challenged, &[Challenge::Bearer { error, scope }]);
        }
        let body = ProblemBody {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            code: self.code,
            detail: self.detail,
            param: self.param.map(String::from),
            hint: self.hint.map(String::from),
            errors: self.errors,
            request_id: request_id.to_owned(),
        };
        let headers = [
            (CONTENT_TYPE, "application/problem+json"),
            (CACHE_CONTROL, "no-store"),
        ];
        let mut response = match json(&body) {
            Ok(text) => (self.status, headers, text).into_response(),
            Err(Unwritable) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        };
        response.headers_mut().extend(challenged);
        if let Some(limited) = &self.limited {
            limited.write(response.headers_mut());
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            let soon = HeaderValue::from_static("1");
            response.headers_mut().insert(RETRY_AFTER, soon);
        }
        response
    }
}

impl From<Limited> for Problem {
    fn from(limited: Limited) -> Self {
        let detail = format!("too many requests: wait {}", limited.in_words());
        Self {
            limited: Some(Box::new(limited)),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail)
        }
        .hint("RateLimit says how many requests are left, Retry-After how long to wait")
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if let StoreError::Conflict { .. } = error {
            return Self::conflict(
                "conflict",
                "another request created the same at the same time",
            )
            .hint("send the request again");
        }
        let collided = matches!(error, StoreError::Retryable(_));
        if error.is_unavailable() {
            tracing::warn!(%error, "the store is in the way");
            let unavailable = Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "the server cannot do this right now",
            );
            return Self {
                collided,
                ..unavailable
            }
            .hint("send the same request again in a moment, with the same Idempotency-Key");
        }
        tracing::error!(%error, "answered 500");
        Self::internal()
    }
}

impl From<Unwritable> for Problem {
    fn from(_: Unwritable) -> Self {
        Self::internal()
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        Self::new(error.status(), "invalid_body", error.to_string())
    }
}

impl From<AdministrationError> for Problem {
    fn from(error: AdministrationError) -> Self {
        let detail = error.to_string();
        match error {
            AdministrationError::Beyond { param, .. } => {
                let problem = Self::new(StatusCode::FORBIDDEN, "beyond_your_rights", detail);
                match param {
                    Some(param) => problem.param(param),
                    None => problem,
                }
                .hint("you can only give, or take over, what you have yourself")
            }
            AdministrationError::KeyReused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                detail,
            )
            .param("Idempotency-Key")
            .hint("use a new key for every new request"),
            AdministrationError::Running => {
                Self::new(StatusCode::CONFLICT, "idempotency_key_in_use", detail)
                    .param("Idempotency-Key")
                    .hint("wait for the answer of the first request, or send this one again later")
            }
            AdministrationError::Changed => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "precondition_failed",
                detail,
            )
            .param("If-Match")
            .hint("read it again, then repeat the change"),
            AdministrationError::Forbidden(action) => Self::forbidden(&action),
            AdministrationError::NotFound { kind, name } => Self::not_found(kind.as_str(), name),
            AdministrationError::Exists { kind, .. } => Self::conflict("exists", detail)
                .param(kind.key())
                .hint("change it with PATCH, or choose another name"),
            AdministrationError::BuiltIn(_) => Self::conflict("built_in", detail),
            AdministrationError::Contradicted(_) => Self::conflict("contradicted", detail),
            AdministrationError::BadPassword => Self::unprocessable("password", detail),
            AdministrationError::Invalid(mistakes) => {
                let refers = mistakes.first().filter(|first| first.refers).cloned();
                let mistakes = mistakes.into_iter().map(|mistake| Mistake {
                    param: mistake.field,
                    detail: match mistake.hint {
                        Some(hint) => format!("{}; {hint}", mistake.problem),
                        None => mistake.problem,
                    },
                });
                let problem = Self::mistakes(mistakes.collect());
                match refers {
                    None => problem,
                    Some(first) => {
                        let problem = Self {
                            code: "unknown_reference",
                            ..problem
                        };
                        match first.hint {
                            Some(hint) => problem.hint(hint),
                            None => problem,
                        }
                    }
                }
            }
            AdministrationError::LastAdministrator => Self::conflict("last_administrator", detail)
                .hint("give the role to another user first"),
            AdministrationError::TooMany(_) => Self::conflict("too_many", detail),
            AdministrationError::Moved(_) | AdministrationError::Overtaken(_) => {
                Self::conflict("conflict", detail)
            }
            AdministrationError::NoSecret { .. } => Self::conflict("no_secret", detail),
            AdministrationError::Webhook(error) => error.into(),
            AdministrationError::Keys(error) => error.into(),
            AdministrationError::Unwritable => {
                tracing::error!("answered 500: {detail}");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
            }
            AdministrationError::Password(error) => {
                tracing::warn!(%error, "answered 503");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "unavailable",
                    error.to_string(),
                )
            }
            AdministrationError::Store(error)
            | AdministrationError::NotPublished { source: error, .. } => error.into(),
        }
    }
}
