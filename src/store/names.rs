//! Rows that are names, and patterns for them.

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
