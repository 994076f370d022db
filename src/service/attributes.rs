//! Declared attributes and valid policies: what whoever writes must ask first, in the transaction of the write.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use thiserror::Error;
use tokio::sync::Semaphore;

use super::Services;
use crate::domain::policy::{
    Declaration, Declarations, Level, MAX_DECLARATIONS, Misfit, Of, Permission, Problem,
    Vocabulary, is_type_name, validate,
};
use crate::store::db::Tx;
use crate::store::error::StoreError;
use crate::store::roles::{PolicyRecord, RoleRecord};

/// Rows are compared with a declaration so many at a time.
const PAGE: i64 = 1000;

/// Longest name of an attribute, in bytes.
const MAX_NAME: usize = 128;

/// Why a declaration is not taken.
#[derive(Debug, Error)]
pub enum DeclareError {
    /// It cannot be declared at all. A sentence.
    #[error("{0}")]
    Impossible(String),
    /// Something that is stored is not like that.
    #[error("{of} {name:?} contradicts it: {misfit}")]
    Contradicted {
        /// Which kind.
        of: Of,
        /// The first one, by its name.
        name: String,
        /// What is wrong with it.
        misfit: Misfit,
    },
    /// A stored policy would not be valid any more.
    #[error("policy {id:?} would not be valid any more: {problem}")]
    Invalidates {
        /// The first one.
        id: String,
        /// What would be wrong with it.
        problem: Problem,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One text is judged at a time: it takes a processor as long as it takes.
static JUDGING: Semaphore = Semaphore::const_new(1);

/// Whether a text would be taken as a policy as things stand: `Ok` with what an operator should look at, or what is
/// wrong, with line, column and hint.
pub async fn validate_policy(
    services: &Services,
    cedar: String,
) -> Result<Result<Vec<Problem>, Problem>, StoreError> {
    let busy = |_| StoreError::unavailable("policies cannot be judged right now");
    let turn = JUDGING.acquire().await.map_err(busy)?;
    let (_, written) = services.store.read_policy().await?;
    let mut vocabulary = of_permissions(
        written.declarations,
        written
            .roles
            .into_values()
            .flat_map(|role| role.permissions),
    );
    let types = services.store.list_object_types().await?;
    vocabulary.resource_types.extend(types);
    let judging = tokio::task::spawn_blocking(move || {
        // Also when whoever asked has gone.
        let _turn = turn;
        validate(&cedar, &vocabulary)
    });
    let failed = |_| StoreError::unavailable("judging the policy broke off");
    judging.await.map_err(failed)
}

/// What policies may speak of, as the transaction sees it.
pub async fn vocabulary(tx: &mut Tx) -> Result<Vocabulary, StoreError> {
    let declarations = tx.list_declarations().await?;
    let roles = tx.list_roles().await?;
    let mut vocabulary = speaking_of(declarations, roles.values());
    vocabulary
        .resource_types
        .extend(tx.list_object_types().await?);
    Ok(vocabulary)
}

/// The same from roles that are known.
#[must_use]
pub fn speaking_of<'a>(
    declarations: Declarations,
    roles: impl Iterator<Item = &'a RoleRecord>,
) -> Vocabulary {
    let permissions = roles.flat_map(|role| &role.permissions);
    of_permissions(
        declarations,
        permissions.filter_map(|text| Permission::parse(text)),
    )
}

fn of_permissions(
    declarations: Declarations,
    permissions: impl Iterator<Item = Permission>,
) -> Vocabulary {
    let mut vocabulary = Vocabulary {
        declarations,
        actions: Level::ALL.map(|level| level.as_str().to_owned()).into(),
        ..Vocabulary::default()
    };
    for permission in permissions {
        vocabulary.resource_types.insert(permission.resource_type);
        vocabulary.actions.insert(permission.action);
    }
    vocabulary
}

/// Whether attributes that are to be stored are as they were declared.
pub async fn check(
    tx: &mut Tx,
    of: &Of,
    attributes: &Map<String, Value>,
) -> Result<Result<(), Vec<Misfit>>, StoreError> {
    Ok(tx.list_declarations().await?.check(of, attributes))
}

/// Whether it can be declared, whatever is stored. The error is a sentence.
pub fn check_name(of: &Of, name: &str) -> Result<(), String> {
    if let Of::Resource(kind) = of
        && !is_type_name(kind)
    {
        return Err(format!(
            "{kind:?} cannot be a type in policies: expected user, group, organization, client, or the name of a resource type such as Document or Shop::Order"
        ));
    }
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(format!(
            "expected a name of 1 to {MAX_NAME} bytes without control characters"
        ));
    }
    if of.built_in().iter().any(|(own, _)| *own == name) {
        return Err(format!(
            "{name} is given to every {of} by Signet itself and need not be declared"
        ));
    }
    Ok(())
}

/// Declares an attribute. What is stored and contradicts it, and policies that would not be valid any more, refuse it.
pub async fn declare(
    tx: &mut Tx,
    of: &Of,
    name: &str,
    declaration: Declaration,
) -> Result<(), DeclareError> {
    check_name(of, name).map_err(DeclareError::Impossible)?;
    let before = vocabulary(tx).await?;
    tx.save_declaration(of, name, declaration).await?;
    verify(tx, &before).await
}

/// Takes a declaration back; whether it was there.
pub async fn undeclare(tx: &mut Tx, of: &Of, name: &str) -> Result<bool, DeclareError> {
    let before = vocabulary(tx).await?;
    let gone = tx.delete_declaration(of, name).await?;
    verify(tx, &before).await?;
    Ok(gone)
}

/// Compares everything that is stored with what is declared now, if that is not what was declared before.
pub(super) async fn verify(tx: &mut Tx, before: &Vocabulary) -> Result<(), DeclareError> {
    if tx.list_declarations().await? == before.declarations {
        return Ok(());
    }
    let after = vocabulary(tx).await?;
    let count = after.declarations.count();
    if count > MAX_DECLARATIONS {
        return Err(DeclareError::Impossible(format!(
            "there would be {count} declared attributes; at most {MAX_DECLARATIONS} are allowed"
        )));
    }
    for (of, declared) in &after.declarations.0 {
        if before.declarations.of(of) != Some(declared) {
            contradiction(tx, of, &after.declarations).await?;
        }
    }
    let policies = tx.list_policies().await?;
    match invalidated(&policies, before, &after) {
        None => Ok(()),
        Some((id, problem)) => Err(DeclareError::Invalidates { id, problem }),
    }
}

/// Refuses when something that is stored is not as it is declared; the first one is named.
async fn contradiction(
    tx: &mut Tx,
    of: &Of,
    declarations: &Declarations,
) -> Result<(), DeclareError> {
    let mut after = String::new();
    loop {
        let page = tx.list_attributes(of, &after, PAGE).await?;
        let Some((last, _)) = page.last() else {
            return Ok(());
        };
        after.clone_from(last);
        for (name, attributes) in page {
            let misfits = declarations.check(of, &attributes).err();
            if let Some(misfit) = misfits.and_then(|misfits| misfits.into_iter().next()) {
                let of = of.clone();
                return Err(DeclareError::Contradicted { of, name, misfit });
            }
        }
    }
}

/// The first enabled policy that was valid before and is not any more.
fn invalidated(
    policies: &BTreeMap<String, PolicyRecord>,
    before: &Vocabulary,
    after: &Vocabulary,
) -> Option<(String, Problem)> {
    policies
        .iter()
        .filter(|(_, policy)| policy.enabled)
        .find_map(|(id, policy)| {
            let problem = validate(&policy.cedar, after).err()?;
            let was_valid = validate(&policy.cedar, before).is_ok();
            was_valid.then(|| (id.clone(), problem))
        })
}
