//! How busy one connection is, and when its silence has lasted too long.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

/// What the watchdog of one connection needs to know; times are milliseconds since it opened.
pub(super) struct Activity {
    opened: Instant,
    in_flight: AtomicU32,
    quiet_since: AtomicU64,
    /// When the first byte after a silence came; 0 while there is none.
    header_since: AtomicU64,
    http2: AtomicBool,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            opened: Instant::now(),
            in_flight: AtomicU32::new(0),
            quiet_since: AtomicU64::new(0),
            // A new connection owes its first header from the beginning.
            header_since: AtomicU64::new(1),
            http2: AtomicBool::new(false),
        }
    }

    /// A request has begun; it lasts until the returned value is dropped.
    pub(super) fn begin(self: &Arc<Self>, http2: bool) -> Busy {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        if http2 {
            self.http2.store(true, Ordering::Relaxed);
        }
        Busy(Arc::clone(self))
    }

    /// Waits until the connection has been silent, or has been sending a header, for too long.
    pub(super) async fn watch(&self, header: Duration, idle: Duration) -> &'static str {
        loop {
            let now = self.now();
            // Read first: what a finished request wrote is visible once it no longer counts.
            let busy = self.in_flight.load(Ordering::Acquire) > 0;
            let (since, limit, what) = match self.header_since.load(Ordering::Acquire) {
                // HTTP/2 peers send frames that are no requests, so bytes begin no header there.
                since if since != 0 && !self.http2.load(Ordering::Relaxed) => (
                    since,
                    millis(header),
                    "the header of a request took too long",
                ),
                _ => (
                    self.quiet_since.load(Ordering::Acquire),
                    millis(idle),
                    "it was idle for too long",
                ),
            };
            // A request in flight has its own time limit; look again after it may have ended.
            let due = if busy { now } else { since }.saturating_add(limit);
            if due <= now {
                return what;
            }
            // A header may begin during a long silence: look at least as often as headers are due.
            let next = due.min(now.saturating_add(millis(header).max(1)));
            sleep_until(self.opened + Duration::from_millis(next)).await;
        }
    }

    fn read_bytes(&self) {
        if self.header_since.load(Ordering::Relaxed) == 0
            && self.in_flight.load(Ordering::Acquire) == 0
        {
            self.header_since
                .store(self.now().max(1), Ordering::Release);
        }
    }

    fn now(&self) -> u64 {
        millis(self.opened.elapsed())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A request in flight.
pub(super) struct Busy(Arc<Activity>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.quiet_since.store(self.0.now(), Ordering::Release);
        self.0.header_since.store(0, Ordering::Release);
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A stream that tells [`Activity`] when bytes arrive.
pub(super) struct Watched<S> {
    stream: S,
    activity: Arc<Activity>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self { stream, activity }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        if buffer.filled().len() > before {
            self.activity.read_bytes();
        }
        Poll::Ready(result)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }
}
