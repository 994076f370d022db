//! `/assets/…`: style sheet, script and picture, under addresses that name their content.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use super::assets::Asset;

/// `GET /assets/{file}`.
pub async fn asset(Path(file): Path<String>) -> Response {
    match Asset::find(&file) {
        Some((content_type, bytes)) => {
            let headers = [
                (CONTENT_TYPE, content_type),
                (CACHE_CONTROL, "public, max-age=31536000, immutable"),
            ];
            (headers, bytes).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
