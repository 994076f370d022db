//! Roles and groups, compiled: what each has of itself and of its parents.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use rpds::HashTrieMapSync;

use super::permission::Permission;

/// What every role gives, its parents' permissions included. Cheap to copy: what is in it is shared.
#[derive(Clone, Debug, Default)]
pub(super) struct Roles {
    roles: HashTrieMapSync<String, Compiled>,
}

#[derive(Clone, Debug)]
struct Compiled {
    own: Arc<Own>,
    /// The role, its parents, their parents and so on, the nearest first.
    ancestors: Ancestors,
}

/// A name, its parents, their parents and so on: the nearest first, none twice.
pub(super) type Ancestors = Arc<[String]>;

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

    /// Without these parents; `None` when it has none of them.
    fn without(&self, deleted: &BTreeSet<String>) -> Option<Self> {
        Some(Self {
            parents: without(&self.parents, deleted)?,
            actions: self.actions.clone(),
            permissions: self.permissions,
        })
    }
}

impl Roles {
    /// These roles after a change: `None` is a role that is gone. What was deleted, if only for a moment, is nobody's
    /// parent any more. A parent that does not exist gives nothing; a cycle, which is refused on write, gives all of
    /// its members the same.
    #[must_use]
    pub(super) fn with(
        &self,
        changed: BTreeMap<String, Option<Role>>,
        deleted: &BTreeSet<String>,
    ) -> Self {
        let mut roles = self.roles.clone();
        let mut moved = BTreeSet::new();
        if !deleted.is_empty() {
            for (name, role) in self.roles.iter() {
                if let Some(own) = role.own.without(deleted) {
                    let role = Compiled {
                        own: Arc::new(own),
                        ancestors: Arc::clone(&role.ancestors),
                    };
                    roles.insert_mut(name.clone(), role);
                    moved.insert(name.clone());
                }
            }
        }
        for (name, role) in changed {
            let Some(role) = role else {
                roles.remove_mut(&name);
                moved.insert(name);
                continue;
            };
            let own = Arc::new(Own::of(role));
            let before = roles.get(&name);
            if before.is_none_or(|before| before.own.parents != own.parents) {
                moved.insert(name.clone());
            }
            let ancestors = before.map_or_else(Ancestors::default, |it| Arc::clone(&it.ancestors));
            roles.insert_mut(name, Compiled { own, ancestors });
        }
        let ancestors = moved_ancestors(
            &moved,
            || {
                roles
                    .iter()
                    .map(|(name, role)| (name.as_str(), &role.ancestors))
            },
            |name| roles.get(name).map(|role| &role.own.parents),
        );
        for (name, ancestors) in ancestors {
            if let Some(role) = roles.get_mut(&name) {
                role.ancestors = ancestors;
            }
        }
        Self { roles }
    }

    /// How many roles, permissions and parents there are.
    pub(super) fn counts(&self) -> [usize; 3] {
        let mut counts = [self.roles.size(), 0, 0];
        for role in self.roles.values() {
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
            .values()
            .filter_map(move |role| role.own.actions.get(resource_type))
            .flat_map(|actions| actions.iter().map(String::as_str))
            .filter(|action| *action != Permission::EVERY_ACTION)
    }

    /// Every role that allows the action, in the order of their names.
    #[must_use]
    pub(super) fn all_granting(&self, resource_type: &str, action: &str) -> Vec<&str> {
        let allows = |role: &Compiled| {
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

/// Names without those that were deleted; `None` when none of them was.
pub(super) fn without(
    names: &BTreeSet<String>,
    deleted: &BTreeSet<String>,
) -> Option<BTreeSet<String>> {
    if names.is_disjoint(deleted) {
        return None;
    }
    Some(names.difference(deleted).cloned().collect())
}

/// The ancestors, as they are now, of everything whose ancestors may be others than before: what was given other
/// parents, and all that came to one of these. `all` is everything there is, with the ancestors of before.
pub(super) fn moved_ancestors<'a, I: Iterator<Item = (&'a str, &'a Ancestors)>>(
    moved: &BTreeSet<String>,
    all: impl Fn() -> I,
    parents: impl Fn(&str) -> Option<&'a BTreeSet<String>>,
) -> Vec<(String, Ancestors)> {
    if moved.is_empty() {
        return Vec::new();
    }
    let is_below = |ancestors: &Ancestors| ancestors.iter().any(|name| moved.contains(name));
    all()
        .filter(|(name, ancestors)| moved.contains(*name) || is_below(ancestors))
        .map(|(name, _)| (name.to_owned(), with_ancestors(name, &parents).into()))
        .collect()
}

/// A name, its parents, their parents and so on: the nearest first, none twice.
#[must_use]
fn with_ancestors<'a>(
    name: &str,
    parents: impl Fn(&str) -> Option<&'a BTreeSet<String>>,
) -> Vec<String> {
    let mut all = vec![name.to_owned()];
    let mut seen = BTreeSet::from([name.to_owned()]);
    let mut next = 0;
    while let Some(current) = all.get(next).cloned() {
        next += 1;
        for parent in parents(&current).into_iter().flatten() {
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
        let role = |(name, role): (&String, &Compiled)| {
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
        Roles::default().with(written, &BTreeSet::new())
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
