//! `signet apply -f FILE`.

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::answer::{Answer, Failure};
use super::document::Written;
use super::operator::operator;
use super::report::{explain, show};
use crate::service::Services;
use crate::service::administration::document::{Options, apply};

/// What to apply, and how.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// The document; - is standard input.
    #[arg(long, short, value_name = "FILE")]
    pub file: PathBuf,
    /// Say what would change, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Also delete what the document does not name, of every kind that a document can have.
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
pub fn read(args: &ApplyArgs) -> Result<Written, Failure> {
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
    Written::parse(&text, &name).map_err(|error| invalid(error.problems))
}

/// Makes it true.
pub async fn run(
    services: &Arc<Services>,
    args: &ApplyArgs,
    written: Written,
) -> Result<Answer, Failure> {
    let options = Options {
        dry_run: args.dry_run,
        prune: args.prune,
    };
    let applied = apply(
        services,
        &written.document,
        options,
        &operator(),
        services.clock.now(),
    )
    .await;
    let report = applied.map_err(|error| {
        explain(error, |problem| {
            let line = written.line(problem.kind, &problem.name);
            line.map_or_else(
                || problem.to_string(),
                |line| format!("{} line {line}: {problem}", args.file_name()),
            )
        })
    })?;
    Ok(show(&report))
}

/// No document is longer, in bytes.
const MOST: u64 = 64 * 1024 * 1024;
