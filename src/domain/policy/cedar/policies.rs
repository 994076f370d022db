//! The enabled policies, read and ordered by the actions to which they can apply.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use cedar_policy::{ActionConstraint, Effect, EntityUid, Policy, PolicyId, PolicySet};

use rpds::RedBlackTreeMapSync;
use serde_json::Value;

use super::analysis::Statement;
use super::expression::Expression;
use super::texts::{deep, parse};
use super::{Broken, GROUP, ORGANIZATION};

/// The texts of policies by id, each read or with what is wrong with it. Cheap to copy.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Texts(RedBlackTreeMapSync<String, Result<Arc<Text>, String>>);

/// A text that was read: it may hold several policies.
#[derive(Debug)]
struct Text {
    policies: Vec<One>,
    /// Groups and organizations that they name in their conditions.
    mentioned: BTreeSet<(&'static str, String)>,
    /// Whether one of them may ask about the client.
    speaks_of_clients: bool,
}

/// A `permit` or a `forbid`.
#[derive(Debug)]
struct One {
    policy: Policy,
    /// The actions that it names; `None` when it applies to every one.
    actions: Option<BTreeSet<String>>,
    /// As guards of changes read it.
    statement: Statement,
}

impl Texts {
    /// These texts after a change; `None` is one that is gone.
    #[must_use]
    pub(in super::super) fn with(&self, changed: BTreeMap<String, Option<String>>) -> Self {
        let mut texts = self.0.clone();
        let mut new = Vec::new();
        for (id, text) in changed {
            match text {
                Some(text) => new.push((id, text)),
                None => {
                    texts.remove_mut(&id);
                }
            }
        }
        if !new.is_empty() {
            let read = deep(|| {
                let read = new.iter().map(|(id, text)| read(id, text).map(Arc::new));
                read.collect::<Vec<_>>()
            });
            let read = read.unwrap_or_else(|problem| vec![Err(problem); new.len()]);
            for ((id, _), text) in new.into_iter().zip(read) {
                texts.insert_mut(id, text);
            }
        }
        Self(texts)
    }

    /// Those that cannot be used.
    pub(in super::super) fn broken(&self) -> impl Iterator<Item = Broken> {
        self.0.iter().filter_map(|(id, text)| {
            let problem = text.as_ref().err()?.clone();
            let id = id.clone();
            Some(Broken { id, problem })
        })
    }

    /// How many there are.
    pub(in super::super) fn len(&self) -> usize {
        self.0.size()
    }
}

fn read(id: &str, text: &str) -> Result<Text, String> {
    let policies = parse(text).map_err(|problem| problem.to_string())?;
    let several = policies.len() > 1;
    let mut mentioned = BTreeSet::new();
    let read = |(number, policy): (usize, Policy)| {
        let id = if several {
            format!("{id}#{}", number + 1)
        } else {
            id.to_owned()
        };
        let written = policy.to_json().map_err(|error| error.to_string())?;
        note_mentioned(&written, &mut mentioned);
        let forbids = policy.effect() == Effect::Forbid;
        Ok(One {
            actions: actions(&policy.action_constraint()),
            statement: Statement::new(forbids, Expression::of_policy(&written)),
            policy: policy.new_id(PolicyId::new(id)),
        })
    };
    let policies = policies.into_iter().enumerate().map(read);
    let policies = policies.collect::<Result<Vec<One>, String>>()?;
    let mut statements = policies.iter().map(|one| &one.statement);
    Ok(Text {
        speaks_of_clients: statements.any(Statement::asks_about_clients),
        policies,
        mentioned,
    })
}

/// The actions that a policy names; `None` when it applies to every one.
fn actions(constraint: &ActionConstraint) -> Option<BTreeSet<String>> {
    let name = |uid: &EntityUid| uid.id().unescaped().to_owned();
    match constraint {
        ActionConstraint::Any => None,
        ActionConstraint::Eq(one) => Some(BTreeSet::from([name(one)])),
        ActionConstraint::In(several) => Some(several.iter().map(name).collect()),
    }
}

/// The groups and organizations that a policy names in its conditions, from its JSON form.
fn note_mentioned(written: &Value, found: &mut impl Extend<(&'static str, String)>) {
    match written {
        Value::Array(items) => items.iter().for_each(|item| note_mentioned(item, found)),
        Value::Object(members) => {
            if let Some(entity) = members.get("__entity") {
                let member = |name| entity.get(name).and_then(Value::as_str);
                let kind = match member("type") {
                    Some(GROUP) => GROUP,
                    Some(ORGANIZATION) => ORGANIZATION,
                    Some(_) | None => return,
                };
                found.extend(member("id").map(|id| (kind, id.to_owned())));
            }
            for member in members.values() {
                note_mentioned(member, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// All policies, by the actions to which they can apply.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Policies {
    /// What is in the sets below.
    texts: RedBlackTreeMapSync<String, Arc<Text>>,
    naming: HashMap<String, Arc<PolicySet>>,
    any_action: Arc<PolicySet>,
    /// Groups and organizations that they name in their conditions.
    pub(super) mentioned: BTreeSet<(&'static str, String)>,
    /// Whether some policy may ask about the client.
    speak_of_clients: bool,
}

impl Policies {
    /// The same texts as `wanted` but for those that are broken, which are named if `wanted` does not know them. Only
    /// sets in which something changes are made anew.
    #[must_use]
    pub(in super::super) fn with(self: &Arc<Self>, wanted: &Texts) -> (Arc<Self>, Vec<Broken>) {
        if self.holds(wanted) {
            return (Arc::clone(self), Vec::new());
        }
        let mut next = Self::clone(self);
        for (id, text) in &self.texts {
            let stays = wanted.0.get(id).and_then(|text| text.as_ref().ok());
            if stays.is_none_or(|stays| !Arc::ptr_eq(stays, text)) {
                next.texts.remove_mut(id);
                next.take_out(text);
            }
        }
        let mut broken = Vec::new();
        for (id, text) in &wanted.0 {
            if let Ok(text) = text
                && !next.texts.contains_key(id)
            {
                match next.put_in(text) {
                    Ok(()) => {
                        next.texts.insert_mut(id.clone(), Arc::clone(text));
                    }
                    Err(problem) => {
                        let id = id.clone();
                        broken.push(Broken { id, problem });
                    }
                }
            }
        }
        next.naming.retain(|_, set| !set.is_empty());
        let texts = next.texts.values();
        next.mentioned = texts.flat_map(|text| text.mentioned.clone()).collect();
        let mut texts = next.texts.values();
        next.speak_of_clients = texts.any(|text| text.speaks_of_clients);
        (Arc::new(next), broken)
    }

    /// Whether these are just those texts.
    fn holds(&self, wanted: &Texts) -> bool {
        let mut there = self.texts.iter();
        let mut wanted = wanted.0.iter();
        wanted.all(|(id, text)| {
            let same = there.next().filter(|(name, _)| *name == id);
            let (Some((_, there)), Ok(text)) = (same, text) else {
                return false;
            };
            Arc::ptr_eq(there, text)
        }) && there.next().is_none()
    }

    /// All of a text, or nothing of it.
    fn put_in(&mut self, text: &Text) -> Result<(), String> {
        let is_taken = |one: &&One| {
            let id = one.policy.id();
            let mut sets = self.sets_of(one);
            sets.any(|set| set.policy(id).is_some())
        };
        if let Some(taken) = text.policies.iter().find(is_taken) {
            return Err(format!("another policy is called {}", taken.policy.id()));
        }
        for one in &text.policies {
            for set in self.sets_for(one) {
                let added = set.add(one.policy.clone());
                added.map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }

    fn take_out(&mut self, text: &Text) {
        for one in &text.policies {
            for set in self.sets_for(one) {
                let taken = set.remove_static(one.policy.id().clone());
                debug_assert!(taken.is_ok(), "a policy is not where it was put");
            }
        }
    }

    /// The sets in which a policy belongs, as far as they are there.
    fn sets_of(&self, one: &One) -> impl Iterator<Item = &PolicySet> {
        let named = one.actions.iter().flatten();
        let any = one.actions.is_none().then_some(&self.any_action);
        named
            .filter_map(|action| self.naming.get(action))
            .chain(any)
            .map(AsRef::as_ref)
    }

    /// The sets in which a policy belongs, to change them.
    fn sets_for(&mut self, one: &One) -> Vec<&mut PolicySet> {
        match &one.actions {
            None => vec![Arc::make_mut(&mut self.any_action)],
            Some(actions) => {
                for action in actions {
                    self.naming.entry(action.clone()).or_default();
                }
                let named = self.naming.iter_mut();
                named
                    .filter(|(action, _)| actions.contains(*action))
                    .map(|(_, set)| Arc::make_mut(set))
                    .collect()
            }
        }
    }

    /// Every `permit` and `forbid`, as guards of changes read it.
    pub(super) fn statements(&self) -> impl Iterator<Item = &Statement> {
        let policies = self.texts.values().flat_map(|text| &text.policies);
        policies.map(|one| &one.statement)
    }

    /// The actions that some policy names.
    pub(in super::super) fn named_actions(&self) -> impl Iterator<Item = &str> {
        self.naming.keys().map(String::as_str)
    }

    /// Whether some policy may ask about the client.
    pub(in super::super) const fn speak_of_clients(&self) -> bool {
        self.speak_of_clients
    }

    /// The policies that name the action, and those for every one.
    pub(super) fn for_action(&self, action: &str) -> impl Iterator<Item = &PolicySet> {
        let named = self.naming.get(action).into_iter();
        named
            .chain([&self.any_action])
            .map(AsRef::as_ref)
            .filter(|set: &&PolicySet| !set.is_empty())
    }
}

#[cfg(test)]
impl Policies {
    pub(in super::super) fn dump(&self) -> Vec<String> {
        let ids = |set: &PolicySet| {
            let ids = set.policies().map(|one| format!("{} {one}", one.id()));
            ids.collect::<BTreeSet<_>>()
        };
        let sets = self.naming.iter().collect::<BTreeMap<_, _>>();
        let sets = sets.into_iter();
        let mut dump: Vec<String> = sets
            .map(|(action, set)| format!("policies of {action}: {:?}", ids(set)))
            .collect();
        dump.push(format!("policies of any: {:?}", ids(&self.any_action)));
        let (mentioned, clients) = (&self.mentioned, self.speak_of_clients);
        dump.push(format!("policies name {mentioned:?}, clients: {clients}"));
        let ids = self.texts.keys().collect::<Vec<_>>();
        dump.push(format!("texts: {ids:?}"));
        dump
    }
}
