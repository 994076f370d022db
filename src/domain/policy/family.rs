//! Things that have parents among themselves: roles and groups.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rpds::HashTrieMapSync;

/// Names of what was deleted: what other things had of them is gone too, also when there is another of that name.
#[derive(Clone, Debug, Default)]
pub struct Deleted {
    /// Roles: no parents of others, not given to groups.
    pub roles: BTreeSet<String>,
    /// Groups: no parents of others.
    pub groups: BTreeSet<String>,
    /// Organizations: groups have no roles for them.
    pub organizations: BTreeSet<String>,
}

impl Deleted {
    pub(super) fn is_empty(&self) -> bool {
        self.roles.is_empty() && self.groups.is_empty() && self.organizations.is_empty()
    }
}

/// A name, its parents, their parents and so on: the nearest first, none twice.
pub(super) type Ancestors = Arc<[String]>;

/// Something that has parents.
pub(super) trait Child: Sized {
    fn parents(&self) -> &BTreeSet<String>;

    /// Without what was deleted; `None` when it has nothing of it.
    fn without(&self, deleted: &Deleted) -> Option<Self>;
}

/// All of a kind, by name. Cheap to copy: what is in it is shared.
#[derive(Debug)]
pub(super) struct Family<T> {
    all: HashTrieMapSync<String, Member<T>>,
}

#[derive(Debug)]
pub(super) struct Member<T> {
    /// What it has by itself.
    pub(super) own: Arc<T>,
    /// The thing itself, its parents, their parents and so on, the nearest first.
    pub(super) ancestors: Ancestors,
}

impl<T> Clone for Member<T> {
    fn clone(&self) -> Self {
        Self {
            own: Arc::clone(&self.own),
            ancestors: Arc::clone(&self.ancestors),
        }
    }
}

impl<T> Clone for Family<T> {
    fn clone(&self) -> Self {
        Self {
            all: self.all.clone(),
        }
    }
}

impl<T> Default for Family<T> {
    fn default() -> Self {
        Self {
            all: HashTrieMapSync::default(),
        }
    }
}

impl<T: Child> Family<T> {
    /// These things after a change, and the names of all that were changed or whose ancestors may be others now. `None`
    /// is a thing that is gone; what was deleted, if only for a moment, is not a parent of any other any more. A parent
    /// that does not exist gives nothing; a cycle, which is refused on write, gives all of its members the same.
    #[must_use]
    pub(super) fn with(
        &self,
        changed: BTreeMap<String, Option<T>>,
        deleted: &Deleted,
    ) -> (Self, BTreeSet<String>) {
        let mut all = self.all.clone();
        let mut moved = BTreeSet::new();
        if !deleted.is_empty() {
            for (name, member) in self.all.iter() {
                let Some(own) = member.own.without(deleted) else {
                    continue;
                };
                if own.parents() != member.own.parents() {
                    moved.insert(name.clone());
                }
                let own = Arc::new(own);
                let ancestors = Arc::clone(&member.ancestors);
                all.insert_mut(name.clone(), Member { own, ancestors });
            }
        }
        let mut touched: BTreeSet<String> = changed.keys().cloned().collect();
        for (name, own) in changed {
            let Some(own) = own else {
                all.remove_mut(&name);
                moved.insert(name);
                continue;
            };
            let before = all.get(&name);
            if before.is_none_or(|before| before.own.parents() != own.parents()) {
                moved.insert(name.clone());
            }
            let ancestors = before.map_or_else(Ancestors::default, |it| Arc::clone(&it.ancestors));
            let own = Arc::new(own);
            all.insert_mut(name, Member { own, ancestors });
        }
        for (name, ancestors) in moved_ancestors(&all, &moved) {
            if let Some(member) = all.get_mut(&name) {
                member.ancestors = ancestors;
            }
            touched.insert(name);
        }
        (Self { all }, touched)
    }
}

impl<T> Family<T> {
    /// One of them.
    pub(super) fn get(&self, name: &str) -> Option<&Member<T>> {
        self.all.get(name)
    }

    /// All of them, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Member<T>)> {
        self.all.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.all.size()
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
/// parents, and all that came to one of these.
fn moved_ancestors<T: Child>(
    all: &HashTrieMapSync<String, Member<T>>,
    moved: &BTreeSet<String>,
) -> Vec<(String, Ancestors)> {
    if moved.is_empty() {
        return Vec::new();
    }
    let parents = |name: &str| all.get(name).map(|member| member.own.parents());
    let is_below = |ancestors: &Ancestors| ancestors.iter().any(|name| moved.contains(name));
    all.iter()
        .filter(|(name, member)| moved.contains(*name) || is_below(&member.ancestors))
        .map(|(name, _)| (name.clone(), with_ancestors(name, parents).into()))
        .collect()
}

/// A name, its parents, their parents and so on: the nearest first, none twice.
#[must_use]
pub(super) fn with_ancestors<'a>(
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
