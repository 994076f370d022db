//! Signing keys, private parts sealed: the `signing_keys` table.

use std::collections::BTreeSet;

use super::db::{Run, Tx, reads};
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

reads! {
    /// Every key, oldest first.
    list_signing_keys() -> Vec<StoredKey> = list;

    /// The algorithms that clients and resource servers name for what Signet signs.
    list_named_algs() -> BTreeSet<SigningAlg> = list_named;
}

async fn list_named(run: &mut impl Run) -> Result<BTreeSet<SigningAlg>, StoreError> {
    let rows = run.q(LIST_NAMED).all::<(String,)>().await?;
    // What cannot be read signs nothing: the client is refused where it is read.
    Ok(rows.iter().filter_map(|(alg,)| alg.parse().ok()).collect())
}

async fn list(run: &mut impl Run) -> Result<Vec<StoredKey>, StoreError> {
    let rows = run
        .q(LIST)
        .all::<(String, i64, String, Vec<u8>, i64, i64, Option<i64>)>()
        .await?;
    rows.into_iter()
        .map(
            |(alg, number, kid, sealed, created_at, activates_at, unused_since)| {
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
                    unused_since: unused_since.map(Ts),
                };
                Ok(StoredKey {
                    dates,
                    kid,
                    sealed,
                    created_at: Ts(created_at),
                })
            },
        )
        .collect()
}

impl Tx {
    /// Says since when nothing needs the keys of an algorithm; their `kid`s.
    pub async fn retire_signing_keys(
        &mut self,
        alg: SigningAlg,
        now: Ts,
    ) -> Result<Vec<String>, StoreError> {
        let retire = self
            .q(RETIRE)
            .bind(alg.as_str().to_owned())
            .bind(now.micros());
        let rows = retire.all::<(String,)>().await?;
        Ok(rows.into_iter().map(|(kid,)| kid).collect())
    }

    /// Lets a key sign again that nothing needed for a while.
    pub async fn reuse_signing_key(
        &mut self,
        alg: SigningAlg,
        number: i64,
    ) -> Result<(), StoreError> {
        let reuse = self.q(REUSE).bind(alg.as_str().to_owned()).bind(number);
        reuse.exec().await?;
        Ok(())
    }

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

const LIST: &str = "SELECT alg, number, kid, sealed, created_at, activates_at, unused_since FROM signing_keys ORDER BY alg, number";

const LIST_NAMED: &str = "SELECT DISTINCT alg FROM (\
    SELECT metadata ->> 'id_token_signed_response_alg' AS alg FROM clients \
    UNION ALL SELECT metadata ->> 'userinfo_signed_response_alg' FROM clients \
    UNION ALL SELECT metadata ->> 'access_token_signed_response_alg' FROM clients \
    UNION ALL SELECT access_token_signing_alg FROM resources) AS named WHERE alg IS NOT NULL";

const RETIRE: &str = "UPDATE signing_keys SET unused_since = $2 WHERE alg = $1 AND unused_since IS NULL RETURNING kid";

const REUSE: &str = "UPDATE signing_keys SET unused_since = NULL WHERE alg = $1 AND number = $2";

const INSERT: &str = "INSERT INTO signing_keys (alg, number, kid, sealed, created_at, activates_at) VALUES ($1, $2, $3, $4, $5, $6) \
    ON CONFLICT DO NOTHING";

const DELETE: &str = "DELETE FROM signing_keys WHERE alg = $1 AND number = $2";
