//! What roles, groups and attributes put into tokens, where a client or a resource server chose so.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::domain::ids::UserId;
use crate::service::Services;
use crate::spec::claims::Claim;
use crate::spec::scope::Scope;
use crate::spec::standard_claims::{BY_SCOPE, scope_of};
use crate::spec::time::Ts;
use crate::store::error::StoreError;

/// Most bytes that all of these claims have together in one token: a header line has to hold it.
const MAX_BYTES: usize = 4096;

/// The claims that can be chosen, apart from attributes.
pub const NAMES: [&str; 4] = [
    Claim::Roles.name(),
    Claim::Groups.name(),
    Claim::Permissions.name(),
    Claim::OrgId.name(),
];

/// What attributes are chosen with.
pub const ATTRIBUTE: &str = "attributes.";

/// What stands for every standard claim that the granted scopes cover
/// ([OpenID Connect Core §5.4](https://openid.net/specs/openid-connect-core-1_0.html#ScopeClaims)).
pub const SCOPE: &str = "scope";

/// Whether something can be chosen by that name for every kind of token.
#[must_use]
pub fn is_name(name: &str) -> bool {
    // What means something in a token already, an attribute must not replace.
    let free =
        |name: &str| !name.is_empty() && Claim::parse(name).is_none() && scope_of(name).is_none();
    NAMES.contains(&name) || name.strip_prefix(ATTRIBUTE).is_some_and(free)
}

/// Whether it is a standard claim, or all of them: in an ID token they stand where the granted scopes cover them, so a
/// client gets nothing there that `/userinfo` would not tell it.
#[must_use]
pub fn is_standard(name: &str) -> bool {
    name == SCOPE || scope_of(name).is_some()
}

/// The standard claims that `chosen` puts into an ID token of that scope.
pub fn covered<'a>(chosen: &'a [String], scope: &'a Scope) -> impl Iterator<Item = &'a str> {
    let all = chosen.iter().any(|name| name == SCOPE);
    let granted = BY_SCOPE.iter().filter(|(name, _)| scope.contains(name));
    granted
        .flat_map(|(_, claims)| claims.iter().copied())
        .filter(move |claim| all || chosen.iter().any(|name| name == claim))
}

/// The chosen claims of a person, as string arrays where there can be several (RFC 9068 §7.2.1.1). Claims that are
/// too long together are left out, all of them: half a list of roles would be a lie.
pub async fn of(
    services: &Services,
    user: UserId,
    chosen: impl Iterator<Item = &str>,
    now: Ts,
) -> Result<Map<String, Value>, StoreError> {
    let chosen: BTreeSet<&str> = chosen.collect();
    let mut claims = Map::new();
    if chosen.is_empty() {
        return Ok(claims);
    }
    let Some(standing) = Box::pin(services.decisions.standing(user, now)).await? else {
        return Ok(claims);
    };
    for name in chosen {
        let attribute = name.strip_prefix(ATTRIBUTE);
        let value: Option<Value> = match Claim::parse(name) {
            Some(Claim::Roles) => Some(standing.roles.iter().cloned().collect()),
            Some(Claim::Groups) => Some(standing.groups.iter().cloned().collect()),
            Some(Claim::Permissions) => Some(standing.permissions.iter().cloned().collect()),
            // Of several, none is the one.
            Some(Claim::OrgId) => match standing.organizations.as_slice() {
                [one] => Some(one.clone().into()),
                _ => None,
            },
            _ => attribute.and_then(|attribute| standing.attributes.get(attribute).cloned()),
        };
        let name = attribute.unwrap_or(name);
        claims.extend(value.map(|value| (name.to_owned(), value)));
    }
    let bytes = serde_json::to_vec(&claims).map_or(usize::MAX, |json| json.len());
    if bytes > MAX_BYTES {
        tracing::warn!(user.id = %user, bytes, "the roles, groups and attributes of user {user} are longer than {MAX_BYTES} bytes and are left out of the token");
        return Ok(Map::new());
    }
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::claims::Place;

    #[test]
    fn what_can_be_chosen_is_what_the_table_says() {
        assert!(Claim::names(Place::Chosen).eq(NAMES));
        assert!(NAMES.iter().all(|name| is_name(name)));
        for claim in Claim::ALL {
            assert!(
                !is_name(&format!("{ATTRIBUTE}{}", claim.name())),
                "{claim:?}"
            );
        }
        assert!(is_name("attributes.team") && !is_name("attributes.email"));
        assert!(is_standard("scope") && is_standard("email") && !is_standard("openid"));
        assert!(!is_name("scope") && !is_name("email") && !is_standard("roles"));
    }

    #[test]
    fn standard_claims_are_covered_by_granted_scopes_alone() {
        let chosen = |names: &[&str]| -> Vec<String> {
            names.iter().map(|name| (*name).to_owned()).collect()
        };
        let of = |names: &[&str], scope: &str| -> Vec<String> {
            let scope = Scope::parse(scope).unwrap();
            covered(&chosen(names), &scope).map(str::to_owned).collect()
        };
        assert_eq!(of(&["scope"], "openid email"), ["email", "email_verified"]);
        assert_eq!(of(&["email", "name"], "openid email"), ["email"]);
        assert_eq!(of(&["name", "roles"], "openid profile"), ["name"]);
        assert!(of(&["roles"], "openid profile").is_empty());
        assert!(of(&["scope", "email"], "openid").is_empty());
    }
}
