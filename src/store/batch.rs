//! Requests that wait together are answered together.
//!
//! A [`Batcher`] takes what has queued while the last batch ran and never lingers for more: alone, a request
//! runs at once; under load the batches grow by themselves. One batch never holds the same key twice, so a
//! set-based statement decides every member on its own, and a request never joins a batch that has begun.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc, oneshot};

use super::error::StoreError;

/// Room for waiting requests, in batches.
const QUEUED_BATCHES: usize = 16;

/// A handle on the task that gathers; clones share it.
pub struct Batcher<Req, Res> {
    queue: mpsc::Sender<Waiting<Req, Res>>,
}

impl<Req, Res> Clone for Batcher<Req, Res> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
        }
    }
}

struct Waiting<Req, Res> {
    request: Req,
    answer: oneshot::Sender<Result<Res, StoreError>>,
}

impl<Req, Res> Batcher<Req, Res>
where
    Req: Send + 'static,
    Res: Send + 'static,
{
    /// Starts gathering. `run` gets at most `max_batch` requests with distinct `key`s and answers them in
    /// the same order; at most `in_flight` runs happen at a time. An error of `run` answers every member.
    /// The task ends when the last handle is gone.
    pub fn spawn<K, Key, Run, Ran>(max_batch: usize, in_flight: usize, key: Key, run: Run) -> Self
    where
        K: Eq + Hash + Send + 'static,
        Key: Fn(&Req) -> K + Send + 'static,
        Run: Fn(Vec<Req>) -> Ran + Send + Sync + 'static,
        Ran: Future<Output = Result<Vec<Res>, StoreError>> + Send + 'static,
    {
        let max_batch = max_batch.max(1);
        let (queue, waiting) = mpsc::channel(max_batch * QUEUED_BATCHES);
        let gather = Gather {
            waiting,
            deferred: VecDeque::new(),
            max_batch,
            key,
        };
        tokio::spawn(gather.run(Arc::new(Semaphore::new(in_flight.max(1))), Arc::new(run)));
        Self { queue }
    }

    /// Hands in a request and waits for its answer. Waits for room when too much is queued; a caller that
    /// goes away before its batch began has asked for nothing.
    pub async fn submit(&self, request: Req) -> Result<Res, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.queue
            .send(Waiting { request, answer })
            .await
            .map_err(|_| StoreError::unavailable("the batch task has stopped"))?;
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(answer) => answer.map_err(|_| StoreError::unavailable("the batch was abandoned"))?,
            Err(_) => Err(StoreError::unavailable("the batch took too long")),
        }
    }
}

/// How long a request waits for its answer; then the caller is told to come again.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(8);

struct Gather<Req, Res, Key> {
    waiting: mpsc::Receiver<Waiting<Req, Res>>,
    /// Requests whose key was already in a batch, in the order they came.
    deferred: VecDeque<Waiting<Req, Res>>,
    max_batch: usize,
    key: Key,
}

impl<Req, Res, Key> Gather<Req, Res, Key>
where
    Req: Send + 'static,
    Res: Send + 'static,
{
    async fn run<K, Run, Ran>(mut self, slots: Arc<Semaphore>, run: Arc<Run>)
    where
        K: Eq + Hash + Send + 'static,
        Key: Fn(&Req) -> K + Send + 'static,
        Run: Fn(Vec<Req>) -> Ran + Send + Sync + 'static,
        Ran: Future<Output = Result<Vec<Res>, StoreError>> + Send + 'static,
    {
        loop {
            // The slot comes first: whatever arrives while every slot is taken joins the next batch.
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                return;
            };
            let first = match self.deferred.pop_front() {
                Some(first) => first,
                None => match self.waiting.recv().await {
                    Some(first) => first,
                    None => return,
                },
            };
            let batch = self.gather(first);
            let run = Arc::clone(&run);
            tokio::spawn(async move {
                answer(batch, &*run).await;
                drop(slot);
            });
        }
    }

    fn gather<K>(&mut self, first: Waiting<Req, Res>) -> Vec<Waiting<Req, Res>>
    where
        K: Eq + Hash,
        Key: Fn(&Req) -> K,
    {
        let mut keys = HashSet::from([(self.key)(&first.request)]);
        let mut batch = vec![first];
        // Those who waited longest come first; one look at each of them.
        for _ in 0..self.deferred.len() {
            let Some(next) = self.deferred.pop_front() else {
                break;
            };
            if batch.len() < self.max_batch && keys.insert((self.key)(&next.request)) {
                batch.push(next);
            } else {
                // Its key counts as taken even when the batch is only full, or a later request of the same
                // key could overtake it.
                keys.insert((self.key)(&next.request));
                self.deferred.push_back(next);
            }
        }
        while batch.len() < self.max_batch && self.deferred.len() < self.max_batch * QUEUED_BATCHES
        {
            let Ok(next) = self.waiting.try_recv() else {
                break;
            };
            if keys.insert((self.key)(&next.request)) {
                batch.push(next);
            } else {
                self.deferred.push_back(next);
            }
        }
        batch
    }
}

async fn answer<Req, Res, Run, Ran>(mut batch: Vec<Waiting<Req, Res>>, run: &Run)
where
    Run: Fn(Vec<Req>) -> Ran,
    Ran: Future<Output = Result<Vec<Res>, StoreError>>,
{
    batch.retain(|waiting| !waiting.answer.is_closed());
    if batch.is_empty() {
        return;
    }
    let (requests, answers): (Vec<_>, Vec<_>) = batch
        .into_iter()
        .map(|waiting| (waiting.request, waiting.answer))
        .unzip();
    match run(requests).await {
        Ok(results) if results.len() == answers.len() => {
            for (answer, result) in answers.into_iter().zip(results) {
                let _ = answer.send(Ok(result));
            }
        }
        Ok(_) => fail(
            answers,
            &StoreError::unavailable("a batch lost some of its answers"),
        ),
        Err(error) => fail(answers, &error),
    }
}

fn fail<Res>(answers: Vec<oneshot::Sender<Result<Res, StoreError>>>, error: &StoreError) {
    for answer in answers {
        let _ = answer.send(Err(error.clone()));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn the_same_key_never_shares_a_batch_and_everyone_is_answered() {
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&sizes);
        let batcher = Batcher::spawn(
            64,
            2,
            |request: &(u32, u32)| request.0,
            move |batch: Vec<(u32, u32)>| {
                let distinct: HashSet<u32> = batch.iter().map(|request| request.0).collect();
                assert_eq!(distinct.len(), batch.len(), "a key came twice");
                assert!(batch.len() <= 64);
                seen.lock().unwrap().push(batch.len());
                async move {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    Ok(batch.iter().map(|(key, n)| key * 10_000 + n).collect())
                }
            },
        );
        let callers: Vec<_> = (0..1000u32)
            .map(|n| {
                let batcher = batcher.clone();
                tokio::spawn(async move { (n, batcher.submit((n % 100, n)).await.unwrap()) })
            })
            .collect();
        for caller in callers {
            let (n, answer) = caller.await.unwrap();
            assert_eq!(answer, (n % 100) * 10_000 + n);
        }
        let sizes = sizes.lock().unwrap();
        assert_eq!(sizes.iter().sum::<usize>(), 1000);
        assert!(sizes.len() < 500, "nothing was gathered: {sizes:?}");
    }

    #[tokio::test]
    async fn requests_of_one_key_keep_their_order() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&order);
        let batcher = Batcher::spawn(
            4,
            1,
            |request: &(u8, u32)| request.0,
            move |batch: Vec<(u8, u32)>| {
                seen.lock().unwrap().extend(batch.iter().copied());
                async move { Ok(vec![(); batch.len()]) }
            },
        );
        let callers: Vec<_> = (0..60u32)
            .map(|n| {
                let batcher = batcher.clone();
                tokio::spawn(
                    async move { batcher.submit((u8::from(n % 5 == 0), n)).await.unwrap() },
                )
            })
            .collect();
        for caller in callers {
            caller.await.unwrap();
        }
        for key in [0, 1] {
            let ns: Vec<u32> = order
                .lock()
                .unwrap()
                .iter()
                .filter(|(k, _)| *k == key)
                .map(|(_, n)| *n)
                .collect();
            assert!(ns.is_sorted(), "{ns:?}");
        }
    }

    #[tokio::test]
    async fn an_error_or_a_panic_answers_every_member_and_the_next_batch_runs() {
        let batcher: Batcher<u32, u32> = Batcher::spawn(
            8,
            1,
            |n: &u32| *n,
            |batch| async move {
                assert!(!batch.contains(&13), "unlucky");
                if batch.contains(&1) {
                    return Err(StoreError::unavailable("down"));
                }
                Ok(batch)
            },
        );
        let (a, b) = tokio::join!(batcher.submit(1), batcher.submit(1));
        assert!(a.unwrap_err().is_unavailable() && b.unwrap_err().is_unavailable());
        assert!(batcher.submit(13).await.unwrap_err().is_unavailable());
        assert_eq!(batcher.submit(2).await.unwrap(), 2);
    }
}
