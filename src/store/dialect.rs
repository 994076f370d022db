//! The few real differences between PostgreSQL and SQLite.
//!
//! One text of SQL runs on both wherever possible; a migration writes its types as words in braces:
//!
//! | word | PostgreSQL | SQLite |
//! |---|---|---|
//! | `{uuid}` | `UUID` | `BLOB` (the 16 bytes) |
//! | `{bytes}` | `BYTEA` | `BLOB` |
//! | `{json}` | `JSONB` | `TEXT` |
//! | `{bool}` | `BOOLEAN` | `INTEGER` (STRICT tables know no BOOLEAN) |
//! | `{serial}` | identity primary key | `INTEGER PRIMARY KEY AUTOINCREMENT` (never reuses a number) |
//! | `{row}` | | `STRICT, WITHOUT ROWID` |
//! | `{rowid}` | | `STRICT` (tables with a `{serial}`) |
//! | `{hot}` | `WITH (fillfactor = 80)` | `STRICT, WITHOUT ROWID` |
//!
//! `{row}`, `{rowid}` and `{hot}` stand behind the closing parenthesis of `CREATE TABLE`; `{hot}` is for
//! tables whose rows are updated in place all the time. TEXT is the same word on both; `BIGINT` and `BOOLEAN`
//! become `INTEGER` on SQLite, because STRICT knows neither. Never write `INTEGER` for a number: it has 32
//! bits on PostgreSQL and does not decode as `i64`.

use super::db::Engine;

/// The text for the engine at hand.
pub const fn pick(engine: Engine, postgres: &'static str, sqlite: &'static str) -> &'static str {
    match engine {
        Engine::Postgres => postgres,
        Engine::Sqlite => sqlite,
    }
}

/// A migration's text with the type words replaced by the engine's own.
pub(crate) fn ddl(engine: Engine, text: &str) -> String {
    WORDS
        .iter()
        .fold(text.to_owned(), |text, (word, postgres, sqlite)| {
            text.replace(word, pick(engine, postgres, sqlite))
        })
}

const WORDS: [(&str, &str, &str); 10] = [
    ("{uuid}", "UUID", "BLOB"),
    ("{bytes}", "BYTEA", "BLOB"),
    ("{json}", "JSONB", "TEXT"),
    ("{bool}", "BOOLEAN", "INTEGER"),
    (
        "{serial}",
        "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        "INTEGER PRIMARY KEY AUTOINCREMENT",
    ),
    ("{row}", "", "STRICT, WITHOUT ROWID"),
    ("{rowid}", "", "STRICT"),
    ("BIGINT", "BIGINT", "INTEGER"),
    ("BOOLEAN", "BOOLEAN", "INTEGER"),
    ("{hot}", "WITH (fillfactor = 80)", "STRICT, WITHOUT ROWID"),
];
