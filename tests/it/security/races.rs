//! A one-time thing happens once, whoever races for it (RFC 6749 §4.1.2, RFC 9700 §4.14.2).

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::support::browser::Browser;
use crate::support::client::{Answer, Authorization, Client, WEB, parameter};
use crate::support::engines::{Engine, on_every_engine};
use crate::support::server::{ALICE, Server};

const RACERS: usize = 100;

on_every_engine! {
    async fn one_code_raced_by_a_hundred_has_at_most_one_family(server: Server) {
        code_race(&[&server]).await;
    }

    async fn one_refresh_token_raced_by_a_hundred_has_one_successor(server: Server) {
        refresh_race(&[&server]).await;
    }

    async fn one_refresh_token_raced_without_a_retry_window_leaves_no_second_family(server: Server) {
        let server = server.with_settings(&[("SIGNET_REFRESH_RETRY_WINDOW", "0")]);
        let first = server.signed_in(&WEB, "openid offline_access").await;
        let answers = race(&[&server], &refresh_form(&first.refresh_token())).await;
        let winners = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(winners, 1, "{answers:?}");
        for answer in answers.into_iter().filter(|answer| answer.status != 200) {
            answer.failed(400, "invalid_grant");
        }
        server.refresh(&WEB, &first.refresh_token()).await.failed(400, "invalid_grant");
    }

    async fn a_revocation_raced_by_refreshes_holds_when_it_is_answered(server: Server) {
        let first = server.signed_in(&WEB, "openid offline_access").await;
        let mut tasks = JoinSet::new();
        for _ in 0..20 {
            let request = server.post("/token", &WEB, &refresh_form(&first.refresh_token()));
            tasks.spawn(Answer::to(request));
        }
        let revoked = server.revoke(&WEB, &first.refresh_token()).await;
        assert_eq!(revoked.status, 200, "{revoked:?}");
        for answer in tasks.join_all().await {
            assert!(answer.status == 200 || answer.status == 400, "{answer:?}");
            if answer.status == 200 {
                server.assert_inactive(&answer.text("access_token")).await;
                server.refresh(&WEB, &answer.text("refresh_token")).await.failed(400, "invalid_grant");
            }
        }
    }
}

#[tokio::test]
async fn one_code_on_two_processes_over_postgres_and_redis() {
    let server = Server::start(Engine::PostgresRedis);
    let second = server.second_instance();
    code_race(&[&server, &second]).await;
}

#[tokio::test]
async fn one_refresh_token_on_two_processes_over_postgres_and_redis() {
    let server = Server::start(Engine::PostgresRedis);
    let second = server.second_instance();
    refresh_race(&[&server, &second]).await;
}

#[tokio::test]
async fn several_instances_may_start_at_once_on_an_empty_store() {
    for engine in [Engine::Postgres, Engine::Sqlite] {
        let server = Server::not_started(engine, &[]);
        std::thread::scope(|threads| {
            for _ in 0..3 {
                threads.spawn(|| drop(server.second_instance()));
            }
        });
        server.restart();
        assert!(!server.jwks().await.is_empty());
    }
}

/// A second use of a code revokes (RFC 6749 §4.1.2), so when it is over no family may live, and there was one winner.
async fn code_race(servers: &[&Server]) {
    let server = servers[0];
    let request = Authorization::of(&WEB, "openid offline_access");
    let callback = Browser::new(server)
        .sign_in_and_authorize(&request.url(server), ALICE)
        .await;
    let code = parameter(&callback, "code").unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", WEB.redirect_uri),
        ("code_verifier", &*request.verifier),
    ];
    let answers = race(servers, &form).await;
    let (won, lost): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1, "exactly one wins");
    for answer in lost {
        answer.failed(400, "invalid_grant");
    }
    for server in servers {
        server.assert_inactive(&won[0].text("access_token")).await;
        server
            .refresh(&WEB, &won[0].text("refresh_token"))
            .await
            .failed(400, "invalid_grant");
    }
}

/// Inside the retry window everyone gets the same successor, and nobody is signed out.
async fn refresh_race(servers: &[&Server]) {
    let first = servers[0].signed_in(&WEB, "openid offline_access").await;
    let answers = race(servers, &refresh_form(&first.refresh_token())).await;
    let successors: BTreeSet<_> = answers
        .into_iter()
        .map(|answer| answer.succeeded().text("refresh_token"))
        .collect();
    assert_eq!(successors.len(), 1, "{successors:?}");
    let successor = successors.first().unwrap();
    assert_ne!(*successor, first.refresh_token());
    for server in servers {
        server.assert_active(successor).await;
    }
    servers[servers.len() - 1]
        .refresh(&WEB, successor)
        .await
        .succeeded();
}

fn refresh_form(token: &str) -> [(&str, &str); 2] {
    [("grant_type", "refresh_token"), ("refresh_token", token)]
}

/// Sends the same request a hundred times at the same moment, in turn to every process.
async fn race(servers: &[&Server], form: &[(&str, &str)]) -> Vec<Answer> {
    let client: &Client = &WEB;
    let start = Arc::new(Barrier::new(RACERS));
    let mut tasks = JoinSet::new();
    for (_, server) in (0..RACERS).zip(servers.iter().cycle()) {
        let (request, start) = (server.post("/token", client, form), Arc::clone(&start));
        tasks.spawn(async move {
            start.wait().await;
            Answer::to(request).await
        });
    }
    tasks.join_all().await
}
