//! The header of SQLite's WAL index: the cheapest way to know that nothing was committed.
//!
//! Every commit, of any connection in any process, changes the header at the start of the `-shm` file before it
//! returns (<https://www.sqlite.org/walformat.html#the_wal_index_header>): a counter of commits and the number of
//! frames, written twice. Who read everything under some header need not read again while it stands. Looking
//! costs one `pread` of a page in memory, where asking a connection costs a turn of its thread.

use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

const COPY: usize = 48;

/// What the header said: equal to another only if nothing was committed in between.
pub(crate) type Stamp = [u8; COPY];

/// The `-shm` file, open for reading. A connection must stay open beside it, or SQLite replaces the file.
#[derive(Clone)]
pub(super) struct WalIndex {
    /// Never closed: closing any descriptor of a file gives up all locks that this process holds on it
    /// (POSIX `fcntl`), and those on this file are SQLite's.
    file: Arc<ManuallyDrop<File>>,
}

impl WalIndex {
    /// Opens the index beside a database that is in use; `None` where files and mappings of them may differ.
    ///
    /// What it opened must still be proven to be the file that is in use: see [`WalIndex::stamp`] before and after a
    /// commit.
    pub(super) fn open(database: &Path) -> Option<Self> {
        if !cfg!(target_os = "linux") {
            return None;
        }
        // SQLite follows links, and has its files beside what it finds.
        let mut path = std::fs::canonicalize(database).ok()?.into_os_string();
        path.push("-shm");
        let file = Arc::new(ManuallyDrop::new(File::open(path).ok()?));
        Some(Self { file })
    }

    /// The header as it stands; `None` while it is being written.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        let mut header = [0; COPY * 2];
        self.file.read_exact_at(&mut header, 0).ok()?;
        let (first, second) = header.split_first_chunk::<COPY>()?;
        (first == second).then_some(*first)
    }
}
