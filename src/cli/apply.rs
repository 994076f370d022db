//! `signet apply -f FILE`.

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::answer::{Answer, Failure, plain};
use super::desired::{self, Converted};
use super::document::Document;
use super::operator::operator;
use crate::service::Services;
use crate::service::apply::{ApplyError, Item, Options, Outcome, Problem, Report, apply};

/// What to apply, and how.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// The document; - is standard input.
    #[arg(long, short, value_name = "FILE")]
    pub file: PathBuf,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Delete what the document does not speak of: resources, clients, users, roles and policies.
    #[arg(long)]
    pub prune: bool,
}

impl ApplyArgs {
    fn file_name(&self) -> String {
        if self.file.as_os_str() == "-" {
            "standard input".to_owned()
        } else {
            self.file.display().to_string()
        }
    }
}

/// Reads the document.
pub fn read(args: &ApplyArgs) -> Result<Converted, Failure> {
    let name = args.file_name();
    let cannot = |error: std::io::Error| Failure::new(format!("cannot read {name}: {error}"));
    let mut text = String::new();
    if args.file.as_os_str() == "-" {
        std::io::stdin().lock().take(MOST).read_to_string(&mut text)
    } else {
        std::fs::File::open(&args.file).and_then(|file| file.take(MOST).read_to_string(&mut text))
    }
    .map_err(cannot)?;
    if u64::try_from(text.len()).is_ok_and(|length| length >= MOST) {
        return Err(Failure::new(format!("{name} is larger than 64 MiB")));
    }
    let invalid = |problems| Failure::with_problems("the document cannot be applied", problems);
    let document = Document::parse(&text, &name).map_err(|error| invalid(error.problems))?;
    desired::convert(document, &name).map_err(invalid)
}

/// Makes it true.
pub async fn run(
    services: &Arc<Services>,
    args: &ApplyArgs,
    document: Converted,
) -> Result<Answer, Failure> {
    let options = Options {
        dry_run: args.dry_run,
        prune: args.prune,
        only_new: false,
        uncounted: false,
    };
    let applied = apply(
        services,
        &document.desired,
        options,
        &operator(),
        services.clock.now(),
    )
    .await;
    let report = applied.map_err(|error| {
        explain(error, |problem| {
            let line = document.line(problem.kind, &problem.name);
            line.map_or_else(
                || problem.to_string(),
                |line| format!("{} line {line}: {problem}", args.file_name()),
            )
        })
    })?;
    Ok(show(&report))
}

/// Why nothing, or not everything, was done, for people.
pub(super) fn explain(error: ApplyError, place: impl Fn(&Problem) -> String) -> Failure {
    match error {
        ApplyError::Invalid(problems) => {
            Failure::with_problems("nothing was written", problems.iter().map(place).collect())
        }
        ApplyError::NotPublished { report, source } => {
            let error = ApplyError::NotPublished {
                report: Box::default(),
                source,
            };
            Failure::from(error).after(show(&report))
        }
        error @ (ApplyError::Exists { .. }
        | ApplyError::LastAdministrator
        | ApplyError::TooMany(_)
        | ApplyError::Moved(_)
        | ApplyError::Password(_)
        | ApplyError::Store(_)) => Failure::from(error),
    }
}

fn show(report: &Report) -> Answer {
    let mut lines: Vec<String> = report.items.iter().map(line).collect();
    for (kind, count) in &report.kept {
        lines.push(format!(
            "kept       {kind:<9} {count} that the document does not speak of"
        ));
    }
    for generated in &report.generated {
        lines.push(format!(
            "\nThe secret of client {}, shown this once:\n\n  {}\n",
            generated.client_id,
            generated.secret.expose()
        ));
    }
    for warning in &report.warnings {
        lines.push(format!("warning: {}", plain(warning)));
    }
    if report.is_unchanged() {
        lines.push("Nothing to change.".to_owned());
    } else if report.dry_run {
        lines.push("Nothing was written: this was a dry run.".to_owned());
    }
    let generated: Vec<_> = report
        .generated
        .iter()
        .map(|generated| {
            json!({
                "client_id": generated.client_id,
                "client_secret": generated.secret.expose(),
            })
        })
        .collect();
    let kept: serde_json::Map<_, _> = report
        .kept
        .iter()
        .map(|(kind, count)| (kind.as_str().to_owned(), json!(count)))
        .collect();
    Answer::new(
        lines.join("\n"),
        json!({
            "dry_run": report.dry_run,
            "changed": !report.is_unchanged(),
            "items": report.items,
            "kept": kept,
            "generated": generated,
            "warnings": report.warnings,
        }),
    )
}

fn line(item: &Item) -> String {
    let fields = match &item.outcome {
        Outcome::Changed(fields) => format!(" ({})", fields.join(", ")),
        Outcome::Created | Outcome::Unchanged | Outcome::Deleted => String::new(),
    };
    format!(
        "{:<10} {:<9} {}{fields}",
        item.outcome.as_str(),
        item.kind.as_str(),
        plain(&item.name)
    )
}

/// No document is longer, in bytes.
const MOST: u64 = 64 * 1024 * 1024;
