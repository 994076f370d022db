//! Permissions and levels: what may be done to what.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest resource type, action or identifier in a decision, in bytes.
pub const MAX_NAME: usize = 255;

/// The role of administrators. It is an ordinary role, but for [`ADMIN_PERMISSION`], which it never loses.
pub const ADMIN_ROLE: &str = "admin";

/// Everything that there is to administrate.
pub const ADMIN_PERMISSION: &str = "signet:*";

/// An action on every resource of a type, written `resource_type:action`; the action `*` is every action.
#[derive(
    Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline, with = "String")]
pub struct Permission {
    /// The kind of resource.
    pub resource_type: String,
    /// What is done to it.
    pub action: String,
}

impl Permission {
    /// Every action of a type.
    pub const EVERY_ACTION: &'static str = "*";

    /// Reads `resource_type:action`; the type ends at the last colon.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (resource_type, action) = text.rsplit_once(':')?;
        let good = |part: &str| {
            !part.is_empty() && !part.chars().any(|c| c.is_control() || c.is_whitespace())
        };
        (text.len() <= MAX_NAME && good(resource_type) && good(action)).then(|| Self {
            resource_type: resource_type.to_owned(),
            action: action.to_owned(),
        })
    }
}

impl TryFrom<String> for Permission {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
            .ok_or_else(|| format!("{text:?}: expected resource_type:action, such as order:read"))
    }
}

impl From<Permission> for String {
    fn from(permission: Permission) -> Self {
        permission.to_string()
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.resource_type, self.action)
    }
}

/// A resource, written `Document:42`.
#[derive(
    Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline, with = "String")]
pub struct ResourceName {
    /// Its type.
    pub kind: String,
    /// Its id.
    pub id: String,
}

impl ResourceName {
    /// Reads a type, a colon and an id. The type ends at the first single colon; two of them are part of it, as in
    /// `Shop::Order:42`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let mut at = 0;
        loop {
            at += bytes.get(at..)?.iter().position(|byte| *byte == b':')?;
            if bytes.get(at + 1) != Some(&b':') {
                break;
            }
            at += 2;
        }
        let (kind, id) = (text.get(..at)?, text.get(at + 1..)?);
        let good = |part: &str| (1..=MAX_NAME).contains(&part.len()) && !part.contains('\0');
        (good(kind) && good(id)).then(|| Self {
            kind: kind.to_owned(),
            id: id.to_owned(),
        })
    }
}

impl TryFrom<String> for ResourceName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| {
            format!("{text:?}: expected a type, a colon and an id, such as Document:42")
        })
    }
}

impl From<ResourceName> for String {
    fn from(name: ResourceName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.id)
    }
}

/// What a user may do to one resource; a higher level includes the lower ones.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The action `read`.
    Read,
    /// And `write`.
    Write,
    /// And `delete`.
    Delete,
    /// And every other action.
    Admin,
}

impl Level {
    /// All of them, the lowest first.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Delete, Self::Admin];

    /// The level that an action needs.
    #[must_use]
    pub fn needed_for(action: &str) -> Self {
        Self::parse(action).unwrap_or(Self::Admin)
    }

    /// Reads a level by its name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == text)
    }

    /// Its number in the store, from 1.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Read => 1,
            Self::Write => 2,
            Self::Delete => 3,
            Self::Admin => 4,
        }
    }

    /// The level of that number; a number that this version does not know is none.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.number() == number)
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Admin => "admin",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_is_a_type_and_an_action() {
        let permission = Permission::parse("order:read").unwrap();
        assert_eq!(
            (
                permission.resource_type.as_str(),
                permission.action.as_str()
            ),
            ("order", "read")
        );
        assert_eq!(
            Permission::parse("urn:shop:order:read")
                .unwrap()
                .resource_type,
            "urn:shop:order"
        );
        for broken in ["", "order", ":read", "order:", "order: read", "a b:c"] {
            assert_eq!(Permission::parse(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn a_resource_is_a_type_and_an_id() {
        let name = |kind: &str, id: &str| {
            Some(ResourceName {
                kind: kind.to_owned(),
                id: id.to_owned(),
            })
        };
        assert_eq!(ResourceName::parse("Document:42"), name("Document", "42"));
        assert_eq!(
            ResourceName::parse("Shop::Order:42:7"),
            name("Shop::Order", "42:7")
        );
        for broken in ["", "Document", "Document:", ":42", "Shop::Order"] {
            assert_eq!(ResourceName::parse(broken), None, "{broken}");
        }
    }

    #[test]
    fn a_level_has_everything_of_the_lower_ones() {
        assert!(Level::ALL.is_sorted());
        assert_eq!(Level::needed_for("read"), Level::Read);
        assert_eq!(Level::needed_for("share"), Level::Admin);
    }
}
