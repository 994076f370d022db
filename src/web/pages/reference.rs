//! The reference of the administration API.

use askama::Template;

use super::Layout;

/// What the pages of the reference show. It has nothing of the reader in it.
pub struct Reference {
    /// The version of the API.
    pub version: String,
    /// What holds for all operations, a paragraph each.
    pub about: Vec<Prose>,
    /// How to get a token, for a shell.
    pub token_example: String,
    /// The operations by what they belong to.
    pub groups: Vec<Group>,
    /// The statuses of refusals and what each means.
    pub refusals: Vec<(String, Prose)>,
    /// The schemas of a refusal's body.
    pub problem: Vec<Schema>,
}

impl Reference {
    /// The operations that have every word of `query` in them, by group; all for an empty query.
    pub fn find(&self, query: &str) -> Vec<(&Group, Vec<&Operation>)> {
        let query = query.to_lowercase();
        let fits = |operation: &&Operation| {
            query
                .split_whitespace()
                .all(|word| operation.words.contains(word))
        };
        let groups = self.groups.iter();
        groups
            .map(|group| (group, group.operations.iter().filter(fits).collect()))
            .filter(|(_, found): &(_, Vec<_>)| !found.is_empty())
            .collect()
    }
}

/// `/v1`: how to begin, and the operations by group, or those that fit `query`.
#[derive(Template)]
#[template(path = "reference/overview.html")]
pub struct ReferencePage<'a> {
    /// What all pages share.
    pub layout: Layout,
    /// What there is.
    pub reference: &'a Reference,
    /// What the reader looks for; empty for all.
    pub query: &'a str,
    /// What fits it.
    pub found: Vec<(&'a Group, Vec<&'a Operation>)>,
}

impl ReferencePage<'_> {
    /// The number of operations that fit.
    fn count(&self) -> usize {
        self.found.iter().map(|(_, found)| found.len()).sum()
    }
}

/// `/v1/reference/{group}`: the operations of a group with what they take and give, and the schemas they use.
#[derive(Template)]
#[template(path = "reference/group.html")]
pub struct ReferenceGroupPage<'a> {
    /// What all pages share.
    pub layout: Layout,
    /// What there is.
    pub reference: &'a Reference,
    /// The group.
    pub group: &'a Group,
}

/// Text with code and links in it.
pub type Prose = Vec<Piece>;

/// A piece of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Plain text.
    Text(String),
    /// A word of the API.
    Code(String),
    /// A link into this page, or to a standard.
    Link {
        /// Where to.
        href: String,
        /// The words.
        text: String,
    },
}

/// Operations that belong together.
pub struct Group {
    /// What they are about; also the last part of its address.
    pub name: String,
    /// The operations.
    pub operations: Vec<Operation>,
    /// The schemas that they use.
    pub schemas: Vec<Schema>,
}

impl Group {
    /// The name as a heading.
    pub fn title(&self) -> String {
        let words = self.name.replace('_', " ");
        let mut letters = words.chars();
        let first = letters.next().into_iter().flat_map(char::to_uppercase);
        first.chain(letters).collect()
    }
}

/// One operation.
pub struct Operation {
    /// Its name for programs; also its anchor.
    pub id: String,
    /// The HTTP method.
    pub method: String,
    /// The path with its parameters in braces.
    pub path: String,
    /// What it does, in a few words.
    pub summary: String,
    /// What else there is to know, a paragraph each; the last names the permission.
    pub description: Vec<Prose>,
    /// What it takes beside the body.
    pub parameters: Vec<Member>,
    /// The body that it takes.
    pub body: Option<Body>,
    /// The answers of success: status, meaning, and the kind of the body.
    pub answers: Vec<(String, Prose, Prose)>,
    /// The statuses of refusals.
    pub refusals: Vec<String>,
    /// A call, for a shell.
    pub example: String,
    /// The answer to it.
    pub answer_example: String,
    /// The words by which it is found.
    pub words: String,
}

/// A body.
pub struct Body {
    /// Its media type.
    pub media_type: String,
    /// What kind of value it is.
    pub kind: Prose,
    /// Its members, unless the kind leads to them.
    pub members: Vec<Member>,
}

/// A member of an object, or a parameter.
pub struct Member {
    /// Its name.
    pub name: String,
    /// Where a parameter stands: `path`, `query` or `header`; empty for a member.
    pub place: String,
    /// Whether it must be there.
    pub required: bool,
    /// What kind of value it has.
    pub kind: Prose,
    /// What it means.
    pub description: Prose,
}

/// A schema with a name.
pub struct Schema {
    /// The name; `schema-` and it is the anchor.
    pub name: String,
    /// What it is.
    pub description: Vec<Prose>,
    /// Its kind, if it is no object with members.
    pub kind: Prose,
    /// Its members.
    pub members: Vec<Member>,
    /// The values it may have and their meaning, if they are listed.
    pub values: Vec<(String, Prose)>,
}
