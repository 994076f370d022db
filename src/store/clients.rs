//! Clients and their secrets: the `clients` and `client_secrets` tables.

use std::collections::HashMap;

use sqlx::types::Json;

use super::Store;
use super::db::{Run, Tx, reads, row};
use super::error::StoreError;
use super::names::prefix_pattern;
use crate::crypto::client_secret::StoredSecret;
use crate::crypto::secret::{KeyedDigest, TokenDigest};
use crate::domain::client::{Client, ClientSecret};
use crate::domain::ids::ClientId;
use crate::spec::client_metadata::ClientMetadata;
use crate::spec::time::Ts;

reads! {
    /// The client of that id, with its secrets.
    find_client(id: &ClientId) -> Option<Client> = find;
}

async fn find(run: &mut impl Run, id: &ClientId) -> Result<Option<Client>, StoreError> {
    let row = run.q(FIND).bind(id.as_str().to_owned());
    let Some(row) = row.opt::<ClientRow>().await? else {
        return Ok(None);
    };
    let secrets = run.q(SECRETS).bind(id.as_str().to_owned());
    let secrets = secrets.all::<SecretRow>().await?;
    row.into_client(secrets).map(Some)
}

impl Store {
    /// Clients in the order of their ids, after `after`, at most `limit`; without their secrets.
    pub async fn list_clients(&self, after: &str, limit: i64) -> Result<Vec<Client>, StoreError> {
        let rows = self
            .db
            .q(LIST)
            .bind(after.to_owned())
            .bind(limit)
            .all::<ClientRow>()
            .await?;
        rows.into_iter()
            .map(|row| row.into_client(Vec::new()))
            .collect()
    }

    /// Clients whose id begins so, in the order of their ids, after `after`, at most `limit`; with their secrets.
    pub async fn page_of_clients(
        &self,
        begins: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Client>, StoreError> {
        let of = |sql| {
            let query = self.db.q(sql).bind(after.to_owned()).bind(limit);
            query.bind(prefix_pattern(begins))
        };
        let page = of(PAGE).all::<ClientRow>().await?;
        let rows = of(SECRETS_OF);
        let mut secrets: HashMap<String, Vec<SecretRow>> = HashMap::new();
        for (id, digest, created_at, expires_at, keyed_at) in rows
            .all::<(String, Vec<u8>, i64, Option<i64>, Option<i64>)>()
            .await?
        {
            let of = secrets.entry(id).or_default();
            of.push((digest, created_at, expires_at, keyed_at));
        }
        page.into_iter()
            .map(|row| {
                let secrets = secrets.remove(&row.id).unwrap_or_default();
                row.into_client(secrets)
            })
            .collect()
    }
}

impl Store {
    /// Secrets of which only a bare digest is stored, if versions that stored such ones ended running before `before`:
    /// client and digest, at most `limit`.
    pub async fn list_bare_client_secrets(
        &self,
        before: Ts,
        limit: i64,
    ) -> Result<Vec<(String, TokenDigest)>, StoreError> {
        let rows = self.db.q(LIST_BARE).bind(before.micros()).bind(limit);
        let rows = rows.all::<(String, Vec<u8>)>().await?;
        rows.into_iter()
            .map(|(id, digest)| match TokenDigest::from_slice(&digest) {
                Some(digest) => Ok((id, digest)),
                None => Err(StoreError::Inconsistent {
                    table: "client_secrets",
                    column: "digest",
                    id,
                }),
            })
            .collect()
    }
}

impl Tx {
    /// Every client id there is.
    pub async fn list_client_ids(&mut self) -> Result<Vec<String>, StoreError> {
        Ok(self
            .q(LIST_IDS)
            .all::<(String,)>()
            .await?
            .into_iter()
            .map(|(id,)| id)
            .collect())
    }

    /// Creates a client. [`StoreError::Conflict`] when the id is taken. What a deleted client of the same id was
    /// granted stays dead.
    pub async fn insert_client(&mut self, client: &Client, now: Ts) -> Result<(), StoreError> {
        self.q(INSERT)
            .bind(client.id.as_str().to_owned())
            .bind(Json(client.metadata.clone()))
            .bind(now.micros())
            .exec()
            .await?;
        Ok(())
    }

    /// Replaces a client's metadata.
    pub async fn update_client(&mut self, client: &Client, now: Ts) -> Result<(), StoreError> {
        self.q(UPDATE)
            .bind(client.id.as_str().to_owned())
            .bind(Json(client.metadata.clone()))
            .bind(now.micros())
            .exec()
            .await?;
        Ok(())
    }

    /// Gives a client a further secret; one that was to end is valid without end again.
    pub async fn insert_client_secret(
        &mut self,
        id: &ClientId,
        digest: KeyedDigest,
        now: Ts,
    ) -> Result<(), StoreError> {
        self.q(INSERT_SECRET)
            .bind(id.as_str().to_owned())
            .bind(digest.as_bytes().to_vec())
            .bind(now.micros())
            .exec()
            .await?;
        Ok(())
    }

    /// Puts a keyed digest in the place of the bare one that an older version stored.
    pub async fn key_client_secret(
        &mut self,
        id: &str,
        bare: TokenDigest,
        keyed: KeyedDigest,
        now: Ts,
    ) -> Result<(), StoreError> {
        self.q(INSERT_KEYED)
            .bind(id.to_owned())
            .bind(bare.as_bytes().to_vec())
            .bind(keyed.as_bytes().to_vec())
            .bind(now.micros())
            .exec()
            .await?;
        let bare = bare.as_bytes().to_vec();
        self.q(DELETE_BARE)
            .bind(id.to_owned())
            .bind(bare)
            .exec()
            .await?;
        Ok(())
    }

    /// Lets every secret of a client but `kept` end at `expires_at`, at the latest.
    pub async fn expire_client_secrets(
        &mut self,
        id: &ClientId,
        kept: KeyedDigest,
        expires_at: Ts,
    ) -> Result<(), StoreError> {
        self.q(EXPIRE_SECRETS)
            .bind(id.as_str().to_owned())
            .bind(kept.as_bytes().to_vec())
            .bind(expires_at.micros())
            .exec()
            .await?;
        Ok(())
    }

    /// Keeps the two newest secrets of a client: the lasting one and the one it replaces.
    pub async fn delete_older_client_secrets(&mut self, id: &ClientId) -> Result<(), StoreError> {
        self.q(DELETE_OLDER_SECRETS)
            .bind(id.as_str().to_owned())
            .exec()
            .await?;
        Ok(())
    }

    /// Removes the secrets of a client that ended before `now`.
    pub async fn delete_expired_client_secrets(
        &mut self,
        id: &ClientId,
        now: Ts,
    ) -> Result<(), StoreError> {
        self.q(DELETE_EXPIRED_SECRETS)
            .bind(id.as_str().to_owned())
            .bind(now.micros())
            .exec()
            .await?;
        Ok(())
    }

    /// Disables the client (`Some`) or enables it; what was made before `not_before` is dead either way.
    /// Returns whether there is such a client.
    pub async fn set_client_disabled(
        &mut self,
        id: &ClientId,
        disabled_at: Option<Ts>,
        not_before: Ts,
    ) -> Result<bool, StoreError> {
        let rows = self
            .q(SET_DISABLED)
            .bind(id.as_str().to_owned())
            .bind(disabled_at.map(Ts::micros))
            .bind(not_before.micros())
            .exec()
            .await?;
        Ok(rows == 1)
    }

    /// Removes a client and what hangs on it.
    pub async fn delete_client(&mut self, id: &ClientId) -> Result<(), StoreError> {
        self.q(DELETE).bind(id.as_str().to_owned()).exec().await?;
        Ok(())
    }
}

row! { $
    struct ClientRow, client_columns {
        id: String,
        metadata: Json<ClientMetadata>,
        disabled_at: Option<i64>,
        not_before: i64,
    }
}

type SecretRow = (Vec<u8>, i64, Option<i64>, Option<i64>);

impl ClientRow {
    fn into_client(self, secrets: Vec<SecretRow>) -> Result<Client, StoreError> {
        let broken = |column| StoreError::Inconsistent {
            table: "clients",
            column,
            id: self.id.clone(),
        };
        let id = ClientId::parse(&self.id).ok_or_else(|| broken("id"))?;
        let mut client =
            Client::register(id, self.metadata.0.clone()).map_err(|_| broken("metadata"))?;
        client.disabled_at = self.disabled_at.map(Ts);
        client.not_before = Ts(self.not_before);
        for (digest, created_at, expires_at, keyed_at) in secrets {
            let digest = match keyed_at {
                Some(_) => KeyedDigest::from_slice(&digest).map(StoredSecret::Keyed),
                None => TokenDigest::from_slice(&digest).map(StoredSecret::Bare),
            };
            let digest = digest.ok_or_else(|| broken("client_secrets.digest"))?;
            client.secrets.push(ClientSecret {
                digest,
                created_at: Ts(created_at),
                expires_at: expires_at.map(Ts),
            });
        }
        Ok(client)
    }
}

const FIND: &str = concat!("SELECT ", client_columns!(), " FROM clients WHERE id = $1");

const SECRETS: &str = "SELECT digest, created_at, expires_at, keyed_at FROM client_secrets WHERE client_id = $1 ORDER BY created_at DESC LIMIT 16";

const SECRETS_OF: &str = "SELECT client_id, digest, created_at, expires_at, keyed_at FROM client_secrets WHERE client_id IN \
    (SELECT id FROM clients WHERE id > $1 AND ($3 = '' OR LOWER(id) LIKE LOWER($3) ESCAPE '!') ORDER BY id LIMIT $2) \
    ORDER BY client_id, created_at DESC";

const PAGE: &str = concat!(
    "SELECT ",
    client_columns!(),
    " FROM clients WHERE id > $1 \
    AND ($3 = '' OR LOWER(id) LIKE LOWER($3) ESCAPE '!') ORDER BY id LIMIT $2"
);

const LIST: &str = concat!(
    "SELECT ",
    client_columns!(),
    " FROM clients WHERE id > $1 ORDER BY id LIMIT $2"
);

const LIST_IDS: &str = "SELECT id FROM clients ORDER BY id";

const INSERT: &str = "INSERT INTO clients (id, metadata, not_before, created_at, updated_at) VALUES ($1, $2, $3, $3, $3)";

const UPDATE: &str = "UPDATE clients SET metadata = $2, updated_at = $3 WHERE id = $1";

const INSERT_SECRET: &str = "INSERT INTO client_secrets (client_id, digest, created_at, keyed_at) VALUES ($1, $2, $3, $3) \
    ON CONFLICT (client_id, digest) DO UPDATE SET created_at = excluded.created_at, expires_at = NULL";

// Versions that know no keyed digests may run beside this one for a while; they could not check what is keyed.
const LIST_BARE: &str = "SELECT client_id, digest FROM client_secrets WHERE keyed_at IS NULL \
    AND EXISTS (SELECT 1 FROM schema_migrations WHERE number = 14 AND applied_at < $1) \
    ORDER BY client_id, digest LIMIT $2";

// The same secret may have been given again meanwhile: it lasts if either does.
const INSERT_KEYED: &str = "INSERT INTO client_secrets (client_id, digest, created_at, expires_at, keyed_at) \
    SELECT client_id, $3, created_at, expires_at, $4 FROM client_secrets \
    WHERE client_id = $1 AND digest = $2 AND keyed_at IS NULL \
    ON CONFLICT (client_id, digest) DO UPDATE SET \
    expires_at = CASE WHEN excluded.expires_at IS NULL THEN NULL ELSE client_secrets.expires_at END";

const DELETE_BARE: &str =
    "DELETE FROM client_secrets WHERE client_id = $1 AND digest = $2 AND keyed_at IS NULL";

const EXPIRE_SECRETS: &str = "UPDATE client_secrets SET expires_at = $3 \
    WHERE client_id = $1 AND digest <> $2 AND (expires_at IS NULL OR expires_at > $3)";

const DELETE_EXPIRED_SECRETS: &str =
    "DELETE FROM client_secrets WHERE client_id = $1 AND expires_at <= $2";

const SET_DISABLED: &str = "UPDATE clients SET disabled_at = $2, not_before = $3 WHERE id = $1";

const DELETE: &str = "DELETE FROM clients WHERE id = $1";

const DELETE_OLDER_SECRETS: &str = "DELETE FROM client_secrets WHERE client_id = $1 AND digest NOT IN \
    (SELECT digest FROM client_secrets WHERE client_id = $1 ORDER BY created_at DESC, digest LIMIT 2)";
