//! What happens around every request, whichever route it takes: its id, its log span, its time
//! limit, its figures, and an answer even when a handler panics.

use std::any::Any;
use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use tower::{Layer, Service};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::{Instrument as _, debug, error, info_span, warn};

use super::client_ip::TrustedProxies;
use super::headers::{Page, PageHeaders, json_no_store};
use super::limits::BodyLimit;
use super::peer::Peer;
use super::request_id::{self, RequestId};
use crate::config::Config;
use crate::store::db::settled;
use crate::telemetry::metrics;

/// How requests are observed and bounded.
#[derive(Debug, Clone)]
pub struct Observe {
    /// Whose word about the client counts.
    pub trusted_proxies: TrustedProxies,
    /// From the header to the answer, reading the body included.
    pub request_timeout: Duration,
    /// Bytes of a body.
    pub body_limit: usize,
}

impl From<&Config> for Observe {
    fn from(config: &Config) -> Self {
        Self {
            trusted_proxies: TrustedProxies::new(&config.trusted_proxies),
            request_timeout: config.request_timeout,
            body_limit: config.request_body_limit,
        }
    }
}

/// Wraps every route of `router`, its fallbacks included. Routes added afterwards are not wrapped,
/// so this comes last.
///
/// Every answer carries `X-Request-Id`. Only what is no HTTP request at all never gets here: hyper
/// answers it with 400 or 431 by itself.
pub fn observe(router: Router, settings: Observe) -> Router {
    router
        .layer(DefaultBodyLimit::max(settings.body_limit))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(ObserveLayer(Arc::new(settings)))
}

#[derive(Clone)]
struct ObserveLayer(Arc<Observe>);

impl<S> Layer<S> for ObserveLayer {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Observed<S> {
        Observed {
            inner,
            settings: Arc::clone(&self.0),
        }
    }
}

#[derive(Clone)]
struct Observed<S> {
    inner: S,
    settings: Arc<Observe>,
}

impl<S> Service<Request> for Observed<S>
where
    S: Service<Request, Error = Infallible>,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let began = Instant::now();
        let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
        let trusted = &self.settings.trusted_proxies;
        let id = RequestId::of(request.headers(), peer, trusted);
        let client = peer.map(|peer| trusted.client_ip(peer, request.headers()));
        let route = request.extensions().get::<MatchedPath>().cloned();
        let about = About {
            wants_page: wants_page(request.headers()),
            method: method_label(request.method()),
            client: client.map(|client| client.0),
            id,
            route,
        };
        request.extensions_mut().insert(about.id.clone());
        request
            .extensions_mut()
            .insert(BodyLimit(self.settings.body_limit));
        if let Some(client) = client {
            request.extensions_mut().insert(client);
        }
        let (request, body_arrived) = track_body(request);

        // Never the path or the query: they carry codes, tokens and names.
        let span = info_span!(
            "request",
            request_id = about.id.as_str(),
            method = about.method,
            route = about.route()
        );
        let limit = self.settings.request_timeout;
        let handling = span.in_scope(|| self.inner.call(request));
        let answering = async move {
            // No answer leaves, not even that of the time limit, while a transaction of the request is open.
            let answer = async { handling.await.map(IntoResponse::into_response) };
            let handled = settled(async { tokio::time::timeout(limit, answer).await });
            let response = match handled.await {
                Ok(Ok(response)) => about.answer_panic(response),
                Ok(Err(never)) => match never {},
                Err(_) => about.answer_timeout(limit, &body_arrived),
            };
            Ok(about.finish(response, began))
        };
        Box::pin(answering.instrument(span))
    }
}

/// What is remembered of a request while it is being handled.
struct About {
    id: RequestId,
    method: &'static str,
    route: Option<MatchedPath>,
    client: Option<IpAddr>,
    wants_page: bool,
}

impl About {
    fn route(&self) -> &str {
        self.route.as_ref().map_or("unmatched", MatchedPath::as_str)
    }

    fn finish(&self, mut response: Response, began: Instant) -> Response {
        let took = began.elapsed();
        let status = response.status().as_u16();
        metrics::http_request(self.route(), self.method, status, took);
        debug!(
            target: "signet::access", status, micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            client = self.client.map(tracing::field::display), "answered {status}"
        );
        // The decision API answers with its caller's id.
        response
            .headers_mut()
            .entry(request_id::HEADER)
            .or_insert_with(|| self.id.header_value());
        response
    }

    fn answer_panic(&self, response: Response) -> Response {
        let Some(Panicked(message)) = response.extensions().get() else {
            return response;
        };
        error!("a handler panicked: {message}");
        self.refuse(
            StatusCode::INTERNAL_SERVER_ERROR,
            "server_error",
            "Something went wrong on our side.",
        )
    }

    /// A body that did not arrive in time is the client's matter; an answer that took too long ours.
    fn answer_timeout(&self, limit: Duration, body_arrived: &AtomicBool) -> Response {
        if !body_arrived.load(Ordering::Relaxed) {
            return self.refuse(
                StatusCode::REQUEST_TIMEOUT,
                "invalid_request",
                "The request body did not arrive in time.",
            );
        }
        warn!("no answer within {limit:?}");
        let mut response = self.refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "temporarily_unavailable",
            "The answer took too long. Please try again in a moment.",
        );
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("5"));
        response
    }

    /// A plain answer for any caller; `description` is our own text without markup.
    fn refuse(&self, status: StatusCode, code: &str, description: &str) -> Response {
        let id = self.id.as_str();
        if !self.wants_page {
            let body = serde_json::json!({
                "error": code, "error_description": format!("{description} Request id: {id}"),
            });
            return (status, json_no_store(), body.to_string()).into_response();
        }
        let page = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{description}</title>\
             <meta name=\"viewport\" content=\"width=device-width\">\
             <h1>{description}</h1><p>Request id: <code id=\"request-id\">{id}</code></p></html>"
        );
        let mut response = (status, page).into_response();
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        );
        PageHeaders::new(false).apply(response.headers_mut(), &Page::FLOW);
        response
    }
}

/// The mark of an answer that stands for a panic, with the panic's message.
#[derive(Clone)]
struct Panicked(String);

fn panicked(payload: Box<dyn Any + Send + 'static>) -> Response {
    let message = match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload
            .downcast_ref::<&str>()
            .map_or("no message", |text| text)
            .to_owned(),
    };
    let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
    response.extensions_mut().insert(Panicked(message));
    response
}

fn wants_page(headers: &HeaderMap) -> bool {
    headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

/// Methods are free text in HTTP; labels are not.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

/// Notes when the whole body has arrived.
fn track_body(request: Request) -> (Request, Arc<AtomicBool>) {
    let ended = hyper::body::Body::is_end_stream(request.body());
    let arrived = Arc::new(AtomicBool::new(ended));
    if ended {
        return (request, arrived);
    }
    let request = request.map(|body| {
        Body::new(Tracked {
            body,
            arrived: Arc::clone(&arrived),
        })
    });
    (request, arrived)
}

struct Tracked {
    body: Body,
    arrived: Arc<AtomicBool>,
}

impl hyper::body::Body for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None)) || (frame.is_ready() && self.body.is_end_stream()) {
            self.arrived.store(true, Ordering::Relaxed);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests;
