//! A row of `users`, without the password: as it is read, and what is written of it.

use serde_json::{Map, Value};
use sqlx::types::Json;
use uuid::Uuid;

use crate::domain::ids::UserId;
use crate::domain::user::User;
use crate::spec::standard_claims::StandardClaims;
use crate::spec::time::Ts;
use crate::store::db::{row, writes};

row! { $
    pub(in crate::store) struct UserRow, user_columns {
        id: Uuid,
        username: String,
        email: Option<String>,
        email_verified: bool,
        claims: Json<StandardClaims>,
        attributes: Json<Map<String, Value>>,
        token_version: i64,
        disabled_at: Option<i64>,
        created_at: i64,
        updated_at: i64,
    }
}

pub(in crate::store) use user_columns;

/// What a person is made of, apart from their password.
#[derive(Clone, Debug, Default)]
pub struct UserFields {
    /// The name as it is shown.
    pub username: String,
    /// The name as it is found: [`crate::domain::user::username_key`].
    pub username_key: String,
    /// E-mail address.
    pub email: Option<String>,
    /// Whether it is known to be theirs.
    pub email_verified: bool,
    /// Standard claims.
    pub claims: StandardClaims,
    /// What policies may ask.
    pub attributes: Map<String, Value>,
}

writes! { $
    pub(super) fn bind_user(fields: &UserFields), user_writes {
        username = fields.username.clone(),
        username_key = fields.username_key.clone(),
        email = fields.email.clone(),
        email_verified = fields.email_verified,
        claims = Json(fields.claims.clone()),
        attributes = Json(fields.attributes.clone()),
    }
}

pub(super) use user_writes;

impl UserRow {
    pub(in crate::store) const fn id(&self) -> Uuid {
        self.id
    }

    pub(in crate::store) fn into_user(self) -> User {
        User {
            id: UserId(self.id),
            username: self.username,
            email: self.email,
            email_verified: self.email_verified,
            claims: self.claims.0,
            attributes: self.attributes.0,
            token_version: self.token_version,
            disabled_at: self.disabled_at.map(Ts),
            created_at: Ts(self.created_at),
            updated_at: Ts(self.updated_at),
        }
    }
}
