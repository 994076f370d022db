//! Free ports for the processes a test starts.

use std::net::TcpListener;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};

/// A port of 127.0.0.1 that nobody listens on and that no other test of this run is given.
///
/// It lies below the range from which the kernel takes the ports of outgoing connections, so a server
/// that is restarted finds its port free again.
pub(crate) fn free() -> u16 {
    loop {
        let port = LOWEST + NEXT.fetch_add(1, Ordering::Relaxed) % SPAN;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

const LOWEST: u16 = 12_000;
const SPAN: u16 = 20_000;

/// Two runs at the same time begin at different places.
static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| {
    let begin = std::process::id().wrapping_mul(7919) % u32::from(SPAN);
    AtomicU16::new(u16::try_from(begin).unwrap())
});
