//! Revoked means revoked everywhere: through lost caches, dead processes and restarts (DESIGN §3).

use crate::support::client::{Answer, MACHINE, SPA, SignedIn, WEB};
use crate::support::engines::{Engine, on_every_engine};
use crate::support::server::Server;

on_every_engine! {
    async fn a_revocation_outlives_kill_9_and_restart(server: Server) {
        let (revoked, living) = revoked_and_living(&server).await;
        server.kill9();
        server.restart();
        holds(&server, &revoked, &living).await;
        server.stop();
        server.restart();
        holds(&server, &revoked, &living).await;
    }

    async fn the_command_line_revokes_beside_a_running_server(server: Server) {
        let at_web = server.signed_in(&WEB, "openid offline_access").await;
        let machine = server.machine_token().await;
        server.assert_active(&at_web.access_token()).await;
        server.signet_ok(&["user", "revoke-tokens", "alice"]);
        server.assert_inactive(&at_web.access_token()).await;
        server.refresh(&WEB, &at_web.refresh_token()).await.failed(400, "invalid_grant");
        assert_eq!(server.userinfo(&at_web.access_token()).await.status, 401);
        server.assert_active(&machine).await;

        server.signet_ok(&["client", "disable", "machine"]);
        server.assert_inactive(&machine).await;
        server.token(&MACHINE, &[("grant_type", "client_credentials")]).await.failed(401, "invalid_client");

        // What is issued after the version was raised is good.
        let later = server.signed_in(&SPA, "openid").await;
        server.assert_active(&later.access_token()).await;
    }
}

#[tokio::test]
async fn a_flushed_redis_brings_no_token_back() {
    let server = Server::start(Engine::PostgresRedis);
    let (revoked, living) = revoked_and_living(&server).await;
    for _ in 0..3 {
        server.redis().flush();
        holds(&server, &revoked, &living).await;
    }
}

#[tokio::test]
async fn a_dead_redis_brings_no_token_back() {
    let server = Server::start(Engine::PostgresRedis);
    let (revoked, living) = revoked_and_living(&server).await;
    server.redis().stop();
    holds(&server, &revoked, &living).await;
    // While it is away: a revocation is answered 503 and may be repeated, or it holds.
    let without_redis = server.signed_in(&SPA, "openid offline_access").await;
    let answer = server.revoke(&SPA, &without_redis.refresh_token()).await;
    if answer.status == 200 {
        server.assert_inactive(&without_redis.access_token()).await;
    } else {
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(!answer.header("retry-after").is_empty(), "{answer:?}");
    }
    let promised = answer.status == 200;
    server.redis().restart();
    holds(&server, &revoked, &living).await;
    if promised {
        server.assert_inactive(&without_redis.access_token()).await;
    }
    server.redis().flush();
    server.restart();
    holds(&server, &revoked, &living).await;
}

#[tokio::test]
async fn a_frozen_redis_makes_no_answer_wrong_and_none_endless() {
    let server = Server::start(Engine::PostgresRedis);
    let (revoked, living) = revoked_and_living(&server).await;
    server.redis().freeze();
    let began = std::time::Instant::now();
    holds(&server, &revoked, &living).await;
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    server.redis().thaw();
    holds(&server, &revoked, &living).await;
}

#[tokio::test]
async fn a_revocation_at_one_instance_holds_at_the_other() {
    for engine in [Engine::Postgres, Engine::PostgresRedis] {
        let first = Server::start(engine);
        let second = first.second_instance();
        let (revoked, living) = revoked_and_living(&first).await;
        holds(&second, &revoked, &living).await;
        first.kill9();
        holds(&second, &revoked, &living).await;
        let other = second.signed_in(&SPA, "openid offline_access").await;
        second.assert_active(&other.access_token()).await;
        first.restart();
        assert_eq!(first.revoke(&SPA, &other.access_token()).await.status, 200);
        second.assert_inactive(&other.access_token()).await;
    }
}

#[tokio::test]
async fn a_server_that_started_before_redis_was_flushed_and_one_after_agree() {
    let first = Server::start(Engine::PostgresRedis);
    let (revoked, living) = revoked_and_living(&first).await;
    first.redis().flush();
    let second = first.second_instance();
    holds(&second, &revoked, &living).await;
    holds(&first, &revoked, &living).await;
}

/// Two sign-ins, of which one is revoked: its access token by itself, then its whole grant.
async fn revoked_and_living(server: &Server) -> (SignedIn, SignedIn) {
    let revoked = server.signed_in(&WEB, "openid offline_access").await;
    let living = server.signed_in(&WEB, "openid offline_access").await;
    server.assert_active(&revoked.access_token()).await;
    assert_eq!(
        server.revoke(&WEB, &revoked.access_token()).await.status,
        200
    );
    server.assert_inactive(&revoked.access_token()).await;
    assert_eq!(
        server.revoke(&WEB, &revoked.refresh_token()).await.status,
        200
    );
    (revoked, living)
}

async fn holds(server: &Server, revoked: &SignedIn, living: &SignedIn) {
    server.assert_inactive(&revoked.access_token()).await;
    server.assert_inactive(&revoked.refresh_token()).await;
    server
        .refresh(&WEB, &revoked.refresh_token())
        .await
        .failed(400, "invalid_grant");
    let userinfo: Answer = server.userinfo(&revoked.access_token()).await;
    assert_eq!(userinfo.status, 401, "{userinfo:?}");
    server.assert_active(&living.access_token()).await;
    assert_eq!(server.userinfo(&living.access_token()).await.status, 200);
}
