//! What is asked (AuthZEN §5 and §7.1): entities, their defaults, and what is wrong with them.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::policy::MAX_NAME;
use crate::http::error::OAuthError;
use crate::service::decisions::{DecisionRequest, Who};
use crate::spec::time::Ts;

/// At most so many questions in one request.
const MAX_EVALUATIONS: usize = 500;

/// The type of people in requests, in any case; policies call it `User`.
const USER: &str = "user";

/// A request to any of the endpoints; members that are not understood are ignored (AuthZEN §5).
#[derive(Debug, Default, Deserialize)]
pub(super) struct Posed {
    #[serde(flatten)]
    pub(super) defaults: Evaluation,
    pub(super) evaluations: Option<Vec<Evaluation>>,
    #[serde(default)]
    pub(super) options: Options,
    #[serde(default)]
    pub(super) page: Page,
}

/// One question; what it does not say, the request says for all of them (AuthZEN §7.1.1).
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Evaluation {
    subject: Option<Entity>,
    action: Option<Action>,
    resource: Option<Entity>,
    context: Option<Map<String, Value>>,
}

#[derive(Clone, Debug, Deserialize)]
struct Entity {
    #[serde(rename = "type")]
    kind: Option<String>,
    id: Option<String>,
    properties: Option<Map<String, Value>>,
}

#[derive(Clone, Debug, Deserialize)]
struct Action {
    name: Option<String>,
    properties: Option<Map<String, Value>>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Options {
    pub(super) evaluations_semantic: Option<String>,
    /// Signet's own: whether each decision says why.
    #[serde(default)]
    pub(super) explain: bool,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Page {
    /// Where the page before this one ended; drafts called it `next_token`.
    #[serde(alias = "next_token")]
    pub(super) token: Option<String>,
    pub(super) limit: Option<usize>,
}

/// Which of the three entities a search leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Open {
    Nothing,
    Subject,
    Action,
    Resource,
}

impl Posed {
    pub(super) fn parse(body: &[u8]) -> Result<Self, OAuthError> {
        let posed: Self = serde_json::from_slice(body).map_err(|error| {
            OAuthError::invalid_request(format!(
                "the body is not the JSON that is expected: {error}"
            ))
        })?;
        let count = posed.evaluations.as_ref().map_or(0, Vec::len);
        if count > MAX_EVALUATIONS {
            return Err(OAuthError::invalid_request(format!(
                "evaluations: at most {MAX_EVALUATIONS} are allowed, but {count} came"
            )));
        }
        Ok(posed)
    }

    /// A question with what it leaves out taken from the request. The error is a sentence.
    pub(super) fn question(
        &self,
        evaluation: &Evaluation,
        open: Open,
        now: Ts,
    ) -> Result<DecisionRequest, String> {
        let defaults = &self.defaults;
        let subject = evaluation.subject.as_ref().or(defaults.subject.as_ref());
        let action = evaluation.action.as_ref().or(defaults.action.as_ref());
        let resource = evaluation.resource.as_ref().or(defaults.resource.as_ref());
        let context = evaluation.context.as_ref().or(defaults.context.as_ref());

        let subject = subject.ok_or("subject is missing")?;
        let subject_type = named(subject.kind.as_ref(), "subject.type")?;
        let who = if open == Open::Subject {
            Who::Unknown
        } else {
            let id = named(subject.id.as_ref(), "subject.id")?;
            if subject_type.eq_ignore_ascii_case(USER) {
                Who::parse(id)
            } else {
                // No other type is known, so nothing is allowed.
                Who::Unknown
            }
        };
        let action_name = match (open, action) {
            (Open::Action, _) => "",
            (_, Some(action)) => named(action.name.as_ref(), "action.name")?,
            (_, None) => return Err("action is missing".to_owned()),
        };
        let resource = resource.ok_or("resource is missing")?;
        let resource_type = named(resource.kind.as_ref(), "resource.type")?;
        let resource_id = match open {
            Open::Resource => "",
            _ => named(resource.id.as_ref(), "resource.id")?,
        };
        let mut circumstances = context.cloned().unwrap_or_default();
        if let Some(properties) = action.and_then(|action| action.properties.clone()) {
            circumstances
                .entry("action")
                .or_insert_with(|| properties.into());
        }
        // The server alone says what time it is.
        circumstances.insert("now".to_owned(), now.secs().into());
        Ok(DecisionRequest {
            subject: who,
            action: action_name.to_owned(),
            resource_type: resource_type.to_owned(),
            resource_id: resource_id.to_owned(),
            resource_attributes: resource.properties.clone().unwrap_or_default(),
            context: circumstances,
            client: None,
            why: self.options.explain,
        })
    }

    /// Whether the subject is of the one type that is known.
    pub(super) fn asks_for_people(&self) -> bool {
        let subject = self.defaults.subject.as_ref();
        subject
            .and_then(|subject| subject.kind.as_ref())
            .is_some_and(|kind| kind.eq_ignore_ascii_case(USER))
    }
}

fn named<'a>(value: Option<&'a String>, name: &str) -> Result<&'a str, String> {
    match value {
        None => Err(format!("{name} is missing")),
        Some(value) if value.is_empty() || value.len() > MAX_NAME => {
            Err(format!("{name}: expected 1 to {MAX_NAME} bytes"))
        }
        Some(value) if value.contains('\0') => {
            Err(format!("{name}: a NUL character cannot be stored"))
        }
        Some(value) => Ok(value),
    }
}
