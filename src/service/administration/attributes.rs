//! Declared attributes, and what policies may speak of because of them.

use std::collections::BTreeMap;
use std::fmt;

use thiserror::Error;

use super::checking::Checking;
use super::kind::Kind;
use super::vocabulary::vocabulary;
use super::{Act, AdministrationError, KindName, Mistake};
use crate::domain::audit::EventType;
use crate::domain::directory::{Policy, PolicyId};
use crate::domain::policy::{
    Declaration, Declarations, MAX_DECLARATIONS, Misfit, Of, Problem, Vocabulary, is_type_name,
    validate,
};
use crate::store::db::Tx;
use crate::store::error::StoreError;

/// Rows are compared with a declaration so many at a time.
const PAGE: i64 = 1000;

/// Longest name of an attribute, in bytes.
const MAX_NAME: usize = 128;

/// What names a declared attribute: of what it is, and its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttributeKey {
    /// Of what.
    pub of: Of,
    /// Its name.
    pub name: String,
}

impl fmt::Display for AttributeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.of, self.name)
    }
}

impl Kind for Declaration {
    type Key = AttributeKey;

    const KIND: KindName = KindName::Attribute;
    const READ: &'static str = "policies.read";
    const EVENTS: [EventType; 3] = [
        EventType::AttributeCreated,
        EventType::AttributeUpdated,
        EventType::AttributeDeleted,
    ];

    async fn find(tx: &mut Tx, key: &AttributeKey) -> Result<Option<Self>, StoreError> {
        tx.find_declaration(&key.of, &key.name).await
    }

    async fn list(tx: &mut Tx) -> Result<BTreeMap<AttributeKey, Self>, StoreError> {
        let each = tx.list_declarations().await?.0.into_iter();
        let each = each.flat_map(|(of, declared)| {
            let key = move |name| AttributeKey {
                of: of.clone(),
                name,
            };
            declared
                .into_iter()
                .map(move |(name, declaration)| (key(name), declaration))
        });
        Ok(each.collect())
    }

    async fn save(
        tx: &mut Tx,
        key: &AttributeKey,
        _was: Option<&Self>,
        is: &Self,
    ) -> Result<(), StoreError> {
        tx.save_declaration(&key.of, &key.name, *is).await
    }

    async fn delete(tx: &mut Tx, key: &AttributeKey) -> Result<(), StoreError> {
        tx.delete_declaration(&key.of, &key.name).await.map(drop)
    }

    async fn check(
        &self,
        key: &AttributeKey,
        checking: &mut Checking<'_>,
    ) -> Result<(), StoreError> {
        if let Err(problem) = check_name(&key.of, &key.name) {
            checking.refuse("name", problem);
        }
        Ok(())
    }

    async fn judge(
        act: &mut Act,
        _key: &AttributeKey,
        _was: Option<&Self>,
        _is: Option<&Self>,
    ) -> Result<(), AdministrationError> {
        act.rights.require_all_rights("name")
    }

    async fn before(act: &mut Act) -> Result<(), StoreError> {
        if act.declared_before.is_none() {
            act.declared_before = Some(vocabulary(&mut act.tx).await?);
        }
        Ok(())
    }

    async fn after(act: &mut Act) -> Result<(), AdministrationError> {
        let Some(before) = act.declared_before.take() else {
            return Ok(());
        };
        let mistake = |kind, name, field: &str, problem| Mistake {
            kind,
            name,
            field: field.to_owned(),
            problem,
            refers: false,
            hint: None,
        };
        let mistake = match Box::pin(verify(&mut act.tx, &before)).await {
            Ok(()) => return Ok(()),
            Err(DeclareError::Store(error)) => return Err(error.into()),
            Err(DeclareError::Impossible(problem)) => {
                let mistake = mistake(KindName::Attribute, "*".to_owned(), "name", problem);
                return Err(AdministrationError::Invalid(vec![mistake]));
            }
            Err(DeclareError::Contradicted { of, name, misfit }) => {
                let title = format!("{of}.{}", misfit.attribute);
                let problem = format!("{of} {name:?} contradicts it: {}", misfit.problem);
                mistake(KindName::Attribute, title, "type", problem)
            }
            Err(DeclareError::Invalidates { id, problem }) => {
                let problem = format!("it would not be valid any more: {problem}");
                mistake(KindName::Policy, id, "cedar", problem)
            }
        };
        Err(AdministrationError::Contradicted(Box::new(mistake)))
    }
}

/// Why a declaration is not taken.
#[derive(Debug, Error)]
enum DeclareError {
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

/// Whether it can be declared, whatever is stored. The error is a sentence.
fn check_name(of: &Of, name: &str) -> Result<(), String> {
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

/// Compares everything that is stored with what is declared now, if that is not what was declared before.
async fn verify(tx: &mut Tx, before: &Vocabulary) -> Result<(), DeclareError> {
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
    let policies = Policy::list(tx).await?;
    match invalidated(&policies, before, &after) {
        None => Ok(()),
        Some((id, problem)) => Err(DeclareError::Invalidates {
            id: id.into(),
            problem,
        }),
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
    policies: &BTreeMap<PolicyId, Policy>,
    before: &Vocabulary,
    after: &Vocabulary,
) -> Option<(PolicyId, Problem)> {
    policies
        .iter()
        .filter(|(_, policy)| policy.enabled)
        .find_map(|(id, policy)| {
            let problem = validate(&policy.cedar, after).err()?;
            let was_valid = validate(&policy.cedar, before).is_ok();
            was_valid.then(|| (id.clone(), problem))
        })
}
