//! `signet policy check|test|validate`.

use std::fs;
use std::io::{self, Read as _};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Failure, plain};
use crate::domain::policy::{Decision, MAX_NAME, Problem, ResourceName};
use crate::service::Services;
use crate::service::administration::validate_policy;
use crate::service::decisions::{DecisionRequest, Who};

/// Who may do what.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Decide one question. The exit code is 0 when it is allowed and 1 when it is not.
    Check(CheckArgs),
    /// Decide a table of questions and compare with what is expected. The exit code is 1 when one differs.
    ///
    /// FILE is TOML: for each question a table [[tests]] with subject, action, resource, expect = "allow" or "deny",
    /// and where needed attributes (of the resource) and context.
    Test {
        /// The table.
        file: PathBuf,
    },
    /// Say whether a text would be taken as a policy, by the attributes that are declared. The exit code is 1 when it
    /// would not.
    Validate {
        /// The policy in the Cedar language; - reads standard input.
        file: PathBuf,
    },
}

/// A question.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Who: the name they sign in with, or their id.
    #[arg(long, value_name = "USER")]
    pub subject: String,
    /// Does what, such as read.
    #[arg(long)]
    pub action: String,
    /// To what: its type and id, such as Document:42.
    #[arg(long, value_name = "TYPE:ID")]
    pub resource: String,
    /// What is known of the resource, as a JSON object; what is in the store goes before it.
    #[arg(long, value_name = "JSON", value_parser = object)]
    pub attributes: Option<Map<String, Value>>,
    /// The circumstances that policies may ask about, as a JSON object.
    #[arg(long, value_name = "JSON", value_parser = object)]
    pub context: Option<Map<String, Value>>,
    /// When it is not allowed, say what would have allowed it.
    #[arg(long)]
    pub why: bool,
}

/// Does it.
pub async fn run(services: &Services, command: PolicyCommand) -> Result<Answer, Failure> {
    services.decisions.refresh().await?;
    match command {
        PolicyCommand::Check(args) => check(services, args).await,
        PolicyCommand::Test { file } => test(services, &file).await,
        PolicyCommand::Validate { file } => validate(services, &file).await,
    }
}

async fn check(services: &Services, args: CheckArgs) -> Result<Answer, Failure> {
    let asked = asked(
        &args.subject,
        args.action,
        &args.resource,
        args.attributes,
        args.context,
        args.why,
    )?;
    let decision = services
        .decisions
        .decide(&asked, services.clock.now())
        .await?;
    let mut lines = vec![word(decision.allowed).to_owned()];
    lines.extend(reasons(&decision).iter().map(|line| format!("  {line}")));
    let answer = Answer::new(
        lines.join("\n"),
        json!({ "decision": decision.allowed, "reasons": decision.reasons }),
    );
    Ok(if decision.allowed {
        answer
    } else {
        answer.failed()
    })
}

/// A table of questions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    tests: Vec<Test>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Test {
    subject: String,
    action: String,
    resource: String,
    expect: Expected,
    attributes: Option<Map<String, Value>>,
    context: Option<Map<String, Value>>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Expected {
    Allow,
    Deny,
}

async fn validate(services: &Services, file: &std::path::Path) -> Result<Answer, Failure> {
    let text = read(file)?;
    let name = file.display().to_string();
    let shown = |problem: &Problem, word: &str| {
        let mark = problem.underlined(&text).unwrap_or_default();
        let mut lines = vec![format!("{name}: {word}{}", plain(&problem.to_string()))];
        lines.extend(mark.lines().map(|line| format!("    {line}")));
        lines.join("\n")
    };
    let told = |problem: &Problem| {
        json!({
            "line": problem.at.map(|(line, _)| line),
            "column": problem.at.map(|(_, column)| column),
            "message": problem.message,
            "hint": problem.hint,
        })
    };
    Ok(match validate_policy(services, text.clone()).await? {
        Ok(warnings) => {
            let mut lines = vec![format!("{name}: valid")];
            lines.extend(warnings.iter().map(|warning| shown(warning, "warning: ")));
            let warnings: Vec<Value> = warnings.iter().map(told).collect();
            let answer = json!({ "valid": true, "warnings": warnings });
            Answer::new(lines.join("\n"), answer)
        }
        Err(problem) => Answer::new(
            shown(&problem, ""),
            json!({ "valid": false, "error": told(&problem) }),
        )
        .failed(),
    })
}

/// A file, or standard input.
fn read(file: &std::path::Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if file.as_os_str() == "-" {
        io::stdin().lock().take(MOST).read_to_string(&mut text)
    } else {
        fs::File::open(file).and_then(|file| file.take(MOST).read_to_string(&mut text))
    };
    match read {
        Ok(_) => Ok(text),
        Err(error) => Err(Failure::new(format!("{}: {error}", file.display()))),
    }
}

/// No policy is longer, in bytes.
const MOST: u64 = 1024 * 1024;

async fn test(services: &Services, file: &std::path::Path) -> Result<Answer, Failure> {
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
    let table: Table = toml::from_str(&text)
        .map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
    let (mut lines, mut shown, mut failed) = (Vec::new(), Vec::new(), 0_usize);
    for (place, test) in table.tests.into_iter().enumerate() {
        let name = format!("{} {} {}", test.subject, test.action, test.resource);
        let asked = asked(
            &test.subject,
            test.action,
            &test.resource,
            test.attributes,
            test.context,
            true,
        )
        .map_err(|failure| Failure::new(format!("tests[{place}]: {}", failure.error())))?;
        let decision = services
            .decisions
            .decide(&asked, services.clock.now())
            .await?;
        let passed = decision.allowed == (test.expect == Expected::Allow);
        if !passed {
            failed += 1;
            lines.push(format!(
                "FAILED  {}: expected {}, decided {}",
                plain(&name),
                word(test.expect == Expected::Allow),
                word(decision.allowed)
            ));
            lines.extend(
                reasons(&decision)
                    .iter()
                    .map(|line| format!("        {line}")),
            );
        }
        shown.push(json!({
            "test": name,
            "passed": passed,
            "decision": decision.allowed,
            "reasons": decision.reasons,
        }));
    }
    if shown.is_empty() {
        return Err(Failure::new(format!("{}: it has no tests", file.display())));
    }
    lines.push(format!("{} passed, {failed} failed", shown.len() - failed));
    let answer = Answer::new(
        lines.join("\n"),
        json!({ "passed": shown.len() - failed, "failed": failed, "tests": shown }),
    );
    Ok(if failed == 0 { answer } else { answer.failed() })
}

fn asked(
    subject: &str,
    action: String,
    resource: &str,
    attributes: Option<Map<String, Value>>,
    context: Option<Map<String, Value>>,
    why: bool,
) -> Result<DecisionRequest, Failure> {
    let resource = ResourceName::parse(resource).ok_or_else(|| {
        Failure::new(format!(
            "resource {resource:?}: expected a type, a colon and an id, such as Document:42"
        ))
    })?;
    if action.is_empty() || action.len() > MAX_NAME {
        return Err(Failure::new(format!(
            "action: expected 1 to {MAX_NAME} bytes"
        )));
    }
    Ok(DecisionRequest {
        subject: Who::parse(subject),
        action,
        resource_type: resource.kind,
        resource_id: resource.id,
        resource_attributes: attributes.unwrap_or_default(),
        context: context.unwrap_or_default(),
        client: None,
        why,
    })
}

fn object(text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("expected a JSON object".to_owned()),
        Err(error) => Err(format!("expected a JSON object: {error}")),
    }
}

fn reasons(decision: &Decision) -> Vec<String> {
    decision
        .reasons
        .iter()
        .map(|reason| plain(&reason.to_string()))
        .collect()
}

const fn word(allowed: bool) -> &'static str {
    if allowed { "allow" } else { "deny" }
}
