//! One query on either engine.

use sqlx::encode::Encode;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::types::Type;
use sqlx::{
    Arguments as _, FromRow, PgConnection, PgPool, Postgres, Sqlite, SqliteConnection, SqlitePool,
};

use super::super::error::StoreError;
use super::postgres::live;
use super::writer::{Outcome, Want, Writer};

/// A value both engines can be given.
pub trait Val:
    for<'q> Encode<'q, Postgres> + Type<Postgres> + for<'q> Encode<'q, Sqlite> + Type<Sqlite>
{
}
impl<T> Val for T where
    T: for<'q> Encode<'q, Postgres> + Type<Postgres> + for<'q> Encode<'q, Sqlite> + Type<Sqlite>
{
}

/// A row both engines can answer with; tuples and `#[derive(sqlx::FromRow)]` structs are.
pub trait Row: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin {}
impl<T> Row for T where T: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin
{}

/// Where a query runs, with the arguments in that engine's own form.
pub(super) enum Ex<'c> {
    Pg(&'c PgPool, PgArguments),
    PgWrite(&'c PgPool, PgArguments),
    PgTx(&'c mut PgConnection, PgArguments),
    Lite(&'c SqlitePool, SqliteArguments),
    LiteWrite(&'c Writer, SqliteArguments),
    LiteTx(&'c mut SqliteConnection, SqliteArguments),
    /// The transaction has lived too long to be trusted; every query says so.
    Expired,
}

/// A query being put together: bind the values in order (`$1`, `$2` …), then run it.
#[must_use = "a query does nothing until it is run with opt, one, all or exec"]
pub struct Q<'c> {
    ex: Ex<'c>,
    sql: &'static str,
    bad: Option<BoxDynError>,
}

/// Runs a query for its rows, with one of sqlx's two ways to fetch them; the closure says the same of the rows that the
/// writer brings.
macro_rules! fetch {
    ($query:ident, $fetch:ident, $of_rows:expr) => {{
        let Self { ex, sql, bad } = $query;
        refuse_bad(bad)?;
        match ex {
            Ex::Pg(pool, args) => {
                let again = args.clone();
                match sqlx::query_as_with(sql, args).$fetch(pool).await {
                    Err(error) if is_lost(&error) => Ok(sqlx::query_as_with(sql, again)
                        .$fetch(&mut *live(pool).await?)
                        .await?),
                    first => Ok(first?),
                }
            }
            Ex::PgWrite(pool, args) => {
                let mut attempt = 0;
                loop {
                    attempt += 1;
                    let done = sqlx::query_as_with(sql, args.clone()).$fetch(pool).await;
                    let done = done.map_err(StoreError::from);
                    if !retry_soon(&done, attempt).await {
                        return done;
                    }
                }
            }
            Ex::PgTx(connection, args) => {
                Ok(sqlx::query_as_with(sql, args).$fetch(connection).await?)
            }
            Ex::Lite(pool, args) => Ok(sqlx::query_as_with(sql, args).$fetch(pool).await?),
            Ex::LiteWrite(writer, args) => match writer.run(sql, args, Want::Rows).await? {
                Outcome::Rows(rows) => {
                    let of_rows = $of_rows;
                    Ok(of_rows(&rows).map_err(StoreError::from)?)
                }
                Outcome::Affected(_) => Ok(Default::default()),
            },
            Ex::LiteTx(connection, args) => {
                Ok(sqlx::query_as_with(sql, args).$fetch(connection).await?)
            }
            Ex::Expired => Err(expired()),
        }
    }};
}

impl<'c> Q<'c> {
    pub(super) fn new(ex: Ex<'c>, sql: &'static str) -> Self {
        Self { ex, sql, bad: None }
    }

    /// Binds the next value.
    pub fn bind<T: Val>(mut self, value: T) -> Self {
        let added = match &mut self.ex {
            Ex::Pg(_, args) | Ex::PgWrite(_, args) | Ex::PgTx(_, args) => args.add(value),
            Ex::Lite(_, args) | Ex::LiteWrite(_, args) | Ex::LiteTx(_, args) => {
                sqlx::Arguments::add(args, value)
            }
            Ex::Expired => Ok(()),
        };
        self.note(added);
        self
    }

    /// Binds the next value of a statement that is written for PostgreSQL alone: arrays for `UNNEST`.
    pub fn bind_pg<T>(mut self, value: T) -> Self
    where
        T: for<'q> Encode<'q, Postgres> + Type<Postgres>,
    {
        let added = match &mut self.ex {
            Ex::Pg(_, args) | Ex::PgWrite(_, args) | Ex::PgTx(_, args) => args.add(value),
            Ex::Lite(..) | Ex::LiteWrite(..) | Ex::LiteTx(..) => {
                Err("bind_pg on SQLite: this statement is PostgreSQL's".into())
            }
            Ex::Expired => Ok(()),
        };
        self.note(added);
        self
    }

    /// The first row, if there is one.
    pub async fn opt<R: Row>(self) -> Result<Option<R>, StoreError> {
        fetch!(self, fetch_optional, |rows: &[SqliteRow]| {
            rows.first().map(R::from_row).transpose()
        })
    }

    /// The first row; its absence is an error.
    pub async fn one<R: Row>(self) -> Result<R, StoreError> {
        match self.opt().await? {
            Some(row) => Ok(row),
            None => Err(sqlx::Error::RowNotFound.into()),
        }
    }

    /// Every row. Bound it with `LIMIT`.
    pub async fn all<R: Row>(self) -> Result<Vec<R>, StoreError> {
        fetch!(self, fetch_all, |rows: &[SqliteRow]| {
            rows.iter().map(R::from_row).collect::<Result<_, _>>()
        })
    }

    /// Runs it for its effect; the number of rows it touched.
    pub async fn exec(self) -> Result<u64, StoreError> {
        let Self { ex, sql, bad } = self;
        refuse_bad(bad)?;
        match ex {
            Ex::Pg(pool, args) | Ex::PgWrite(pool, args) => {
                let mut attempt = 0;
                loop {
                    attempt += 1;
                    let done = sqlx::query_with(sql, args.clone())
                        .execute(pool)
                        .await
                        .map(|done| done.rows_affected())
                        .map_err(StoreError::from);
                    if !retry_soon(&done, attempt).await {
                        return done;
                    }
                }
            }
            Ex::PgTx(connection, args) => Ok(sqlx::query_with(sql, args)
                .execute(connection)
                .await?
                .rows_affected()),
            Ex::Lite(pool, args) => Ok(sqlx::query_with(sql, args)
                .execute(pool)
                .await?
                .rows_affected()),
            Ex::LiteWrite(writer, args) => match writer.run(sql, args, Want::Affected).await? {
                Outcome::Affected(rows) => Ok(rows),
                Outcome::Rows(_) => Ok(0),
            },
            Ex::LiteTx(connection, args) => Ok(sqlx::query_with(sql, args)
                .execute(connection)
                .await?
                .rows_affected()),
            Ex::Expired => Err(expired()),
        }
    }

    fn note(&mut self, added: Result<(), BoxDynError>) {
        if let Err(error) = added {
            self.bad.get_or_insert(error);
        }
    }
}

/// A value that could not be encoded is reported when the query runs, so that call sites read as one chain.
fn refuse_bad(bad: Option<BoxDynError>) -> Result<(), StoreError> {
    match bad {
        Some(error) => Err(sqlx::Error::Encode(error).into()),
        None => Ok(()),
    }
}

fn expired() -> StoreError {
    StoreError::unavailable("the transaction was open for too long and will be rolled back")
}

/// Whether the connection was gone before it could answer; a read may simply be asked again.
fn is_lost(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(_))
        || matches!(error, sqlx::Error::Database(cause)
            if cause.code().is_some_and(|code| code.starts_with("57P")))
}

/// Whether a write lost against another transaction and may run again; waits a little first.
///
/// A write whose connection was lost is *not* repeated: it may have been committed.
async fn retry_soon<T>(done: &Result<T, StoreError>, attempt: u64) -> bool {
    if matches!(done, Err(StoreError::Retryable(_))) && attempt <= 3 {
        tokio::time::sleep(std::time::Duration::from_millis(attempt * attempt * 2)).await;
        return true;
    }
    false
}
