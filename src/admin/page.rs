//! Lists, a page at a time: stable while others insert and delete, because a cursor is the key of the last item.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use crate::crypto::b64;

/// Items of a page without `limit`.
const DEFAULT: u32 = 20;
/// And at most.
const MOST: u32 = 100;

/// One page of a list.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "{T}Page")]
pub(super) struct Page<T> {
    /// The items.
    data: Vec<T>,
    /// Whether more items follow.
    has_more: bool,
    /// The `cursor` of the next page; null on the last page.
    next_cursor: Option<String>,
}

/// Selects a page of a list.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct List {
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
    /// Page size, 1 to 100 (default 20).
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
}

/// Selects a page of a list of things with names.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Search {
    /// Prefix of the name, not case-sensitive.
    q: Option<String>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
    /// Page size, 1 to 100 (default 20).
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
}

impl Search {
    /// Which part.
    pub(super) fn range(&self) -> Result<Range, Problem> {
        Range::new(self.cursor.as_deref(), self.limit)
    }

    /// How the name begins.
    pub(super) fn begins(&self) -> &str {
        self.q.as_deref().unwrap_or_default().trim()
    }
}

/// How much of a list, and from where on. Flattening it into a query type would lose its schema, so every list's query
/// has these two members itself and makes one of them.
#[derive(Clone, Debug)]
pub(super) struct Range {
    after: Option<String>,
    limit: usize,
}

impl Range {
    /// Reads what was asked for.
    pub(super) fn new(cursor: Option<&str>, limit: Option<u32>) -> Result<Self, Problem> {
        let limit = limit.unwrap_or(DEFAULT);
        if !(1..=MOST).contains(&limit) {
            let detail = format!("expected 1 to {MOST}, got {limit}");
            return Err(Problem::invalid("limit", detail));
        }
        let after = match cursor {
            None => None,
            Some(cursor) => Some(opened(cursor).ok_or_else(Self::bad_cursor)?),
        };
        Ok(Self {
            after,
            limit: usize::try_from(limit).unwrap_or(0),
        })
    }

    /// Reads what was asked for.
    pub(super) fn of(list: &List) -> Result<Self, Problem> {
        Self::new(list.cursor.as_deref(), list.limit)
    }

    /// The id after which the page begins.
    pub(super) fn after_id<Id>(
        &self,
        parse: impl Fn(&str) -> Option<Id>,
    ) -> Result<Option<Id>, Problem> {
        match self.after.as_deref() {
            None => Ok(None),
            Some(text) => parse(text).map(Some).ok_or_else(Self::bad_cursor),
        }
    }

    /// The text after which the page begins, in its parts.
    pub(super) fn after_parts<const N: usize>(&self) -> Result<Option<[String; N]>, Problem> {
        match self.after.as_deref() {
            None => Ok(None),
            Some(text) => {
                let parts: Vec<String> =
                    serde_json::from_str(text).map_err(|_| Self::bad_cursor())?;
                if parts.iter().any(|part| part.contains('\0')) {
                    return Err(Self::bad_cursor());
                }
                let parts = <[String; N]>::try_from(parts).map_err(|_| Self::bad_cursor())?;
                Ok(Some(parts))
            }
        }
    }

    fn bad_cursor() -> Problem {
        Problem::invalid("cursor", "expected a next_cursor of this list")
            .hint("leave it away to begin at the first page")
    }

    /// The key after which the page begins; empty for the first.
    pub(super) fn after(&self) -> &str {
        self.after.as_deref().unwrap_or_default()
    }

    /// How many rows to read: one more than the page has, to know whether there are more.
    pub(super) fn rows(&self) -> i64 {
        i64::try_from(self.limit).unwrap_or(0) + 1
    }

    /// The page of what was read.
    pub(super) fn page<R, T>(
        &self,
        mut rows: Vec<R>,
        key: impl Fn(&R) -> String,
        shown: impl Fn(R) -> T,
    ) -> Page<T> {
        let has_more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let last = rows.last().filter(|_| has_more);
        let next_cursor = last.map(|row| b64::encode(key(row).as_bytes()));
        Page {
            data: rows.into_iter().map(shown).collect(),
            has_more,
            next_cursor,
        }
    }
}

fn opened(cursor: &str) -> Option<String> {
    let text = String::from_utf8(b64::decode(cursor)?).ok()?;
    (text.len() <= 1024 && !text.contains('\0')).then_some(text)
}

/// An organization has a name: an empty one stands for none where it is stored.
pub(super) fn named(organization: Option<&str>) -> Result<Option<&str>, Problem> {
    match organization {
        Some("") => Err(Problem::invalid(
            "organization",
            "expected a name; leave it away for none",
        )),
        other => Ok(other),
    }
}
