//! Passwords: Argon2id on a few dedicated threads behind a bounded queue.
//!
//! One hash keeps a core busy for some 15 ms and fills 19 MiB, thousands of times the work of a
//! token request. So hashing has its own threads at a lower priority, each with memory that is
//! allocated once, and a queue that says [`PasswordError::Busy`] when it is full: a flood of
//! sign-ins slows down sign-ins and nothing else.

mod phc;
mod pool;

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use self::phc::Phc;
use self::pool::{Hashed, Job, Pool, Work};
use super::random;

pub use self::phc::is_valid_phc;

/// What one hash costs and how much hashing may go on at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordParams {
    /// Memory of one hash in KiB; OWASP's minimum for Argon2id with two iterations is 19456.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Argon2 lanes. They are computed one after the other; it stays 1 unless hashes are shared
    /// with other software.
    pub parallelism: u32,
    /// Threads that hash; each holds `memory_kib` from the start.
    pub threads: usize,
    /// How many requests may wait, about one second of work.
    pub queue: usize,
}

/// The answer to [`Passwords::verify`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// It is the password.
    Match {
        /// The stored hash was made with other parameters than today's: store a new one.
        needs_rehash: bool,
    },
    /// It is not the password, or there is no such user.
    Mismatch,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too many sign-ins are waiting already; answer 503 with `Retry-After`.
    #[error("too many passwords are waiting to be hashed; try again in a moment")]
    Busy,
    /// The new password is longer than [`MAX_PASSWORD_BYTES`].
    #[error("a password may be at most {MAX_PASSWORD_BYTES} bytes long")]
    TooLong,
    /// The parameters or a stored hash cannot be used, or the threads are gone.
    #[error("{0}")]
    Broken(String),
}

/// No password is longer. Far above what anyone types, far below what would make hashing the
/// input itself cost anything.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// A hash that costs more than this many times the configured ones is checked in a lane of its own, and only an
/// administrator with every right may import it.
pub const COSTLY: u64 = 4;

/// The password hasher; dropping it stops its threads after what they are doing.
pub struct Passwords {
    params: Params,
    pool: Pool,
    /// One thread for imported hashes that are [costly](Self::is_costly): one of them may take seconds, and a few of
    /// them at once would otherwise stop every sign-in.
    costly: Pool,
}

impl Passwords {
    /// Starts the threads. Fails with [`PasswordError::Broken`] on parameters that Argon2 refuses
    /// or that [`Passwords::verify`] would refuse later.
    pub fn new(params: PasswordParams) -> Result<Self, PasswordError> {
        let PasswordParams {
            memory_kib,
            iterations,
            parallelism,
            threads,
            queue,
        } = params;
        let params =
            Params::new(memory_kib, iterations, parallelism, Some(OUTPUT)).map_err(|error| {
                broken(format!(
                    "the password hash parameters are unusable: {error}"
                ))
            })?;
        phc::within_bounds(&params)
            .map_err(|why| broken(format!("the password hash parameters are unusable: {why}")))?;
        let threadless = |error| broken(format!("cannot start a password thread: {error}"));
        let (threads, blocks) = (threads.max(1), params.block_count());
        let pool = Pool::start("password", PRIORITY, threads, queue.max(1), blocks);
        // Such a hash takes memory of its own, which it gives back at once.
        let costly = Pool::start("imported", COSTLY_PRIORITY, 1, COSTLY_QUEUE, 0);
        Ok(Self {
            params,
            pool: pool.map_err(threadless)?,
            costly: costly.map_err(threadless)?,
        })
    }

    /// Whether checking this stored hash costs more than [`COSTLY`] times what the configured ones cost. A string that
    /// is no hash costs nothing.
    pub fn is_costly(&self, phc: &str) -> bool {
        Phc::parse(phc).is_ok_and(|stored| self.exceeds(&stored.params))
    }

    fn exceeds(&self, stored: &Params) -> bool {
        phc::cost(stored) > COSTLY * phc::cost(&self.params)
    }

    /// Hashes a new password to a PHC string with a fresh salt.
    pub async fn hash(&self, password: String) -> Result<String, PasswordError> {
        let password = Zeroizing::new(password);
        if password.len() > MAX_PASSWORD_BYTES {
            return Err(PasswordError::TooLong);
        }
        let salt = random::bytes::<SALT>();
        let output = self
            .work(password, salt.to_vec(), self.today(), OUTPUT)
            .await?;
        Ok(phc::write(&self.params, &salt, &output))
    }

    /// Checks a password against a stored PHC string, with the parameters the string names.
    ///
    /// `None` stands for an unknown user (or one without a password): the same work is done, so
    /// that the time of the answer does not tell who has an account. A stored string that is not
    /// Argon2id or asks for too much is [`PasswordError::Broken`].
    pub async fn verify(
        &self,
        password: String,
        phc: Option<String>,
    ) -> Result<Verified, PasswordError> {
        let password = Zeroizing::new(password);
        let stored = phc
            .as_deref()
            .map(Phc::parse)
            .transpose()
            .map_err(|why| broken(format!("the stored password hash is unusable: {why}")))?;
        // No stored hash was ever made of an over-long password; it costs what a wrong one costs.
        let too_long = password.len() > MAX_PASSWORD_BYTES;
        let password = if too_long {
            Zeroizing::new(String::new())
        } else {
            password
        };
        let Some(stored) = stored else {
            self.work(password, vec![0; SALT], self.today(), OUTPUT)
                .await?;
            return Ok(Verified::Mismatch);
        };
        let lane = if self.exceeds(&stored.params) {
            &self.costly
        } else {
            &self.pool
        };
        let needs_rehash = stored.version != Version::V0x13 || stored.params != self.params;
        let hasher = Argon2::new(Algorithm::Argon2id, stored.version, stored.params);
        let output = self
            .work_in(lane, password, stored.salt, hasher, stored.output.len())
            .await?;
        if too_long || !super::digest::same(&output, &stored.output) {
            return Ok(Verified::Mismatch);
        }
        Ok(Verified::Match { needs_rehash })
    }

    /// How many requests are waiting for a thread, for metrics.
    pub fn queue_depth(&self) -> usize {
        self.pool.depth()
    }

    fn today(&self) -> Argon2<'static> {
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone())
    }

    async fn work(
        &self,
        password: Zeroizing<String>,
        salt: Vec<u8>,
        hasher: Argon2<'static>,
        length: usize,
    ) -> Hashed {
        let lane = &self.pool;
        self.work_in(lane, password, salt, hasher, length).await
    }

    async fn work_in(
        &self,
        lane: &Pool,
        password: Zeroizing<String>,
        salt: Vec<u8>,
        hasher: Argon2<'static>,
        length: usize,
    ) -> Hashed {
        let (reply, answer) = oneshot::channel();
        let work = Work {
            password,
            salt,
            hasher,
            length,
        };
        lane.submit(Job { work, reply })?;
        answer
            .await
            .unwrap_or_else(|_| Err(broken("the password threads have stopped".to_owned())))
    }
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords")
            .field("params", &self.params)
            .field("waiting", &self.queue_depth())
            .finish_non_exhaustive()
    }
}

fn broken(why: String) -> PasswordError {
    PasswordError::Broken(why)
}

/// Bytes of salt and of output of the hashes made here
/// ([RFC 9106 §4](https://www.rfc-editor.org/rfc/rfc9106#section-4)).
const SALT: usize = 16;
const OUTPUT: usize = 32;

/// As with `nice`: 0 is what serves requests.
const PRIORITY: i32 = 10;
const COSTLY_PRIORITY: i32 = 19;

/// How many costly hashes may wait; later ones are refused with "try again".
const COSTLY_QUEUE: usize = 8;

#[cfg(test)]
mod tests;
