//! What a question is about, as Cedar wants it: the person, the resource, the client, and of groups and organizations
//! those that a policy can come to.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use cedar_policy::{Context, Entities, Entity, EntityUid, RestrictedExpression};
use rpds::HashTrieMapSync;
use serde_json::{Map, Value};

use super::super::attributes::{Declarations, Of};
use super::super::family::Ancestors;
use super::values::{attributes, resource_uid, typed, uid};
use super::{CLIENT, CedarRequest, GROUP, ORG, ORGANIZATION, Policies, USER, text};

/// What is known beside single people and resources. Cheap to copy: what is in it is shared.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct KnownThings {
    pub(in super::super) declarations: Arc<Declarations>,
    groups: Things,
    organizations: Things,
}

type Things = HashTrieMapSync<String, Arc<Thing>>;

/// A group or an organization.
#[derive(Debug)]
struct Thing {
    attributes: Map<String, Value>,
    /// The thing itself, its parents, their parents and so on.
    ancestors: Ancestors,
    /// As Cedar wants it, once a question came to it. It is made anew when what is declared changes.
    fixed: OnceLock<Option<Fixed>>,
}

#[derive(Debug)]
struct Fixed {
    uid: EntityUid,
    attributes: Attributes,
    parents: HashSet<EntityUid>,
    entity: Entity,
}

type Attributes = HashMap<String, RestrictedExpression>;

impl Thing {
    fn of(attributes: Map<String, Value>, ancestors: Ancestors) -> Arc<Self> {
        Arc::new(Self {
            attributes,
            ancestors,
            fixed: OnceLock::new(),
        })
    }

    /// Attributes that Cedar cannot read are as if they were not there: a policy that asks for them cannot be
    /// evaluated.
    fn fix(&self, kind: &str, of: &Of, name: &str, declarations: &Declarations) -> Option<Fixed> {
        let uid_of_it = uid(kind, name).ok()?;
        let mut attributes = Attributes::new();
        for (attribute, value) in &self.attributes {
            let one = Map::from_iter([(attribute.clone(), value.clone())]);
            attributes.extend(typed(&one, declarations.of(of)).unwrap_or_default());
        }
        let above = self.ancestors.iter().filter(|ancestor| *ancestor != name);
        let parents: HashSet<EntityUid> = above.filter_map(|one| uid(kind, one).ok()).collect();
        let entity = Entity::new(uid_of_it.clone(), attributes.clone(), parents.clone());
        Some(Fixed {
            uid: uid_of_it,
            attributes,
            parents,
            entity: entity.ok()?,
        })
    }
}

impl KnownThings {
    /// What is known after a change; `None` is a group or an organization that is gone.
    pub(in super::super) fn with(
        &self,
        declarations: Option<Declarations>,
        groups: impl Iterator<Item = (String, Option<(Map<String, Value>, Ancestors)>)>,
        organizations: BTreeMap<String, Option<Map<String, Value>>>,
    ) -> Self {
        let mut known = self.clone();
        if let Some(declarations) = declarations {
            known.declarations = Arc::new(declarations);
            for things in [&mut known.groups, &mut known.organizations] {
                for (name, thing) in things.clone().iter() {
                    if !thing.attributes.is_empty() {
                        let ancestors = Arc::clone(&thing.ancestors);
                        let anew = Thing::of(thing.attributes.clone(), ancestors);
                        things.insert_mut(name.clone(), anew);
                    }
                }
            }
        }
        for (name, about) in groups {
            match about {
                Some((attributes, ancestors)) => {
                    known
                        .groups
                        .insert_mut(name, Thing::of(attributes, ancestors));
                }
                None => {
                    known.groups.remove_mut(&name);
                }
            }
        }
        for (name, attributes) in organizations {
            match attributes {
                Some(attributes) => {
                    let thing = Thing::of(attributes, Ancestors::default());
                    known.organizations.insert_mut(name, thing);
                }
                None => {
                    known.organizations.remove_mut(&name);
                }
            }
        }
        known
    }

    /// A group or an organization; nothing else is known here.
    fn fixed(&self, kind: &str, name: &str) -> Option<&Fixed> {
        let (thing, of) = match kind {
            GROUP => (self.groups.get(name)?, Of::Group),
            ORGANIZATION => (self.organizations.get(name)?, Of::Organization),
            _ => return None,
        };
        let fix = || thing.fix(kind, &of, name, &self.declarations);
        thing.fixed.get_or_init(fix).as_ref()
    }

    /// How many organizations there are.
    pub(in super::super) fn count_organizations(&self) -> usize {
        self.organizations.size()
    }

    /// Whether there is an organization of that name.
    pub(in super::super) fn has_organization(&self, name: &str) -> bool {
        self.organizations.contains_key(name)
    }

    /// The person, the action's resource and everything else, and the context.
    pub(super) fn entities(
        &self,
        asked: &CedarRequest<'_>,
        policies: &Policies,
    ) -> Result<(EntityUid, EntityUid, Entities, Context), String> {
        let principal = uid(USER, asked.user)?;
        let resource = resource_uid(asked.resource_type, asked.resource_id)?;
        let organization = asked.resource_organization;
        let mut all: HashMap<EntityUid, Entity> = HashMap::new();
        let mentioned = policies.mentioned.iter();
        let own = match asked.organizations {
            [one] => Some(one.as_str()),
            _ => None,
        };
        let theirs = [own, organization].into_iter().flatten();
        let named = mentioned
            .map(|(kind, name)| (*kind, name.as_str()))
            .chain(theirs.map(|name| (ORGANIZATION, name)));
        for (kind, name) in named {
            if let Some(fixed) = self.fixed(kind, name) {
                all.insert(fixed.uid.clone(), fixed.entity.clone());
            }
        }

        let mut about_person = typed(asked.user_attributes, self.declarations.of(&Of::User))?;
        belongs_to(&mut about_person, own)?;
        let mut parents = HashSet::new();
        for (kind, name) in asked.memberships {
            parents.insert(uid(kind, name)?);
        }

        let of = Of::Resource(asked.resource_type.to_owned());
        let mut about_resource = typed(asked.resource_attributes, self.declarations.of(&of))?;
        belongs_to(&mut about_resource, organization)?;
        let mut above: HashSet<EntityUid> = HashSet::new();
        if let Some(organization) = organization {
            above.insert(uid(ORGANIZATION, organization)?);
        }

        let mut context = attributes(asked.context)?;
        if let Some(client) = asked.client {
            let client_uid = uid(CLIENT, &client.id)?;
            let reference = RestrictedExpression::new_entity_uid(client_uid.clone());
            context.insert("client".to_owned(), reference);
            let about = typed(&client.attributes, self.declarations.of(&Of::Client))?;
            if client_uid == resource {
                about_resource.extend(about);
            } else {
                let entity = Entity::new(client_uid.clone(), about, HashSet::new());
                all.insert(client_uid, entity.map_err(text)?);
            }
        }

        // What is known goes before what the caller says of the resource.
        if let Some(fixed) = self.fixed(asked.resource_type, asked.resource_id) {
            about_resource.extend(fixed.attributes.clone());
            above.extend(fixed.parents.iter().cloned());
        }
        if principal == resource {
            // The user is the resource too; what is known of the user goes before.
            about_resource.extend(about_person);
            parents.extend(above);
            let entity = Entity::new(principal.clone(), about_resource, parents);
            all.insert(principal.clone(), entity.map_err(text)?);
        } else {
            let person = Entity::new(principal.clone(), about_person, parents);
            all.insert(principal.clone(), person.map_err(text)?);
            let thing = Entity::new(resource.clone(), about_resource, above);
            all.insert(resource.clone(), thing.map_err(text)?);
        }
        let entities = Entities::from_entities(all.into_values(), None).map_err(text)?;
        let context = Context::from_pairs(context).map_err(text)?;
        Ok((principal, resource, entities, context))
    }
}

/// An attribute of the operator's that has the same name stays.
fn belongs_to(attributes: &mut Attributes, organization: Option<&str>) -> Result<(), String> {
    if let Some(organization) = organization
        && !attributes.contains_key(ORG)
    {
        let organization = RestrictedExpression::new_entity_uid(uid(ORGANIZATION, organization)?);
        attributes.insert(ORG.to_owned(), organization);
    }
    Ok(())
}

#[cfg(test)]
impl KnownThings {
    pub(in super::super) fn dump(&self) -> Vec<String> {
        use std::collections::BTreeSet;

        let things = |kind: &str, of: &Of, things: &Things| {
            let things = things.iter().collect::<BTreeMap<_, _>>().into_iter();
            let thing = |(name, thing): (&String, &Arc<Thing>)| {
                let fixed = self.fixed(kind, name).is_some();
                // As it is kept, and as it would be made now.
                let [kept, made] = [
                    thing.fixed.get().and_then(Option::as_ref),
                    thing.fix(kind, of, name, &self.declarations).as_ref(),
                ]
                .map(|fixed| {
                    fixed.map(|it| {
                        let parents = it.parents.iter().map(ToString::to_string);
                        let attributes = it.attributes.iter();
                        let attributes = attributes.map(|(name, is)| format!("{name} {is:?}"));
                        let (entity_uid, _, _) = it.entity.clone().into_inner();
                        (
                            entity_uid == it.uid,
                            parents.collect::<BTreeSet<_>>(),
                            attributes.collect::<BTreeSet<_>>(),
                        )
                    })
                });
                assert_eq!(kept, made);
                format!(
                    "{kind} {name}: {fixed} {:?} {:?}",
                    thing.attributes, thing.ancestors
                )
            };
            things.map(thing).collect::<Vec<_>>()
        };
        let mut dump = things(GROUP, &Of::Group, &self.groups);
        dump.extend(things(ORGANIZATION, &Of::Organization, &self.organizations));
        dump.push(format!("{:?}", self.declarations));
        dump
    }
}
