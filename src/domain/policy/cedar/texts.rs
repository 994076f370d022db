//! Reading the texts of policies, and refusing what cannot be used.

use std::fmt;
use std::str::FromStr as _;

use cedar_policy::{ActionConstraint, EntityUid, ParseErrors, Policy, PolicySet};
use miette::Diagnostic as _;

use super::ACTION;

/// Longest text of a policy, in bytes.
const MAX_TEXT: usize = 16 * 1024;

/// Deepest nesting of brackets, and most operators and conditions: reading descends once for each.
const MAX_DEPTH: usize = 64;
const MAX_OPERATORS: usize = 1000;

/// Bytes of stack of the thread that reads policies.
const STACK: usize = 64 * 1024 * 1024;

/// Why a text is not taken as a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line and column, from one, in characters.
    pub at: Option<(usize, usize)>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.at {
            write!(f, "line {line}, column {column}: ")?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

/// Checks that a text can be used as policies.
pub fn check_text(cedar: &str) -> Result<(), Problem> {
    deep(|| parse(cedar).map(|_| ())).unwrap_or_else(|message| {
        Err(Problem {
            at: None,
            message,
            hint: None,
        })
    })
}

/// Runs what descends deeply on a stack of its own.
pub(super) fn deep<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(STACK);
        let running = builder
            .spawn_scoped(scope, work)
            .map_err(|error| error.to_string())?;
        running
            .join()
            .map_err(|_| "reading it ended the thread that read".to_owned())
    })
}

pub(super) fn parse(cedar: &str) -> Result<Vec<Policy>, Problem> {
    let whole = |message: &str, hint: &str| Problem {
        at: None,
        message: message.to_owned(),
        hint: Some(hint.to_owned()),
    };
    if cedar.len() > MAX_TEXT {
        return Err(whole(
            "the text is longer than 16 KiB",
            "write several policies",
        ));
    }
    if is_tangled(cedar) {
        return Err(whole(
            "the text is nested too deeply or has too many operators",
            "write several policies",
        ));
    }
    let set = PolicySet::from_str(cedar).map_err(|errors| located(cedar, &errors))?;
    if set.templates().next().is_some() {
        return Err(whole(
            "templates are not supported",
            "name the principal or resource instead of ?principal and ?resource",
        ));
    }
    let mut policies: Vec<Policy> = set.policies().cloned().collect();
    if policies.is_empty() {
        return Err(whole(
            "there is no policy in it",
            "expected permit(…) or forbid(…)",
        ));
    }
    if policies
        .iter()
        .any(|policy| !names_actions(&policy.action_constraint()))
    {
        return Err(whole(
            "an action has another type than Action, so that the policy would never apply",
            "write Action::\"read\"",
        ));
    }
    // In the order in which they are written: policy0, policy1, …
    policies.sort_by_key(|policy| {
        let id = policy.id().to_string();
        (id.len(), id)
    });
    Ok(policies)
}

/// Whether every action that a policy names can be asked about.
fn names_actions(constraint: &ActionConstraint) -> bool {
    let is_action = |uid: &EntityUid| uid.type_name().to_string() == ACTION;
    match constraint {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(one) => is_action(one),
        ActionConstraint::In(several) => several.iter().all(is_action),
    }
}

fn is_tangled(cedar: &str) -> bool {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in cedar.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    let operators = cedar.bytes().filter(|byte| b"&|+-*.!<>=".contains(byte));
    deepest > MAX_DEPTH
        || operators.count() > MAX_OPERATORS
        || cedar.matches("if").count() > MAX_DEPTH
}

fn located(cedar: &str, errors: &ParseErrors) -> Problem {
    let offset = errors
        .labels()
        .and_then(|mut labels| labels.next())
        .map(|label| label.offset());
    Problem {
        at: offset.and_then(|offset| cedar.get(..offset)).map(|before| {
            let line_start = before.rfind('\n').map_or(0, |at| at + 1);
            let column = before.get(line_start..).unwrap_or_default();
            (before.matches('\n').count() + 1, column.chars().count() + 1)
        }),
        message: errors.to_string(),
        hint: errors.help().map(|help| help.to_string()),
    }
}
