//! One request of the application to the provider, over HTTP like everybody's.

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::diary::clip;
use super::shown::indent;
use crate::crypto::secret::PlainToken;
use crate::service::Services;
use crate::spec::params::encode;
use crate::web::pages::{Exchange, Reply, Step};

/// A request.
pub(super) struct Call<'a> {
    /// Where to, below the issuer.
    pub(super) path: &'a str,
    /// As whom.
    pub(super) authorization: Authorization<'a>,
    /// What is posted; without it the request is a `GET`.
    pub(super) form: Option<Vec<(&'a str, &'a str)>>,
}

/// The `Authorization` header.
#[derive(Clone, Copy)]
pub(super) enum Authorization<'a> {
    /// None.
    None,
    /// With an access token (RFC 6750 §2.1).
    Bearer(&'a str),
    /// With a client's secret (RFC 6749 §2.3.1).
    Basic(&'a str, &'a PlainToken),
}

/// What came back.
pub(super) struct Answer {
    status: u16,
    /// The members of the JSON body; none if it is something else.
    pub(super) json: Map<String, Value>,
}

impl Answer {
    /// The members of a successful answer, or what the provider has against the request, in a sentence.
    pub(super) fn successful(self) -> Result<Map<String, Value>, String> {
        if (200..300).contains(&self.status) {
            return Ok(self.json);
        }
        let text = |name| self.json.get(name).and_then(Value::as_str);
        Err(match (text("error"), text("error_description")) {
            (Some(code), Some(why)) => format!("The provider refused: {why} ({code})."),
            (Some(code), None) => format!("The provider refused: {code}."),
            (None, _) => format!("The provider refused with status {}.", self.status),
        })
    }
}

impl Call<'_> {
    /// Sends it and writes `step` down. The error is a sentence.
    pub(super) async fn send(
        self,
        services: &Services,
        steps: &mut Vec<Step>,
        step: Step,
    ) -> Result<Answer, String> {
        let method = self.form.as_ref().map_or(Method::GET, |_| Method::POST);
        let form = self.form.map(encode);
        let mut headers = vec![("accept", "application/json".to_owned())];
        headers.extend(
            self.authorization
                .sent()
                .map(|value| ("authorization", value)),
        );
        let request = Exchange {
            method: method.to_string(),
            url: services.config.issuer.endpoint(self.path),
            headers: shown_request_headers(&headers, form.is_some(), self.authorization),
            body: clip(form.as_deref().unwrap_or_default(), MAX_BODY),
        };
        let answer = services
            .fetcher
            .own(method, self.path, &headers, form)
            .await;
        let (response, answer) = match answer {
            Ok(answer) => {
                let response = Reply {
                    status: answer.status,
                    headers: shown_response_headers(answer.headers),
                    body: clip(&indent(&answer.body), MAX_BODY),
                };
                let answer = Answer {
                    status: answer.status,
                    json: serde_json::from_str(&answer.body).unwrap_or_default(),
                };
                (Some(response), Ok(answer))
            }
            Err(sentence) => (None, Err(format!("{sentence}."))),
        };
        steps.push(Step {
            request: Some(request),
            response,
            ..step
        });
        answer
    }
}

impl Authorization<'_> {
    fn sent(self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Bearer(token) => Some(format!("Bearer {token}")),
            Self::Basic(id, secret) => {
                // Both are form-encoded first (RFC 6749 §2.3.1).
                let encoded = |text: &str| {
                    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
                };
                let pair = format!("{}:{}", encoded(id), encoded(secret.expose()));
                Some(format!("Basic {}", STANDARD.encode(pair)))
            }
        }
    }

    /// Tokens are what the playground is there to show; a client's secret is nobody's business.
    fn shown(self) -> Option<String> {
        match self {
            Self::None | Self::Bearer(_) => self.sent(),
            Self::Basic(id, _) => Some(format!("Basic … (the secret of {id})")),
        }
    }
}

fn shown_request_headers(
    sent: &[(&'static str, String)],
    form: bool,
    authorization: Authorization<'_>,
) -> Vec<(String, String)> {
    let mut shown: Vec<(String, String)> = sent
        .iter()
        .filter(|(name, _)| *name != "authorization")
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    shown.extend(
        authorization
            .shown()
            .map(|value| ("authorization".to_owned(), value)),
    );
    if form {
        let form_type = "application/x-www-form-urlencoded";
        shown.push(("content-type".to_owned(), form_type.to_owned()));
    }
    shown
}

fn shown_response_headers(came: Vec<(String, String)>) -> Vec<(String, String)> {
    const WORTH_SHOWING: [&str; 5] = [
        "content-type",
        "cache-control",
        "www-authenticate",
        "retry-after",
        "location",
    ];
    came.into_iter()
        .filter(|(name, _)| WORTH_SHOWING.contains(&name.as_str()))
        .map(|(name, value)| (name, clip(&value, 500)))
        .collect()
}

/// Longest body that is shown, in bytes.
const MAX_BODY: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_sent_encoded_and_never_shown_rfc6749_2_3_1() {
        let secret = PlainToken::new("s:e c%ret");
        let basic = Authorization::Basic("api", &secret);
        let sent = basic.sent().unwrap();
        let pair = STANDARD.decode(sent.strip_prefix("Basic ").unwrap());
        assert_eq!(pair.unwrap(), b"api:s%3Ae+c%25ret");
        let headers = [("authorization", sent.clone())];
        for (_, value) in shown_request_headers(&headers, true, basic) {
            assert!(!value.contains("s:e") && !value.contains(&sent[6..]));
        }
    }

    #[test]
    fn a_refusal_is_told_in_a_sentence() {
        let refused = |status, json: Value| {
            let json = json.as_object().cloned().unwrap_or_default();
            Answer { status, json }.successful().unwrap_err()
        };
        assert_eq!(
            refused(
                400,
                serde_json::json!({"error": "invalid_grant", "error_description": "the code was used"})
            ),
            "The provider refused: the code was used (invalid_grant)."
        );
        assert_eq!(
            refused(503, Value::Null),
            "The provider refused with status 503."
        );
    }
}
