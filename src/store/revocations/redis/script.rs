//! The scripts, and the keys they touch. All keys share the hash tag `{signet}`.
//!
//! A value is `seq:version`; `seq` is the row's number and only counts for clients. Lua compares numbers as
//! doubles: exact for row numbers and token versions up to 2⁵³, while a client's version (microseconds, or
//! `i64::MAX`) is carried as text and never compared.

use super::super::GRACE;
use super::super::key::CLIENT;
use crate::spec::time::{Clock, Ts};

pub(super) const MARKER: &str = "{signet}:marker";
pub(super) const CLIENTS_CHANGES: &str = "{signet}:changes:clients";

/// No record outlives ten years in Redis, so that a wild `expires_at` cannot overflow its clock.
const LONGEST_MS: i64 = 10 * 366 * 86_400_000;

/// One value to be merged into Redis.
pub(super) struct Write {
    pub(super) key: Vec<u8>,
    pub(super) by_seq: bool,
    pub(super) seq: i64,
    pub(super) version: i64,
    /// Milliseconds to live; 0: for ever.
    pub(super) ttl: i64,
}

impl Write {
    /// A revocation record `(seq, kind, key, version)`; nothing when no token it concerns lives any more.
    pub(super) fn record(
        (seq, kind, key, version): (i64, i64, &[u8], i64),
        expires_at: i64,
    ) -> Option<Self> {
        let left = Ts(expires_at).plus(GRACE).since(Clock::system().now());
        let ttl = i64::try_from(left.as_millis())
            .unwrap_or(LONGEST_MS)
            .min(LONGEST_MS);
        (ttl > 0).then(|| Self {
            key: record_key(kind, key),
            by_seq: kind == CLIENT,
            seq,
            version,
            ttl,
        })
    }

    pub(super) fn change(topic: &str, version: i64) -> Self {
        Self {
            key: format!("{{signet}}:changes:{topic}").into_bytes(),
            by_seq: false,
            seq: 0,
            version,
            ttl: 0,
        }
    }
}

pub(super) fn record_key(kind: i64, key: &[u8]) -> Vec<u8> {
    let mut name = format!("{{signet}}:revoked:{kind}:").into_bytes();
    name.extend_from_slice(key);
    name
}

/// Answers every value, or nothing when the copy is not complete in this epoch. It writes nothing but does
/// not say so (`no-writes`): then Redis would run it on a replica, which lags behind.
pub(super) fn check(epoch: &str) -> String {
    format!(
        "#!lua flags=allow-oom
local values = redis.call('MGET', unpack(KEYS))
if values[1] ~= '{epoch}' or not values[2] then return false end
return values"
    )
}

/// Ends a reload, unless its loading key has vanished. The nonce makes the text, and so the script, one-off.
pub(super) fn finish(nonce: &str) -> String {
    format!(
        "#!lua
-- {nonce}
if redis.call('DEL', KEYS[1]) == 0 then return 0 end
redis.call('SET', KEYS[2], ARGV[1])
return 1"
    )
}

/// Merges values: a client's follows the row number, every other only grows; a life is only ever extended.
pub(super) const WRITE: &str = "#!lua
for i, key in ipairs(KEYS) do
  local by_seq, seq, version, ttl = ARGV[i * 4 - 3], ARGV[i * 4 - 2], ARGV[i * 4 - 1], tonumber(ARGV[i * 4])
  local old = redis.call('GET', key)
  local newer = true
  if old then
    local old_seq, old_version = string.match(old, '^(%-?%d+):(%-?%d+)$')
    if not old_seq then
      newer = true
    elseif by_seq == '1' then
      newer = tonumber(seq) > tonumber(old_seq)
    else
      newer = tonumber(version) > tonumber(old_version)
    end
  end
  local left = redis.call('PTTL', key)
  local longer = ttl > left and left > 0
  if left > ttl then ttl = left end
  if newer then
    redis.call('SET', key, seq .. ':' .. version)
    if ttl > 0 then redis.call('PEXPIRE', key, ttl) end
  elseif longer then
    redis.call('PEXPIRE', key, ttl)
  end
end
return 1";
