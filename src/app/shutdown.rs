//! Ending on request.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// The exit code of a process that a second signal ended: 128 + SIGINT, as shells count.
const INTERRUPTED: i32 = 130;

/// Returns a token that is cancelled by the first SIGTERM or SIGINT. A second signal ends the
/// process at once, without waiting for anything.
pub fn on_signals() -> io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        let name = next(&mut terminate, &mut interrupt).await;
        info!("{name}: finishing what is in flight; a second signal ends at once");
        cancelled.cancel();
        let name = next(&mut terminate, &mut interrupt).await;
        warn!("{name} again: ending at once");
        std::process::exit(INTERRUPTED);
    });
    Ok(token)
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_signal_cancels_the_token() {
        let token = on_signals().unwrap();
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM)
            .unwrap();
        token.cancelled().await;
    }
}
