//! A receiver of webhooks.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::crypto::secret::PlainToken;
use crate::crypto::webhook::WebhookSecret;

/// What a receiver was sent.
#[derive(Clone, Debug)]
pub(in crate::service) struct Received {
    pub(in crate::service) head: String,
    pub(in crate::service) body: String,
}

impl Received {
    pub(in crate::service) fn header(&self, name: &str) -> &str {
        let lines = self.head.lines();
        let mut fields = lines.filter_map(|line| line.split_once(": "));
        let field = fields.find(|(field, _)| field.eq_ignore_ascii_case(name));
        field.map_or("", |(_, value)| value)
    }

    /// Whether one of the signatures was made with this secret.
    pub(in crate::service) fn is_signed_with(&self, secret: &PlainToken) -> bool {
        let bytes = secret.expose().strip_prefix("whsec_").unwrap();
        let bytes = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, bytes).unwrap();
        let secret = WebhookSecret::from_bytes(bytes);
        let timestamp = self.header("webhook-timestamp").parse().unwrap();
        let expected = secret.sign(self.header("webhook-id"), timestamp, &self.body);
        let mut signatures = self.header("webhook-signature").split(' ');
        signatures.any(|signature| signature == expected)
    }
}

/// A server on this machine that answers with a status.
pub(in crate::service) struct Receiver {
    pub(in crate::service) url: String,
    pub(in crate::service) status: Arc<Mutex<u16>>,
    pub(in crate::service) received: Arc<Mutex<Vec<Received>>>,
    /// Moved on by a minute with each message.
    pub(in crate::service) clock: Arc<AtomicI64>,
}

impl Receiver {
    pub(in crate::service) async fn new() -> Self {
        let clock: Arc<AtomicI64> = Arc::default();
        let ticks = Arc::clone(&clock);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (status, received) = (Arc::new(Mutex::new(204)), Arc::default());
        let (answer, seen) = (Arc::clone(&status), Arc::clone(&received));
        tokio::spawn(async move {
            loop {
                let ticks = Arc::clone(&ticks);
                let (mut stream, _) = listener.accept().await.unwrap();
                let (answer, seen): (Arc<Mutex<u16>>, Arc<Mutex<Vec<Received>>>) =
                    (Arc::clone(&answer), Arc::clone(&seen));
                tokio::spawn(async move {
                    let mut text = Vec::new();
                    let message = loop {
                        let mut some = [0; 4096];
                        let n = stream.read(&mut some).await.unwrap();
                        if n == 0 {
                            return;
                        }
                        text.extend_from_slice(&some[..n]);
                        let text = String::from_utf8_lossy(&text).into_owned();
                        if let Some((head, body)) = text.split_once("\r\n\r\n") {
                            let (head, body) = (head.to_owned(), body.to_owned());
                            let message = Received { head, body };
                            if message.header("content-length") == message.body.len().to_string() {
                                break message;
                            }
                        }
                    };
                    seen.lock().unwrap().push(message);
                    ticks.fetch_add(60_000_000, Ordering::SeqCst);
                    let status = *answer.lock().unwrap();
                    if status == 0 {
                        std::future::pending::<()>().await;
                    }
                    let answer = format!(
                        "HTTP/1.1 {status} Said\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                    );
                    stream.write_all(answer.as_bytes()).await.unwrap();
                });
            }
        });
        Self {
            url,
            status,
            received,
            clock,
        }
    }

    /// 0: not at all.
    pub(in crate::service) fn answers(&self, status: u16) {
        *self.status.lock().unwrap() = status;
    }

    pub(in crate::service) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}
