use std::path::Path;

use clap::CommandFactory as _;
use serde_json::Value;

use super::*;

#[test]
fn the_arguments_are_well_formed() {
    Cli::command().debug_assert();
}

fn parse(words: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("signet").chain(words.split_whitespace()))
}

#[test]
fn every_documented_command_is_understood() {
    for words in [
        "serve",
        "serve --dev",
        "apply -f site.toml",
        "apply -f - --dry-run --prune --json",
        "user create alice --email a@b.test --email-verified --role admin --role support --password-stdin",
        "user list",
        "user disable alice",
        "user enable alice",
        "user set-password alice --password-file secret",
        "user revoke-tokens alice",
        "client create web --redirect-uri http://127.0.0.1/cb --grant-type authorization_code --scope openid --auth-method none --native",
        "client list --json",
        "client rotate-secret web --keep 2h",
        "client disable web",
        "client enable web",
        "key list",
        "key rotate --alg ES256 --now",
        "migrate",
        "config check",
        "admin recover",
        "audit verify --checkpoint kept.jws",
        "audit key",
        "audit list --type user.disabled --user alice --client web --actor root --since 7d --limit 10 --json",
        "webhook create https://siem.example/hook --type user.* --type policy.updated --description SIEM",
        "webhook create -",
        "webhook list --json",
        "webhook disable 00000000-0000-4000-8000-000000000000",
        "webhook rotate-secret 00000000-0000-4000-8000-000000000000 --keep 1h",
        "healthcheck",
        "--config signet.toml --issuer https://id.example --set log=debug serve",
    ] {
        assert!(parse(words).is_ok(), "{words}");
    }
}

#[test]
fn what_is_no_command_is_a_usage_error() {
    for words in [
        "",
        "apply",
        "user",
        "user create",
        "user create alice --password secret",
        "user create alice --password-stdin --password-file f",
        "user create alice --email-verified",
        "client create web --client-secret x",
        "client create web --grant-type implicit",
        "client rotate-secret web --keep soon",
        "key rotate --alg HS256",
        "serve --set nonsense",
        "policy check",
    ] {
        assert_eq!(parse(words).unwrap_err().exit_code(), 2, "{words}");
    }
}

#[test]
fn secrets_are_never_arguments() {
    for words in [
        "--set master_key=AAAA migrate",
        "--set database_url=postgres://u:p@h/d migrate",
        "--database-url postgres://h/d?password=p migrate",
        "--set redis-url=redis://:p@h migrate",
    ] {
        let failure = parse(words).unwrap().settings.load().unwrap_err();
        assert!(failure.error().contains("is a secret"), "{words}");
    }
    let nowhere = "--database-url sqlite://x.db --set redis_url=redis://h:1 --config /dev/null";
    let config = parse(&format!("{nowhere} migrate")).unwrap();
    assert_eq!(
        config.settings.load().unwrap().database_url.expose(),
        "sqlite://x.db"
    );
}

#[test]
fn secrets_lose_only_the_line_break_at_their_end() {
    let read = |text: &str| secret::read(text.as_bytes()).unwrap();
    assert_eq!(read(" pass word \n"), " pass word ");
    assert_eq!(read("pass\r\n"), "pass");
    assert_eq!(read("two\n\n"), "two\n");
    assert_eq!(read(""), "");
    assert!(secret::read([0xff].as_slice()).is_err());
}

#[test]
fn a_table_has_straight_columns_and_no_control_characters() {
    let rows = vec![vec![answer::plain("a\u{1b}[2J"), "x".to_owned()]];
    assert_eq!(
        answer::table(&["name", "b"], &rows),
        "NAME   B\na\u{fffd}[2J  x"
    );
}

struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    async fn run(&self, words: &str) -> Result<Value, Failure> {
        let config = self.write(
            "signet.toml",
            "password_hash_memory_kib = 7168\npassword_hash_iterations = 5\npassword_hash_threads = 2\n",
        );
        let (store, keys) = (self.path("signet.db"), self.path("keys"));
        let settings =
            format!("--config {config} --database-url sqlite://{store} --keys-dir {keys}");
        let command = parse(&format!("{settings} {words}")).unwrap();
        let answer = Box::pin(run(command)).await?;
        Ok(answer.json().clone())
    }
}

const DOCUMENT: &str = r#"
[[resources]]
identifier = "https://api.example.test"
scopes = ["orders:read"]

[[clients]]
client_id = "web"
client_secret = "a-long-random-secret-of-the-operator"
redirect_uris = ["http://127.0.0.1:9000/callback"]
grant_types = ["authorization_code", "refresh_token", "client_credentials"]
token_endpoint_auth_method = "client_secret_basic"
scope = "openid profile email offline_access orders:read"
access_token_lifetime = "10m"

[[users]]
username = "alice"
password = "correct horse battery staple"
roles = ["support"]
attributes = { department = "sales", hired = 2020-02-03 }

[[roles]]
name = "support"
parents = ["employee"]
permissions = ["order:read", "order:refund"]
"#;

#[tokio::test]
async fn a_document_is_applied_and_shown() {
    let site = Site::new();
    let file = site.write("site.toml", DOCUMENT);
    let dry = site
        .run(&format!("apply -f {file} --dry-run"))
        .await
        .unwrap();
    assert_eq!(
        (&dry["dry_run"], &dry["changed"]),
        (&true.into(), &true.into())
    );
    assert!(
        site.run("user list").await.unwrap()["users"]
            .as_array()
            .unwrap()
            .is_empty()
    );

    let first = site.run(&format!("apply -f {file}")).await.unwrap();
    assert_eq!(first["items"], dry["items"]);
    let second = site.run(&format!("apply -f {file} --json")).await.unwrap();
    assert_eq!(second["changed"], false);
    assert_eq!(second["kept"]["role"], 2);

    let clients = site.run("client list").await.unwrap();
    assert_eq!(clients["clients"][0]["client_id"], "web");
    assert_eq!(clients["clients"][0]["access_token_lifetime"], 600);
    let made = site
        .run("client create cli --redirect-uri http://127.0.0.1/cb")
        .await
        .unwrap();
    assert!(made["client_secret"].as_str().unwrap().starts_with("sgs_"));
    let again = site
        .run("client create cli --redirect-uri http://127.0.0.1/cb")
        .await;
    assert!(again.unwrap_err().error().contains("exists already"));
    let rotated = site.run("client rotate-secret cli").await.unwrap();
    assert_ne!(rotated["client_secret"], made["client_secret"]);
    assert!(site.run("client rotate-secret none").await.is_err());
    assert!(site.run("client disable none").await.is_err());
    assert_eq!(
        site.run("client disable web").await.unwrap()["done"],
        "disabled"
    );
    assert_eq!(
        site.run("client list").await.unwrap()["clients"][1]["state"],
        "disabled"
    );
}

#[tokio::test]
async fn mistakes_in_a_document_name_their_lines_and_create_nothing() {
    let site = Site::new();
    let file = site.write(
        "site.toml",
        "[[clients]]\nclient_id = 'a'\ngrant_types = ['implicit']\nscope = 'a\"b'\nid_token_signed_response_alg = 'HS256'\n\
         [[users]]\nusername = 'b'\npreferred_username = 'c'\n[[resources]]\nidentifier = 'https://x.test'\nscopes = ['a b']\n",
    );
    let failure = site.run(&format!("apply -f {file}")).await.unwrap_err();
    let mut places: Vec<&str> = failure
        .problems()
        .iter()
        .map(|problem| problem.strip_prefix(&file).unwrap())
        .collect();
    places.sort_unstable();
    assert_eq!(places.len(), 5, "{places:?}");
    assert!(places[0].starts_with(
        " line 1: client \"a\": grant_types: unknown \"implicit\"; expected authorization_code"
    ));
    assert!(places[3].starts_with(" line 6: user \"b\": preferred_username"));
    assert!(!Path::new(&site.path("signet.db")).exists());

    let file = site.write(
        "site.toml",
        "\n[[users]]\nusername = 'b'\nroles = ['x']\npassword = 'short'",
    );
    let failure = site.run(&format!("apply -f {file}")).await.unwrap_err();
    assert_eq!(
        failure.problems()[0],
        format!("{file} line 2: user \"b\": password: expected at least 8 characters")
    );
    assert!(failure.problems()[1].ends_with("roles: there is no role \"x\""));
}

#[tokio::test]
async fn people_are_managed() {
    let site = Site::new();
    let password = site.write("password", "correct horse\n");
    let create = format!("user create Root --role admin --name Root --password-file {password}");
    let made = site.run(&create).await.unwrap();
    assert_eq!(made["username"], "Root");
    assert!(site.run(&create).await.is_err());
    assert!(
        site.run("user create bob --no-password --role nobody")
            .await
            .is_err()
    );
    let revoked = site.run("user revoke-tokens root").await.unwrap();
    assert_eq!(revoked["token_version"], 1);
    site.run(&format!(
        "user set-password root --password-file {password}"
    ))
    .await
    .unwrap();
    // An administrator must be left.
    assert!(site.run("user disable root").await.is_err());
    let another = format!("user create zoe --role admin --password-file {password}");
    site.run(&another).await.unwrap();
    site.run("user disable root").await.unwrap();
    assert!(site.run("user disable zoe").await.is_err());
    assert!(site.run("user delete zoe").await.is_err());
    let ordinary = format!("user create yan --password-file {password}");
    site.run(&ordinary).await.unwrap();
    site.run("user delete YAN").await.unwrap();
    assert!(site.run("user delete yan").await.is_err());
    let listed = site.run("user list").await.unwrap();
    assert_eq!(listed["users"][0]["state"], "disabled");
    assert_eq!(listed["users"][0]["token_version"], 3);
    site.run("user enable root").await.unwrap();
    assert!(site.run("user disable nobody").await.is_err());
    let link = site.run("admin recover").await.unwrap();
    assert!(
        link["link"]
            .as_str()
            .unwrap()
            .starts_with("http://localhost:8080/setup?token=")
    );
}

#[tokio::test]
async fn webhooks_are_managed() {
    let site = Site::new();
    let made = site
        .run("webhook create https://siem.example/hook/TOKEN --type user.* --description SIEM")
        .await
        .unwrap();
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    let id = made["id"].as_str().unwrap();
    for wrong in [
        "https://siem.example/ --type user.nonsense",
        "http://siem.example/",
    ] {
        assert!(site.run(&format!("webhook create {wrong}")).await.is_err());
    }
    let listed = async || site.run("webhook list").await.unwrap()["webhooks"].clone();
    let all = listed().await;
    assert_eq!(all[0]["where"], "https://siem.example");
    assert_eq!(
        (&all[0]["state"], &all[0]["event_types"][0]),
        (&Value::from("active"), &Value::from("user.*"))
    );
    assert!(!all.to_string().contains("TOKEN") && !all.to_string().contains("whsec_"));
    site.run(&format!("webhook disable {id}")).await.unwrap();
    assert_eq!(listed().await[0]["state"], "disabled");
    site.run(&format!("webhook enable {id}")).await.unwrap();
    let rotated = site
        .run(&format!("webhook rotate-secret {id} --keep 2h"))
        .await
        .unwrap();
    assert_ne!(rotated["secret"], made["secret"]);
    site.run(&format!("webhook delete {id}")).await.unwrap();
    assert_eq!(listed().await, serde_json::json!([]));
    assert!(site.run(&format!("webhook delete {id}")).await.is_err());
    let trail = site
        .run("audit list --limit 100")
        .await
        .unwrap()
        .to_string();
    for kind in ["created", "updated", "secret_rotated", "deleted"] {
        assert!(trail.contains(&format!("webhook.{kind}")), "{kind}");
    }
}

#[tokio::test]
async fn keys_and_migrations_are_shown() {
    let site = Site::new();
    let applied = site.run("migrate").await.unwrap();
    assert!(!applied["applied"].as_array().unwrap().is_empty());
    assert_eq!(
        site.run("migrate").await.unwrap()["applied"],
        serde_json::json!([])
    );
    assert_eq!(
        site.run("key list").await.unwrap()["keys"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let rotated = site.run("key rotate --alg ES256").await.unwrap();
    let states = |keys: &Value| -> Vec<String> {
        keys["keys"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|key| key["alg"] == "ES256")
            .map(|key| key["state"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(states(&rotated), ["active", "next"]);
    let rotated = site.run("key rotate --alg ES256 --now").await.unwrap();
    assert_eq!(states(&rotated), ["retiring", "next", "active"]);
}

#[tokio::test]
async fn the_configuration_is_shown_without_secrets() {
    let site = Site::new();
    let checked = site
        .run("--set refresh_retry_window=0 config check")
        .await
        .unwrap();
    let settings = checked["settings"].as_array().unwrap();
    let of = |key: &str| {
        settings
            .iter()
            .find(|setting| setting["key"] == key)
            .unwrap()
    };
    assert_eq!(of("refresh_retry_window")["source"], "flag");
    assert_eq!(of("password_hash_threads")["source"], "file");
    let wrong = site.run("--set issuerr=x config check").await.unwrap_err();
    assert!(wrong.problems()[0].contains("did you mean `issuer`?"));
}

#[tokio::test]
async fn a_healthcheck_fails_where_nothing_answers() {
    let site = Site::new();
    let failure = site
        .run("--management-listen 127.0.0.1:1 healthcheck")
        .await;
    assert_eq!(
        failure.unwrap_err().error(),
        "nothing answers at 127.0.0.1:1"
    );
}
