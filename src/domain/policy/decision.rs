//! One decision: who asks for what, the answer, and why.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use super::permission::{Level, ResourceName};
use crate::domain::ids::UserId;
use crate::domain::user::User;
use crate::spec::time::Ts;

/// A person as decisions see them.
#[derive(Clone, Debug)]
pub struct Subject {
    /// `sub`.
    pub id: UserId,
    /// Whether they may sign in at all.
    pub enabled: bool,
    /// What policies may ask about them.
    pub attributes: Map<String, Value>,
    /// Roles they were given themselves.
    pub assignments: Vec<Assignment>,
    /// Groups of which they are members themselves.
    pub groups: Vec<String>,
    /// Organizations of which they are members.
    pub organizations: Vec<String>,
    /// What they may do to single resources.
    pub levels: Levels,
}

impl Subject {
    /// A person with what Signet itself knows of them, and no roles, groups or levels.
    #[must_use]
    pub fn of_user(user: User) -> Self {
        // It goes before what the operator says of them.
        let mut attributes = user.attributes;
        attributes.insert("username".to_owned(), user.username.into());
        attributes.insert("email_verified".to_owned(), user.email_verified.into());
        attributes.remove("email");
        if let Some(email) = user.email {
            attributes.insert("email".to_owned(), email.into());
        }
        Self {
            id: user.id,
            enabled: user.disabled_at.is_none(),
            attributes,
            assignments: Vec::new(),
            groups: Vec::new(),
            organizations: Vec::new(),
            levels: Levels::default(),
        }
    }
}

/// An assignment: a role of a user or group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Assignment {
    /// Which.
    pub role: String,
    /// Only for resources of this organization.
    pub organization: Option<String>,
    /// Until then.
    pub until: Option<Ts>,
}

impl Assignment {
    /// A role for every organization, without an end.
    #[must_use]
    pub fn of(role: impl Into<String>) -> Self {
        Self {
            role: role.into(),
            organization: None,
            until: None,
        }
    }

    /// Whether it is the same role for the same organization, perhaps until another time: only one of them can be held.
    #[must_use]
    pub fn is_for_the_same_as(&self, other: &Self) -> bool {
        (&self.role, &self.organization) == (&other.role, &other.organization)
    }
}

impl fmt::Display for Assignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.role)?;
        match &self.organization {
            Some(organization) => write!(f, " for organization {organization}"),
            None => Ok(()),
        }
    }
}

/// Levels by resource type and id.
pub type Levels = HashMap<String, HashMap<String, Level>>;

/// A resource as decisions see it.
#[derive(Clone, Debug, Default)]
pub struct Object {
    /// Its type.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// To which organization it belongs.
    pub organization: Option<String>,
    /// What policies may ask about it.
    pub attributes: Map<String, Value>,
}

impl Object {
    /// Its type and id.
    #[must_use]
    pub fn name(&self) -> ResourceName {
        ResourceName {
            kind: self.kind.clone(),
            id: self.id.clone(),
        }
    }
}

/// What a person has whatever they do: roles for every organization, with their ancestors, and what follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Roles.
    pub roles: BTreeSet<String>,
    /// Groups, with those they belong to.
    pub groups: BTreeSet<String>,
    /// `resource_type:action`.
    pub permissions: BTreeSet<String>,
    /// Organizations.
    pub organizations: Vec<String>,
    /// Attributes.
    pub attributes: Map<String, Value>,
}

/// A client, as decisions see it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Application {
    /// `client_id`.
    pub id: String,
    /// What policies may ask about it.
    pub attributes: Map<String, Value>,
}

/// May this person do this to that?
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who.
    pub subject: &'a Subject,
    /// Does what.
    pub action: &'a str,
    /// To what.
    pub object: &'a Object,
    /// Under which circumstances.
    pub context: &'a Map<String, Value>,
    /// With which application.
    pub client: Option<&'a Application>,
    /// When.
    pub now: Ts,
    /// Whether a refusal should name what would have allowed it.
    pub why: bool,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it is allowed.
    pub allowed: bool,
    /// What decided: everything that allows it, everything that forbids it, or what is missing.
    pub reasons: Vec<Reason>,
}

/// One reason for a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reason {
    /// A role has the permission.
    Role {
        /// The role that was given.
        role: String,
        /// The role, this one or one of its parents, that has the permission.
        granted_by: String,
        /// Through which group it was given.
        #[serde(skip_serializing_if = "Option::is_none")]
        group: Option<String>,
        /// For which organization.
        #[serde(skip_serializing_if = "Option::is_none")]
        organization: Option<String>,
    },
    /// A level on this one resource suffices.
    Level {
        /// The level.
        level: Level,
        /// Through which group it was given.
        #[serde(skip_serializing_if = "Option::is_none")]
        group: Option<String>,
    },
    /// A `permit` policy holds.
    Permit {
        /// Which.
        policy: String,
    },
    /// A `forbid` policy holds.
    Forbid {
        /// Which.
        policy: String,
    },
    /// A policy could not be evaluated; a `forbid` counts as holding then, a `permit` as not holding.
    Failed {
        /// Which.
        policy: String,
        /// Why.
        problem: String,
        /// Whether it is a `forbid`.
        forbids: bool,
    },
    /// There is no such person.
    UnknownSubject,
    /// The person is disabled.
    Disabled,
    /// The question cannot be put to the policies.
    Unaskable {
        /// Why.
        problem: String,
    },
    /// Nothing allows it. What follows is what would have.
    NothingAllows,
    /// They have a role that allows it, but not any more.
    Expired {
        /// Which.
        role: String,
        /// Since when, RFC 3339.
        since: String,
    },
    /// They have a role that allows it, but for another organization.
    OtherOrganization {
        /// Which.
        role: String,
        /// For which organization.
        organization: String,
    },
    /// Their level on this resource is lower than needed.
    LevelTooLow {
        /// What they have.
        level: Level,
        /// What is needed.
        needed: Level,
    },
    /// Roles that would allow it.
    MissingRole {
        /// Which; at most five are named.
        roles: Vec<String>,
    },
    /// `permit` policies for this action whose conditions do not hold.
    PermitDoesNotHold {
        /// Which; at most five are named.
        policies: Vec<String>,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role {
                role,
                granted_by,
                group,
                organization,
            } => {
                write!(f, "role {role} allows it")?;
                if granted_by != role {
                    write!(f, " through its ancestor {granted_by}")?;
                }
                if let Some(group) = group {
                    write!(f, "; given to group {group}")?;
                }
                if let Some(organization) = organization {
                    write!(f, "; for organization {organization}")?;
                }
                Ok(())
            }
            Self::Level { level, group } => {
                write!(f, "level {} on this resource allows it", level.as_str())?;
                match group {
                    Some(group) => write!(f, "; given to group {group}"),
                    None => Ok(()),
                }
            }
            Self::Permit { policy } => write!(f, "policy {policy} permits it"),
            Self::Forbid { policy } => write!(f, "policy {policy} forbids it"),
            Self::Failed {
                policy,
                problem,
                forbids,
            } => {
                write!(f, "policy {policy} could not be evaluated: {problem}")?;
                if *forbids {
                    f.write_str("; a forbid that cannot be evaluated forbids")?;
                }
                Ok(())
            }
            Self::UnknownSubject => f.write_str("there is no such person"),
            Self::Disabled => f.write_str("the person is disabled"),
            Self::Unaskable { problem } => {
                write!(f, "the policies cannot be asked: {problem}")
            }
            Self::NothingAllows => f.write_str("nothing allows it"),
            Self::Expired { role, since } => {
                write!(
                    f,
                    "role {role} would allow it, but was given until {since} only"
                )
            }
            Self::OtherOrganization { role, organization } => write!(
                f,
                "role {role} would allow it, but was given for organization {organization} only"
            ),
            Self::LevelTooLow { level, needed } => write!(
                f,
                "level {} on this resource does not suffice; {} would",
                level.as_str(),
                needed.as_str()
            ),
            Self::MissingRole { roles } => {
                write!(f, "a role would allow it: {}", roles.join(", "))
            }
            Self::PermitDoesNotHold { policies } => {
                write!(f, "a policy does not hold: {}", policies.join(", "))
            }
        }
    }
}
