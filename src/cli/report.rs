//! What acts did, and why they did not, for people and for machines.

use serde_json::json;

use super::answer::{Answer, Failure, plain};
use crate::service::administration::{AdministrationError, Item, Mistake, Outcome, Report};

/// Why nothing, or not everything, was done, for people.
pub(super) fn explain(error: AdministrationError, place: impl Fn(&Mistake) -> String) -> Failure {
    match error {
        AdministrationError::Invalid(mistakes) => {
            Failure::with_problems("nothing was written", mistakes.iter().map(place).collect())
        }
        AdministrationError::NotPublished { report, source } => {
            let done = show(&report);
            let report = Box::default();
            Failure::from(AdministrationError::NotPublished { report, source }).after(done)
        }
        error => Failure::from(error),
    }
}

/// What applying did, or would do.
pub(super) fn show(report: &Report) -> Answer {
    let mut lines: Vec<String> = report.items.iter().map(line).collect();
    for (kind, count) in &report.kept {
        lines.push(format!(
            "kept       {kind:<9} {count} that the document does not name"
        ));
    }
    for generated in &report.generated {
        lines.push(format!(
            "\nThe secret of client {}, shown this once:\n\n  {}\n",
            generated.client_id,
            generated.secret.expose()
        ));
    }
    for replaced in &report.replaced {
        let (id, until) = (&replaced.client_id, &replaced.old_valid_until);
        lines.push(format!(
            "The old secret of client {id} is valid until {until}; “signet client rotate-secret {id} --revoke-old” makes a new one and ends every other at once."
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
            "replaced_secrets": report.replaced,
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
