//! Guessing and flooding: how much gets through, and that it is never the owner who pays.

use std::time::{Duration, Instant};

use reqwest::header::RETRY_AFTER;
use tokio::task::JoinSet;

use crate::support::browser::{Browser, Page};
use crate::support::client::{
    API, Answer, Authentication, Authorization, Client, MACHINE, SPA, WEB,
};
use crate::support::engines::{Engine, on_every_engine};
use crate::support::server::{ALICE, BOB, Server};

on_every_engine! {
    async fn guessing_a_password_is_slowed_more_and_more(server: Server) {
        let began = Instant::now();
        let (mut looked_at, mut last) = (0, None);
        while began.elapsed() < Duration::from_secs(9) {
            let page = attempt(&server, &Browser::new(&server), (ALICE.0, "wrong")).await;
            looked_at += u32::from(page.status == 400);
            assert!(page.status == 400 || page.status == 429, "{page:?}");
            if page.status == 429 {
                last = Some(page);
            }
        }
        // Five at once, then after 1, 2 and 4 seconds.
        assert!((6..=8).contains(&looked_at), "{looked_at}");
        let page = last.unwrap();
        assert_eq!(page.value_of("username"), ALICE.0);
        let seconds: u64 = page.header(RETRY_AFTER).parse().unwrap();
        assert!((1..=8).contains(&seconds), "{page:?}");
        assert!(page.text_of("[role=alert]").contains(" second"), "{page:?}");
        are_rate_limit_fields(&page.headers, "attempts");
        // The right password is not looked at either, or it could be told from wrong ones.
        exhaust(&server, ALICE.0).await;
        let page = attempt(&server, &Browser::new(&server), ALICE).await;
        assert_eq!(page.status, 429, "{page:?}");
        let metrics = server.http().get(server.management_url("/metrics")).send().await.unwrap().text().await.unwrap();
        assert!(metrics.contains("signet_rate_limited_total{policy=\"attempts\"}"), "{metrics}");
        assert!(server.log().matches("under the policy attempts").count() <= 15);
    }

    async fn the_owner_signs_in_from_a_known_browser_while_strangers_guess_keycloak_ghsa_cq42_vhv7_xr7p(server: Server) {
        // Strangers at this very address have to wait for two minutes after that.
        let server = server.with_settings(&[("SIGNET_LOGIN_FAILURES_PER_ADDRESS", "5")]);
        let owner = Browser::new(&server);
        owner.sign_in_and_authorize(&Authorization::of(&WEB, "openid").url(&server), ALICE).await;
        let cookie = owner.set_cookies().into_iter().find(|it| it.starts_with("signet-known=")).unwrap();
        for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=31536000"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        // The session is over; the browser is still known.
        let again = Browser::new(&server);
        again.set_cookie("signet-known", &owner.cookies()["signet-known"]);
        exhaust(&server, ALICE.0).await;
        assert_eq!(attempt(&server, &again, (ALICE.0, "a typing error")).await.status, 400);
        let page = attempt(&server, &again, ALICE).await;
        assert!(page.status < 400, "{page:?}");
        // The cookie is worth nothing for others, and nothing once everything was revoked.
        assert_eq!(attempt(&server, &again, BOB).await.status, 429);
        server.signet_ok(&["user", "revoke-tokens", "alice"]);
        assert_eq!(attempt(&server, &again, ALICE).await.status, 429);
    }

    async fn a_hundred_guesses_at_once_get_no_more_than_a_few_cwe362(server: Server) {
        let mut tasks = JoinSet::new();
        let browser = Browser::new(&server);
        let page = browser.open(&Authorization::of(&WEB, "openid").url(&server)).await;
        let form = page.form("login-submit");
        let cookies: Vec<_> = browser.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect();
        for n in 0..100 {
            let mut values = form.values.clone();
            for (name, value) in &mut values {
                match name.as_str() {
                    "username" => ALICE.0.clone_into(value),
                    "password" => *value = format!("guess {n}"),
                    _ => {}
                }
            }
            let request = server.http().post(form.action.clone()).header("cookie", cookies.join("; ")).form(&values);
            tasks.spawn(Answer::to(request));
        }
        let answers = tasks.join_all().await;
        let looked_at = answers.iter().filter(|answer| answer.status == 400).count();
        // Five, and one or two while the others were held for two seconds.
        assert!((5..=7).contains(&looked_at), "{looked_at}");
        assert!(answers.iter().all(|answer| answer.status == 400 || answer.status == 429), "{answers:?}");
    }

    async fn guessing_a_client_secret_is_slowed_and_the_client_goes_on_rfc6749_2_3_1(server: Server) {
        machine(&server, MACHINE).await.succeeded();
        let mut statuses = Vec::new();
        for n in 0..40 {
            let secret: &'static str = format!("guess number {n} at the secret").leak();
            let answer = machine(&server, Client { authentication: Authentication::Basic(secret), ..MACHINE }).await;
            if answer.status == 429 {
                are_rate_limit_fields(&answer.headers, "client-secret");
                statuses.push(answer.clone().failed(429, "temporarily_unavailable").status);
                assert!(answer.header(RETRY_AFTER).parse::<u64>().unwrap() <= 30);
            } else {
                statuses.push(answer.failed(401, "invalid_client").status);
            }
        }
        assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 20, "{statuses:?}");
        machine(&server, MACHINE).await.succeeded();
        server.signed_in(&WEB, "openid").await;
    }
}

#[tokio::test]
async fn an_unknown_account_is_slowed_like_a_known_one_cve_2026_4633() {
    let server = Server::start(Engine::Sqlite);
    let seen = |name: &'static str| {
        let server = &server;
        async move {
            let mut seen = Vec::new();
            for _ in 0..9 {
                let page = attempt(server, &Browser::new(server), (name, "wrong")).await;
                let policy = page.header("ratelimit-policy").to_owned();
                seen.push((page.status, page.text_of("[role=alert]"), policy));
            }
            seen
        }
    };
    let (known, unknown, none) = tokio::join!(seen(ALICE.0), seen("nobody"), seen("\u{7}"));
    assert_eq!(known, unknown);
    assert_eq!(known, none);
    assert_eq!(known[8].0, 429, "{known:?}");
}

#[tokio::test]
async fn one_account_has_one_count_however_its_name_is_spelled_cve_2025_24806() {
    let server = Server::start(Engine::Sqlite);
    let mut statuses = Vec::new();
    for name in [
        "alice", "ALICE", " alice", "Alice ", "aLiCe", "alicE", "alice", "ALICE",
    ] {
        let page = attempt(&server, &Browser::new(&server), (name, "wrong")).await;
        statuses.push(page.status);
    }
    assert_eq!(statuses[7], 429, "{statuses:?}");
}

#[tokio::test]
async fn spraying_many_accounts_from_one_address_is_slowed() {
    let settings = [("SIGNET_LOGIN_FAILURES_PER_ADDRESS", "10")];
    let server = Server::start_with(Engine::Sqlite, &settings);
    // Nobody believes what a stranger forwards (authentik CVE-2023-36456).
    let spray = async |number: u8| {
        let browser = Browser::new(&server).at_address(&format!("203.0.113.{number}"));
        attempt(&server, &browser, (&format!("user{number}"), "Summer2026!")).await
    };
    let mut looked_at = 0;
    for number in 0..20 {
        looked_at += u32::from(spray(number).await.status == 400);
    }
    assert_eq!(looked_at, 10);
    are_rate_limit_fields(&spray(21).await.headers, "address");
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_address_and_each_64_is_one_guesser() {
    let settings = [
        ("SIGNET_LOGIN_FAILURES_PER_ADDRESS", "3"),
        ("SIGNET_TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let server = Server::start_with(Engine::Sqlite, &settings);
    let spray = async |number: u8, address: &str| {
        let browser = Browser::new(&server).at_address(address);
        attempt(&server, &browser, (&format!("user{number}"), "wrong"))
            .await
            .status
    };
    for number in 0..3 {
        assert_eq!(spray(number, &format!("2001:db8::{number}")).await, 400);
    }
    assert_eq!(spray(4, "2001:db8::ffff:1").await, 429);
    assert_eq!(spray(4, "2001:db8:0:1::1").await, 400);
    assert_eq!(spray(5, "192.0.2.1").await, 400);
    // What the guesser writes itself stands further left.
    assert_eq!(spray(6, "192.0.2.77, 2001:db8::5").await, 429);
    let elsewhere = Browser::new(&server).at_address("192.0.2.9");
    assert!(attempt(&server, &elsewhere, ALICE).await.status < 400);
}

#[tokio::test]
async fn two_instances_share_the_count_and_losing_redis_is_no_way_around_it() {
    let server = Server::start(Engine::PostgresRedis);
    let second = server.second_instance();
    let mut looked_at = 0;
    for n in 0..16 {
        let at = if n % 2 == 0 { &server } else { &second };
        looked_at += u32::from(
            attempt(at, &Browser::new(at), (ALICE.0, "wrong"))
                .await
                .status
                == 400,
        );
    }
    // Alone each would have looked at seven.
    assert!((5..=7).contains(&looked_at), "{looked_at}");
    // Each instance remembers what it saw itself, which was about half of it.
    server.redis().flush();
    let mut after = 0;
    for _ in 0..8 {
        let page = attempt(&server, &Browser::new(&server), (ALICE.0, "wrong")).await;
        after += u32::from(page.status == 400);
    }
    assert!(after <= 5, "{after}");
    server.redis().stop();
    let began = Instant::now();
    for name in ["user1", "user2", "user3"] {
        assert_eq!(
            attempt(&server, &Browser::new(&server), (name, "wrong"))
                .await
                .status,
            400
        );
    }
    exhaust(&server, "user1").await;
    assert!(attempt(&server, &Browser::new(&server), BOB).await.status < 400);
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn floods_of_failed_requests_are_told_to_stop_and_right_ones_go_on() {
    let settings = [("SIGNET_REQUEST_FAILURES_PER_ADDRESS", "12")];
    let server = Server::start_with(Engine::Sqlite, &settings);
    let signed_in = server.signed_in(&WEB, "openid offline_access").await;
    let spa = server.signed_in(&SPA, "openid").await;
    machine(&server, MACHINE).await.succeeded();
    server.userinfo(&signed_in.access_token()).await.succeeded();
    for _ in 0..6 {
        server
            .refresh(&SPA, "sgr_nonsense")
            .await
            .failed(400, "invalid_grant");
    }
    for n in 0..6 {
        assert_eq!(server.userinfo(&format!("nonsense{n}")).await.status, 401);
    }
    let answer = server
        .refresh(&SPA, "sgr_nonsense")
        .await
        .failed(429, "temporarily_unavailable");
    are_rate_limit_fields(&answer.headers, "failures");
    let answer = server.userinfo("nonsense").await;
    assert_eq!(answer.status, 429, "{answer:?}");
    let unknown = Client {
        id: "unknown",
        ..MACHINE
    };
    machine(&server, unknown)
        .await
        .failed(429, "temporarily_unavailable");
    // What was right goes on: known secrets, known tokens, real refresh tokens, sign-ins.
    machine(&server, MACHINE).await.succeeded();
    server.userinfo(&signed_in.access_token()).await.succeeded();
    server
        .refresh(&WEB, &signed_in.refresh_token())
        .await
        .succeeded();
    drop(spa);
    server.signed_in(&SPA, "openid").await;
}

#[tokio::test]
async fn a_client_may_be_limited_by_itself() {
    let settings = [("SIGNET_CLIENT_REQUESTS_PER_MINUTE", "5")];
    let server = Server::start_with(Engine::Sqlite, &settings);
    for _ in 0..5 {
        machine(&server, MACHINE).await.succeeded();
    }
    let answer = machine(&server, MACHINE)
        .await
        .failed(429, "temporarily_unavailable");
    are_rate_limit_fields(&answer.headers, "client");
    assert!(answer.header(RETRY_AFTER).parse::<u64>().unwrap() <= 12);
    machine(&server, API).await;
    server.signed_in(&WEB, "openid").await;
}

#[tokio::test]
async fn trying_set_up_links_is_slowed() {
    let settings = [("SIGNET_LOGIN_FAILURES_PER_ADDRESS", "5")];
    let server = Server::start_empty(Engine::Sqlite, &settings);
    let browser = Browser::new(&server);
    for n in 0..5 {
        browser
            .get(&format!("/setup?token=guess{n}"))
            .await
            .is_error_page(404);
    }
    let page = browser.get("/setup?token=guess5").await;
    page.is_error_page(429);
    are_rate_limit_fields(&page.headers, "address");
    assert!(page.body.contains("Wait "), "{}", page.body);
}

/// As many right passwords as one likes, one after the other and at once, from one address.
#[tokio::test]
async fn right_passwords_are_never_limited() {
    let server = std::sync::Arc::new(Server::start(Engine::Sqlite));
    let mut tasks = JoinSet::new();
    for _ in 0..12 {
        let server = std::sync::Arc::clone(&server);
        tasks.spawn(async move {
            for _ in 0..4 {
                let page = attempt(&server, &Browser::new(&server), ALICE).await;
                assert!(page.status < 400, "{page:?}");
            }
        });
    }
    tasks.join_all().await;
}

async fn attempt(server: &Server, browser: &Browser, (name, password): (&str, &str)) -> Page {
    let page = browser
        .open(
            &Authorization::of(&WEB, "openid")
                .with("prompt", "login")
                .url(server),
        )
        .await;
    let fields = [("username", name), ("password", password)];
    browser.submit(&page, "login-submit", &fields).await
}

/// Guesses until strangers at this address have to wait for longer than the server holds anybody.
async fn exhaust(server: &Server, name: &str) {
    for _ in 0..100 {
        let page = attempt(server, &Browser::new(server), (name, "wrong")).await;
        let wait = page.header(RETRY_AFTER).parse().unwrap_or(0);
        if page.status == 429 && wait > 3 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{name} can be guessed at without end");
}

async fn machine(server: &Server, client: Client) -> Answer {
    server
        .token(&client, &[("grant_type", "client_credentials")])
        .await
}

/// `"name";q=…;w=…` and `"name";r=…;t=…` of draft-ietf-httpapi-ratelimit-headers, and `Retry-After`.
#[track_caller]
fn are_rate_limit_fields(headers: &reqwest::header::HeaderMap, name: &str) {
    let number = |field: &str, parameters: [&str; 2]| {
        let value = headers[field].to_str().unwrap();
        let mut parts = value.split(';');
        assert_eq!(
            parts.next(),
            Some(&*format!("\"{name}\"")),
            "{field}: {value}"
        );
        parameters.map(|parameter| {
            let (key, number) = parts.next().unwrap().split_once('=').unwrap();
            assert_eq!(key, parameter, "{field}: {value}");
            number.parse::<u64>().unwrap()
        })
    };
    let [quota, window] = number("ratelimit-policy", ["q", "w"]);
    let [remaining, reset] = number("ratelimit", ["r", "t"]);
    assert!(quota > 0 && window > 0 && remaining == 0 && reset > 0 && reset <= window);
    assert!(
        headers[RETRY_AFTER]
            .to_str()
            .unwrap()
            .parse::<u64>()
            .unwrap()
            > 0
    );
}
