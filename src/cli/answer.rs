//! What a command says in the end, for people and for machines.

use std::io::{self, Write as _};
use std::process::ExitCode;

use serde_json::{Value, json};

/// What a command found or did.
#[derive(Debug)]
pub struct Answer {
    text: String,
    json: Value,
    failed: bool,
}

impl Answer {
    /// One answer in two forms.
    pub fn new(text: impl Into<String>, json: Value) -> Self {
        Self {
            text: text.into(),
            json,
            failed: false,
        }
    }

    /// Everything was said already.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            text: String::new(),
            json: Value::Null,
            failed: false,
        }
    }

    /// The same answer with the exit code of a failure.
    #[must_use]
    pub fn failed(mut self) -> Self {
        self.failed = true;
        self
    }

    /// The form for machines.
    #[cfg(test)]
    pub const fn json(&self) -> &Value {
        &self.json
    }

    /// Prints it and tells the exit code.
    pub(super) fn print(&self, json: bool) -> ExitCode {
        let printed = match (json, &self.json) {
            (true, Value::Null) => Ok(()),
            (true, value) => print(&value.to_string()),
            (false, _) => print(&self.text),
        };
        match printed {
            Ok(()) if self.failed => ExitCode::from(FAILED),
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => Failure::from(error).print(json),
        }
    }
}

/// Why a command did not work.
#[derive(Debug)]
pub struct Failure {
    error: String,
    problems: Vec<String>,
    hint: Option<String>,
    answer: Option<Box<Answer>>,
}

impl Failure {
    /// A sentence.
    pub fn new(error: impl Into<String>) -> Self {
        Self {
            error: error.into(),
            problems: Vec::new(),
            hint: None,
            answer: None,
        }
    }

    /// A sentence with what it sums up.
    pub fn with_problems(error: impl Into<String>, problems: Vec<String>) -> Self {
        Self {
            problems,
            ..Self::new(error)
        }
    }

    /// An error that carries its causes.
    #[must_use]
    pub fn from_anyhow(error: &anyhow::Error) -> Self {
        Self::new(format!("{error:#}"))
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds what was done nevertheless.
    #[must_use]
    pub fn after(mut self, answer: Answer) -> Self {
        self.answer = Some(Box::new(answer));
        self
    }

    /// The sentence.
    #[must_use]
    pub fn error(&self) -> &str {
        &self.error
    }

    /// What the sentence sums up.
    #[must_use]
    #[cfg(test)]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// Prints it and tells the exit code.
    pub(super) fn print(&self, json: bool) -> ExitCode {
        if let Some(answer) = &self.answer {
            let _ = answer.print(json);
        }
        let shown = if json {
            let mut value = json!({ "error": self.error, "hint": self.hint });
            if !self.problems.is_empty() {
                value["problems"] = json!(self.problems);
            }
            value.to_string()
        } else {
            let mut lines = vec![format!("signet: {}", self.error)];
            lines.extend(self.problems.iter().map(|problem| format!("  {problem}")));
            lines.extend(self.hint.iter().map(|hint| format!("hint: {hint}")));
            lines.join("\n")
        };
        // A closed standard error cannot be reported anywhere.
        let _ = writeln!(io::stderr().lock(), "{shown}");
        ExitCode::from(FAILED)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(error.to_string())
    }
}

/// Prints what clap says: help on standard output, mistakes on standard error.
pub(super) fn usage(error: &clap::Error, json: bool) -> ExitCode {
    if json && error.use_stderr() {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        let first = first.strip_prefix("error: ").unwrap_or(first);
        let value = json!({ "error": first, "hint": "signet --help" });
        let _ = writeln!(io::stderr().lock(), "{value}");
    } else {
        let _ = error.print();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE))
}

/// Prints a line on standard output at once. A reader that closed the pipe has read enough.
pub(super) fn print(text: &str) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Rows under headings, in columns.
#[must_use]
pub fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell| cell.chars().count())
            .chain(headings.get(column).map(|heading| heading.len()))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    let heading: Vec<String> = headings.iter().map(|text| text.to_uppercase()).collect();
    let mut lines = vec![line(&heading)];
    lines.extend(rows.iter().map(|row| line(row)));
    lines.join("\n")
}

/// Text that others chose, for a terminal: control characters could move the cursor or hide things.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

const FAILED: u8 = 1;
const USAGE: u8 = 2;
