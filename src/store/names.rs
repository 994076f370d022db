//! Rows that are names.

use std::collections::{BTreeMap, BTreeSet};

/// Rows of one name, as a set.
pub(super) fn first(rows: Vec<(String,)>) -> BTreeSet<String> {
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
