use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::*;

struct Running {
    address: SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

fn quick() -> ServerLimits {
    ServerLimits {
        header_timeout: Duration::from_millis(200),
        idle_timeout: Duration::from_millis(600),
        ..ServerLimits::default()
    }
}

async fn start(limits: ServerLimits, grace: Duration) -> Running {
    let router = Router::new()
        .route("/", get(|| async { "hello" }))
        .route(
            "/slow",
            get(|| async {
                sleep(Duration::from_millis(400)).await;
                "done"
            }),
        )
        .route("/stuck", get(|| sleep(Duration::from_mins(1))))
        .route("/echo", post(|body: axum::body::Bytes| async move { body }))
        .route(
            "/peer",
            get(|request: axum::extract::Request| async move {
                request.extensions().get::<Peer>().unwrap().0.to_string()
            }),
        );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(serve(listener, router, limits, shutdown.clone(), grace));
    Running {
        address,
        shutdown,
        task,
    }
}

async fn connect(server: &Running) -> TcpStream {
    TcpStream::connect(server.address).await.unwrap()
}

/// Reads until something that ends with `end` has come, or the peer has closed.
async fn read(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    let reading = async {
        let mut buffer = [0; 4096];
        while !text.ends_with(end.as_bytes()) || end.is_empty() {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(n) => text.extend_from_slice(&buffer[..n]),
            }
        }
    };
    timeout(Duration::from_secs(5), reading)
        .await
        .expect("an answer or an end");
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn answers_have_a_date_and_handlers_know_the_peer() {
    let server = start(quick(), Duration::ZERO).await;
    let mut stream = connect(&server).await;
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let answer = read(&mut stream, "hello").await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("\r\ndate: "),
        "{answer}"
    );
    stream
        .write_all(b"GET /peer HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let own = stream.local_addr().unwrap().to_string();
    assert!(read(&mut stream, &own).await.ends_with(&own));
}

#[tokio::test]
async fn http2_is_spoken() {
    let server = start(quick(), Duration::ZERO).await;
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let answer = client
        .get(format!("http://{}/", server.address))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.version(), Version::HTTP_2);
    assert!(answer.headers().contains_key("date"));
    // Longer than the header timeout: frames between requests begin no header.
    sleep(Duration::from_millis(400)).await;
    assert_eq!(
        client
            .get(format!("http://{}/", server.address))
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
}

#[tokio::test]
async fn silence_and_slow_headers_end_a_connection() {
    let server = start(quick(), Duration::ZERO).await;
    let mut silent = connect(&server).await;
    assert_eq!(read(&mut silent, "").await, "");

    let mut dripping = connect(&server).await;
    let began = Instant::now();
    for byte in b"GET / HTTP/1.1\r\nhost: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        .iter()
        .cycle()
    {
        if dripping.write_all(&[*byte]).await.is_err() || began.elapsed() > Duration::from_secs(3) {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn a_connection_may_rest_between_requests_but_not_for_ever() {
    // Longer than the header timeout, with room for a machine that is busy meanwhile.
    let limits = ServerLimits {
        idle_timeout: Duration::from_secs(2),
        ..quick()
    };
    let server = start(limits, Duration::ZERO).await;
    let mut stream = connect(&server).await;
    for _ in 0..2 {
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        assert!(read(&mut stream, "hello").await.contains("200 OK"));
        sleep(Duration::from_millis(350)).await;
    }
    // `read` waits five seconds.
    assert_eq!(read(&mut stream, "").await, "");
}

#[tokio::test]
async fn a_slow_handler_is_not_a_silent_connection() {
    let server = start(
        ServerLimits {
            idle_timeout: Duration::from_millis(100),
            ..quick()
        },
        Duration::ZERO,
    )
    .await;
    let mut stream = connect(&server).await;
    stream
        .write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    assert!(read(&mut stream, "done").await.ends_with("done"));
}

#[tokio::test]
async fn a_header_that_is_too_long_is_refused() {
    let server = start(
        ServerLimits {
            max_header_bytes: 8192,
            ..quick()
        },
        Duration::ZERO,
    )
    .await;
    let mut stream = connect(&server).await;
    let head = format!(
        "GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n",
        "y".repeat(20_000)
    );
    let _ = stream.write_all(head.as_bytes()).await;
    let answer = read(&mut stream, "").await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
        "{answer}"
    );
}

#[tokio::test]
async fn garbage_is_refused_and_the_server_lives() {
    let server = start(quick(), Duration::ZERO).await;
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"\r\n\r\n\r\n",
        b"GET\0/ HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nxxxxxxxxxxxxxxxxxxxxxx",
    ] {
        let mut stream = connect(&server).await;
        let _ = stream.write_all(garbage).await;
        let _ = read(&mut stream, "").await;
    }
    let mut stream = connect(&server).await;
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    assert!(read(&mut stream, "hello").await.contains("200 OK"));
}

#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let server = start(
        ServerLimits {
            max_connections: 1,
            ..ServerLimits::default()
        },
        Duration::ZERO,
    )
    .await;
    let first = connect(&server).await;
    let mut second = connect(&server).await;
    second
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    assert!(
        timeout(Duration::from_millis(100), second.readable())
            .await
            .is_err()
    );
    drop(first);
    assert!(read(&mut second, "hello").await.contains("200 OK"));
}

#[tokio::test]
async fn shutting_down_finishes_what_is_in_flight_and_closes_what_is_idle() {
    let server = start(
        ServerLimits {
            idle_timeout: Duration::from_mins(1),
            ..quick()
        },
        Duration::from_secs(5),
    )
    .await;
    let mut idle = connect(&server).await;
    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    read(&mut idle, "hello").await;
    let mut busy = connect(&server).await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    server.shutdown.cancel();
    assert!(read(&mut busy, "done").await.ends_with("done"));
    assert_eq!(read(&mut idle, "").await, "");
    server.task.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(2));
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn shutting_down_does_not_wait_longer_than_its_grace() {
    let server = start(quick(), Duration::from_millis(100)).await;
    let mut stuck = connect(&server).await;
    stuck
        .write_all(b"GET /stuck HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    sleep(Duration::from_millis(100)).await;
    server.shutdown.cancel();
    timeout(Duration::from_secs(2), server.task)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(read(&mut stuck, "").await, "");
}

#[tokio::test]
async fn a_body_is_echoed_after_100_continue() {
    let server = start(quick(), Duration::ZERO).await;
    let mut stream = connect(&server).await;
    stream
        .write_all(
            b"POST /echo HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n",
        )
        .await
        .unwrap();
    assert!(
        read(&mut stream, "\r\n\r\n")
            .await
            .starts_with("HTTP/1.1 100")
    );
    stream.write_all(b"ok").await.unwrap();
    assert!(read(&mut stream, "ok").await.ends_with("ok"));
}
