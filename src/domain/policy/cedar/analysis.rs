//! What a parsed policy names and which attributes it can read. Where that cannot be told, it names and reads
//! everything.

use std::collections::BTreeSet;

use super::expression::{Expression, Operator, Pattern, Uid, Var};
use super::reading::Unknowing;
use super::values::{OTHER, resource_uid};
use super::{CLIENT, GROUP, ORG, ORGANIZATION, ROLE, USER};

/// One statement, `permit` or `forbid`, as guards of changes read it.
#[derive(Clone, Debug)]
pub(in super::super) struct Statement {
    /// Whether it is a `forbid`.
    pub(super) forbids: bool,
    /// Its scope and conditions.
    applies: Expression,
    /// Whether something in it could not be read.
    opaque: bool,
    /// Entities that are written in it.
    entities: BTreeSet<Uid>,
    /// Texts that are written in it, names of attributes left out.
    texts: BTreeSet<String>,
    patterns: Vec<Pattern>,
    reads: BTreeSet<Read>,
    /// The type, and perhaps the id, of every resource to which it can apply.
    resource: Whose,
}

/// An attribute, and whose.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Read {
    of: Whose,
    attribute: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    /// Anything that can be a resource.
    Anything,
    /// Everything of a type.
    Type(String),
    /// One thing.
    One(Uid),
    /// The context.
    Context,
}

/// Something that policies may name, or whose attributes they may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named<'a> {
    /// A role.
    Role(&'a str),
    /// A group.
    Group(&'a str),
    /// An organization.
    Organization(&'a str),
    /// A client, by its `client_id`.
    Client(&'a str),
    /// A user, by `sub`, username or email.
    User(&'a str),
    /// A resource, by its type and id.
    Object(&'a str, &'a str),
}

impl Named<'_> {
    fn uid(self) -> Uid {
        let (kind, id) = match self {
            Self::Role(name) => (ROLE, name),
            Self::Group(name) => (GROUP, name),
            Self::Organization(name) => (ORGANIZATION, name),
            Self::Client(name) => (CLIENT, name),
            Self::User(name) => (USER, name),
            Self::Object(kind, id) => match resource_uid(kind, id) {
                Ok(uid) => return Uid::of(&uid),
                Err(_) => (OTHER, id),
            },
        };
        Uid {
            kind: kind.to_owned(),
            id: id.to_owned(),
        }
    }
}

impl Uid {
    fn of(uid: &cedar_policy::EntityUid) -> Self {
        let id: &str = uid.id().unescaped();
        Self {
            kind: uid.type_name().to_string(),
            id: id.to_owned(),
        }
    }
}

impl Statement {
    /// Reads a policy.
    pub(super) fn new(forbids: bool, applies: Expression) -> Self {
        let mut all = Self {
            forbids,
            resource: whose_resource(&applies),
            opaque: false,
            entities: BTreeSet::new(),
            texts: BTreeSet::new(),
            patterns: Vec::new(),
            reads: BTreeSet::new(),
            applies: Expression::Opaque,
        };
        all.collect(&applies);
        all.sources(&applies);
        all.applies = applies;
        all
    }

    /// Whether it asks about the resource or its place otherwise than by its type.
    pub(in super::super) fn asks_about_resource(&self) -> bool {
        fn asks(asked: &Expression) -> bool {
            match asked {
                Expression::Is(left, _, None) if **left == Expression::Var(Var::Resource) => false,
                Expression::Var(Var::Resource) | Expression::Opaque => true,
                other => other.parts().into_iter().any(asks),
            }
        }
        asks(&self.applies)
    }

    /// Names that are written in it, as entities of a type or as texts.
    pub(in super::super) fn names_written(&self) -> impl Iterator<Item = &str> {
        let entities = self.entities.iter().map(|uid| uid.id.as_str());
        entities.chain(self.texts.iter().map(String::as_str))
    }

    /// Whether it may hold, with everything that is not known left open.
    pub(in super::super) fn may_hold(&self, known: &Unknowing<'_>) -> bool {
        known.may_hold(&self.applies)
    }

    /// Whether it names something: as an entity, or by a text that is its name.
    pub(super) fn names(&self, thing: Named<'_>) -> bool {
        let uid = thing.uid();
        self.opaque
            || self.entities.contains(&uid)
            || self.texts.contains(&uid.id)
            || self.patterns.iter().any(|pattern| pattern.fits(&uid.id))
    }

    /// Whether its answer can depend on an attribute of something.
    pub(super) fn reads(&self, thing: Named<'_>, attribute: &str) -> bool {
        let uid = thing.uid();
        let is_it = |of: &Whose| match of {
            Whose::Anything => true,
            Whose::Type(kind) => *kind == uid.kind,
            Whose::One(one) => *one == uid,
            Whose::Context => false,
        };
        self.opaque
            || self
                .reads
                .iter()
                .any(|read| read.attribute == attribute && is_it(&read.of))
    }

    /// Whether it can ask about the client.
    pub(super) fn asks_about_clients(&self) -> bool {
        let client = |read: &Read| match &read.of {
            Whose::Context => read.attribute == "client",
            Whose::Type(kind) => kind == CLIENT,
            Whose::One(one) => one.kind == CLIENT,
            Whose::Anything => false,
        };
        self.opaque
            || self.reads.iter().any(client)
            || self.entities.iter().any(|one| one.kind == CLIENT)
    }

    /// Whether it can apply to a resource of that type and id.
    pub(super) fn is_for(&self, kind: &str, id: &str) -> bool {
        match &self.resource {
            Whose::Anything | Whose::Context => true,
            Whose::Type(of) => of == kind,
            Whose::One(one) => one.kind == kind && one.id == id,
        }
    }

    fn collect(&mut self, asked: &Expression) {
        match asked {
            Expression::Opaque => self.opaque = true,
            Expression::Entity(uid) => {
                self.entities.insert(uid.clone());
            }
            Expression::Text(text) => {
                self.texts.insert(text.clone());
            }
            Expression::Like(_, pattern) => self.patterns.push(pattern.clone()),
            Expression::Bool(_)
            | Expression::Long(_)
            | Expression::Var(_)
            | Expression::Not(_)
            | Expression::Negative(_)
            | Expression::And(_)
            | Expression::Or(_)
            | Expression::If(_)
            | Expression::Binary(..)
            | Expression::IsEmpty(_)
            | Expression::Get(..)
            | Expression::Has(..)
            | Expression::Is(..)
            | Expression::Set(_)
            | Expression::Record(_)
            | Expression::Call(_) => {}
        }
        for part in asked.parts() {
            self.collect(part);
        }
    }

    /// Notes what an expression reads, and says whose attributes its value can have.
    fn sources(&mut self, asked: &Expression) -> Sources {
        match asked {
            Expression::Var(Var::Principal) => Sources::one(Whose::Type(USER.to_owned())),
            Expression::Var(Var::Resource) => Sources::one(self.resource.clone()),
            Expression::Var(Var::Context) => Sources::one(Whose::Context),
            Expression::Entity(uid) => Sources::one(Whose::One(uid.clone())),
            Expression::Get(from, attribute) => {
                let from = self.sources(from);
                self.attribute(from, attribute)
            }
            Expression::Has(from, attributes) => {
                let mut from = self.sources(from);
                for attribute in attributes {
                    from = self.attribute(from, attribute);
                }
                Sources::default()
            }
            Expression::If(parts) => {
                let [condition, then, otherwise] = parts.as_ref();
                self.sources(condition);
                self.sources(then).and(self.sources(otherwise))
            }
            Expression::Record(_) | Expression::Set(_) => {
                let mut within = Sources::default();
                for part in asked.parts() {
                    within = within.and(self.sources(part));
                }
                within.within.extend(std::mem::take(&mut within.of));
                within
            }
            Expression::Binary(operator, parts) => {
                let [left, right] = parts.as_ref();
                let of = self.sources(left);
                self.sources(right);
                if *operator == Operator::In && !is_written(right) {
                    self.place(of);
                }
                Sources::default()
            }
            Expression::Is(left, _, within) => {
                let of = self.sources(left);
                if let Some(within) = within {
                    self.sources(within);
                    if !is_written(within) {
                        self.place(of);
                    }
                }
                Sources::default()
            }
            Expression::Bool(_)
            | Expression::Long(_)
            | Expression::Text(_)
            | Expression::Var(Var::Action)
            | Expression::Not(_)
            | Expression::Negative(_)
            | Expression::And(_)
            | Expression::Or(_)
            | Expression::IsEmpty(_)
            | Expression::Like(..)
            | Expression::Call(_)
            | Expression::Opaque => {
                for part in asked.parts() {
                    self.sources(part);
                }
                Sources::default()
            }
        }
    }

    /// To what a thing belongs follows from its organization.
    fn place(&mut self, of: Sources) {
        self.attribute(of, ORG);
    }

    fn attribute(&mut self, from: Sources, attribute: &str) -> Sources {
        let mut found = Sources {
            of: from.within.clone(),
            within: from.within,
        };
        for of in from.of {
            // The only attributes that are entities are those that Signet itself sets.
            let entity = match (&of, attribute) {
                (Whose::Context, "client") => Some(CLIENT),
                (Whose::Anything | Whose::Type(_) | Whose::One(_), ORG) => Some(ORGANIZATION),
                (Whose::Context | Whose::Anything | Whose::Type(_) | Whose::One(_), _) => None,
            };
            found
                .of
                .extend(entity.map(|kind| Whose::Type(kind.to_owned())));
            let attribute = attribute.to_owned();
            self.reads.insert(Read { of, attribute });
        }
        found
    }
}

/// Whether an expression names what it stands for: guards of names cover it.
fn is_written(asked: &Expression) -> bool {
    match asked {
        Expression::Entity(_) => true,
        Expression::Set(_) => asked.parts().into_iter().all(is_written),
        _ => false,
    }
}

/// Whose attributes a value can have.
#[derive(Clone, Debug, Default)]
struct Sources {
    of: BTreeSet<Whose>,
    /// The same of what is inside the value.
    within: BTreeSet<Whose>,
}

impl Sources {
    fn one(whose: Whose) -> Self {
        Self {
            of: BTreeSet::from([whose]),
            within: BTreeSet::new(),
        }
    }

    fn and(mut self, other: Self) -> Self {
        self.of.extend(other.of);
        self.within.extend(other.within);
        self
    }
}

/// The resources to which a policy can apply, by its scope, which stands first.
fn whose_resource(applies: &Expression) -> Whose {
    let Expression::And(all) = applies else {
        return Whose::Anything;
    };
    let of_resource = |one: &Expression| *one == Expression::Var(Var::Resource);
    match all.first() {
        Some(Expression::Is(left, kind, _)) if of_resource(left) => Whose::Type(kind.clone()),
        Some(Expression::Binary(Operator::Equal, parts)) => match parts.as_ref() {
            [left, Expression::Entity(uid)] if of_resource(left) => Whose::One(uid.clone()),
            _ => Whose::Anything,
        },
        _ => Whose::Anything,
    }
}
