//! Reading the texts of policies, and refusing what cannot be used.

use std::fmt;
use std::str::FromStr as _;

use cedar_policy::{ActionConstraint, EntityUid, Policy, PolicySet};
use miette::Diagnostic;

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

impl Problem {
    /// One that has no place.
    pub(super) const fn plain(message: String) -> Self {
        Self {
            at: None,
            message,
            hint: None,
        }
    }

    /// What Cedar says, without the name it gave the policy itself.
    pub(super) fn of(cedar: &str, error: &impl Diagnostic) -> Self {
        let offset = error
            .labels()
            .and_then(|mut labels| labels.next())
            .map(|label| label.offset());
        Self {
            at: offset.and_then(|offset| position(cedar, offset)),
            message: without_name(&error.to_string()),
            hint: error.help().map(|help| without_name(&help.to_string())),
        }
    }

    /// The line of the text with a mark below the column, or nothing where there is no place.
    #[must_use]
    pub fn underlined(&self, cedar: &str) -> Option<String> {
        let (line, column) = self.at?;
        let text = cedar.lines().nth(line.checked_sub(1)?)?;
        // Of a long line the part around the column.
        let from = column.saturating_sub(WIDTH - 20);
        let shown: String = text.chars().skip(from).take(WIDTH).collect();
        let before = text
            .chars()
            .skip(from)
            .take(column.saturating_sub(from + 1));
        let blanks: String = before.map(|c| if c == '\t' { c } else { ' ' }).collect();
        Some(format!("{}\n{blanks}^", shown.trim_end()))
    }
}

/// Columns of a line that are shown at most.
const WIDTH: usize = 100;

fn without_name(sentence: &str) -> String {
    let rest = sentence
        .strip_prefix("for policy `policy")
        .and_then(|rest| rest.split_once("`, "))
        .map_or(sentence, |(_, rest)| rest);
    rest.to_owned()
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
#[cfg(test)]
pub(super) fn check_text(cedar: &str) -> Result<(), Problem> {
    deep(|| parse_new(cedar).map(|_| ())).unwrap_or_else(|message| Err(Problem::plain(message)))
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

/// At most so many policies in one text that is to be written: each is judged by itself.
const MAX_POLICIES: usize = 50;

/// The same for a text that is to be written.
pub(super) fn parse_new(cedar: &str) -> Result<Vec<Policy>, Problem> {
    let policies = parse(cedar)?;
    if policies.len() <= MAX_POLICIES {
        return Ok(policies);
    }
    Err(Problem {
        at: None,
        message: "the text holds more than 50 policies".to_owned(),
        hint: Some("write them under several ids".to_owned()),
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
    let set = PolicySet::from_str(cedar).map_err(|errors| Problem::of(cedar, &errors))?;
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

/// Line and column of a byte, from one, in characters.
fn position(text: &str, offset: usize) -> Option<(usize, usize)> {
    let before = text.get(..offset)?;
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before.get(line_start..).unwrap_or_default();
    Some((before.matches('\n').count() + 1, column.chars().count() + 1))
}

/// Where a word first stands in a text by itself, not as a part of another.
pub(super) fn place(text: &str, word: &str) -> Option<(usize, usize)> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let alone = |at: &usize| {
        let before = text
            .get(..*at)
            .and_then(|before| before.chars().next_back());
        let after = text
            .get(at + word.len()..)
            .and_then(|after| after.chars().next());
        !before.is_some_and(part) && !after.is_some_and(part)
    };
    let places = text.match_indices(word).map(|(at, _)| at);
    position(text, { places }.find(alone)?)
}
