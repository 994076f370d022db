//! The `claims` parameter ([OpenID Connect Core §5.5](https://openid.net/specs/openid-connect-core-1_0.html#ClaimsParameter)).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::scope::Scope;
use super::standard_claims::scope_of;

/// Longest `claims` text that is read, in bytes.
pub const MAX_BYTES: usize = 4096;

/// Which claims a client asks for beside those of its scopes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimsRequest {
    /// Claims wanted at `/userinfo`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub userinfo: BTreeMap<String, Option<ClaimWish>>,
    /// Claims wanted in the ID token.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub id_token: BTreeMap<String, Option<ClaimWish>>,
}

/// How one claim is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimWish {
    /// Whether the client cannot do without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub essential: bool,
    /// The only value that serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// The values that serve, in order of preference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<Value>>,
}

impl ClaimWish {
    /// The texts that serve, in order of preference; empty when any does.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let values = self.values.iter().flatten();
        self.value.iter().chain(values).filter_map(Value::as_str)
    }

    /// Whether any value serves.
    #[must_use]
    pub fn is_for_any(&self) -> bool {
        self.value.is_none() && self.values.is_none()
    }
}

impl ClaimsRequest {
    /// Reads the parameter; the error is the sentence for `error_description`.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_BYTES {
            return Err(format!("claims is longer than {MAX_BYTES} bytes"));
        }
        serde_json::from_str(text).map_err(|_| {
            "claims is not a JSON object of the form OpenID Connect Core section 5.5 describes"
                .to_owned()
        })
    }

    /// What is left of the request when only claims about the person count that `allowed` covers. Nothing else is
    /// kept: values and unknown names have no further use.
    #[must_use]
    pub fn within(&self, allowed: &Scope) -> Self {
        let keep = |asked: &BTreeMap<String, Option<ClaimWish>>| {
            let covered =
                |name: &&String| scope_of(name).is_some_and(|scope| allowed.contains(scope));
            asked
                .keys()
                .filter(covered)
                .map(|name| (name.clone(), None))
                .collect()
        };
        Self {
            userinfo: keep(&self.userinfo),
            id_token: keep(&self.id_token),
        }
    }

    /// The scopes that stand for the claims asked for: what a person must allow.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.userinfo
            .keys()
            .chain(self.id_token.keys())
            .filter_map(|name| scope_of(name))
            .collect()
    }

    /// The subjects of which one must be signed in, if the client names any
    /// ([OpenID Connect Core §5.5.1](https://openid.net/specs/openid-connect-core-1_0.html#IndividualClaimsRequests)),
    /// essential or not; none serves where it names something that is no text.
    #[must_use]
    pub fn wanted_subjects(&self) -> Option<BTreeSet<&str>> {
        let wishes = [&self.id_token, &self.userinfo].into_iter();
        let wishes = wishes.filter_map(|asked| asked.get("sub")?.as_ref());
        let named = wishes.filter(|wish| !wish.is_for_any());
        let subjects = named.map(|wish| wish.texts().collect::<BTreeSet<_>>());
        subjects.reduce(|one, other| &one & &other)
    }

    /// The times of sign-in, in seconds, of which the ID token must carry one. `auth_time` is always there, so only an
    /// essential wish for certain values can be unmet.
    #[must_use]
    pub fn wanted_auth_times(&self) -> Option<Vec<i64>> {
        let wish = self.id_token.get("auth_time")?.as_ref()?;
        let values = wish.value.iter().chain(wish.values.iter().flatten());
        (wish.essential && !wish.is_for_any()).then(|| values.filter_map(Value::as_i64).collect())
    }

    /// How the ID token's `acr` is asked for, if it is (OpenID Connect Core §5.5.1.1).
    #[must_use]
    pub fn wanted_acr(&self) -> Option<&ClaimWish> {
        self.id_token.get("acr")?.as_ref()
    }
}
