//! `signet migrate`.

use serde_json::json;

use super::answer::{Answer, Failure};
use crate::config::Config;
use crate::store::Store;

/// Brings the database to this version's shape and says what that took.
pub async fn run(config: &Config) -> Result<Answer, Failure> {
    let url = config.database_url.expose();
    let store = Store::open(url, config.database_max_connections).await?;
    let applied = store.migrate().await;
    store.db().close().await;
    let applied = applied?;
    let text = if applied.is_empty() {
        "The database is up to date.".to_owned()
    } else {
        let lines: Vec<String> = applied
            .iter()
            .map(|name| format!("applied {name}"))
            .collect();
        lines.join("\n")
    };
    Ok(Answer::new(text, json!({ "applied": applied })))
}
