//! Roles and groups, compiled: what each has of itself and of its parents.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::family::{Child, Deleted, Family, Member, with_ancestors, without};
use super::permission::Permission;

/// What every role gives, its parents' permissions included. Cheap to copy: what is in it is shared.
#[derive(Clone, Debug, Default)]
pub(super) struct Roles {
    roles: Family<Own>,
}

/// What a role has by itself.
#[derive(Debug, Default)]
struct Own {
    parents: BTreeSet<String>,
    /// By resource type.
    actions: HashMap<String, BTreeSet<String>>,
    permissions: usize,
}

/// A role as it is written down.
#[derive(Clone, Debug, Default)]
pub struct Role {
    /// Roles whose permissions it has too.
    pub parents: BTreeSet<String>,
    /// Its own permissions.
    pub permissions: Vec<Permission>,
}

impl Own {
    fn of(role: Role) -> Self {
        let permissions = role.permissions.len();
        let mut actions: HashMap<String, BTreeSet<String>> = HashMap::new();
        for permission in role.permissions {
            let of_type = actions.entry(permission.resource_type).or_default();
            of_type.insert(permission.action);
        }
        Self {
            parents: role.parents,
            actions,
            permissions,
        }
    }
}

impl Child for Own {
    fn parents(&self) -> &BTreeSet<String> {
        &self.parents
    }

    fn without(&self, deleted: &Deleted) -> Option<Self> {
        Some(Self {
            parents: without(&self.parents, &deleted.roles)?,
            actions: self.actions.clone(),
            permissions: self.permissions,
        })
    }
}

impl Roles {
    /// These roles after a change: `None` is a role that is gone.
    #[must_use]
    pub(super) fn with(&self, changed: BTreeMap<String, Option<Role>>, deleted: &Deleted) -> Self {
        let changed = changed.into_iter();
        let changed = changed.map(|(name, role)| (name, role.map(Own::of)));
        let (roles, _) = self.roles.with(changed.collect(), deleted);
        Self { roles }
    }

    /// How many roles, permissions and parents there are.
    pub(super) fn counts(&self) -> [usize; 3] {
        let mut counts = [self.roles.len(), 0, 0];
        for (_, role) in self.roles.iter() {
            counts[1] += role.own.permissions;
            counts[2] += role.own.parents.len();
        }
        counts
    }

    /// The role, among this one and its ancestors, that allows the action: the nearest that names it, else the
    /// nearest that allows every one; `None` when none does.
    #[must_use]
    pub(super) fn granting(&self, role: &str, resource_type: &str, action: &str) -> Option<&str> {
        let mut every = None;
        for name in self.with_ancestors(role) {
            let Some(actions) = self.own_actions(name, resource_type) else {
                continue;
            };
            if actions.contains(action) {
                return Some(name);
            }
            if every.is_none() && actions.contains(Permission::EVERY_ACTION) {
                every = Some(name.as_str());
            }
        }
        every
    }

    fn own_actions(&self, role: &str, resource_type: &str) -> Option<&BTreeSet<String>> {
        self.roles.get(role)?.own.actions.get(resource_type)
    }

    /// A role, its parents, their parents and so on; nothing for one that does not exist.
    #[must_use]
    pub(super) fn with_ancestors(&self, role: &str) -> &[String] {
        self.roles.get(role).map_or(&[], |role| &role.ancestors)
    }

    /// Everything that a role allows, as `resource_type:action`; what several of its ancestors allow comes several
    /// times.
    pub(super) fn permissions(&self, role: &str) -> impl Iterator<Item = String> {
        let ancestors = self.with_ancestors(role).iter();
        ancestors
            .filter_map(|name| self.roles.get(name))
            .flat_map(|role| &role.own.actions)
            .flat_map(|(kind, actions)| {
                let actions = actions.iter();
                actions.map(move |action| format!("{kind}:{action}"))
            })
    }

    /// The actions on a resource type that some role names.
    pub(super) fn named_actions<'a>(
        &'a self,
        resource_type: &'a str,
    ) -> impl Iterator<Item = &'a str> {
        self.roles
            .iter()
            .filter_map(move |(_, role)| role.own.actions.get(resource_type))
            .flat_map(|actions| actions.iter().map(String::as_str))
            .filter(|action| *action != Permission::EVERY_ACTION)
    }

    /// Every role that allows the action, in the order of their names.
    #[must_use]
    pub(super) fn all_granting(&self, resource_type: &str, action: &str) -> Vec<&str> {
        let allows = |role: &Member<Own>| {
            let actions = role.own.actions.get(resource_type);
            actions.is_some_and(|actions| {
                actions.contains(action) || actions.contains(Permission::EVERY_ACTION)
            })
        };
        let allowing = self.roles.iter().filter(|(_, role)| allows(role));
        let allowing: HashSet<&str> = allowing.map(|(name, _)| name.as_str()).collect();
        if allowing.is_empty() {
            return Vec::new();
        }
        let granting = self.roles.iter().filter(|(_, role)| {
            let mut ancestors = role.ancestors.iter();
            ancestors.any(|name| allowing.contains(name.as_str()))
        });
        let mut names: Vec<&str> = granting.map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names
    }
}

/// Names that are their own ancestors.
#[must_use]
pub fn in_cycles(parents: &BTreeMap<&str, &BTreeSet<String>>) -> Vec<String> {
    let is_its_own = |name: &str| {
        let direct = parents.get(name).copied().into_iter().flatten();
        direct
            .flat_map(|parent| with_ancestors(parent, |name| parents.get(name).copied()))
            .any(|ancestor| ancestor == name)
    };
    parents
        .keys()
        .filter(|name| is_its_own(name))
        .map(|name| (*name).to_owned())
        .collect()
}

#[cfg(test)]
impl Roles {
    pub(super) fn dump(&self) -> Vec<String> {
        let roles = self.roles.iter().collect::<BTreeMap<_, _>>();
        let role = |(name, role): (&String, &Member<Own>)| {
            let Own {
                parents,
                actions,
                permissions,
            } = &*role.own;
            let actions = actions.iter().collect::<BTreeMap<_, _>>();
            let ancestors = &role.ancestors;
            format!("role {name}: {parents:?} {actions:?} {permissions} {ancestors:?}")
        };
        roles.into_iter().map(role).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(written: &[(&str, &[&str], &[&str])]) -> Roles {
        let written = written
            .iter()
            .map(|(name, parents, permissions)| {
                let role = Role {
                    parents: parents.iter().map(|&parent| parent.to_owned()).collect(),
                    permissions: permissions
                        .iter()
                        .map(|text| Permission::parse(text).unwrap())
                        .collect(),
                };
                ((*name).to_owned(), Some(role))
            })
            .collect();
        Roles::default().with(written, &Deleted::default())
    }

    #[test]
    fn a_role_has_what_its_ancestors_have() {
        let roles = roles(&[
            ("lead", &["support"], &["order:refund"]),
            ("support", &["employee", "nowhere"], &["order:read"]),
            ("employee", &[], &["canteen:*"]),
        ]);
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
        let roles = roles(&[
            ("a", &["b"], &["x:1"]),
            ("b", &["a"], &["x:2"]),
            ("c", &["a"], &[]),
        ]);
        let parents = roles.roles.iter();
        let parents = parents.map(|(name, role)| (name.as_str(), &role.own.parents));
        assert_eq!(in_cycles(&parents.collect()), ["a", "b"]);
        assert_eq!(roles.granting("c", "x", "2"), Some("b"));
    }
}
