//! Declared attributes: what policies may ask about people, groups, organizations, clients and resources, and of
//! which type it is. A kind of thing of which nothing is declared is open: its attributes are taken as they are.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// At most so many declarations.
pub const MAX_DECLARATIONS: usize = 1000;

/// Of what an attribute is. Written `user`, `group`, `organization`, `client`, or a resource type such as `Document`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Of {
    /// People.
    User,
    /// Groups.
    Group,
    /// Organizations.
    Organization,
    /// Clients.
    Client,
    /// Resources of that type.
    Resource(String),
}

impl Of {
    /// Reads what is written; a word that is none of the four is a resource type.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "user" => Self::User,
            "group" => Self::Group,
            "organization" => Self::Organization,
            "client" => Self::Client,
            kind => Self::Resource(kind.to_owned()),
        }
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Organization => "organization",
            Self::Client => "client",
            Self::Resource(kind) => kind,
        }
    }

    /// The attributes that Signet itself gives such a thing; they cannot be declared.
    #[must_use]
    pub const fn built_in(&self) -> &'static [(&'static str, AttributeType)] {
        match self {
            Self::User => &[
                ("username", AttributeType::String),
                ("email", AttributeType::String),
                ("email_verified", AttributeType::Bool),
            ],
            Self::Group | Self::Organization => &[],
            Self::Client => &[
                ("client_name", AttributeType::String),
                ("first_party", AttributeType::Bool),
                ("application_type", AttributeType::String),
                ("token_endpoint_auth_method", AttributeType::String),
            ],
            Self::Resource(_) => &[("organization", AttributeType::String)],
        }
    }
}

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<String> for Of {
    fn from(text: String) -> Self {
        Self::parse(&text)
    }
}

impl From<Of> for String {
    fn from(of: Of) -> Self {
        of.as_str().to_owned()
    }
}

/// The type of an attribute's values.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[schemars(inline)]
pub enum AttributeType {
    /// A text.
    #[serde(rename = "string")]
    String,
    /// A whole number of 64 bits.
    #[serde(rename = "long")]
    Long,
    /// True or false.
    #[serde(rename = "bool")]
    Bool,
    /// A list of texts.
    #[serde(rename = "set<string>")]
    StringSet,
    /// A number with at most four digits after the point.
    #[serde(rename = "decimal")]
    Decimal,
    /// A date, or a date and time, as text.
    #[serde(rename = "datetime")]
    DateTime,
    /// An address or a network, as text.
    #[serde(rename = "ipaddr")]
    IpAddr,
}

impl AttributeType {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::String,
        Self::Long,
        Self::Bool,
        Self::StringSet,
        Self::Decimal,
        Self::DateTime,
        Self::IpAddr,
    ];

    /// Reads a type by its name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Long => "long",
            Self::Bool => "bool",
            Self::StringSet => "set<string>",
            Self::Decimal => "decimal",
            Self::DateTime => "datetime",
            Self::IpAddr => "ipaddr",
        }
    }

    /// What is expected of a value, in words.
    const fn expected(self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Long => "a whole number of 64 bits",
            Self::Bool => "true or false",
            Self::StringSet => "a list of strings",
            Self::Decimal => "a number with at most four digits after the point",
            Self::DateTime => {
                "a date and time as Cedar reads them, such as 2027-01-01 or 2027-01-01T00:00:00Z"
            }
            Self::IpAddr => "an address or a network, such as 192.0.2.1 or 10.0.0.0/8",
        }
    }
}

/// What is declared of one attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Declaration {
    /// The type of its values.
    #[serde(rename = "type")]
    pub kind: AttributeType,
    /// Whether everything of that kind has it (default false).
    #[serde(default)]
    pub required: bool,
}

/// Everything that is declared, by kind and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declarations(pub BTreeMap<Of, BTreeMap<String, Declaration>>);

/// An attribute that is not as it was declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Its name.
    pub attribute: String,
    /// What is wrong and what was expected.
    pub problem: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.attribute, self.problem)
    }
}

impl Declarations {
    /// What is declared of a kind; `None`: nothing, so it is open.
    #[must_use]
    pub fn of(&self, of: &Of) -> Option<&BTreeMap<String, Declaration>> {
        self.0.get(of).filter(|declared| !declared.is_empty())
    }

    /// The type of one attribute.
    #[must_use]
    pub fn kind(&self, of: &Of, attribute: &str) -> Option<AttributeType> {
        Some(self.of(of)?.get(attribute)?.kind)
    }

    /// Declares an attribute, or declares it anew.
    pub fn insert(&mut self, of: Of, attribute: String, declaration: Declaration) {
        self.0.entry(of).or_default().insert(attribute, declaration);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    /// Whether all of a thing's attributes are as they were declared: the declared ones have their types, and the
    /// required ones are there. Others may be there too.
    pub fn check(&self, of: &Of, attributes: &Map<String, Value>) -> Result<(), Vec<Misfit>> {
        let mut misfits = Vec::new();
        for (name, declaration) in self.of(of).into_iter().flatten() {
            let problem = match attributes.get(name).filter(|value| !value.is_null()) {
                None if declaration.required => format!(
                    "it is missing, and declared as required of every {of}; expected {}",
                    declaration.kind.expected()
                ),
                Some(value) if !declaration.kind.fits(value) => format!(
                    "{} is declared as {}; expected {}",
                    short(value),
                    declaration.kind.as_str(),
                    declaration.kind.expected()
                ),
                None | Some(_) => continue,
            };
            misfits.push(Misfit {
                attribute: name.clone(),
                problem,
            });
        }
        if misfits.is_empty() {
            Ok(())
        } else {
            Err(misfits)
        }
    }
}

/// A value in an error message.
fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 40 {
        return text;
    }
    text.chars().take(39).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_fits_its_type_or_does_not() {
        for (kind, good, bad) in [
            (AttributeType::String, json!("x"), json!(1)),
            (AttributeType::Long, json!(-3), json!(1.5)),
            (AttributeType::Long, json!(i64::MAX), json!(u64::MAX)),
            (AttributeType::Bool, json!(false), json!("false")),
            (AttributeType::StringSet, json!([]), json!("a")),
            (AttributeType::StringSet, json!(["a"]), json!(["a", 1])),
            (AttributeType::Decimal, json!(1.5), json!(1.00001)),
            (AttributeType::Decimal, json!(7), json!("7.0")),
            (
                AttributeType::DateTime,
                json!("2027-01-01"),
                json!("2027-02-30"),
            ),
            (
                AttributeType::DateTime,
                json!("2027-01-01T00:00:00Z"),
                json!("tomorrow"),
            ),
            (
                AttributeType::IpAddr,
                json!("10.0.0.0/8"),
                json!("10.0.0.0/99"),
            ),
            (AttributeType::IpAddr, json!("::1"), json!(1)),
        ] {
            assert!(kind.fits(&good), "{kind:?} {good}");
            assert!(!kind.fits(&bad), "{kind:?} {bad}");
            assert_eq!(AttributeType::parse(kind.as_str()), Some(kind));
        }
    }

    #[test]
    fn what_is_required_must_be_there_and_what_is_not_declared_may() {
        let mut declarations = Declarations::default();
        let long = Declaration {
            kind: AttributeType::Long,
            required: true,
        };
        declarations.insert(Of::User, "level".to_owned(), long);
        let check = |attributes: Value| {
            let attributes = attributes.as_object().unwrap().clone();
            declarations.check(&Of::User, &attributes)
        };
        assert_eq!(check(json!({ "level": 3, "shoe": "left" })), Ok(()));
        assert!(check(json!({})).unwrap_err()[0].problem.contains("missing"));
        assert!(check(json!({ "level": null })).is_err());
        let misfit = check(json!({ "level": "high" })).unwrap_err();
        assert_eq!(
            misfit[0].to_string(),
            "level: \"high\" is declared as long; expected a whole number of 64 bits"
        );
        assert_eq!(declarations.check(&Of::Group, &Map::new()), Ok(()));
    }
}
