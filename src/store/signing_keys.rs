//! Signing keys, private parts sealed: the `signing_keys` table.

use super::Store;
use super::db::Tx;
use super::error::StoreError;
use crate::domain::signing_key::KeyDates;
use crate::spec::alg::SigningAlg;
use crate::spec::time::Ts;

/// A key as it is stored.
#[derive(Clone, Debug)]
pub struct StoredKey {
    /// Its algorithm, number and beginning.
    pub dates: KeyDates,
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// The private key, sealed with the master key.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: Ts,
}

impl Store {
    /// Every key, oldest first.
    pub async fn list_signing_keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        let rows = self
            .db
            .q(LIST)
            .all::<(String, i64, String, Vec<u8>, i64, i64)>()
            .await?;
        rows.into_iter()
            .map(|(alg, number, kid, sealed, created_at, activates_at)| {
                let alg = alg
                    .parse::<SigningAlg>()
                    .map_err(|_| StoreError::Inconsistent {
                        table: "signing_keys",
                        column: "alg",
                        id: kid.clone(),
                    })?;
                let dates = KeyDates {
                    alg,
                    number,
                    activates_at: Ts(activates_at),
                };
                Ok(StoredKey {
                    dates,
                    kid,
                    sealed,
                    created_at: Ts(created_at),
                })
            })
            .collect()
    }
}

impl Tx {
    /// Stores a key; `false` when another instance stored that number of that algorithm first.
    pub async fn insert_signing_key(&mut self, key: &StoredKey) -> Result<bool, StoreError> {
        let rows = self
            .q(INSERT)
            .bind(key.dates.alg.as_str().to_owned())
            .bind(key.dates.number)
            .bind(key.kid.clone())
            .bind(key.sealed.clone())
            .bind(key.created_at.micros())
            .bind(key.dates.activates_at.micros())
            .exec()
            .await?;
        Ok(rows == 1)
    }

    /// Removes a key that is published no more; `false` when another instance removed it first.
    pub async fn delete_signing_key(
        &mut self,
        alg: SigningAlg,
        number: i64,
    ) -> Result<bool, StoreError> {
        let rows = self
            .q(DELETE)
            .bind(alg.as_str().to_owned())
            .bind(number)
            .exec()
            .await?;
        Ok(rows == 1)
    }
}

const LIST: &str = "SELECT alg, number, kid, sealed, created_at, activates_at FROM signing_keys ORDER BY alg, number";

const INSERT: &str = "INSERT INTO signing_keys (alg, number, kid, sealed, created_at, activates_at) VALUES ($1, $2, $3, $4, $5, $6) \
    ON CONFLICT DO NOTHING";

const DELETE: &str = "DELETE FROM signing_keys WHERE alg = $1 AND number = $2";
