//! A running server tells a webhook what happens, signed (<https://www.standardwebhooks.com>).

use std::time::{Duration, Instant, SystemTime};

use axum::http::StatusCode;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::support::Api;
use crate::support::client::Answer;
use crate::support::engines::on_every_engine;
use crate::support::receiver::{Message, Receiver};
use crate::support::server::Server;

/// What the receiver expects to find among the signatures.
fn signature(message: &Message, secret: &str) -> String {
    let key = BASE64_STANDARD
        .decode(secret.strip_prefix("whsec_").unwrap())
        .unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    let (id, time) = (
        message.header("webhook-id"),
        message.header("webhook-timestamp"),
    );
    mac.update(format!("{id}.{time}.{}", message.body).as_bytes());
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

fn signatures(message: &Message) -> Vec<String> {
    message
        .header("webhook-signature")
        .split(' ')
        .map(str::to_owned)
        .collect()
}

/// The only message of a webhook, once it is in that state, after so many attempts with that answer to the last.
async fn delivery(api: &Api<'_>, path: &str, state: &str, attempts: i64, status: u16) -> Value {
    let began = Instant::now();
    loop {
        let all = api
            .get(&format!("{path}/deliveries"))
            .await
            .done(200)
            .json();
        let all = all["data"].as_array().unwrap();
        if let [one] = all.as_slice()
            && one["state"] == state
            && one["attempts"] == attempts
            && one["last_status"] == status
        {
            return one.clone();
        }
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{state} after {attempts}: {all:#?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the metrics say so.
async fn counted(server: &Server, line: &str) {
    let began = Instant::now();
    loop {
        let metrics = Answer::to(server.http().get(server.management_url("/metrics"))).await;
        if metrics.body.lines().any(|found| found == line) {
            return;
        }
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{line} is not in {}",
            metrics.body
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

on_every_engine! {
    async fn an_act_is_told_signed_and_told_again_under_the_same_id(server: Server) {
        let receiver = Receiver::start().await;
        let server = server.with_settings(&[("SIGNET_FETCH_ALLOW_HOSTS", &receiver.host)]);
        let api = Api::robot(&server).await;
        let fields = json!({ "url": receiver.url(), "event_types": ["role.created"] });
        let created = api.post("/v1/webhooks", fields).await.done(201);
        let (path, secret) = (created.header("location"), created.text("secret"));
        let act = api.post("/v1/roles", json!({ "name": "reader" })).await.done(201);
        // It is told of nothing that it did not ask for.
        api.post("/v1/groups", json!({ "name": "staff" })).await.done(201);

        let first = receiver.messages(1).await.remove(0);
        assert_eq!(signatures(&first), [signature(&first, &secret)], "{first:?}");
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let sent: u64 = first.header("webhook-timestamp").parse().unwrap();
        assert!(now.abs_diff(sent) < 30, "{first:?}");
        assert_eq!(first.header("content-type"), "application/json");
        let told: Value = serde_json::from_str(&first.body).unwrap();
        assert_eq!((&told["type"], &told["data"]["target"]["id"]), (&json!("role.created"), &json!("reader")), "{told}");
        assert_eq!(told["timestamp"], told["data"]["time"]);
        assert_eq!(told["data"]["request_id"], act.header("x-request-id"));
        // The message is named after its event.
        let id = first.header("webhook-id").to_owned();
        let event = told["data"]["id"].as_str().unwrap();
        assert_eq!(id, event, "{first:?}");
        let known = api.get(&format!("/v1/audit_events/{event}")).await.done(200).json();
        assert_eq!(known["type"], "role.created");

        let done = delivery(&api, path, "delivered", 1, 204).await;
        assert_eq!(done["payload"], told, "{done}");

        // Once more, with a new secret beside the old one.
        let rotated = api.post(&format!("{path}/secrets"), json!({})).await.done(201).text("secret");
        // A refusal of this message; who answers 5xx is left alone for a minute.
        receiver.answer(StatusCode::BAD_REQUEST);
        let again = format!("{path}/deliveries/{}/redeliver", done["id"].as_str().unwrap());
        api.post(&again, json!({})).await.done(200);
        let second = receiver.messages(2).await.remove(1);
        assert_eq!((second.header("webhook-id"), &second.body), (id.as_str(), &first.body));
        assert_eq!(signatures(&second), [signature(&second, &rotated), signature(&second, &secret)], "both secrets for a while");
        let failed = delivery(&api, path, "pending", 1, 400).await;
        assert!(failed["next_attempt_at"].is_string(), "{failed}");

        receiver.answer(StatusCode::OK);
        api.post(&again, json!({})).await.done(200);
        let third = receiver.messages(3).await.remove(2);
        assert_eq!(third.header("webhook-id"), id);
        delivery(&api, path, "delivered", 1, 200).await;

        // Who turned it off is told nothing.
        api.patch(path, json!({ "enabled": false })).await.done(200);
        api.post("/v1/roles", json!({ "name": "writer" })).await.done(201);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(receiver.messages(3).await.len(), 3);
        let log = server.log();
        assert!(!log.contains(&secret) && !log.contains(&rotated), "no secret is in the log");
    }

    async fn what_was_not_taken_is_sent_again_after_a_restart(server: Server) {
        let receiver = Receiver::start().await;
        receiver.answer(StatusCode::SERVICE_UNAVAILABLE);
        let server = server.with_settings(&[("SIGNET_FETCH_ALLOW_HOSTS", &receiver.host)]);
        counted(&server, r#"signet_outbox_waiting{kind="webhook"} 0"#).await;
        let api = Api::robot(&server).await;
        let fields = json!({ "url": receiver.url(), "event_types": ["role.created"] });
        let created = api.post("/v1/webhooks", fields).await.done(201);
        api.post("/v1/roles", json!({ "name": "reader" })).await.done(201);
        let first = receiver.messages(1).await.remove(0);
        delivery(&api, created.header("location"), "pending", 1, 503).await;
        counted(&server, r#"signet_outbox_retried_total{kind="webhook"} 1"#).await;
        receiver.answer(StatusCode::OK);
        server.restart();
        let again = receiver.messages(2).await.remove(1);
        assert_eq!((again.header("webhook-id"), &again.body), (first.header("webhook-id"), &first.body));
        delivery(&api, created.header("location"), "delivered", 2, 200).await;
        counted(&server, r#"signet_outbox_delivered_total{kind="webhook"} 1"#).await;
        counted(&server, r#"signet_outbox_failed_total{kind="webhook"} 0"#).await;
    }
}
