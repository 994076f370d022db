//! What a question is about, as Cedar wants it: the person, the resource, the client, and of groups and organizations
//! those that a policy can come to.

use std::collections::{BTreeMap, HashMap, HashSet};

use cedar_policy::{Context, Entities, Entity, EntityUid, RestrictedExpression};
use serde_json::{Map, Value};

use super::super::attributes::{Declarations, Of};
use super::values::{attributes, resource_uid, typed, uid};
use super::{Asked, CLIENT, GROUP, ORG, ORGANIZATION, Policies, USER, text};

/// What is known beside single people and resources.
#[derive(Debug, Default)]
pub(in super::super) struct Known {
    pub(in super::super) declarations: Declarations,
    /// Groups and organizations, by type and name.
    fixed: HashMap<(&'static str, String), Fixed>,
}

#[derive(Debug)]
struct Fixed {
    uid: EntityUid,
    attributes: HashMap<String, RestrictedExpression>,
    parents: HashSet<EntityUid>,
    entity: Entity,
}

type Attributes = HashMap<String, RestrictedExpression>;

impl Known {
    /// Compiles what is known. Attributes that Cedar cannot read are as if they were not there: a policy that asks
    /// for them cannot be evaluated.
    pub(in super::super) fn compile(
        declarations: Declarations,
        groups: impl Iterator<Item = (String, Map<String, Value>, Vec<String>)>,
        organizations: BTreeMap<String, Map<String, Value>>,
    ) -> Self {
        let mut known = Self {
            declarations,
            fixed: HashMap::new(),
        };
        for (name, attributes, ancestors) in groups {
            known.add(GROUP, &Of::Group, name, &attributes, &ancestors);
        }
        for (name, attributes) in organizations {
            known.add(ORGANIZATION, &Of::Organization, name, &attributes, &[]);
        }
        known
    }

    fn add(
        &mut self,
        kind: &'static str,
        of: &Of,
        name: String,
        written: &Map<String, Value>,
        ancestors: &[String],
    ) {
        let Ok(entity_uid) = uid(kind, &name) else {
            return;
        };
        let mut attributes = Attributes::new();
        for (attribute, value) in written {
            let one = Map::from_iter([(attribute.clone(), value.clone())]);
            attributes.extend(typed(&one, self.declarations.of(of)).unwrap_or_default());
        }
        let above = ancestors.iter().filter(|ancestor| **ancestor != name);
        let parents: HashSet<EntityUid> = above.filter_map(|one| uid(kind, one).ok()).collect();
        let entity = Entity::new(entity_uid.clone(), attributes.clone(), parents.clone());
        let Ok(entity) = entity else {
            return;
        };
        let fixed = Fixed {
            uid: entity_uid,
            attributes,
            parents,
            entity,
        };
        self.fixed.insert((kind, name), fixed);
    }

    /// Whether there is an organization of that name.
    pub(in super::super) fn has_organization(&self, name: &str) -> bool {
        let key = (ORGANIZATION, name.to_owned());
        self.fixed.contains_key(&key)
    }

    /// The person, the action's resource and everything else, and the context.
    pub(super) fn entities(
        &self,
        asked: &Asked<'_>,
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
            if let Some(fixed) = self.fixed.get(&(kind, name.to_owned())) {
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
        let fixed = [GROUP, ORGANIZATION]
            .into_iter()
            .filter(|kind| *kind == asked.resource_type)
            .find_map(|kind| self.fixed.get(&(kind, asked.resource_id.to_owned())));
        if let Some(fixed) = fixed {
            about_resource.extend(fixed.attributes.clone());
            above.extend(fixed.parents.iter().cloned());
        }
        if principal == resource {
            // Somebody does something to themselves; what is known of the person goes before.
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

/// The groups and organizations that a policy names in its conditions, from its JSON form.
pub(super) fn mentioned(written: &Value, found: &mut impl Extend<(&'static str, String)>) {
    match written {
        Value::Array(items) => items.iter().for_each(|item| mentioned(item, found)),
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
                mentioned(member, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
