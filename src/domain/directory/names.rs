//! Names that are read once, where they arrive.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A text that cannot be a name. The error is what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct BadName(&'static str);

const NAME: BadName = BadName("expected 1 to 255 bytes without spaces and control characters");
const ID: BadName =
    BadName("expected 1 to 255 bytes without spaces and control characters, and without #");

fn is_name(text: &str) -> bool {
    // Clients take . and .. out of a path before they send it.
    (1..=255).contains(&text.len())
        && !text.chars().any(|c| c.is_control() || c.is_whitespace())
        && !matches!(text, "." | "..")
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $is:expr, $bad:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(inline, with = "String")]
        pub struct $name(String);

        impl $name {
            /// Reads a name.
            pub fn parse(text: &str) -> Result<Self, BadName> {
                let is: fn(&str) -> bool = $is;
                if is(text) { Ok(Self(text.to_owned())) } else { Err($bad) }
            }

            /// A name out of the store: it was read when it was written.
            #[must_use]
            pub const fn stored(text: String) -> Self {
                Self(text)
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;

            fn try_from(text: String) -> Result<Self, BadName> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// The name of a role.
    RoleName, is_name, NAME
);
name!(
    /// The name of a group.
    GroupName, is_name, NAME
);
name!(
    /// The name of an organization.
    OrganizationName, is_name, NAME
);
name!(
    /// The name of a policy in explanations. A text of several policies numbers them after a `#`.
    PolicyId, |text| is_name(text) && !text.contains('#'), ID
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_no_spaces_and_do_not_vanish_from_paths() {
        for bad in [
            "",
            " ",
            "a b",
            "a\tb",
            "a\u{7}",
            ".",
            "..",
            &"x".repeat(256),
        ] {
            assert_eq!(RoleName::parse(bad), Err(NAME), "{bad:?}");
            assert_eq!(PolicyId::parse(bad), Err(ID), "{bad:?}");
        }
        assert!(GroupName::parse("o'brien/…").is_ok());
        assert!(PolicyId::parse("a#1").is_err() && OrganizationName::parse("a#1").is_ok());
    }
}
