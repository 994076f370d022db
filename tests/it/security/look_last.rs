//! A caller that makes the server wait must not be answered from before a revocation.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::support::client::{API, Authentication, Client, MACHINE, WEB, basic};
use crate::support::engines::on_every_engine;
use crate::support::script::{SigningClient, assertion};
use crate::support::server::Server;

const ROBOT: Client = Client {
    id: "robot",
    redirect_uri: "",
    authentication: Authentication::Basic("robot-secret-that-is-long-enough-for-anyone"),
};

const DOCUMENT: &str = r#"
[[clients]]
client_id = "robot"
client_secret = "robot-secret-that-is-long-enough-for-anyone"
grant_types = ["client_credentials"]
token_endpoint_auth_method = "client_secret_basic"
scope = "signet:admin signet:decide"
"#;

const FORM: &str = "application/x-www-form-urlencoded";

/// A request whose body the server waits for.
struct Held {
    stream: TcpStream,
    body: String,
}

impl Held {
    /// Sends the head, and waits until the server asks for the body: it has done all that it does before.
    async fn open(
        server: &Server,
        path: &str,
        authorization: Option<&str>,
        content_type: &str,
        body: &str,
    ) -> Self {
        let address = server.url("").replace("http://", "");
        let mut stream = TcpStream::connect(address).await.unwrap();
        let authorization = authorization
            .map(|value| format!("Authorization: {value}\r\n"))
            .unwrap_or_default();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\n{authorization}\
             Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let expected = b"HTTP/1.1 100 Continue\r\n\r\n";
        let mut answer = [0; 25];
        let read = stream.read_exact(&mut answer);
        tokio::time::timeout(Duration::from_secs(20), read)
            .await
            .expect("the server does not ask for the body")
            .unwrap();
        assert_eq!(
            &answer,
            expected,
            "{path}: {}",
            String::from_utf8_lossy(&answer)
        );
        let body = body.to_owned();
        Self { stream, body }
    }

    /// Sends the body: the status line and headers, and the body of the answer.
    async fn finish(mut self) -> (String, String) {
        self.stream.write_all(self.body.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let read = self.stream.read_to_end(&mut answer);
        tokio::time::timeout(Duration::from_secs(20), read)
            .await
            .expect("no end")
            .unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }
}

/// The same request twice with fresh tokens: one that is revoked while its body is held back must be refused, the
/// other is answered.
async fn held_and_revoked(server: &Server, path: &str, bodies: [&str; 2]) {
    for (body, revoked) in bodies.into_iter().zip([false, true]) {
        let form = [("grant_type", "client_credentials")];
        let token = server.token(&ROBOT, &form).await.succeeded();
        let token = token.text("access_token");
        let bearer = format!("Bearer {token}");
        let held = Held::open(server, path, Some(&bearer), "application/json", body).await;
        if revoked {
            assert_eq!(server.revoke(&ROBOT, &token).await.status, 200);
        }
        let (headers, body) = held.finish().await;
        let refused = headers.starts_with("HTTP/1.1 401 ");
        assert_eq!(refused, revoked, "{path}: {headers}\n{body}");
        if revoked {
            assert!(body.contains("invalid_token"), "{path}: {body}");
            let headers = headers.to_ascii_lowercase();
            assert!(
                headers.contains("www-authenticate: bearer"),
                "{path}: {headers}"
            );
        } else {
            assert!(
                headers.starts_with("HTTP/1.1 20"),
                "{path}: {headers}\n{body}"
            );
        }
    }
}

on_every_engine! {
    async fn a_body_held_back_at_the_administration_api(server: Server) {
        server.apply(DOCUMENT);
        let body = |name: &str| json!({ "username": name, "password": "a pass phrase of somebody" }).to_string();
        held_and_revoked(&server, "/v1/users", [&body("carol"), &body("dave")]).await;
        let form = [("grant_type", "client_credentials")];
        let token = server.token(&ROBOT, &form).await.succeeded().text("access_token");
        let dave = server.http().get(server.url("/v1/users?username=dave")).bearer_auth(token);
        assert!(!dave.send().await.unwrap().text().await.unwrap().contains("\"dave\""));
    }

    async fn a_body_held_back_at_the_decision_api(server: Server) {
        server.apply(DOCUMENT);
        let (subject, action) = (json!({ "type": "user", "id": "alice" }), json!({ "name": "read" }));
        let resource = json!({ "type": "Document", "id": "1" });
        let question = json!({ "subject": subject, "action": action, "resource": resource }).to_string();
        for path in ["evaluation", "evaluations", "search/subject", "search/resource", "search/action"] {
            held_and_revoked(&server, &format!("/access/v1/{path}"), [&question, &question]).await;
        }
    }

    async fn a_body_held_back_at_userinfo(server: Server) {
        for in_body in [false, true] {
            for revoked in [false, true] {
                let token = server.signed_in(&WEB, "openid").await.access_token();
                let bearer = format!("Bearer {token}");
                let (header, body) = if in_body {
                    (None, format!("access_token={token}"))
                } else {
                    (Some(bearer.as_str()), "unused=1".to_owned())
                };
                let held = Held::open(&server, "/userinfo", header, FORM, &body).await;
                if revoked {
                    assert_eq!(server.revoke(&WEB, &token).await.status, 200);
                }
                let (headers, body) = held.finish().await;
                let status = if revoked { "401" } else { "200" };
                assert!(headers.starts_with(&format!("HTTP/1.1 {status} ")), "{headers}\n{body}");
            }
        }
    }

    async fn a_body_held_back_at_introspection(server: Server) {
        let Authentication::Basic(secret) = API.authentication else { unreachable!() };
        let api = basic(API.id, secret);
        for revoked in [false, true] {
            let token = server.machine_token().await;
            server.assert_active(&token).await;
            let body = format!("token={token}");
            let held = Held::open(&server, "/introspect", Some(&api), FORM, &body).await;
            if revoked {
                assert_eq!(server.revoke(&MACHINE, &token).await.status, 200);
            }
            let (headers, body) = held.finish().await;
            assert!(headers.starts_with("HTTP/1.1 200 "), "{headers}");
            assert_eq!(body == "{\"active\":false}", revoked, "{body}");
        }
    }

    /// A client proves itself with keys that the server fetches from it: it decides how long that takes.
    async fn keys_held_back_at_introspection(server: Server) {
        let (signer, [x, y]) = SigningClient::generate("slow");
        let keys = json!({ "keys": [{
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "signer-1", "x": x, "y": y,
        }] });
        let publisher = Publisher::start(keys.to_string()).await;
        let server = server.with_settings(&[("SIGNET_FETCH_ALLOW_HOSTS", &publisher.host)]);
        server.apply(&format!(
            "[[clients]]\nclient_id = \"slow\"\ngrant_types = [\"client_credentials\"]\n\
             token_endpoint_auth_method = \"private_key_jwt\"\njwks_uri = \"http://{}/jwks\"\nmay_introspect = true\n",
            publisher.host
        ));
        let token = server.machine_token().await;
        // Known already, so that nothing but its standing is left to ask.
        server.assert_active(&token).await;
        let form = [
            ("token", token.clone()),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned()),
            ("client_assertion", assertion(&server, &signer, |_| ())),
        ];
        let asking = server.http().post(server.url("/introspect")).form(&form).send();
        let asking = tokio::spawn(asking);
        publisher.asked.notified().await;
        assert_eq!(server.revoke(&MACHINE, &token).await.status, 200);
        publisher.answer.notify_one();
        let answer = asking.await.unwrap().unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.text().await.unwrap(), "{\"active\":false}");
        // The client is one that is told about tokens.
        let other = server.machine_token().await;
        let form = [
            ("token", other),
            ("client_assertion_type", form[1].1.clone()),
            ("client_assertion", assertion(&server, &signer, |_| ())),
        ];
        let answer = server.http().post(server.url("/introspect")).form(&form).send().await.unwrap();
        assert!(answer.text().await.unwrap().contains("\"active\":true"));
    }
}

/// Publishes keys, when it is told to.
struct Publisher {
    host: String,
    /// Somebody asks for the keys.
    asked: Arc<Notify>,
    /// They are answered.
    answer: Arc<Notify>,
}

impl Publisher {
    async fn start(keys: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (asked, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let waits = (Arc::clone(&asked), Arc::clone(&answer));
        let router = axum::Router::new().fallback(move || {
            let ((asked, answer), keys) = (waits.clone(), keys.clone());
            async move {
                asked.notify_one();
                answer.notified().await;
                ([("content-type", "application/json")], keys)
            }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            host,
            asked,
            answer,
        }
    }
}
