//! Whom decisions are made about: 10,000 people, 500 roles in five levels, and 200 policies.

use std::fmt::Write as _;

use signet::doors::{Permission, Role, Written};

/// How many there are.
pub(crate) const PEOPLE: usize = 10_000;
pub(crate) const ROLES: usize = 500;
const LEVELS: usize = 5;
const POLICIES: usize = 200;

/// Two policies for each action.
const ACTIONS: usize = POLICIES / 2;

/// Roles of one level.
pub(crate) const BREADTH: usize = ROLES / LEVELS;

/// How much of everything there is.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) people: usize,
    pub(crate) roles: usize,
    pub(crate) policies: usize,
}

impl Size {
    /// As the servers have it.
    pub(crate) const WHOLE: Self = Self {
        people: PEOPLE,
        roles: ROLES,
        policies: POLICIES,
    };

    /// So many tenths of that.
    pub(crate) const fn tenths(tenths: usize) -> Self {
        Self {
            people: PEOPLE * tenths / 10,
            roles: ROLES * tenths / 10,
            policies: POLICIES * tenths / 10,
        }
    }

    /// Roles of one level.
    pub(crate) const fn breadth(self) -> usize {
        self.roles / LEVELS
    }

    /// Two policies for each action.
    pub(crate) const fn actions(self) -> usize {
        self.policies / 2
    }

    /// Everything but the people, as the store would read it.
    pub(crate) fn written(self) -> Written {
        let role = |number: usize| {
            let parent = number.checked_sub(self.breadth());
            let role = Role {
                parents: parent
                    .iter()
                    .map(|parent| format!("role{parent}"))
                    .collect(),
                permissions: Permission::parse(&format!("thing{number}:use"))
                    .into_iter()
                    .collect(),
            };
            (format!("role{number}"), role)
        };
        let policy = |number: usize| (format!("policy{number}"), policy(number, self.actions()));
        Written {
            roles: (0..self.roles).map(role).collect(),
            policies: (0..self.policies).map(policy).collect(),
            ..Written::default()
        }
    }
}

fn policy(number: usize, actions: usize) -> String {
    format!(
        "permit(principal, action == Action::\"act{}\", resource is Document) when {{ principal.department == \
         resource.department && principal.department != \"department{number}\" }};",
        number % actions
    )
}

/// All of them as a document. Everybody has a role of the deepest level.
pub(crate) fn document() -> String {
    let mut text = without_people();
    for person in 0..PEOPLE {
        let _ = write!(
            text,
            "\n[[users]]\nusername = \"person{person}\"\nroles = [\"role{}\"]\nattributes = {{ department = \
             \"sales\" }}\n",
            ROLES - BREADTH + person % BREADTH
        );
    }
    text
}

/// The roles and the policies as a document.
pub(crate) fn without_people() -> String {
    let mut text = String::new();
    for role in 0..ROLES {
        let _ = write!(
            text,
            "\n[[roles]]\nname = \"role{role}\"\npermissions = [\"thing{role}:use\"]\n"
        );
        if let Some(parent) = role.checked_sub(BREADTH) {
            let _ = writeln!(text, "parents = [\"role{parent}\"]");
        }
    }
    for number in 0..POLICIES {
        let _ = write!(
            text,
            "\n[[policies]]\nid = \"policy{number}\"\ncedar = '{}'\n",
            policy(number, ACTIONS)
        );
    }
    text
}

/// A question that a role four levels up allows.
pub(crate) fn by_role(person: usize) -> serde_json::Value {
    serde_json::json!({
        "subject": { "type": "user", "id": format!("person{person}") },
        "action": { "name": "use" },
        "resource": { "type": format!("thing{}", person % BREADTH), "id": "1" },
    })
}

/// A question that two policies out of all of them can answer.
pub(crate) fn by_policy(person: usize) -> serde_json::Value {
    serde_json::json!({
        "subject": { "type": "user", "id": format!("person{person}") },
        "action": { "name": format!("act{}", person % ACTIONS) },
        "resource": { "type": "Document", "id": "1", "properties": { "department": "sales" } },
    })
}

/// A policy that is switched on and off.
pub(crate) fn switch(enabled: bool) -> String {
    format!(
        "[[policies]]\nid = \"switch\"\nenabled = {enabled}\ncedar = 'permit(principal, action == \
         Action::\"switch\", resource);'\n"
    )
}

/// A question that this policy alone can allow.
pub(crate) fn about_the_switch(person: usize) -> serde_json::Value {
    serde_json::json!({
        "subject": { "type": "user", "id": format!("person{person}") },
        "action": { "name": "switch" },
        "resource": { "type": "Lamp", "id": "1" },
    })
}
