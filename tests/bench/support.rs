//! What starts PostgreSQL and Redis for the tests starts them here too.

#[expect(dead_code, reason = "the tests stop, copy and inspect databases")]
#[path = "../it/support/postgres.rs"]
pub(crate) mod postgres;

#[expect(dead_code, reason = "the tests flush, stop and freeze Redis")]
#[path = "../it/support/redis.rs"]
pub(crate) mod redis;

#[path = "../it/support/ports.rs"]
pub(crate) mod ports;

#[path = "../it/support/watchdog.rs"]
pub(crate) mod watchdog;
