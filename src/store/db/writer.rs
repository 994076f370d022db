//! The task that owns SQLite's one writing connection.
//!
//! It takes what has queued while the last commit ran, runs it in one `BEGIN IMMEDIATE … COMMIT`, and
//! answers everyone after the commit. A [`Lease`] lends the connection to a [`Tx`](super::Tx); nothing else
//! is written until it comes back, which it does when the lease is dropped, however that happens.

use std::collections::VecDeque;
use std::time::Duration;

use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteRow};
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, warn};

use super::super::error::StoreError;
use super::ACQUIRE_TIMEOUT;
use super::settle::{self, Unsettled};

/// Most statements in one commit.
const BATCH: usize = 64;
/// Most commands that wait; later ones wait for room, and after a while are refused.
const QUEUE: usize = 1024;
/// A transaction that is open longer than this is worth a line in the log.
const LONG: Duration = Duration::from_secs(5);

/// A handle on the writer task.
#[derive(Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Command>,
}

/// What the caller wants to know of a statement.
#[derive(Clone, Copy)]
pub(super) enum Want {
    Affected,
    Rows,
}

/// What a statement did.
pub(super) enum Outcome {
    Affected(u64),
    Rows(Vec<SqliteRow>),
}

enum Command {
    Run(Job),
    Lend(oneshot::Sender<Lease>),
    Close(oneshot::Sender<()>),
}

struct Job {
    sql: &'static str,
    args: SqliteArguments,
    want: Want,
    answer: oneshot::Sender<Result<Outcome, StoreError>>,
}

impl Writer {
    pub(super) fn spawn(connection: SqliteConnection, options: SqliteConnectOptions) -> Self {
        let (queue, commands) = mpsc::channel(QUEUE);
        tokio::spawn(
            Task {
                connection: Some(connection),
                options,
                commands,
                put_back: VecDeque::new(),
            }
            .run(),
        );
        Self { queue }
    }

    /// Runs one statement in the next shared commit. A caller that goes away before its turn came has
    /// written nothing.
    pub(super) async fn run(
        &self,
        sql: &'static str,
        args: SqliteArguments,
        want: Want,
    ) -> Result<Outcome, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.send(Command::Run(Job {
            sql,
            args,
            want,
            answer,
        }))
        .await?;
        answered.await.map_err(|_| stopped())?
    }

    /// Borrows the connection, in a transaction that has begun.
    pub(super) async fn lease(&self) -> Result<Lease, StoreError> {
        let (lend, lease) = oneshot::channel();
        self.send(Command::Lend(lend)).await?;
        let mut lease = tokio::time::timeout(ACQUIRE_TIMEOUT, lease)
            .await
            .map_err(|_| StoreError::unavailable("another transaction holds the writer"))?
            .map_err(|_| stopped())?;
        lease.begin().await?;
        Ok(lease)
    }

    pub(super) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.queue.send(Command::Close(done)).await.is_ok() {
            let _ = closed.await;
        }
    }

    async fn send(&self, command: Command) -> Result<(), StoreError> {
        tokio::time::timeout(ACQUIRE_TIMEOUT, self.queue.send(command))
            .await
            .map_err(|_| StoreError::unavailable("too many writes are waiting"))?
            .map_err(|_| stopped())
    }
}

fn stopped() -> StoreError {
    StoreError::unavailable("the database is closed")
}

struct Task {
    /// Absent after a surprise, until the next command opens a fresh one.
    connection: Option<SqliteConnection>,
    options: SqliteConnectOptions,
    commands: mpsc::Receiver<Command>,
    /// What was taken from the queue behind a full batch or a lease; keeps the order.
    put_back: VecDeque<Command>,
}

impl Task {
    async fn run(mut self) {
        while let Some(command) = self.next().await {
            match command {
                Command::Run(job) => {
                    let jobs = self.gather(job);
                    self.commit_together(jobs).await;
                }
                Command::Lend(lend) => self.lend(lend).await,
                Command::Close(done) => {
                    if let Some(connection) = self.connection.take() {
                        let _ = connection.close().await;
                    }
                    let _ = done.send(());
                    return;
                }
            }
        }
    }

    async fn next(&mut self) -> Option<Command> {
        match self.put_back.pop_front() {
            Some(command) => Some(command),
            None => self.commands.recv().await,
        }
    }

    /// The statements that wait right now, up to the first command that is none.
    fn gather(&mut self, first: Job) -> Vec<Job> {
        let mut jobs = vec![first];
        while jobs.len() < BATCH {
            let next = match self.put_back.pop_front() {
                Some(command) => command,
                None => match self.commands.try_recv() {
                    Ok(command) => command,
                    Err(_) => break,
                },
            };
            match next {
                Command::Run(job) => jobs.push(job),
                other @ (Command::Lend(_) | Command::Close(_)) => {
                    self.put_back.push_front(other);
                    break;
                }
            }
        }
        jobs
    }

    async fn commit_together(&mut self, mut jobs: Vec<Job>) {
        jobs.retain(|job| !job.answer.is_closed());
        if jobs.is_empty() {
            return;
        }
        let Some(mut connection) = self.take().await else {
            for job in jobs {
                let _ = job.answer.send(Err(StoreError::unavailable(
                    "the database file cannot be opened",
                )));
            }
            return;
        };
        match run_all(&mut connection, &mut jobs).await {
            Ok(answers) => {
                self.connection = Some(connection);
                for (job, answer) in jobs.into_iter().zip(answers) {
                    let _ = job.answer.send(answer);
                }
            }
            Err(error) => {
                self.keep_if_clean(connection).await;
                for job in jobs {
                    let _ = job.answer.send(Err(error.clone()));
                }
            }
        }
    }

    async fn lend(&mut self, lend: oneshot::Sender<Lease>) {
        if lend.is_closed() {
            return;
        }
        let Some(connection) = self.take().await else {
            return;
        };
        let (home, mut back) = oneshot::channel();
        // When the borrower has gone, the lease is dropped here and comes home at once.
        let _ = lend.send(Lease {
            connection: Some(connection),
            home: Some(home),
            clean: false,
        });
        let returned = loop {
            if let Ok(returned) = tokio::time::timeout(LONG, &mut back).await {
                break returned;
            }
            warn!("a transaction has held the SQLite writer for five seconds");
        };
        match returned {
            Ok((connection, None)) => self.connection = Some(connection),
            Ok((connection, Some(unsettled))) => {
                self.keep_if_clean(connection).await;
                drop(unsettled);
            }
            Err(_) => {}
        }
    }

    /// Ends whatever transaction is open. A connection that cannot even do that is replaced: closing it
    /// rolls back.
    async fn keep_if_clean(&mut self, mut connection: SqliteConnection) {
        let rolled_back = exec(&mut connection, "ROLLBACK").await;
        let clean = match rolled_back {
            Ok(()) => true,
            Err(error) => error.to_string().contains("no transaction is active"),
        };
        if clean {
            self.connection = Some(connection);
        } else {
            let _ = connection.close().await;
        }
    }

    async fn take(&mut self) -> Option<SqliteConnection> {
        if let Some(connection) = self.connection.take() {
            return Some(connection);
        }
        match connect_writer(&self.options).await {
            Ok(connection) => Some(connection),
            Err(error) => {
                error!("cannot open the SQLite database for writing: {error}");
                None
            }
        }
    }
}

/// Runs every statement and commits once. A statement that fails is undone alone (SQLite's default conflict
/// resolution, ABORT) and answers its own caller only.
async fn run_all(
    connection: &mut SqliteConnection,
    jobs: &mut [Job],
) -> Result<Vec<Result<Outcome, StoreError>>, StoreError> {
    exec(connection, "BEGIN IMMEDIATE").await?;
    let mut answers = Vec::with_capacity(jobs.len());
    for job in jobs {
        let args = std::mem::take(&mut job.args);
        let answer = match job.want {
            Want::Affected => sqlx::query_with(job.sql, args)
                .execute(&mut *connection)
                .await
                .map(|done| Outcome::Affected(done.rows_affected())),
            Want::Rows => sqlx::query_with(job.sql, args)
                .fetch_all(&mut *connection)
                .await
                .map(Outcome::Rows),
        }
        .map_err(StoreError::from);
        // Disk full, I/O error, out of memory: SQLite may have rolled back the whole transaction, and what
        // follows would commit by itself (https://www.sqlite.org/lang_transaction.html §3).
        if let Err(error) = &answer
            && error.is_unavailable()
        {
            return Err(error.clone());
        }
        answers.push(answer);
    }
    exec(connection, "COMMIT").await?;
    Ok(answers)
}

async fn exec(connection: &mut SqliteConnection, sql: &'static str) -> Result<(), StoreError> {
    sqlx::query(sql).execute(connection).await?;
    Ok(())
}

/// The writing connection, borrowed.
pub(super) struct Lease {
    connection: Option<SqliteConnection>,
    /// Takes the connection back, with what waits for the rollback if one is needed.
    home: Option<oneshot::Sender<(SqliteConnection, Option<Unsettled>)>>,
    clean: bool,
}

impl Lease {
    pub(super) fn connection(&mut self) -> Option<&mut SqliteConnection> {
        self.connection.as_mut()
    }

    async fn begin(&mut self) -> Result<(), StoreError> {
        match self.connection() {
            Some(connection) => exec(connection, "BEGIN IMMEDIATE").await,
            None => Err(stopped()),
        }
    }

    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        match self.connection() {
            Some(connection) => exec(connection, "COMMIT").await?,
            None => return Err(stopped()),
        }
        self.clean = true;
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let (Some(connection), Some(home)) = (self.connection.take(), self.home.take()) {
            // The task rolls back what was not committed: dropping may happen in the middle of anything
            // and cannot wait.
            let unsettled = (!self.clean).then(settle::begin);
            let _ = home.send((connection, unsettled));
        }
    }
}

/// Opens the connection that writes. Turning a new file into WAL mode does not wait for the busy timeout,
/// so processes that start together have to try again.
pub(super) async fn connect_writer(
    options: &SqliteConnectOptions,
) -> Result<SqliteConnection, StoreError> {
    let mut attempt = 0;
    loop {
        match options.connect().await.map_err(StoreError::from) {
            Err(StoreError::Retryable(_)) if attempt < 100 => {
                attempt += 1;
                tokio::time::sleep(Duration::from_millis(10 + attempt)).await;
            }
            connected => return connected,
        }
    }
}
