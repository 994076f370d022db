//! One decision, and several (AuthZEN §6 and §7).

use serde_json::{Value, json};

use super::request::{Evaluation, Open, Posed};
use crate::domain::policy::Decision;
use crate::http::error::OAuthError;
use crate::http::site::Site;
use crate::spec::time::Ts;

/// When several evaluations stop (AuthZEN §7.1.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Semantic {
    ExecuteAll,
    DenyOnFirstDeny,
    PermitOnFirstPermit,
}

impl Semantic {
    fn parse(name: Option<&str>) -> Option<Self> {
        match name {
            None | Some("execute_all") => Some(Self::ExecuteAll),
            Some("deny_on_first_deny") => Some(Self::DenyOnFirstDeny),
            Some("permit_on_first_permit") => Some(Self::PermitOnFirstPermit),
            Some(_) => None,
        }
    }

    const fn stops_at(self, allowed: bool) -> bool {
        match self {
            Self::ExecuteAll => false,
            Self::DenyOnFirstDeny => !allowed,
            Self::PermitOnFirstPermit => allowed,
        }
    }
}

pub(super) async fn one(site: &Site, posed: Posed, now: Ts) -> Result<Value, OAuthError> {
    let asked = posed
        .question(&Evaluation::default(), Open::Nothing, now)
        .map_err(OAuthError::invalid_request)?;
    let decision = site.services.decisions.decide(&asked, now).await?;
    Ok(told(&decision, posed.options.explain))
}

pub(super) async fn several(site: &Site, posed: Posed, now: Ts) -> Result<Value, OAuthError> {
    let semantic =
        Semantic::parse(posed.options.evaluations_semantic.as_deref()).ok_or_else(|| {
            OAuthError::invalid_request(
                "options.evaluations_semantic must be execute_all, deny_on_first_deny or permit_on_first_permit",
            )
        })?;
    // Without evaluations it is a single one (AuthZEN §7.1).
    let evaluations = match &posed.evaluations {
        Some(evaluations) if !evaluations.is_empty() => evaluations,
        Some(_) | None => return one(site, posed, now).await,
    };
    let mut told_so_far = Vec::new();
    for evaluation in evaluations {
        let (allowed, told) = match posed.question(evaluation, Open::Nothing, now) {
            Ok(asked) => {
                let decision = site.services.decisions.decide(&asked, now).await?;
                (decision.allowed, told(&decision, posed.options.explain))
            }
            // A question with a mistake is refused, and the others are answered (AuthZEN §7.2.1).
            Err(message) => (
                false,
                json!({ "decision": false, "context": { "error": { "status": 400, "message": message } } }),
            ),
        };
        told_so_far.push(told);
        // What is kept is decided without waiting; others want their turn.
        if told_so_far.len() % YIELD_EVERY == 0 {
            tokio::task::yield_now().await;
        }
        if semantic.stops_at(allowed) {
            break;
        }
    }
    Ok(json!({ "evaluations": told_so_far }))
}

/// After so many decisions, which take a millisecond at most, others have their turn. More often, and requests wander
/// from thread to thread.
const YIELD_EVERY: usize = 25;

fn told(decision: &Decision, explain: bool) -> Value {
    if !explain {
        return json!({ "decision": decision.allowed });
    }
    let sentences: Vec<String> = decision.reasons.iter().map(ToString::to_string).collect();
    json!({
        "decision": decision.allowed,
        "context": { "reason": sentences.join("; "), "reasons": decision.reasons },
    })
}
