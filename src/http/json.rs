//! JSON bodies. A value that cannot be written is answered with 500, never with an empty body.

use serde::Serialize;

/// A value that could not be written as JSON; the log has the cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwritable;

/// The body of an answer.
///
/// # Errors
/// [`Unwritable`], which every error type of an audience answers with 500; the cause is logged here, once.
pub fn json(value: &impl Serialize) -> Result<String, Unwritable> {
    serde_json::to_string(value).map_err(|error| {
        tracing::error!(%error, "answered 500: the body cannot be written as JSON");
        Unwritable
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use axum::response::IntoResponse as _;

    use super::*;
    use crate::http::error::OAuthError;

    #[test]
    fn what_cannot_be_written_is_a_500_and_no_empty_body() {
        // The keys of a JSON object are text.
        let unwritable = BTreeMap::from([((1, 2), 3)]);
        assert_eq!(json(&unwritable), Err(Unwritable));
        let response = OAuthError::from(Unwritable).into_response();
        assert_eq!(response.status(), 500);
        assert_eq!(json(&BTreeMap::from([("a", 1)])).unwrap(), "{\"a\":1}");
    }
}
