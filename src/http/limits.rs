//! How much of a body is read, and what a form body must be.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, TRANSFER_ENCODING};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Body as _;

use super::headers::json_no_store;

/// How many bytes the body of this request may have; a request extension that `observe` sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimit(pub usize);

impl Default for BodyLimit {
    fn default() -> Self {
        Self(64 * 1024)
    }
}

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is longer than allowed; the rest of it was not read.
    #[error("the request body is longer than {limit} bytes")]
    TooLarge {
        /// The bytes that are allowed.
        limit: usize,
    },
    /// It is no form.
    #[error("expected the Content-Type application/x-www-form-urlencoded")]
    NotAForm,
    /// It is compressed, which no OAuth client does and a small bomb would.
    #[error("a request body with a Content-Encoding is not accepted")]
    Encoded,
    /// It ended early, or its framing is broken.
    #[error("the request body ended early")]
    Incomplete,
}

impl BodyError {
    /// The status: 413 for what is too large, else 400 as RFC 6749 §5.2 has it for a bad request.
    pub fn status(self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotAForm | Self::Encoded | Self::Incomplete => StatusCode::BAD_REQUEST,
        }
    }
}

/// The answer of OAuth endpoints; pages take `Result<FormBody, BodyError>` and answer themselves.
impl IntoResponse for BodyError {
    fn into_response(self) -> Response {
        let body =
            serde_json::json!({"error": "invalid_request", "error_description": self.to_string()});
        (self.status(), json_no_store(), Json(body)).into_response()
    }
}

/// The undecoded bytes of an `application/x-www-form-urlencoded` body, no longer than [`BodyLimit`].
///
/// A request with neither body nor `Content-Type` has an empty form: its parameters are missing,
/// which is what the caller then says.
#[derive(Debug, Clone)]
pub struct FormBody(pub Bytes);

impl<S: Sync> FromRequest<S> for FormBody {
    type Rejection = BodyError;

    async fn from_request(request: Request, _: &S) -> Result<Self, BodyError> {
        let (parts, body) = request.into_parts();
        let limit = parts
            .extensions
            .get::<BodyLimit>()
            .copied()
            .unwrap_or_default();
        if body.is_end_stream() && !parts.headers.contains_key(CONTENT_TYPE) {
            return Ok(Self(Bytes::new()));
        }
        // What came is read even if it cannot be used: a client that is still writing would see a broken
        // connection instead of the answer.
        // Without a length it is unknown how much is still to come.
        let form = require_form(&parts.headers);
        if form.is_ok() || !parts.headers.contains_key(TRANSFER_ENCODING) {
            let bytes = read(body, limit).await;
            return form.and(bytes).map(Self);
        }
        form.and(Err(BodyError::NotAForm))
    }
}

/// Reads a whole body, giving up as soon as it is known to be too long.
pub async fn read(body: Body, BodyLimit(limit): BodyLimit) -> Result<Bytes, BodyError> {
    // A declared length is refused before a byte is read, and before `100 Continue` is sent.
    if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Err(BodyError::TooLarge { limit });
    }
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge { limit }),
        Err(_) => Err(BodyError::Incomplete),
    }
}

/// Requires a form in the only encoding that forms have
/// ([RFC 6749 appendix B](https://www.rfc-editor.org/rfc/rfc6749#appendix-B)).
pub fn require_form(headers: &HeaderMap) -> Result<(), BodyError> {
    if headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|coding| coding != "identity")
    {
        return Err(BodyError::Encoded);
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else {
        return Err(BodyError::NotAForm);
    };
    let value = value.to_str().map_err(|_| BodyError::NotAForm)?;
    let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
    let charset = parameters.trim();
    let is_utf8 = charset.is_empty()
        || charset.split_once('=').is_some_and(|(name, value)| {
            name.trim().eq_ignore_ascii_case("charset")
                && value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        });
    if essence
        .trim()
        .eq_ignore_ascii_case("application/x-www-form-urlencoded")
        && is_utf8
    {
        Ok(())
    } else {
        Err(BodyError::NotAForm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn form(headers: &[(&str, &str)], body: Body) -> Result<Bytes, BodyError> {
        let mut request = Request::new(body);
        request.extensions_mut().insert(BodyLimit(8));
        for (name, value) in headers {
            request.headers_mut().append(
                axum::http::HeaderName::from_bytes(name.as_bytes()).unwrap(),
                value.parse().unwrap(),
            );
        }
        FormBody::from_request(request, &())
            .await
            .map(|form| form.0)
    }

    const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

    #[tokio::test]
    async fn a_form_is_read_up_to_the_limit() {
        assert_eq!(
            form(&[FORM], Body::from("a=345678")).await.unwrap(),
            "a=345678"
        );
        assert_eq!(
            form(&[FORM], Body::from("a=3456789")).await,
            Err(BodyError::TooLarge { limit: 8 })
        );
        assert_eq!(form(&[], Body::empty()).await.unwrap(), "");
    }

    #[tokio::test]
    async fn a_body_of_unknown_length_is_cut_at_the_limit() {
        let endless = Endless;
        assert_eq!(
            form(&[FORM], Body::new(endless)).await,
            Err(BodyError::TooLarge { limit: 8 })
        );
    }

    #[tokio::test]
    async fn only_forms_are_forms() {
        for accepted in [
            "application/x-www-form-urlencoded; charset=UTF-8",
            "Application/X-WWW-Form-URLEncoded;charset=\"utf-8\"",
        ] {
            assert!(
                form(&[("content-type", accepted)], Body::from("a=b"))
                    .await
                    .is_ok(),
                "{accepted}"
            );
        }
        for refused in [
            "application/json",
            "",
            "multipart/form-data; boundary=x",
            "application/x-www-form-urlencoded; charset=utf-16",
            "application/x-www-form-urlencodedx",
        ] {
            assert_eq!(
                form(&[("content-type", refused)], Body::from("a=b")).await,
                Err(BodyError::NotAForm),
                "{refused}"
            );
        }
        assert_eq!(form(&[], Body::from("a=b")).await, Err(BodyError::NotAForm));
        assert_eq!(
            form(&[FORM, FORM], Body::from("a=b")).await,
            Err(BodyError::NotAForm)
        );
        assert_eq!(
            form(&[FORM, ("content-encoding", "gzip")], Body::from("a=b")).await,
            Err(BodyError::Encoded)
        );
    }

    /// A stream of bytes without end and without a length.
    struct Endless;

    impl hyper::body::Body for Endless {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
            std::task::Poll::Ready(Some(Ok(hyper::body::Frame::data(Bytes::from_static(
                b"abc",
            )))))
        }
    }
}
