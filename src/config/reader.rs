//! Understanding single values, each by its key and form.

use std::time::Duration;

use super::keys::KeyDoc;
use super::parse;
use super::source::{Layer, Raw, Source};

/// One line of `signet config check`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The key.
    pub key: &'static str,
    /// The value, or `***` for a secret; empty when there is none.
    pub value: String,
    /// Where it came from.
    pub source: Source,
}

/// The layers, while they are understood.
pub(super) struct Reader {
    values: Layer,
    /// What is wrong so far.
    pub(super) problems: Vec<String>,
    settings: Vec<Setting>,
}

impl Reader {
    pub(super) const fn new(values: Layer, problems: Vec<String>) -> Self {
        Self {
            values,
            problems,
            settings: Vec::new(),
        }
    }

    /// What was noted of every key that was read.
    pub(super) fn take_settings(&mut self) -> Vec<Setting> {
        std::mem::take(&mut self.settings)
    }

    /// A value that must be there, from its layer or from the table's default.
    pub(super) fn one<T>(
        &mut self,
        key: &'static KeyDoc,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let raw = self.raw(key);
        match raw.items.as_slice() {
            [text] if !raw.is_list => self.understand(key, text, &raw.source, parse),
            _ => {
                self.problems.push(format!(
                    "`{}` ({}): expected one {}, got a list",
                    key.name, raw.source, key.unit
                ));
                None
            }
        }
    }

    /// A value that may be absent: no value, or an empty one.
    #[expect(
        clippy::option_option,
        reason = "the outer is whether it was understood, the inner whether it is there"
    )]
    pub(super) fn optional<T>(
        &mut self,
        key: &'static KeyDoc,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Option<T>> {
        self.one(key, |text| {
            if text.is_empty() {
                Ok(None)
            } else {
                parse(text).map(Some)
            }
        })
    }

    /// Any number of values.
    pub(super) fn list<T>(
        &mut self,
        key: &'static KeyDoc,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let raw = self.raw(key);
        let items: Vec<&str> = if raw.is_list {
            raw.items.iter().map(String::as_str).collect()
        } else {
            raw.items
                .iter()
                .flat_map(|text| text.split(','))
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .collect()
        };
        items
            .into_iter()
            .map(|item| self.understand(key, item, &raw.source, &parse))
            .collect()
    }

    /// A duration of at least so many seconds.
    pub(super) fn duration(&mut self, key: &'static KeyDoc, at_least: u64) -> Option<Duration> {
        self.one(key, |text| match parse::duration(text)? {
            duration if duration.as_secs() < at_least => {
                Err(format!("expected at least {at_least}s"))
            }
            duration => Ok(duration),
        })
    }

    /// The raw value of a key; also notes it down for `Config::describe`.
    fn raw(&mut self, key: &'static KeyDoc) -> Raw {
        let raw = self
            .values
            .get(key.name)
            .cloned()
            .unwrap_or_else(|| Raw::text(key.default, Source::Default));
        let shown = if key.secret {
            redact(&raw.items.join(""))
        } else {
            raw.items.join(", ")
        };
        self.settings.push(Setting {
            key: key.name,
            value: shown,
            source: raw.source.clone(),
        });
        raw
    }

    fn understand<T>(
        &mut self,
        key: &KeyDoc,
        text: &str,
        source: &Source,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        match parse(text) {
            Ok(value) => Some(value),
            Err(expected) if key.secret => {
                self.problems
                    .push(format!("`{}` ({source}): {expected}", key.name));
                None
            }
            Err(expected) => {
                self.problems.push(format!(
                    "`{}` ({source}): {expected}, got {text:?}",
                    key.name
                ));
                None
            }
        }
    }
}

/// Shows which server a URL means, without its credentials; anything else not at all.
fn redact(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    // Paths of SQLite are no secrets; options behind them might be.
    if text.starts_with("sqlite:") {
        return text.split('?').next().unwrap_or_default().to_owned();
    }
    match url::Url::parse(text) {
        Ok(url) if url.has_host() => {
            let port = url.port().map_or(String::new(), |port| format!(":{port}"));
            let host = url.host_str().unwrap_or_default();
            format!("{}://{host}{port}{}", url.scheme(), url.path())
        }
        Ok(_) | Err(_) => "***".to_owned(),
    }
}
