//! What is said of a setting.

/// One setting: the row behind `signet config check`, the manual and the parser's defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyDoc {
    /// The key in `signet.toml`; upper-cased behind `SIGNET_` it is the environment variable.
    pub name: &'static str,
    /// The default as one would write it; empty where there is none.
    pub default: &'static str,
    /// What the value is: `duration`, `bytes`, `URL`, …
    pub unit: &'static str,
    /// One sentence for people.
    pub doc: &'static str,
    /// Never shown, and also read from the file that `SIGNET_<KEY>_FILE` names.
    pub secret: bool,
}

impl KeyDoc {
    /// The environment variable that sets this key.
    pub fn variable(&self) -> String {
        format!("SIGNET_{}", self.name.to_ascii_uppercase())
    }
}

pub(super) const fn key(
    name: &'static str,
    default: &'static str,
    unit: &'static str,
    doc: &'static str,
) -> KeyDoc {
    KeyDoc {
        name,
        default,
        unit,
        doc,
        secret: false,
    }
}

pub(super) const fn secret(
    name: &'static str,
    default: &'static str,
    unit: &'static str,
    doc: &'static str,
) -> KeyDoc {
    KeyDoc {
        name,
        default,
        unit,
        doc,
        secret: true,
    }
}

/// The text of a documentation comment.
pub(super) const fn sentence(doc: &'static str) -> &'static str {
    doc.trim_ascii_start()
}
