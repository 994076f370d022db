//! What keeps events small and free of secrets, whatever they are given.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::crypto::digest::sha256_b64;

/// At most so many bytes of `before`, of `after` and of `detail`.
pub const MAX_BYTES: usize = 8 * 1024;

/// At most so many bytes of a name.
pub const MAX_NAME_BYTES: usize = 512;

/// A view without members that are named like secrets, or a note in its place when it is too long.
pub(super) fn view(view: &Value) -> Cow<'_, Value> {
    let view = if has_secrets(view) {
        let mut view = view.clone();
        drop_secrets(&mut view);
        Cow::Owned(view)
    } else {
        Cow::Borrowed(view)
    };
    if fits(&view) {
        return view;
    }
    let mut view = view.into_owned();
    if let Value::Object(members) = &mut view {
        // A long description must not hide which permission was added: what is longest goes first.
        let mut sizes: Vec<(usize, String)> = members
            .iter()
            .map(|(name, member)| (member.to_string().len(), name.clone()))
            .collect();
        sizes.sort_unstable();
        let mut total: usize = sizes.iter().map(|(size, name)| size + name.len()).sum();
        while total > MAX_BYTES / 2
            && let Some((size, name)) = sizes.pop()
            && let Some(member) = members.get_mut(&name)
        {
            *member = left_out(member);
            total = total.saturating_sub(size);
        }
    }
    Cow::Owned(if fits(&view) { view } else { left_out(&view) })
}

fn fits(view: &Value) -> bool {
    view.to_string().len() <= MAX_BYTES
}

/// That something is not shown, with its digest, so that a reader who knows it can compare.
fn left_out(value: &Value) -> Value {
    let text = value.to_string();
    let digest = sha256_b64(text.as_bytes());
    json!({ "left_out": { "bytes": text.len(), "sha256": digest } })
}

/// A name that a column and an index can hold.
pub(super) fn name(text: &str) -> String {
    let mut end = text.len().min(MAX_NAME_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end)
        .unwrap_or_default()
        .replace(char::is_control, "\u{fffd}")
}

fn has_secrets(value: &Value) -> bool {
    match value {
        Value::Object(members) => members
            .iter()
            .any(|(name, member)| is_secret(name) || has_secrets(member)),
        Value::Array(items) => items.iter().any(has_secrets),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// The last guard: views leave secrets out already.
fn drop_secrets(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !is_secret(name));
            members.values_mut().for_each(drop_secrets);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_secrets),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.contains("secret")
        || name.starts_with("password")
        || name.starts_with("private")
        || name == "token"
        || name.ends_with("_token")
}
