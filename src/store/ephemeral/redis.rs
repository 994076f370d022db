//! The count that instances share: one script call on Redis, by Redis' own clock.
//!
//! A key is `{signet}:limit:` and the 16 bytes; its value is `at:count` (microseconds since 1970, and a number),
//! and it expires when it rests. The script judges by the formulas of [`Rule`]; a test holds the two together. Lua
//! counts in doubles, which are exact up to 2⁵³: microseconds until the year 2255.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Script};
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tracing::{info, warn};

use super::super::error::StoreError;
use super::{Limit, LimitKey, Taken, Undo, admitted, judge};
use crate::domain::rate::{FORGOTTEN_AFTER, Mark, Rule};
use crate::spec::time::Ts;

/// How long an attempt waits for Redis before the own table decides alone.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long Redis is left alone after it failed.
const PAUSE: Duration = Duration::from_secs(1);
const CONNECTING: Duration = Duration::from_secs(1);

pub(super) struct Shared {
    client: Client,
    connection: OnceCell<ConnectionManager>,
    script: Script,
    began: Instant,
    /// Milliseconds since `began` until which Redis is not asked.
    paused_until: AtomicU64,
    failing: AtomicBool,
}

impl Shared {
    pub(super) fn new(url: &str) -> Result<Self, StoreError> {
        // The client's own message may quote the URL, and with it the password.
        let client = Client::open(url).map_err(|_| {
            StoreError::BadUrl(
                "redis_url: expected redis://user:password@host:port/database or rediss://…".into(),
            )
        })?;
        Ok(Self {
            client,
            connection: OnceCell::new(),
            script: Script::new(&SCRIPT.replace("FORGOTTEN_AFTER", &FORGOTTEN_AFTER.to_string())),
            began: Instant::now(),
            paused_until: AtomicU64::new(0),
            failing: AtomicBool::new(false),
        })
    }

    /// `None`: Redis does not answer.
    pub(super) async fn take(&self, asked: &[Limit]) -> Option<Taken> {
        let (now, marks) = self.run("take", asked, None).await?;
        Some(match judge(asked, &marks, now) {
            Ok(marks) => admitted(asked, &marks, now),
            Err(refused) => refused,
        })
    }

    pub(super) async fn undo(&self, undos: &[Undo]) {
        let back: Vec<Limit> = undos.iter().filter_map(given_back).collect();
        if !back.is_empty() {
            self.run("back", &back, None).await;
        }
        let forgotten: Vec<Limit> = undos.iter().filter_map(forgotten).collect();
        if !forgotten.is_empty() {
            self.run("forget", &forgotten, None).await;
        }
    }

    /// Runs one operation and returns the marks as they were before it, and when that was.
    pub(super) async fn run(
        &self,
        operation: &str,
        asked: &[Limit],
        at: Option<Ts>,
    ) -> Option<(Ts, Vec<Option<Mark>>)> {
        let clock = || u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        if clock() < self.paused_until.load(Ordering::Relaxed) {
            return None;
        }
        let answer = match timeout(PATIENCE, self.ask(operation, asked, at)).await {
            Ok(answer) => answer,
            Err(_) => Err(StoreError::unavailable(format!(
                "no answer within {PATIENCE:?}"
            ))),
        };
        match answer {
            Ok(answer) => {
                if self.failing.swap(false, Ordering::Relaxed) {
                    info!("attempts are counted in Redis again");
                }
                Some(answer)
            }
            Err(error) => {
                let pause = u64::try_from(PAUSE.as_millis()).unwrap_or(u64::MAX);
                self.paused_until
                    .store(clock().saturating_add(pause), Ordering::Relaxed);
                if !self.failing.swap(true, Ordering::Relaxed) {
                    warn!("attempts are counted by each instance alone: {error}");
                }
                None
            }
        }
    }

    async fn ask(
        &self,
        operation: &str,
        asked: &[Limit],
        at: Option<Ts>,
    ) -> Result<(Ts, Vec<Option<Mark>>), StoreError> {
        let mut connection = self.connection().await?;
        let mut call = self.script.prepare_invoke();
        call.arg(operation)
            .arg(at.map_or(String::new(), |at| at.micros().to_string()));
        for asked in asked {
            call.key(name(asked.key));
            let (kind, one, two, three) = words(asked.rule);
            call.arg(kind).arg(one).arg(two).arg(three);
        }
        let answer: Vec<String> = call.invoke_async(&mut connection).await?;
        let (now, values) = answer.split_first().ok_or_else(malformed)?;
        let now = Ts(now.parse().map_err(|_| malformed())?);
        let marks: Option<Vec<_>> = values.iter().map(|value| mark(value)).collect();
        let marks = marks.filter(|marks| marks.len() == asked.len());
        Ok((now, marks.ok_or_else(malformed)?))
    }

    /// The connection, which mends itself.
    async fn connection(&self) -> Result<ConnectionManager, StoreError> {
        let connect = || async {
            let config = ConnectionManagerConfig::new()
                .set_number_of_retries(0)
                .set_connection_timeout(Some(CONNECTING))
                .set_response_timeout(Some(PATIENCE));
            ConnectionManager::new_lazy_with_config(self.client.clone(), config)
        };
        Ok(self.connection.get_or_try_init(connect).await?.clone())
    }
}

fn given_back(undo: &Undo) -> Option<Limit> {
    match undo {
        Undo::GiveBack(asked) => Some(*asked),
        Undo::Forget(_) => None,
    }
}

fn forgotten(undo: &Undo) -> Option<Limit> {
    match undo {
        Undo::GiveBack(_) => None,
        // The rule does not matter.
        Undo::Forget(key) => Some(Limit {
            key: *key,
            rule: Rule::per(1, PAUSE),
        }),
    }
}

fn name(key: LimitKey) -> Vec<u8> {
    let mut name = b"{signet}:limit:".to_vec();
    name.extend_from_slice(&key.0);
    name
}

/// A rule as the script reads it, in microseconds.
fn words(rule: Rule) -> (&'static str, u64, u64, u64) {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    match rule {
        Rule::Rate { burst, every } => (
            "rate",
            micros(every),
            micros(every.saturating_mul(burst)),
            0,
        ),
        Rule::Backoff {
            free,
            first,
            longest,
        } => ("backoff", free.into(), micros(first), micros(longest)),
    }
}

/// The value of a key; the outer `None` is nonsense, the inner one nothing.
#[expect(
    clippy::option_option,
    reason = "the outer is whether it was understood, the inner whether it is there"
)]
fn mark(value: &str) -> Option<Option<Mark>> {
    if value.is_empty() {
        return Some(None);
    }
    let (at, count) = value.split_once(':')?;
    Some(Some(Mark {
        at: Ts(at.parse().ok()?),
        count: count.parse().ok()?,
    }))
}

fn malformed() -> StoreError {
    StoreError::unavailable("Redis answers nonsense")
}

/// `KEYS`: the keys. `ARGV`: the operation, the time or nothing, then four words of each key's rule. Answers the
/// time and the values as they were before; the caller judges by them as the script did.
const SCRIPT: &str = "
local operation, now = ARGV[1], tonumber(ARGV[2])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local answer, after, all = { string.format('%.0f', now) }, {}, true
for i, key in ipairs(KEYS) do
  local kind, a, b, c = ARGV[i * 4 - 1], tonumber(ARGV[i * 4]), tonumber(ARGV[i * 4 + 1]), tonumber(ARGV[i * 4 + 2])
  local value = redis.call('GET', key) or ''
  local at, count = string.match(value, '^(%-?%d+):(%d+)$')
  at, count = tonumber(at), tonumber(count)
  if not at then value = '' end
  answer[i + 1] = value
  if operation == 'take' and kind == 'rate' then
    local arrival = math.max(at or now, now) + a
    all = all and arrival - b <= now
    after[i] = { arrival, 0, arrival }
  elseif operation == 'take' then
    if not at or at + c * FORGOTTEN_AFTER <= now then count = 0 end
    local wait = 0
    if count >= a then wait = math.min(b * 2 ^ (count - a), c) end
    all = all and (not at or at + wait <= now)
    after[i] = { now, count + 1, now + c * FORGOTTEN_AFTER }
  elseif operation == 'back' and at and kind == 'rate' then
    after[i] = { at - a, 0, at - a }
  elseif operation == 'back' and at and count > 1 then
    after[i] = { at, count - 1, at + c * FORGOTTEN_AFTER }
  else
    after[i] = { 0, 0, 0 }
  end
end
if operation == 'take' and not all then return answer end
for i, key in ipairs(KEYS) do
  local mark = after[i]
  local left = math.ceil((mark[3] - now) / 1000)
  if left > 0 then
    redis.call('SET', key, string.format('%.0f:%.0f', mark[1], mark[2]), 'PX', string.format('%.0f', left))
  else
    redis.call('DEL', key)
  end
end
return answer";
