//! Putting the layers together and understanding them.

use std::fmt;
use std::path::{Path, PathBuf};

use super::reader::Reader;
use super::source::{Layer, env_layer, file_layer, flag_layer};
use super::{Config, check};

/// The file that is read when none is named and it exists in the working directory.
pub const DEFAULT_FILE: &str = "signet.toml";

/// Everything that is wrong with a configuration; no secret is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// One sentence per problem.
    pub problems: Vec<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot be used:")?;
        self.problems
            .iter()
            .try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for ConfigError {}

/// The process's environment, without variables that are not Unicode (`std::env::vars` would panic).
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

impl Config {
    /// Reads file, environment and flags, the later over the earlier.
    ///
    /// `file` must exist when it is given; otherwise `signet.toml` in the working directory is read
    /// if there is one. Flags are (key, value) pairs.
    pub fn load(
        file: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
        flags: Vec<(String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let mut values = match read_file(file) {
            Ok(Some((path, text))) => file_layer(&text, &path, &mut problems),
            Ok(None) => Layer::new(),
            Err(problem) => {
                problems.push(problem);
                Layer::new()
            }
        };
        values.extend(env_layer(env, &mut problems));
        values.extend(flag_layer(flags, &mut problems));
        let mut reader = Reader::new(values, problems);
        let config = Self::read(&mut reader);
        let mut problems = reader.problems;
        if let Some(config) = &config {
            let settings = config.describe().iter();
            let sources = settings.map(|s| (s.key, s.source.clone())).collect();
            problems.extend(check::problems(config, &sources));
        }
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            Some(_) | None => Err(ConfigError { problems }),
        }
    }
}

fn read_file(file: Option<&Path>) -> Result<Option<(PathBuf, String)>, String> {
    let path = file.unwrap_or(Path::new(DEFAULT_FILE));
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some((path.to_owned(), text))),
        Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!(
            "cannot read the configuration file {}: {error}",
            path.display()
        )),
    }
}

#[cfg(test)]
mod tests;
