//! The configuration, read only: it is a file's and the environment's.

use axum::http::Method;
use schemars::JsonSchema;
use serde::Serialize;

use super::api::{About, Api};
use super::call::{Answer, Call};
use super::inputs::Nothing;
use super::problem::Problem;

/// The settings of the instance that answers.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct Configuration {
    /// Every setting.
    settings: Vec<SettingView>,
}

/// One setting.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Setting")]
pub(super) struct SettingView {
    /// Its name.
    key: String,
    /// Its value; a secret is not shown.
    value: String,
    /// Where it comes from: `default`, `file`, `env` or `flag`.
    source: String,
}

pub(super) fn add(api: &mut Api) {
    let about = About::new(
        "configuration",
        "get_configuration",
        "Read the configuration",
        "configuration.read",
    )
    .details("Settings of the instance that answers. Secrets are not shown.");
    api.add(Method::GET, "/v1/configuration", about, get);
}

async fn get(call: Call<Nothing, Nothing, Nothing>) -> Result<Answer<Configuration>, Problem> {
    let settings = call.site.services.config.describe();
    let settings = settings.iter().map(|setting| SettingView {
        key: setting.key.to_owned(),
        value: setting.value.clone(),
        source: setting.source.kind().to_owned(),
    });
    Ok(Answer::of(&Configuration {
        settings: settings.collect(),
    }))
}
