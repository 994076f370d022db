//! Finding every mistake before anything is written, and saying what was meant.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use serde_json::{Map, Value};

use super::AdministrationError;
use super::report::{KindName, Mistake};
use super::vocabulary::vocabulary;
use crate::config::parse::nearest;
use crate::domain::ids::{ClientId, UserId};
use crate::domain::policy::{Declarations, Of, Vocabulary};
use crate::domain::resource::other_spelling;
use crate::service::registry::resources;
use crate::service::tokens::claims;
use crate::spec::scope::Scope;
use crate::spec::time::Ts;
use crate::store::db::Tx;
use crate::store::error::StoreError;

/// What is known while one thing, or a whole document, is looked at.
pub struct Checking<'a> {
    pub(super) tx: &'a mut Tx,
    pub(super) now: Ts,
    /// The names in the document; none for a single thing.
    named: Option<&'a Named>,
    /// Whether a mistake may name what is there.
    hints: bool,
    /// What is declared of attributes, once it was asked for.
    declarations: Option<Declarations>,
    /// What policies may speak of, once it was asked for.
    vocabulary: Option<Vocabulary>,
    /// Every scope there is, once it was asked for.
    scopes: Option<Scope>,
    /// Whether something of that name is there, once it was asked.
    there: BTreeMap<(KindName, String), bool>,
    kind: KindName,
    name: String,
    mistakes: Vec<Mistake>,
    pub(super) warnings: Vec<String>,
}

/// What a document names, and what will be declared and spoken of when it is applied.
#[derive(Default)]
pub(super) struct Named {
    pub(super) names: BTreeMap<KindName, BTreeSet<String>>,
    /// Whether what it does not name goes.
    pub(super) prune: bool,
    /// Every scope there will be.
    pub(super) scopes: Scope,
    pub(super) declarations: Declarations,
    pub(super) vocabulary: Vocabulary,
}

impl<'a> Checking<'a> {
    /// Looks at one thing.
    pub(super) fn one(tx: &'a mut Tx, now: Ts, hints: bool) -> Self {
        Self {
            tx,
            now,
            named: None,
            hints,
            declarations: None,
            vocabulary: None,
            scopes: None,
            there: BTreeMap::new(),
            kind: KindName::Role,
            name: String::new(),
            mistakes: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Looks at everything in a document.
    pub(super) fn document(tx: &'a mut Tx, now: Ts, named: &'a Named) -> Self {
        Self {
            named: Some(named),
            declarations: Some(named.declarations.clone()),
            vocabulary: Some(named.vocabulary.clone()),
            scopes: Some(named.scopes.clone()),
            ..Self::one(tx, now, true)
        }
    }

    /// What follows is said of this thing.
    pub(super) fn at(&mut self, kind: KindName, name: &(impl Display + ?Sized)) {
        self.kind = kind;
        self.name = name.to_string();
    }

    /// What is looked at, in words.
    pub(super) fn title(&self) -> String {
        format!("{} {:?}", self.kind, self.name)
    }

    /// Whether it is one thing of many in a document, which checks cycles as a whole.
    pub(super) const fn is_document(&self) -> bool {
        self.named.is_some()
    }

    /// Notes a mistake.
    pub(super) fn refuse(&mut self, field: &str, problem: impl Into<String>) {
        self.refuse_with_hint(field, problem, None);
    }

    /// Notes a mistake, and what was meant, perhaps.
    pub(super) fn refuse_with_hint(
        &mut self,
        field: &str,
        problem: impl Into<String>,
        hint: Option<String>,
    ) {
        self.mistakes.push(Mistake {
            kind: self.kind,
            name: self.name.clone(),
            field: field.to_owned(),
            problem: problem.into(),
            refers: false,
            hint,
        });
    }

    /// Notes what an operator should look at.
    pub(super) fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    /// The mistakes, all of them, if there are any.
    pub(super) fn done(self) -> Result<Vec<String>, AdministrationError> {
        if self.mistakes.is_empty() {
            Ok(self.warnings)
        } else {
            Err(AdministrationError::Invalid(self.mistakes))
        }
    }

    /// Refuses what no text column of PostgreSQL takes, and more than is held in memory.
    pub(super) fn text(&mut self, field: &str, text: &str) {
        let most = match field {
            "description" => MAX_DESCRIPTION,
            "attributes" => MAX_ATTRIBUTES,
            _ => usize::MAX,
        };
        if text.len() > most {
            let problem = format!("expected at most {most} bytes, got {}", text.len());
            self.refuse(field, problem);
        }
        if text.contains('\0') || text.contains("\\u0000") {
            self.refuse(field, "a NUL character cannot be stored");
        }
    }

    /// A description, which need not be there.
    pub(super) fn description(&mut self, text: Option<&str>) {
        self.text("description", text.unwrap_or_default());
    }

    /// Attributes, as they are declared.
    pub(super) async fn attributes(
        &mut self,
        of: &Of,
        attributes: &Map<String, Value>,
    ) -> Result<(), StoreError> {
        self.text("attributes", &Value::from(attributes.clone()).to_string());
        let misfits = self.declarations().await?.check(of, attributes).err();
        for misfit in misfits.into_iter().flatten() {
            self.refuse("attributes", misfit.to_string());
        }
        Ok(())
    }

    /// What is declared of attributes.
    pub(super) async fn declarations(&mut self) -> Result<&Declarations, StoreError> {
        let declarations = match self.declarations.take() {
            Some(declarations) => declarations,
            None => self.tx.list_declarations().await?,
        };
        Ok(self.declarations.insert(declarations))
    }

    /// What policies may speak of.
    pub(super) async fn vocabulary(&mut self) -> Result<&Vocabulary, StoreError> {
        let vocabulary = match self.vocabulary.take() {
            Some(vocabulary) => vocabulary,
            None => vocabulary(self.tx).await?,
        };
        Ok(self.vocabulary.insert(vocabulary))
    }

    /// Notes a mistake for each scope that means nothing. Scopes are public: discovery lists them.
    pub(super) async fn scopes(
        &mut self,
        field: &str,
        tokens: impl Iterator<Item = &str>,
    ) -> Result<(), StoreError> {
        let known = match self.scopes.take() {
            Some(known) => known,
            None => resources::scopes(&self.tx.list_resources().await?),
        };
        for token in tokens.filter(|token| !known.contains(token)) {
            let hint = if claims::is_name(token) {
                "claims are chosen by id_token_claims, access_token_claims and userinfo_claims"
                    .to_owned()
            } else if let Some(near) = nearest(token, known.iter()) {
                format!("did you mean {near:?}?")
            } else {
                "add it to the scopes of a resource server".to_owned()
            };
            self.mistakes.push(Mistake {
                kind: self.kind,
                name: self.name.clone(),
                field: field.to_owned(),
                problem: format!("there is no scope {token:?}"),
                refers: true,
                hint: Some(hint),
            });
        }
        self.scopes = Some(known);
        Ok(())
    }

    /// Notes a mistake unless something of that name will be there.
    pub(super) async fn refer(
        &mut self,
        field: &str,
        kind: KindName,
        name: &str,
    ) -> Result<(), StoreError> {
        if self.is_there(kind, name).await? {
            return Ok(());
        }
        let near = if self.hints {
            self.nearest(kind, name).await?
        } else {
            None
        };
        self.mistakes.push(Mistake {
            kind: self.kind,
            name: self.name.clone(),
            field: field.to_owned(),
            problem: format!("there is no {kind} {name:?}"),
            refers: true,
            hint: near.map(|near| format!("did you mean {near:?}?")),
        });
        Ok(())
    }

    /// Whether something of that name will be there.
    pub(super) async fn is_there(
        &mut self,
        kind: KindName,
        name: &str,
    ) -> Result<bool, StoreError> {
        if self.is_named(kind, name) {
            return Ok(true);
        }
        // What nothing names goes, but roles that something refers to stay.
        if self.named.is_some_and(|named| named.prune) && kind != KindName::Role {
            return Ok(false);
        }
        let asked = (kind, name.to_owned());
        if let Some(known) = self.there.get(&asked) {
            return Ok(*known);
        }
        let one = BTreeSet::from([name.to_owned()]);
        let known = match kind {
            KindName::Role => !self.tx.existing_roles(&one).await?.is_empty(),
            KindName::Group => !self.tx.existing_groups(&one).await?.is_empty(),
            KindName::Organization => !self.tx.existing_organizations(&one).await?.is_empty(),
            KindName::Resource => self.tx.find_resource(name).await?.is_some(),
            KindName::User => match UserId::parse(name) {
                Some(id) => self.tx.find_user(id).await?.is_some(),
                None => false,
            },
            KindName::Client => match ClientId::parse(name) {
                Some(id) => self.tx.find_client(&id).await?.is_some(),
                None => false,
            },
            KindName::Policy | KindName::Object | KindName::Attribute => false,
        };
        self.there.insert(asked, known);
        Ok(known)
    }

    /// Whether a resource server will be registered in just that spelling.
    pub(super) async fn is_registered_as(&mut self, identifier: &str) -> Result<bool, StoreError> {
        if let Some(named) = self.named {
            let names = named.names.get(&KindName::Resource);
            if names.is_some_and(|names| names.contains(identifier)) {
                return Ok(true);
            }
            if named.prune {
                return Ok(false);
            }
        }
        let found = self.tx.find_resource(identifier).await?;
        Ok(found.is_some_and(|found| found.identifier == identifier))
    }

    /// Whether the document names it.
    pub(super) fn is_named(&self, kind: KindName, name: &str) -> bool {
        let named = self.named.and_then(|named| named.names.get(&kind));
        named.is_some_and(|names| {
            let other = match kind {
                KindName::Resource => other_spelling(name),
                KindName::Role
                | KindName::Group
                | KindName::Organization
                | KindName::User
                | KindName::Client
                | KindName::Policy
                | KindName::Object
                | KindName::Attribute => None,
            };
            names.contains(name) || other.is_some_and(|other| names.contains(&other))
        })
    }

    /// What was meant by a name that is not known.
    async fn nearest(&mut self, kind: KindName, name: &str) -> Result<Option<String>, StoreError> {
        let stored = match kind {
            KindName::Role => self.tx.list_role_names_near(name).await?,
            KindName::Group => self.tx.list_group_names_near(name).await?,
            KindName::Organization => self.tx.list_organization_names_near(name).await?,
            KindName::Resource
            | KindName::Client
            | KindName::User
            | KindName::Policy
            | KindName::Object
            | KindName::Attribute => Vec::new(),
        };
        let named = self.named.and_then(|named| named.names.get(&kind));
        let known = stored.iter().chain(named.into_iter().flatten());
        let near = nearest(name, known.map(String::as_str));
        Ok(near.filter(|near| *near != name).map(str::to_owned))
    }
}

/// Longest description, in bytes.
const MAX_DESCRIPTION: usize = 2 * 1024;

/// Longest attributes of one thing, in bytes of JSON.
const MAX_ATTRIBUTES: usize = 16 * 1024;
