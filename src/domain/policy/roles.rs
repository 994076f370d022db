//! Roles and groups, compiled: what each has of itself and of its parents.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::permission::Permission;

/// What every role gives, its parents' permissions included.
#[derive(Debug, Default)]
pub(super) struct Roles {
    roles: HashMap<String, Effective>,
}

#[derive(Debug, Default)]
struct Effective {
    /// Its parents, their parents and so on, and itself.
    ancestors: Vec<String>,
    /// By resource type and action, the role among the ancestors that has the permission.
    granting: HashMap<String, HashMap<String, String>>,
}

/// A role as it is written down.
#[derive(Clone, Debug, Default)]
pub struct Role {
    /// Roles whose permissions it has too.
    pub parents: BTreeSet<String>,
    /// Its own permissions.
    pub permissions: Vec<Permission>,
}

impl Roles {
    /// Compiles all roles. A parent that does not exist gives nothing; a cycle, which is refused on write, gives all
    /// of its members the same.
    #[must_use]
    pub(super) fn compile(written: &BTreeMap<String, Role>) -> Self {
        let parents: BTreeMap<&str, &BTreeSet<String>> = written
            .iter()
            .map(|(name, role)| (name.as_str(), &role.parents))
            .collect();
        let roles = written
            .keys()
            .map(|name| {
                let ancestors = with_ancestors(name, &parents);
                let mut granting: HashMap<String, HashMap<String, String>> = HashMap::new();
                for ancestor in &ancestors {
                    let Some(role) = written.get(ancestor) else {
                        continue;
                    };
                    for permission in &role.permissions {
                        granting
                            .entry(permission.resource_type.clone())
                            .or_default()
                            .entry(permission.action.clone())
                            // The nearest one is named.
                            .or_insert_with(|| ancestor.clone());
                    }
                }
                let effective = Effective {
                    ancestors,
                    granting,
                };
                (name.clone(), effective)
            })
            .collect();
        Self { roles }
    }

    /// The role, among this one and its ancestors, that allows the action; `None` when none does.
    #[must_use]
    pub(super) fn granting(&self, role: &str, resource_type: &str, action: &str) -> Option<&str> {
        let actions = self.roles.get(role)?.granting.get(resource_type)?;
        actions
            .get(action)
            .or_else(|| actions.get(Permission::EVERY_ACTION))
            .map(String::as_str)
    }

    /// A role, its parents, their parents and so on; nothing for one that does not exist.
    #[must_use]
    pub(super) fn with_ancestors(&self, role: &str) -> &[String] {
        self.roles
            .get(role)
            .map_or(&[], |role| role.ancestors.as_slice())
    }

    /// Everything that a role allows, as `resource_type:action`.
    pub(super) fn permissions(&self, role: &str) -> impl Iterator<Item = String> {
        let granting = self.roles.get(role).map(|role| &role.granting);
        granting.into_iter().flatten().flat_map(|(kind, actions)| {
            let actions = actions.keys();
            actions.map(move |action| format!("{kind}:{action}"))
        })
    }

    /// The actions on a resource type that some role names.
    pub(super) fn named_actions<'a>(
        &'a self,
        resource_type: &'a str,
    ) -> impl Iterator<Item = &'a str> {
        self.roles
            .values()
            .filter_map(move |role| role.granting.get(resource_type))
            .flat_map(|actions| actions.keys().map(String::as_str))
            .filter(|action| *action != Permission::EVERY_ACTION)
    }

    /// Every role that allows the action, in the order of their names.
    #[must_use]
    pub(super) fn all_granting(&self, resource_type: &str, action: &str) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .roles
            .keys()
            .filter(|role| self.granting(role, resource_type, action).is_some())
            .map(String::as_str)
            .collect();
        names.sort_unstable();
        names
    }
}

/// A name, its parents, their parents and so on: the nearest first, none twice.
#[must_use]
pub(super) fn with_ancestors(
    name: &str,
    parents: &BTreeMap<&str, &BTreeSet<String>>,
) -> Vec<String> {
    let mut all = vec![name.to_owned()];
    let mut seen = BTreeSet::from([name.to_owned()]);
    let mut next = 0;
    while let Some(current) = all.get(next).cloned() {
        next += 1;
        for parent in parents.get(current.as_str()).copied().into_iter().flatten() {
            if seen.insert(parent.clone()) {
                all.push(parent.clone());
            }
        }
    }
    all
}

/// Names that are their own ancestors.
#[must_use]
pub fn in_cycles(parents: &BTreeMap<&str, &BTreeSet<String>>) -> Vec<String> {
    let is_its_own = |name: &str| {
        let direct = parents.get(name).copied().into_iter().flatten();
        direct
            .flat_map(|parent| with_ancestors(parent, parents))
            .any(|ancestor| ancestor == name)
    };
    parents
        .keys()
        .filter(|name| is_its_own(name))
        .map(|name| (*name).to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(written: &[(&str, &[&str], &[&str])]) -> BTreeMap<String, Role> {
        written
            .iter()
            .map(|(name, parents, permissions)| {
                let role = Role {
                    parents: parents.iter().map(|&parent| parent.to_owned()).collect(),
                    permissions: permissions
                        .iter()
                        .map(|text| Permission::parse(text).unwrap())
                        .collect(),
                };
                ((*name).to_owned(), role)
            })
            .collect()
    }

    #[test]
    fn a_role_has_what_its_ancestors_have() {
        let roles = Roles::compile(&roles(&[
            ("lead", &["support"], &["order:refund"]),
            ("support", &["employee", "nowhere"], &["order:read"]),
            ("employee", &[], &["canteen:*"]),
        ]));
        assert_eq!(roles.granting("lead", "order", "refund"), Some("lead"));
        assert_eq!(roles.granting("lead", "order", "read"), Some("support"));
        assert_eq!(roles.granting("lead", "canteen", "eat"), Some("employee"));
        assert_eq!(roles.granting("support", "order", "refund"), None);
        assert_eq!(roles.granting("nowhere", "order", "read"), None);
        assert_eq!(roles.granting("lead", "orders", "read"), None);
        assert_eq!(roles.all_granting("order", "read"), ["lead", "support"]);
    }

    #[test]
    fn a_cycle_is_found_and_ends_nothing() {
        let written = roles(&[
            ("a", &["b"], &["x:1"]),
            ("b", &["a"], &["x:2"]),
            ("c", &["a"], &[]),
        ]);
        let parents = written
            .iter()
            .map(|(name, role)| (name.as_str(), &role.parents))
            .collect();
        assert_eq!(in_cycles(&parents), ["a", "b"]);
        let roles = Roles::compile(&written);
        assert_eq!(roles.granting("c", "x", "2"), Some("b"));
    }
}
