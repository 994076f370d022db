//! Framing, floods and slow peers (RFC 9112; CWE-400).

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::browser::Browser;
use crate::support::client::{Authorization, MACHINE, WEB};
use crate::support::engines::{Engine, on_every_engine};
use crate::support::server::{ALICE, Server};

on_every_engine! {
    async fn ambiguous_framing_is_refused_rfc9112_6_3(server: Server) {
        for headers in [
            "Content-Length: 3\r\nContent-Length: 4",
            "Content-Length: 3\r\nTransfer-Encoding: chunked",
            "Content-Length: -1",
            "Content-Length: 3, 4",
            "Transfer-Encoding: chunked, nonsense",
        ] {
            let request = format!("POST /token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n\r\nabc");
            let answer = raw(&server, request.as_bytes()).await;
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{headers}: {answer}");
        }
    }

    async fn a_request_names_one_host_rfc9112_3_2(server: Server) {
        for base in [server.url(""), server.management_url("")] {
            let address = base.replace("http://", "");
            let path = if base == server.url("") { "/jwks" } else { "/health/live" };
            for (version, hosts, status) in [
                ("HTTP/1.1", "", "400"),
                ("HTTP/1.1", "Host: a\r\nHost: b\r\n", "400"),
                ("HTTP/1.1", "Host: a\r\nHost: a\r\n", "400"),
                ("HTTP/1.1", "Host: a, b\r\n", "400"),
                ("HTTP/1.1", "Host: u@a\r\n", "400"),
                ("HTTP/1.0", "Host: a\r\nHost: b\r\n", "400"),
                ("HTTP/1.1", "Host: a\r\n", "200"),
                ("HTTP/1.1", "Host: [::1]:1\r\n", "200"),
                ("HTTP/1.1", "Host:\r\n", "200"),
                ("HTTP/1.0", "", "200"),
            ] {
                for target in [path.to_owned(), format!("http://a.example{path}")] {
                    let request = format!("GET {target} {version}\r\n{hosts}Connection: close\r\n\r\n");
                    let answer = raw_at(&address, request.as_bytes()).await;
                    let said = answer.split(' ').nth(1).unwrap_or_default();
                    assert_eq!(said, status, "{request}: {answer}");
                    assert!(answer.contains("x-content-type-options: nosniff"), "{answer}");
                    if status == "400" {
                        assert!(answer.contains("x-request-id: ") && answer.contains("Host header"), "{answer}");
                    }
                }
            }
        }
    }

    async fn oversized_heads_and_bodies_are_4xx_cwe400(server: Server) {
        let head = format!("GET /jwks HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "x".repeat(1_000_000));
        let answer = raw(&server, head.as_bytes()).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        // Without a length: the body must be counted while it is read.
        let mut body = b"POST /token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
            Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for _ in 0..100 {
            body.extend_from_slice(b"2000\r\n");
            body.extend(std::iter::repeat_n(b'a', 0x2000));
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"0\r\n\r\n");
        let answer = raw(&server, &body).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        server.machine_token().await;
    }
}

#[tokio::test]
async fn a_peer_that_dawdles_is_dropped_while_others_are_served() {
    let settings = [
        ("SIGNET_HEADER_TIMEOUT", "1s"),
        ("SIGNET_REQUEST_TIMEOUT", "2s"),
    ];
    let server = Server::start_with(Engine::Sqlite, &settings);
    let alone = timed(server.machine_token()).await;
    let mut dawdlers = JoinSet::new();
    for unfinished in [
        "POST /token HTTP/1.1\r\nHost: x\r\n",
        "POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\ngrant",
    ] {
        for _ in 0..50 {
            let address = server.url("").replace("http://", "");
            dawdlers.spawn(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(unfinished.as_bytes()).await.unwrap();
                let mut answer = Vec::new();
                tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer))
                    .await
                    .is_ok()
            });
        }
    }
    let beside = timed(server.machine_token()).await;
    assert!(
        beside < Duration::from_secs(2) + alone * 20,
        "{beside:?}, alone {alone:?}"
    );
    let dropped = dawdlers.join_all().await;
    assert!(
        dropped.iter().all(|dropped| *dropped),
        "the server waits for ever"
    );
}

/// The hash pool is bounded: a storm of sign-ins is answered 503 with `Retry-After`, and tokens still flow.
#[tokio::test]
async fn a_login_storm_does_not_delay_the_token_endpoint() {
    let server = Server::start_with(Engine::Sqlite, &[("SIGNET_PASSWORD_HASH_THREADS", "1")]);
    let browser = Browser::new(&server);
    let page = browser
        .open(&Authorization::of(&WEB, "openid").url(&server))
        .await;
    let mut form = page.form("login-submit");
    for (name, value) in &mut form.values {
        match name.as_str() {
            "username" => ALICE.0.clone_into(value),
            "password" => ALICE.1.clone_into(value),
            _ => {}
        }
    }
    let cookies: Vec<_> = browser
        .cookies()
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let alone = timed(tokens(&server)).await;
    let mut storm = JoinSet::new();
    for _ in 0..500 {
        let request = server
            .http()
            .post(form.action.clone())
            .header("cookie", cookies.join("; "));
        let request = request
            .header("origin", "null")
            .header("sec-fetch-site", "same-origin")
            .form(&form.values);
        storm.spawn(async move {
            let response = request.send().await.unwrap();
            (
                response.status().as_u16(),
                response.headers().contains_key("retry-after"),
            )
        });
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let beside = timed(tokens(&server)).await;
    assert!(
        beside < Duration::from_secs(2) + alone * 20,
        "{beside:?}, alone {alone:?}"
    );
    let answers = storm.join_all().await;
    assert!(
        answers.iter().any(|(status, _)| *status == 303),
        "{answers:?}"
    );
    for (status, retry_after) in answers {
        assert!(
            status == 303 || ((status == 503 || status == 429) && retry_after),
            "{status}"
        );
    }
}

/// Sends bytes and reads until the server closes.
async fn raw(server: &Server, request: &[u8]) -> String {
    raw_at(&server.url("").replace("http://", ""), request).await
}

async fn raw_at(address: &str, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may refuse before it has read everything.
    let _refused_early = stream.write_all(request).await;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_secs(20), read)
        .await
        .expect("no end")
        .unwrap_or_default();
    String::from_utf8_lossy(&answer).into_owned()
}

async fn tokens(server: &Server) {
    for _ in 0..10 {
        server
            .token(&MACHINE, &[("grant_type", "client_credentials")])
            .await
            .succeeded();
    }
}

/// How long it takes; on a busy machine the same thing alone says what is long.
async fn timed<T>(work: impl Future<Output = T>) -> Duration {
    let began = std::time::Instant::now();
    work.await;
    began.elapsed()
}
