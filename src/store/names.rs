//! Statements and rows that are about names.

use std::collections::{BTreeMap, BTreeSet};

/// Rows of one name.
pub(super) fn first<C: FromIterator<String>>(rows: Vec<(String,)>) -> C {
    rows.into_iter().map(|(name,)| name).collect()
}

/// Rows of a name and a value, as the values of each name.
pub(super) fn grouped(rows: Vec<(String, String)>) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, value) in rows {
        all.entry(name).or_default().insert(value);
    }
    all
}

/// A `LIKE` pattern with `!` as its escape character; empty for everything.
pub(super) fn prefix_pattern(begins: &str) -> String {
    if begins.is_empty() {
        return String::new();
    }
    let mut pattern = String::with_capacity(begins.len() + 1);
    for c in begins.chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// Reads the parents of some names, and theirs, and so on: `ancestry!("role_parents", "role")`. One row for each name
/// and parent, of the names that are reached alone. `OFFSET 0` keeps PostgreSQL at the index: it expects so many names
/// that it would read the whole table at every step.
macro_rules! ancestry {
    ($table:literal, $name:literal) => {
        $crate::store::db::Among {
            postgres: concat!(
                "WITH RECURSIVE reached (name, parent) AS (SELECT ",
                $name,
                ", parent FROM ",
                $table,
                " WHERE ",
                $name,
                " IN (SELECT UNNEST($1::text[])) UNION \
                SELECT above.name, above.parent FROM reached CROSS JOIN LATERAL (SELECT ",
                $name,
                " AS name, parent FROM ",
                $table,
                " WHERE ",
                $name,
                " = reached.parent OFFSET 0) AS above) SELECT name, parent FROM reached"
            ),
            sqlite: concat!(
                "WITH RECURSIVE reached (name, parent) AS (SELECT ",
                $name,
                ", parent FROM ",
                $table,
                " WHERE ",
                $name,
                " IN (SELECT value FROM json_each($1)) UNION SELECT above.",
                $name,
                ", above.parent FROM reached JOIN ",
                $table,
                " AS above ON above.",
                $name,
                " = reached.parent) SELECT name, parent FROM reached"
            ),
        }
    };
}

/// Reads at most 400 names that stand next to `$1` in their order: `near!("roles")`.
macro_rules! near {
    ($table:literal) => {
        concat!(
            "SELECT name FROM (SELECT name FROM ",
            $table,
            " WHERE name >= $1 ORDER BY name LIMIT 200) AS behind \
            UNION ALL SELECT name FROM (SELECT name FROM ",
            $table,
            " WHERE name < $1 ORDER BY name DESC LIMIT 200) AS before"
        )
    };
}

pub(super) use {ancestry, near};
