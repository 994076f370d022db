//! The claims of tokens: one table from which writers, readers, reserved names and discovery follow.
//!
//! What a person may be known by stands in [`standard_claims`](super::standard_claims).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Where a claim stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In ID tokens (and mostly in access tokens): discovery lists it.
    IdToken,
    /// In access tokens alone, and in what introspection says of them.
    AccessToken,
    /// In access tokens, for revocation by this server alone: introspection leaves it out.
    Revocation,
    /// In any token, where the client or a resource server chose it: discovery lists it.
    Chosen,
    /// In any token that is too short for all that was chosen: where the rest is. Introspection gives the rest itself.
    Pointer,
    /// In introspection answers alone ([RFC 7662 §2.2](https://www.rfc-editor.org/rfc/rfc7662#section-2.2)).
    Introspection,
    /// In no token of this server; others give it a meaning, so attributes cannot take its name.
    Elsewhere,
}

macro_rules! claims {
    ($($(#[$about:meta])* $name:ident = $text:literal, $place:ident;)*) => {
        /// A claim of a token, of an introspection answer, or of other servers' tokens.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Claim {
            $($(#[$about])* $name,)*
        }

        impl Claim {
            /// Every claim, in the order in which discovery lists them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// Where it stands.
            #[must_use]
            pub const fn place(self) -> Place {
                match self {
                    $(Self::$name => Place::$place,)*
                }
            }
        }
    };
}

claims! {
    /// The person, or the client that acts for itself (RFC 7519 §4.1.2).
    Sub = "sub", IdToken;
    /// This server (RFC 7519 §4.1.1).
    Iss = "iss", IdToken;
    /// For whom the token is (RFC 7519 §4.1.3).
    Aud = "aud", IdToken;
    /// When it expires, in seconds (RFC 7519 §4.1.4).
    Exp = "exp", IdToken;
    /// When it was issued, in seconds (RFC 7519 §4.1.6).
    Iat = "iat", IdToken;
    /// When the person signed in, in seconds (OpenID Connect Core §2).
    AuthTime = "auth_time", IdToken;
    /// How strongly they signed in (OpenID Connect Core §2).
    Acr = "acr", IdToken;
    /// By which methods they signed in (RFC 8176).
    Amr = "amr", IdToken;
    /// The browser session (OpenID Connect Front-Channel Logout §3).
    Sid = "sid", IdToken;
    /// The `nonce` of the authorization request (OpenID Connect Core §2).
    Nonce = "nonce", IdToken;
    /// The digest of the access token beside an ID token (OpenID Connect Core §3.1.3.6).
    AtHash = "at_hash", IdToken;
    /// The token's name (RFC 7519 §4.1.7).
    Jti = "jti", AccessToken;
    /// The client (RFC 9068 §2.2).
    ClientId = "client_id", AccessToken;
    /// The scope (RFC 9068 §2.2.3).
    Scope = "scope", AccessToken;
    /// The key that the token is bound to (RFC 7800 §3.1).
    Cnf = "cnf", AccessToken;
    /// The grant, so that revoking it reaches the token.
    GrantId = "grant_id", Revocation;
    /// The person's token version.
    Ver = "ver", Revocation;
    /// Roles (RFC 9068 §2.2.3.1).
    Roles = "roles", Chosen;
    /// Groups (RFC 9068 §2.2.3.1).
    Groups = "groups", Chosen;
    /// Permissions.
    Permissions = "permissions", Chosen;
    /// The organization of a person who has one.
    OrgId = "org_id", Chosen;
    /// Which claims are elsewhere (OpenID Connect Core §5.6.2).
    ClaimNames = "_claim_names", Pointer;
    /// Where they are (OpenID Connect Core §5.6.2).
    ClaimSources = "_claim_sources", Pointer;
    /// Whether the token counts (RFC 7662 §2.2).
    Active = "active", Introspection;
    /// How the token is presented (RFC 7662 §2.2).
    TokenType = "token_type", Introspection;
    /// Before when a token does not count (RFC 7519 §4.1.5).
    Nbf = "nbf", Elsewhere;
    /// To which client an ID token was issued (OpenID Connect Core §2).
    Azp = "azp", Elsewhere;
    /// Who acts for the subject (RFC 8693 §4.1).
    Act = "act", Elsewhere;
}

impl Claim {
    /// The claim of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|claim| claim.name() == name)
    }

    /// The names of the claims that stand there.
    pub fn names(place: Place) -> impl Iterator<Item = &'static str> {
        let there = Self::ALL.iter().filter(move |claim| claim.place() == place);
        there.map(|claim| claim.name())
    }
}

/// The claims of one token or introspection answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ClaimSet(Map<String, Value>);

/// A claim that is missing, or is of another type than it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub Claim);

impl From<Map<String, Value>> for ClaimSet {
    fn from(claims: Map<String, Value>) -> Self {
        Self(claims)
    }
}

impl ClaimSet {
    /// Says something of the token.
    pub fn set(&mut self, claim: Claim, value: impl Into<Value>) {
        self.0.insert(claim.name().to_owned(), value.into());
    }

    /// Says it if there is something to say.
    pub fn set_some(&mut self, claim: Claim, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(claim, value);
        }
    }

    /// Adds what the token says of the person beside. What was [`set`](Self::set) stays.
    pub fn add(&mut self, more: Map<String, Value>) {
        for (name, value) in more {
            self.0.entry(name).or_insert(value);
        }
    }

    /// Leaves out what stands in that place.
    pub fn leave_out(&mut self, place: Place) {
        for name in Claim::names(place) {
            self.0.remove(name);
        }
    }

    /// The value as it stands.
    #[must_use]
    pub fn value(&self, claim: Claim) -> Option<&Value> {
        self.0.get(claim.name())
    }

    /// What it says, if it is there.
    pub fn find<'a, T: Deserialize<'a>>(&'a self, claim: Claim) -> Result<Option<T>, Malformed> {
        let read = |value| T::deserialize(value).map_err(|_| Malformed(claim));
        self.value(claim).map(read).transpose()
    }

    /// What it says; it must be there.
    pub fn require<'a, T: Deserialize<'a>>(&'a self, claim: Claim) -> Result<T, Malformed> {
        self.find(claim)?.ok_or(Malformed(claim))
    }

    /// The claims as one JSON object.
    #[must_use]
    pub fn into_json(self) -> String {
        Value::Object(self.0).to_string()
    }
}

/// One audience is a string, several are an array (RFC 7519 §4.1.3).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Audience {
    /// Every audience.
    #[must_use]
    pub fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

impl From<Vec<&str>> for Audience {
    fn from(all: Vec<&str>) -> Self {
        match all.as_slice() {
            [one] => Self::One((*one).to_owned()),
            _ => Self::Many(all.into_iter().map(str::to_owned).collect()),
        }
    }
}

impl From<Audience> for Value {
    fn from(audience: Audience) -> Self {
        match audience {
            Audience::One(one) => one.into(),
            Audience::Many(many) => many.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::spec::standard_claims::BY_SCOPE;

    fn of(json: Value) -> ClaimSet {
        let Value::Object(claims) = json else {
            panic!("no object: {json}")
        };
        claims.into()
    }

    #[test]
    fn a_name_stands_once_and_is_none_of_a_person() {
        for (at, claim) in Claim::ALL.iter().enumerate() {
            assert_eq!(Claim::parse(claim.name()), Some(*claim));
            let first = Claim::ALL.iter().position(|it| it.name() == claim.name());
            assert_eq!(first, Some(at), "{claim:?}");
            let of_a_person = BY_SCOPE
                .iter()
                .any(|(_, names)| names.contains(&claim.name()));
            assert!(!of_a_person, "{claim:?}");
        }
    }

    #[test]
    fn what_the_token_says_of_itself_is_never_replaced() {
        let mut claims = ClaimSet::default();
        claims.set(Claim::Sub, "alice");
        claims.set_some(Claim::Sid, None::<&str>);
        let Value::Object(more) = json!({ "sub": "admin", "team": "red" }) else {
            unreachable!()
        };
        claims.add(more);
        assert_eq!(claims, of(json!({ "sub": "alice", "team": "red" })));
    }

    #[test]
    fn a_claim_of_another_type_is_malformed_even_where_it_may_be_missing() {
        let claims = of(json!({ "sid": 1, "ver": null, "iat": "1", "aud": ["a", "b"] }));
        let sid = claims.find::<String>(Claim::Sid);
        assert_eq!(sid, Err(Malformed(Claim::Sid)));
        assert_eq!(claims.find::<i64>(Claim::Ver), Err(Malformed(Claim::Ver)));
        assert_eq!(
            claims.require::<i64>(Claim::Iat),
            Err(Malformed(Claim::Iat))
        );
        assert_eq!(
            claims.require::<i64>(Claim::Exp),
            Err(Malformed(Claim::Exp))
        );
        assert_eq!(claims.find::<String>(Claim::Acr), Ok(None));
        let audience: Audience = claims.require(Claim::Aud).unwrap();
        assert_eq!(audience.into_vec(), ["a", "b"]);
    }

    #[test]
    fn introspection_leaves_out_what_only_revocation_needs() {
        let mut claims = of(json!({ "sub": "alice", "grant_id": "g", "ver": 1 }));
        claims.leave_out(Place::Revocation);
        assert_eq!(claims.into_json(), "{\"sub\":\"alice\"}");
    }
}
