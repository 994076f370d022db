//! Whom decisions are made about: 10,000 people, 500 roles in five levels, and 200 policies.

use std::fmt::Write as _;

/// How many there are.
pub(crate) const PEOPLE: usize = 10_000;
pub(crate) const ROLES: usize = 500;
const LEVELS: usize = 5;
const POLICIES: usize = 200;

/// Two policies for each action.
const ACTIONS: usize = POLICIES / 2;

/// Roles of one level.
pub(crate) const BREADTH: usize = ROLES / LEVELS;

/// All of them as a document. Everybody has a role of the deepest level.
pub(crate) fn document() -> String {
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
    for policy in 0..POLICIES {
        let _ = write!(
            text,
            "\n[[policies]]\nid = \"policy{policy}\"\ncedar = 'permit(principal, action == Action::\"act{}\", \
             resource is Document) when {{ principal.department == resource.department && principal.department != \
             \"department{policy}\" }};'\n",
            policy % ACTIONS
        );
    }
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
