//! Where a value came from, and the three layers that bring values.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::keys::KeyDoc;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Not set: the default.
    Default,
    /// A line of the configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// An environment variable, `…_FILE` included.
    Env {
        /// The variable's name.
        variable: String,
    },
    /// A flag of the command line.
    Flag {
        /// The flag with its dashes.
        flag: String,
    },
}

impl Source {
    /// `default`, `file`, `env` or `flag`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File { .. } => "file",
            Self::Env { .. } => "env",
            Self::Flag { .. } => "flag",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{} line {line}", path.display()),
            Self::Env { variable } => f.write_str(variable),
            Self::Flag { flag } => f.write_str(flag),
        }
    }
}

/// A value before it is understood: one text, or the items of a list.
#[derive(Clone)]
pub(super) struct Raw {
    pub(super) items: Vec<String>,
    pub(super) is_list: bool,
    pub(super) source: Source,
}

impl Raw {
    pub(super) fn text(text: impl Into<String>, source: Source) -> Self {
        Self {
            items: vec![text.into()],
            is_list: false,
            source,
        }
    }
}

pub(super) type Layer = BTreeMap<&'static str, Raw>;

/// Reads the text of a configuration file.
pub(super) fn file_layer(text: &str, path: &Path, problems: &mut Vec<String>) -> Layer {
    let mut layer = Layer::new();
    let at = |span: Range<usize>| Source::File {
        path: path.to_owned(),
        line: line_of(text, span.start),
    };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let span = error.span().unwrap_or_default();
        problems.push(format!("{}: not valid TOML: {}", at(span), error.message()));
    }
    if !errors.is_empty() {
        return layer;
    }
    for (name, value) in table.get_ref() {
        let source = at(name.span());
        let Some(key) = KeyDoc::find(name.get_ref()) else {
            problems.push(format!(
                "{source}: unknown key `{}`{}",
                name.get_ref(),
                suggestion(name.get_ref())
            ));
            continue;
        };
        match items_of(value.get_ref()) {
            Ok((items, is_list)) => {
                layer.insert(
                    key.name,
                    Raw {
                        items,
                        is_list,
                        source,
                    },
                );
            }
            Err(found) => {
                problems.push(format!(
                    "{source}: `{}` expects {}, not {found}",
                    key.name, key.unit
                ));
            }
        }
    }
    layer
}

fn items_of(value: &DeValue<'_>) -> Result<(Vec<String>, bool), &'static str> {
    match value {
        DeValue::String(text) => Ok((vec![text.to_string()], false)),
        DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Ok((vec![number.to_string()], false)),
            Err(_) => Err("a number of this size"),
        },
        DeValue::Array(array) => array
            .iter()
            .map(|item| match item.get_ref() {
                DeValue::String(text) => Ok(text.to_string()),
                DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_)
                | DeValue::Array(_)
                | DeValue::Table(_) => Err("a list of anything but strings"),
            })
            .collect::<Result<Vec<_>, _>>()
            .map(|items| (items, true)),
        DeValue::Float(_) => Err("a fraction"),
        DeValue::Boolean(value) => Ok((vec![value.to_string()], false)),
        DeValue::Datetime(_) => Err("a date"),
        DeValue::Table(_) => Err("a table"),
    }
}

/// Reads the `SIGNET_*` variables among all variables. One that is empty counts as not set, as
/// compose files pass on variables without a value.
pub(super) fn env_layer(
    env: impl Iterator<Item = (String, String)>,
    problems: &mut Vec<String>,
) -> Layer {
    let variables: BTreeMap<String, String> = env
        .filter(|(name, value)| name.starts_with("SIGNET_") && !value.is_empty())
        .collect();
    let mut layer = Layer::new();
    for (variable, value) in &variables {
        let name = variable
            .strip_prefix("SIGNET_")
            .unwrap_or_default()
            .to_ascii_lowercase();
        let source = Source::Env {
            variable: variable.clone(),
        };
        if let Some(key) = KeyDoc::find(&name).filter(|key| key.variable() == *variable) {
            layer.insert(key.name, Raw::text(value.clone(), source));
        } else if let Some(key) = name.strip_suffix("_file").and_then(KeyDoc::find) {
            if !key.secret {
                problems.push(format!(
                    "{variable}: only secrets are read from files; set {}",
                    key.variable()
                ));
            } else if variables.contains_key(&key.variable()) {
                problems.push(format!(
                    "{variable} and {} are both set; remove one",
                    key.variable()
                ));
            } else {
                match read_secret(Path::new(value)) {
                    Ok(text) => {
                        layer.insert(key.name, Raw::text(text, source));
                    }
                    // The value is not shown: it may be the secret itself, set by mistake.
                    Err(error) => problems.push(format!(
                        "{variable}: cannot read the file it names: {error}"
                    )),
                }
            }
        } else if !is_service_link(variable, value) {
            let nearest = KeyDoc::nearest(&name);
            let hint = nearest.map_or(String::new(), |key| {
                format!("; did you mean {}?", key.variable())
            });
            problems.push(format!("unknown environment variable {variable}{hint}"));
        }
    }
    layer
}

/// Secrets are short; whatever is longer is the wrong file. Editors end files with a line break.
fn read_secret(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)?
        .take(64 * 1024)
        .read_to_string(&mut text)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Kubernetes and `docker --link` describe a service that is itself called `signet…` in variables
/// that are not written by an operator; they are no settings and no mistakes.
fn is_service_link(variable: &str, value: &str) -> bool {
    variable.ends_with("_SERVICE_HOST")
        || variable.contains("_SERVICE_PORT")
        || (variable.contains("_PORT")
            && ["tcp://", "udp://", "sctp://"]
                .iter()
                .any(|scheme| value.starts_with(scheme)))
        || ["_TCP", "_UDP", "_SCTP"].iter().any(|protocol| {
            variable.split_once(protocol).is_some_and(|(front, end)| {
                let port = front.rsplit('_').next().unwrap_or_default();
                front.contains("_PORT_")
                    && !port.is_empty()
                    && port.bytes().all(|byte| byte.is_ascii_digit())
                    && matches!(end, "" | "_ADDR" | "_PORT" | "_PROTO")
            })
        })
}

/// Takes what the command line set: names with or without dashes in front and between.
pub(super) fn flag_layer(flags: Vec<(String, String)>, problems: &mut Vec<String>) -> Layer {
    let mut layer = Layer::new();
    for (name, value) in flags {
        let name = name.trim_start_matches('-').replace('-', "_");
        let flag = format!("--{}", name.replace('_', "-"));
        match KeyDoc::find(&name) {
            Some(key) => {
                layer.insert(key.name, Raw::text(value, Source::Flag { flag }));
            }
            None => problems.push(format!("unknown setting {flag}{}", suggestion(&name))),
        }
    }
    layer
}

fn suggestion(name: &str) -> String {
    KeyDoc::nearest(name).map_or(String::new(), |near| {
        format!("; did you mean `{}`?", near.name)
    })
}

/// The line of a byte offset, counted from 1.
pub fn line_of(text: &str, offset: usize) -> usize {
    1 + text
        .bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count()
}
