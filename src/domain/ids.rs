//! Names of things, each a type of its own, so that one cannot stand for another.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How these names are written, for descriptions of the API.
#[derive(JsonSchema)]
#[schemars(transparent, inline)]
struct UuidText(
    #[schemars(extend("format" = "uuid"))]
    #[expect(dead_code, reason = "only its schema is used")]
    String,
);

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(#[schemars(with = "UuidText")] pub Uuid);

        #[allow(dead_code, reason = "every kind of id has the same functions")]
        impl $name {
            /// The name made of 16 random bytes, drawn by the caller.
            #[must_use]
            pub fn from_random(bytes: [u8; 16]) -> Self {
                Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
            }

            /// The name of these 16 bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The name's 16 bytes.
            #[must_use]
            pub const fn bytes(self) -> [u8; 16] {
                self.0.into_bytes()
            }

            /// Reads the hyphenated form.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                (text.len() == 36).then(|| Uuid::try_parse(text).ok().map(Self)).flatten()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_id! {
    /// A person; the `sub` of their tokens.
    UserId
}
uuid_id! {
    /// A browser's session; the `sid` of tokens.
    SessionId
}
uuid_id! {
    /// A grant: one user, one client, one sign-in.
    GrantId
}

uuid_id! {
    /// A webhook.
    WebhookId
}
uuid_id! {
    /// One event on its way to one webhook.
    DeliveryId
}

/// `client_id`: 1 to 255 visible ASCII characters (RFC 6749 appendix A.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId(String);

impl ClientId {
    /// The identifier, if it is well-formed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        ((1..=255).contains(&text.len()) && text.bytes().all(|b| (0x21..=0x7e).contains(&b)))
            .then(|| Self(text.to_owned()))
    }

    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
