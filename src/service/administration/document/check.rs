//! Finding every mistake in a document, with what needs the whole of it: names, cycles, declarations.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use super::super::checking::{Checking, Named};
use super::super::client_rules::{CheckedClient, check_client};
use super::super::kind::Kind;
use super::super::report::KindName;
use super::super::user_rows::check_user;
use super::super::vocabulary::vocabulary;
use super::super::{AdministrationError, groups, roles};
use super::{Document, GroupRow, Options};
use crate::domain::directory::{Group, Role, RoleName};
use crate::domain::policy::{ADMIN_ROLE, Declarations, in_cycles};
use crate::domain::resource::{Identifier, Resource};
use crate::service::registry::resources::own_scopes;
use crate::spec::scope::Scope;
use crate::spec::time::Ts;
use crate::store::db::Tx;
use crate::store::error::StoreError;

/// What may be written.
pub(super) struct Checked {
    pub(super) clients: Vec<CheckedClient>,
    /// The names under which the document's people are found.
    pub(super) keys: Vec<String>,
    pub(super) warnings: Vec<String>,
}

/// Finds every mistake.
pub(super) async fn check(
    tx: &mut Tx,
    document: &Document,
    options: Options,
    now: Ts,
) -> Result<Checked, AdministrationError> {
    let named = named(tx, document, options).await?;
    let mut checking = Checking::document(tx, now, &named);
    let mut checked = Checked {
        clients: Vec::new(),
        keys: Vec::new(),
        warnings: Vec::new(),
    };
    check_all(&mut checking, &document.resources).await?;
    check_all(&mut checking, &document.roles).await?;
    check_cycles(&mut checking, &document.roles).await?;
    check_all(&mut checking, &document.organizations).await?;
    for row in &document.groups {
        checking.at(KindName::Group, &row.name);
        row.group.check(&row.name, &mut checking).await?;
        checking.assignments(&row.roles).await?;
    }
    check_group_cycles(&mut checking, &document.groups).await?;
    check_all(&mut checking, &document.objects).await?;
    for row in &document.clients {
        checked
            .clients
            .extend(check_client(&mut checking, row, None).await?);
    }
    for row in &document.users {
        let key = check_user(&mut checking, row).await?;
        checked.keys.push(key.unwrap_or_default());
    }
    check_all(&mut checking, &document.attributes).await?;
    check_all(&mut checking, &document.policies).await?;
    for (kind, names) in document.names() {
        let mut seen = BTreeSet::new();
        for name in names {
            if !seen.insert(name.clone()) {
                checking.at(kind, &name);
                checking.refuse(kind.key(), "it appears twice");
            }
        }
    }
    warn_of_bare_parents(&mut checking, document).await?;
    checked.warnings = checking.done()?;
    Ok(checked)
}

async fn named(tx: &mut Tx, document: &Document, options: Options) -> Result<Named, StoreError> {
    let names = document.names().into_iter();
    let mut vocabulary = vocabulary(tx).await?;
    if options.prune {
        vocabulary.declarations = Declarations::default();
    }
    for (key, declaration) in &document.attributes {
        let (of, name) = (key.of.clone(), key.name.clone());
        vocabulary.declarations.insert(of, name, *declaration);
    }
    for permission in document
        .roles
        .iter()
        .flat_map(|(_, role)| &role.permissions)
    {
        let resource_type = permission.resource_type.clone();
        vocabulary.resource_types.insert(resource_type);
        vocabulary.actions.insert(permission.action.clone());
    }
    let types = document.objects.iter().map(|(name, _)| name.kind.clone());
    vocabulary.resource_types.extend(types);
    let mut scopes = Scope::default();
    for resource in tx.list_resources().await? {
        let described = |(known, _): &(Identifier, Resource)| known.as_str() == resource.identifier;
        if !options.prune && !document.resources.iter().any(described) {
            scopes = scopes.union(&resource.scopes);
        }
    }
    for (_, resource) in &document.resources {
        scopes = scopes.union(&resource.scopes);
    }
    Ok(Named {
        names: names
            .map(|(kind, names)| (kind, names.into_iter().collect()))
            .collect(),
        prune: options.prune,
        scopes: own_scopes().union(&scopes),
        declarations: vocabulary.declarations.clone(),
        vocabulary,
    })
}

async fn check_all<K: Kind>(
    checking: &mut Checking<'_>,
    rows: &[(K::Key, K)],
) -> Result<(), StoreError> {
    for (key, row) in rows {
        checking.at(K::KIND, key);
        row.check(key, checking).await?;
    }
    Ok(())
}

/// Refuses roles that are their own ancestors, as the store would be afterwards.
async fn check_cycles(
    checking: &mut Checking<'_>,
    rows: &[(RoleName, Role)],
) -> Result<(), StoreError> {
    let stored = Role::list(checking.tx).await?;
    let stored = stored.into_iter().map(|(name, role)| (name, role.parents));
    let wanted = rows.iter().map(|(name, role)| (name, &role.parents));
    refuse_cycles(checking, KindName::Role, stored, wanted, roles::CYCLE);
    Ok(())
}

async fn check_group_cycles(
    checking: &mut Checking<'_>,
    rows: &[GroupRow],
) -> Result<(), StoreError> {
    let stored = Group::list(checking.tx).await?;
    let stored = stored
        .into_iter()
        .map(|(name, group)| (name, group.parents));
    let wanted = rows.iter().map(|row| (&row.name, &row.group.parents));
    refuse_cycles(checking, KindName::Group, stored, wanted, groups::CYCLE);
    Ok(())
}

fn refuse_cycles<'a, N: Display + Clone + Ord + 'a>(
    checking: &mut Checking<'_>,
    kind: KindName,
    stored: impl Iterator<Item = (N, BTreeSet<N>)>,
    wanted: impl Iterator<Item = (&'a N, &'a BTreeSet<N>)>,
    problem: &str,
) {
    let text = |names: &BTreeSet<N>| names.iter().map(ToString::to_string).collect();
    let mut parents: BTreeMap<String, BTreeSet<String>> = stored
        .map(|(name, parents)| (name.to_string(), text(&parents)))
        .collect();
    parents.extend(wanted.map(|(name, parents)| (name.to_string(), text(parents))));
    let all = parents.iter().map(|(name, all)| (name.as_str(), all));
    for name in in_cycles(&all.collect()) {
        checking.at(kind, &name);
        checking.refuse("parents", problem);
    }
}

/// A parent without anything gives nothing, so a document may name it before it is described.
async fn warn_of_bare_parents(
    checking: &mut Checking<'_>,
    document: &Document,
) -> Result<(), StoreError> {
    let parents: BTreeSet<&RoleName> = document
        .roles
        .iter()
        .flat_map(|(_, role)| &role.parents)
        .collect();
    for (name, role) in &document.roles {
        let bare = *role == Role::default() && parents.contains(name);
        let one = BTreeSet::from([name.to_string()]);
        if bare && name.as_str() != ADMIN_ROLE && checking.tx.existing_roles(&one).await?.is_empty()
        {
            checking.warn(format!(
                "role {:?} is a parent but does not exist; it has no permissions",
                name.as_str()
            ));
        }
    }
    Ok(())
}
