//! The threads that hash and the queue they take from.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use argon2::{Argon2, Block};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::PasswordError;

/// The raw output of one hash.
pub(super) type Hashed = Result<Zeroizing<Vec<u8>>, PasswordError>;

/// One hash to compute.
pub(super) struct Work {
    pub(super) password: Zeroizing<String>,
    pub(super) salt: Vec<u8>,
    pub(super) hasher: Argon2<'static>,
    /// Bytes of output wanted.
    pub(super) length: usize,
}

/// Work and who waits for it.
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) reply: oneshot::Sender<Hashed>,
}

/// A fixed number of threads and a bounded queue.
pub(super) struct Pool {
    shared: Arc<Shared>,
    limit: usize,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Job>,
    closed: bool,
}

impl Pool {
    /// Starts `threads` threads called `name`, each with room for `blocks` KiB of Argon2 memory; at most `limit` jobs
    /// wait. Of two pools the one with the lower `priority` goes first, as with `nice`.
    pub(super) fn start(
        name: &'static str,
        priority: i32,
        threads: usize,
        limit: usize,
        blocks: usize,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            wake: Condvar::new(),
        });
        // Made first: if a later thread cannot start, dropping the pool stops the earlier ones.
        let pool = Self { shared, limit };
        for number in 0..threads {
            let shared = Arc::clone(&pool.shared);
            thread::Builder::new()
                .name(format!("{name}-{number}"))
                .spawn(move || hash_until_closed(&shared, priority, blocks))?;
        }
        Ok(pool)
    }

    /// Queues a job, or says `Busy` at once.
    pub(super) fn submit(&self, job: Job) -> Result<(), PasswordError> {
        let mut queue = self.shared.lock();
        if queue.waiting.len() >= self.limit {
            // Those whose client has gone away should not keep out those who still wait.
            queue.waiting.retain(|waiting| !waiting.reply.is_closed());
        }
        if queue.waiting.len() >= self.limit {
            return Err(PasswordError::Busy);
        }
        queue.waiting.push_back(job);
        drop(queue);
        self.shared.wake.notify_one();
        Ok(())
    }

    /// What the threads hold on to, for the test that they let go of it.
    #[cfg(test)]
    pub(super) fn shared(&self) -> &Arc<impl Sized + use<>> {
        &self.shared
    }

    /// How many jobs wait.
    pub(super) fn depth(&self) -> usize {
        self.shared.lock().waiting.len()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.closed = true;
        // Dropping their senders tells the callers that still wait.
        queue.waiting.clear();
        drop(queue);
        self.shared.wake.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while holding the lock, and a queue is never half changed.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a job, at most [`IDLE`].
    fn next(&self) -> Task {
        let nothing = |queue: &mut Queue| queue.waiting.is_empty() && !queue.closed;
        let (mut queue, waited) = self
            .wake
            .wait_timeout_while(self.lock(), IDLE, nothing)
            .unwrap_or_else(PoisonError::into_inner);
        match queue.waiting.pop_front() {
            Some(job) => Task::Job(job),
            None if waited.timed_out() => Task::Idle,
            None => Task::Closed,
        }
    }
}

/// What a thread does next.
enum Task {
    Job(Job),
    Idle,
    Closed,
}

/// A thread without work for so long gives its memory back: it is most of what the process needs.
const IDLE: Duration = Duration::from_secs(5);

fn hash_until_closed(shared: &Shared, priority: i32, blocks: usize) {
    // The token endpoint goes first. On Linux this is the priority of this thread alone; where it
    // is refused, hashing runs at the usual priority.
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), priority);
    let mut memory = Vec::new();
    // glibc returns a block to the system as soon as it is freed only if it is larger than 32 MiB (`mallopt(3)`,
    // M_MMAP_THRESHOLD). What is reserved beyond the need is never touched, so it is address space and no memory.
    let reserved = blocks.max(33 * 1024);
    loop {
        match shared.next() {
            Task::Job(Job { work, reply }) => {
                // A caller that went away should not cost a hash.
                if !reply.is_closed() {
                    let answer = match memory.try_reserve_exact(reserved - memory.len()) {
                        Ok(()) => {
                            memory.resize(blocks, Block::new());
                            hash(&work, &mut memory)
                        }
                        // There is no memory right now.
                        Err(_) => Err(PasswordError::Busy),
                    };
                    let _ = reply.send(answer);
                }
            }
            Task::Idle => memory = Vec::new(),
            Task::Closed => return,
        }
    }
}

fn hash(work: &Work, memory: &mut [Block]) -> Hashed {
    let needed = work.hasher.params().block_count();
    // Imported hashes may want more than today's; that memory is given back at once.
    let mut larger = Vec::new();
    let memory = if needed > memory.len() {
        larger.resize(needed, Block::new());
        larger.as_mut_slice()
    } else {
        memory
    };
    let mut output = Zeroizing::new(vec![0; work.length]);
    work.hasher
        .hash_password_into_with_memory(work.password.as_bytes(), &work.salt, &mut output, memory)
        .map_err(|error| PasswordError::Broken(format!("cannot hash the password: {error}")))?;
    Ok(output)
}
