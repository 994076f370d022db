//! The management listener: health, metrics and the manual, for operators only.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

use super::health::Readiness;
use crate::telemetry::metrics;

/// `/health/live`, `/health/ready`, `/metrics` and `/manual`.
///
/// Serve it until after the public listener has finished, so that monitoring sees the end.
pub fn router(readiness: Readiness, manual: Router) -> Router {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/metrics", get(scrape))
        .with_state(readiness)
        .merge(manual)
}

/// The process answers: whatever else is wrong, restarting it would not help.
async fn live() -> Response {
    (
        [(CACHE_CONTROL, "no-store")],
        Json(serde_json::json!({"status": "live"})),
    )
        .into_response()
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    let report = readiness.report().await;
    let status = if report.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, [(CACHE_CONTROL, "no-store")], Json(report)).into_response()
}

async fn scrape() -> Response {
    let format = "text/plain; version=0.0.4; charset=utf-8";
    (
        [(CONTENT_TYPE, format), (CACHE_CONTROL, "no-store")],
        metrics::render(),
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt as _;
    use tokio_util::sync::CancellationToken;
    use tower::ServiceExt as _;

    use super::*;
    use crate::app::health::check;

    async fn answer(path: &str) -> (u16, String) {
        let checks = vec![(
            "redis",
            check(|| async { Err("connection refused".to_owned()) }),
        )];
        let router = router(
            Readiness::new(checks, CancellationToken::new()),
            Router::new(),
        );
        let response = router
            .oneshot(Request::get(path).body(Body::empty()).unwrap())
            .await
            .unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn live_is_not_ready_and_ready_says_why() {
        assert_eq!(
            answer("/health/live").await,
            (200, r#"{"status":"live"}"#.to_owned())
        );
        assert_eq!(
            answer("/health/ready").await,
            (
                503,
                r#"{"status":"not ready","checks":{"redis":"connection refused"}}"#.to_owned()
            )
        );
        metrics::install().unwrap();
        assert!(
            answer("/metrics")
                .await
                .1
                .contains("process_start_time_seconds")
        );
    }
}
