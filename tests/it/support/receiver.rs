//! A receiver of webhooks.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use tokio::net::TcpListener;

/// It listens on this machine and keeps what it is sent.
pub(crate) struct Receiver {
    /// Its `host:port`, for `SIGNET_FETCH_ALLOW_HOSTS`.
    pub(crate) host: String,
    site: Arc<Site>,
}

struct Site {
    status: Mutex<StatusCode>,
    messages: Mutex<Vec<Message>>,
}

/// A message as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Message {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .unwrap_or_else(|| panic!("no {name} in {self:?}"))
            .to_str()
            .unwrap()
    }
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let site = Arc::new(Site {
            status: Mutex::new(StatusCode::NO_CONTENT),
            messages: Mutex::default(),
        });
        let router = axum::Router::new()
            .fallback(receive)
            .with_state(Arc::clone(&site));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { host, site }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.host)
    }

    /// What it answers from now on.
    pub(crate) fn answer(&self, status: StatusCode) {
        *self.site.status.lock().unwrap() = status;
    }

    /// The first so many messages, once they are there.
    pub(crate) async fn messages(&self, count: usize) -> Vec<Message> {
        let began = Instant::now();
        loop {
            let messages = self.site.messages.lock().unwrap().clone();
            if messages.len() >= count {
                return messages;
            }
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "{count} expected: {messages:#?}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn receive(State(site): State<Arc<Site>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let body = String::from_utf8(body.to_vec()).unwrap();
    site.messages
        .lock()
        .unwrap()
        .push(Message { headers, body });
    *site.status.lock().unwrap()
}
