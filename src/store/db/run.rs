//! Reads that are written once, for [`Store`](super::super::Store) and [`Tx`] alike.
//!
//! ```text
//! reads! {
//!     /// The role of that name.
//!     find_role(name: &str) -> Option<Role> = find;
//! }
//!
//! async fn find(run: &mut impl Run, name: &str) -> Result<Option<Role>, StoreError> { … }
//! ```
//!
//! gives both handles a method `find_role`. Inside a transaction it sees what the transaction wrote.

use std::collections::BTreeSet;

use sqlx::types::Json;

use super::{Db, Engine, Q, Tx};

/// Where a statement that reads is run.
pub(in crate::store) trait Run: Send {
    /// A statement that only reads.
    fn q(&mut self, sql: &'static str) -> Q<'_>;

    /// Which engine this is.
    fn engine(&self) -> Engine;

    /// A statement whose first value is a list of names.
    fn q_among(&mut self, sql: Among, names: &BTreeSet<String>) -> Q<'_> {
        let names: Vec<String> = names.iter().cloned().collect();
        match self.engine() {
            Engine::Postgres => self.q(sql.postgres).bind_pg(names),
            Engine::Sqlite => self.q(sql.sqlite).bind(Json(names)),
        }
    }
}

impl Run for &Db {
    fn q(&mut self, sql: &'static str) -> Q<'_> {
        Db::q(self, sql)
    }

    fn engine(&self) -> Engine {
        Db::engine(self)
    }
}

impl Run for Tx {
    fn q(&mut self, sql: &'static str) -> Q<'_> {
        Tx::q(self, sql)
    }

    fn engine(&self) -> Engine {
        Tx::engine(self)
    }
}

/// A statement with a list of names, made by [`among!`].
#[derive(Clone, Copy)]
pub(in crate::store) struct Among {
    pub(in crate::store) postgres: &'static str,
    pub(in crate::store) sqlite: &'static str,
}

/// A statement around a list of names: `among!("SELECT name FROM roles WHERE name IN (", ")")`. The list stands where
/// the two texts meet, as a `SELECT` of one column.
macro_rules! among {
    ($before:literal, $after:literal) => {
        $crate::store::db::Among {
            postgres: concat!($before, "SELECT UNNEST($1::text[])", $after),
            sqlite: concat!($before, "SELECT value FROM json_each($1)", $after),
        }
    };
}

/// Gives [`Store`](crate::store::Store) and [`Tx`] a read that is written once:
/// `name(arguments) -> what is found = the function that reads;`.
macro_rules! reads {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*) -> $found:ty = $read:path;)+) => {
        #[allow(dead_code, reason = "both handles have every read")]
        impl $crate::store::Store {
            $($(#[$doc])*
            pub async fn $name(
                &self,
                $($argument: $type),*
            ) -> Result<$found, $crate::store::error::StoreError> {
                $read(&mut self.db(), $($argument),*).await
            })+
        }

        #[allow(dead_code, reason = "both handles have every read")]
        impl $crate::store::db::Tx {
            $($(#[$doc])*
            pub async fn $name(
                &mut self,
                $($argument: $type),*
            ) -> Result<$found, $crate::store::error::StoreError> {
                $read(self, $($argument),*).await
            })+
        }
    };
}

pub(in crate::store) use {among, reads};
