//! Answers that may be asked for again: the `idempotency_keys` table.

use super::Store;
use super::db::{Engine, Tx};
use super::error::StoreError;
use crate::crypto::digest::sha256;
use crate::crypto::secret::KeyedDigest;
use crate::spec::time::Ts;

/// What was answered to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The digest of the request that was answered.
    pub request: KeyedDigest,
    /// The answer, sealed.
    pub answer: Vec<u8>,
}

impl Tx {
    /// Claims a caller's key until the transaction ends; `false` while another instance works on it. One process is all
    /// there is on SQLite.
    pub async fn claim_key(&mut self, caller: &str, key: &[u8]) -> Result<bool, StoreError> {
        if self.engine() == Engine::Sqlite {
            return Ok(true);
        }
        let digest = sha256(&[caller.as_bytes(), key].concat());
        let number = digest.first_chunk().copied().map(i64::from_be_bytes);
        let claim = self.q(CLAIM).bind(number.unwrap_or_default());
        Ok(claim.one::<(bool,)>().await?.0)
    }

    /// What was answered to a caller's key, since `since`.
    pub async fn find_answer(
        &mut self,
        caller: &str,
        key: &[u8],
        since: Ts,
    ) -> Result<Option<StoredAnswer>, StoreError> {
        let find = self.q(FIND).bind(caller.to_owned()).bind(key.to_vec());
        let row = find
            .bind(since.micros())
            .opt::<(Vec<u8>, Vec<u8>)>()
            .await?;
        row.map(|(request, answer)| {
            let request = KeyedDigest::from_slice(&request);
            let request = request.ok_or_else(|| StoreError::Inconsistent {
                table: "idempotency_keys",
                column: "request",
                id: caller.to_owned(),
            })?;
            Ok(StoredAnswer { request, answer })
        })
        .transpose()
    }

    /// Remembers what is answered to a caller's key; one that is too old to be found is replaced.
    pub async fn save_answer(
        &mut self,
        caller: &str,
        key: &[u8],
        stored: &StoredAnswer,
        now: Ts,
    ) -> Result<(), StoreError> {
        self.q(SAVE)
            .bind(caller.to_owned())
            .bind(key.to_vec())
            .bind(stored.request.as_bytes().to_vec())
            .bind(stored.answer.clone())
            .bind(now.micros())
            .exec()
            .await?;
        Ok(())
    }
}

impl Store {
    /// Forgets some of the answers from before `before`; returns how many went.
    pub async fn forget_answers(&self, before: Ts, limit: i64) -> Result<u64, StoreError> {
        let forget = self.db.w(FORGET).bind(before.micros());
        forget.bind(limit).exec().await
    }
}

const CLAIM: &str = "SELECT pg_try_advisory_xact_lock($1)";

const FIND: &str = "SELECT request, answer FROM idempotency_keys WHERE caller = $1 AND key = $2 AND created_at > $3";

const SAVE: &str = "INSERT INTO idempotency_keys (caller, key, request, answer, created_at) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (caller, key) DO UPDATE SET request = excluded.request, answer = excluded.answer, \
    created_at = excluded.created_at";

const FORGET: &str = "DELETE FROM idempotency_keys WHERE (caller, key) IN \
    (SELECT caller, key FROM idempotency_keys WHERE created_at < $1 ORDER BY created_at LIMIT $2)";
