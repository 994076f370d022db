//! Resource servers: the audiences of access tokens
//! ([RFC 8707](https://www.rfc-editor.org/rfc/rfc8707)).

use std::collections::BTreeMap;

use url::Url;

use crate::spec::scope::Scope;

/// A resource server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its URI: the `aud` of tokens for it.
    pub identifier: String,
    /// What people call it.
    pub name: Option<String>,
    /// The scopes that mean something to it.
    pub scopes: Scope,
    /// By scope: the permission that a person needs to give it, `resource_type:action`.
    pub scope_permissions: BTreeMap<String, String>,
    /// What access tokens for it say of the person, beside what the client chose: `roles`, `groups`, `permissions`,
    /// `org_id` or `attributes.…`.
    pub access_token_claims: Vec<String>,
}

/// Checks a resource indicator: an absolute URI without fragment (RFC 8707 §2). The error is a sentence.
pub fn check_identifier(identifier: &str) -> Result<(), String> {
    let absolute = Url::parse(identifier).is_ok();
    if !absolute
        || identifier.contains('#')
        || identifier.len() > 512
        || !identifier.bytes().all(|b| (0x21..=0x7e).contains(&b))
    {
        return Err(
            "must be an absolute URI without fragment, at most 512 bytes (RFC 8707 section 2)"
                .to_owned(),
        );
    }
    Ok(())
}
