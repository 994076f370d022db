//! What tokens and `/userinfo` say of a person beside what the protocol asks: roles, groups and attributes, where a
//! client or a resource server chose so, and in ID tokens standard claims.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::domain::client::Client;
use crate::domain::grant::Grant;
use crate::domain::ids::UserId;
use crate::domain::policy::Standing;
use crate::service::Services;
use crate::spec::claims::{Claim, ClaimSet};
use crate::spec::name_pattern;
use crate::spec::scope::Scope;
use crate::spec::standard_claims::{BY_SCOPE, released, scope_of};
use crate::spec::time::Ts;
use crate::store::error::StoreError;

/// Most bytes that the chosen claims have together in one token: a header line has to hold it. What is longer,
/// `/userinfo` and introspection say.
const MAX_BYTES: usize = 4096;

/// Most bytes that the standard claims of the granted scopes have together in one ID token.
const MAX_BYTES_OF_SCOPE: usize = 2048;

/// From this length on, `/userinfo` says what is chosen for ID tokens, too. It is shorter than [`MAX_BYTES`], so that
/// a claim to which an ID token points is still there when the person lost some of it since.
const LONG_BYTES: usize = MAX_BYTES / 2;

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

/// Whether what is chosen depends on roles, groups and attributes.
pub fn needs_standing(chosen: &[String]) -> bool {
    chosen.iter().any(|name| is_name(name))
}

/// The chosen claims of a person, as string arrays where there can be several (RFC 9068 §7.2.1.1), of any length.
/// Names that cannot be chosen choose nothing.
pub async fn of(
    services: &Services,
    client: &Client,
    user: UserId,
    chosen: impl Iterator<Item = &str>,
    now: Ts,
) -> Result<Map<String, Value>, StoreError> {
    let chosen: BTreeSet<&str> = chosen.filter(|name| is_name(name)).collect();
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
            Some(Claim::Groups) => Some(groups(client, &standing)),
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
    Ok(claims)
}

/// The groups of a person that the client is told of.
fn groups(client: &Client, standing: &Standing) -> Value {
    let patterns = &client.metadata.groups;
    let told = |group: &&String| {
        let described = |pattern: &String| name_pattern::matches(pattern, group);
        patterns.is_empty() || patterns.iter().any(described)
    };
    standing.groups.iter().filter(told).cloned().collect()
}

/// What a client chose for its ID tokens, put into one: of standard claims those that `scope` covers. Claims that the
/// request asked for by name are there in any case (OpenID Connect Core §5.5).
pub async fn put_into_id_token(
    services: &Services,
    token: &mut ClaimSet,
    client: &Client,
    grant: &Grant,
    scope: &Scope,
    now: Ts,
) -> Result<(), StoreError> {
    let chosen = &client.metadata.id_token_claims;
    let asked: Vec<&str> = grant.claims.id_token.keys().map(String::as_str).collect();
    let covered: Vec<&str> = covered(chosen, scope)
        .filter(|name| !asked.contains(name))
        .collect();
    let mut of_scope = Map::new();
    if !(asked.is_empty() && covered.is_empty())
        && let Some(user) = services.store.find_user(grant.user_id).await?
    {
        let named = |names: &[&str]| -> Result<_, StoreError> {
            let (all, none) = (user.all_claims()?, Scope::default());
            Ok(released(all, &none, names.iter().copied()))
        };
        token.add(named(&asked)?);
        of_scope = named(&covered)?;
    }
    let names = chosen.iter().map(String::as_str);
    let chosen = of(services, client, grant.user_id, names, now).await?;
    let endpoint = services.config.issuer.endpoint("/userinfo");
    let parts = [(of_scope, MAX_BYTES_OF_SCOPE), (chosen, MAX_BYTES)];
    put(token, parts, &endpoint);
    Ok(())
}

/// What a client chose for its access tokens, and those who will read them, put into one. What is too long is at
/// `/userinfo`, or where the token is not good for that, at `/introspect`.
pub fn put_into_access_token(
    services: &Services,
    token: &mut ClaimSet,
    chosen: Map<String, Value>,
    scope: &Scope,
) {
    let path = if scope.is_openid() {
        "/userinfo"
    } else {
        "/introspect"
    };
    let endpoint = services.config.issuer.endpoint(path);
    put(token, [(chosen, MAX_BYTES)], &endpoint);
}

/// What `/userinfo` says beside the claims of the scope: what the client chose for it, and what is too long for its
/// tokens. `elsewhere` is what the presented token points to.
pub async fn at_userinfo(
    services: &Services,
    client: &Client,
    user: UserId,
    elsewhere: &[String],
    now: Ts,
) -> Result<Map<String, Value>, StoreError> {
    let metadata = &client.metadata;
    let id_token = metadata.id_token_claims.iter().map(String::as_str);
    let of_id_token = of(services, client, user, id_token, now).await?;
    let mut claims = fit(of_id_token, LONG_BYTES).1;
    let names = metadata.userinfo_claims.iter().map(String::as_str);
    claims.extend(of(services, client, user, names, now).await?);
    claims.extend(pointed_to(services, client, user, elsewhere, now).await?);
    Ok(claims)
}

/// The claims to which a token points.
pub async fn pointed_to(
    services: &Services,
    client: &Client,
    user: UserId,
    elsewhere: &[String],
    now: Ts,
) -> Result<Map<String, Value>, StoreError> {
    // An attribute has the name of no claim.
    let chosen = elsewhere.iter().map(|name| {
        if NAMES.contains(&name.as_str()) {
            name.clone()
        } else {
            format!("{ATTRIBUTE}{name}")
        }
    });
    let chosen: Vec<String> = chosen.collect();
    of(
        services,
        client,
        user,
        chosen.iter().map(String::as_str),
        now,
    )
    .await
}

/// Says as much of each part as fits, and where the rest is: a distributed claim
/// ([OpenID Connect Core §5.6.2](https://openid.net/specs/openid-connect-core-1_0.html#AggregatedDistributedClaims)).
/// It names no access token: the client has one, and others who read this token are not to have it.
fn put<const N: usize>(
    token: &mut ClaimSet,
    parts: [(Map<String, Value>, usize); N],
    endpoint: &str,
) {
    let mut names = Map::new();
    for (part, most) in parts {
        let (said, rest) = fit(part, most);
        token.add(said);
        names.extend(rest.into_iter().map(|(name, _)| (name, SOURCE.into())));
    }
    if !names.is_empty() {
        token.set(Claim::ClaimNames, names);
        token.set(
            Claim::ClaimSources,
            json!({ SOURCE: { "endpoint": endpoint } }),
        );
    }
}

/// The claims that fit into `most` bytes together, and the longest ones, which do not. A claim is never cut: half a list
/// of groups would be a lie.
fn fit(claims: Map<String, Value>, most: usize) -> (Map<String, Value>, Map<String, Value>) {
    let sized = claims.into_iter().map(|(name, value)| {
        let bytes = name.len() + value.to_string().len();
        (bytes, name, value)
    });
    let mut sized: Vec<_> = sized.collect();
    sized.sort_by_key(|(bytes, ..)| *bytes);
    let (mut said, mut rest, mut total) = (Map::new(), Map::new(), 0);
    for (bytes, name, value) in sized {
        total += bytes;
        let into = if total > most { &mut rest } else { &mut said };
        into.insert(name, value);
    }
    (said, rest)
}

/// The one source of claims that are elsewhere.
const SOURCE: &str = "signet";

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

    #[test]
    fn the_longest_claims_are_elsewhere_and_none_is_cut_oidc_core_5_6_2() {
        let list = |items: usize| -> Value {
            let items = 0..items;
            items.map(|item| format!("group-{item:03}")).collect()
        };
        let claims = json!({ "groups": list(400), "roles": list(2), "permissions": list(300) });
        let Value::Object(claims) = claims else {
            unreachable!()
        };
        let (said, rest) = fit(claims.clone(), MAX_BYTES);
        assert!(
            said.keys().eq(["permissions", "roles"]) || said.keys().eq(["roles", "permissions"])
        );
        assert_eq!(rest.get("groups"), Some(&list(400)));
        assert_eq!((said.len(), rest.len()), (2, 1));

        let mut token = ClaimSet::default();
        put(
            &mut token,
            [(claims, MAX_BYTES)],
            "https://id.example.test/userinfo",
        );
        let told = json!({ "groups": SOURCE });
        assert_eq!(token.value(Claim::ClaimNames), Some(&told));
        let sources = json!({ SOURCE: { "endpoint": "https://id.example.test/userinfo" } });
        assert_eq!(token.value(Claim::ClaimSources), Some(&sources));
        assert_eq!(token.value(Claim::Groups), None);
        let mut short = ClaimSet::default();
        let nothing = (Map::new(), MAX_BYTES);
        put(&mut short, [nothing], "https://id.example.test/userinfo");
        assert_eq!(short, ClaimSet::default());
    }
}
