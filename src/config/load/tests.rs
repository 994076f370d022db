use std::time::Duration;

use super::*;
use crate::config::KEYS;

fn load(file: &str, env: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signet.toml");
    std::fs::write(&path, file).unwrap();
    let pairs = |list: &[(&str, &str)]| {
        list.iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect::<Vec<_>>()
    };
    Config::load(Some(&path), pairs(env).into_iter(), pairs(flags))
}

fn problems(file: &str, env: &[(&str, &str)]) -> String {
    load(file, env, &[]).unwrap_err().to_string()
}

#[test]
fn the_defaults_are_valid() {
    let config = load("", &[], &[]).unwrap();
    assert_eq!(config.issuer.as_str(), "http://localhost:8080");
    assert_eq!(config.code_lifetime, Duration::from_mins(1));
    assert_eq!(config.redis_url, None);
    assert!(config.password_hash_threads >= 1);
    assert!(config.trusted_proxies.is_empty());
    assert_eq!(config.describe().len(), KEYS.len());
    assert!(
        config
            .describe()
            .iter()
            .zip(KEYS)
            .all(|(setting, key)| setting.key == key.name)
    );
}

#[test]
fn flags_beat_the_environment_and_that_beats_the_file() {
    let file = "listen = '127.0.0.1:1'\nbrand_name = 'File'\nlog = 'warn'\ncode_lifetime = 30";
    let env = [
        ("SIGNET_LISTEN", "127.0.0.1:2"),
        ("SIGNET_BRAND_NAME", "Env"),
        ("PATH", "/bin"),
    ];
    let config = load(file, &env, &[("--brand-name", "Flag")]).unwrap();
    assert_eq!(config.listen.port(), 2);
    assert_eq!(config.brand_name, "Flag");
    assert_eq!(config.log, "warn");
    assert_eq!(config.code_lifetime, Duration::from_secs(30));
    let kind = |key| {
        config
            .describe()
            .iter()
            .find(|s| s.key == key)
            .unwrap()
            .source
            .kind()
    };
    assert_eq!(
        [
            kind("brand_name"),
            kind("listen"),
            kind("log"),
            kind("issuer")
        ],
        ["flag", "env", "file", "default"]
    );
}

#[test]
fn lists_come_as_arrays_or_with_commas() {
    let config = load(
        "trusted_proxies = ['10.0.0.0/8', '::1']",
        &[("SIGNET_FETCH_ALLOW_HOSTS", "a.test, b.test:81,")],
        &[],
    )
    .unwrap();
    assert_eq!(config.trusted_proxies.len(), 2);
    assert_eq!(config.fetch_allow_hosts.len(), 2);
}

#[test]
fn an_unknown_key_names_the_nearest_and_the_line() {
    let text = problems(
        "\n# x\nisuer = 'https://a'\n[database]\nurl = 1",
        &[("SIGNET_DATABSE_URL", "x"), ("SIGNET_LISTEN_FILE", "x")],
    );
    assert!(
        text.contains("signet.toml line 3: unknown key `isuer`; did you mean `issuer`?"),
        "{text}"
    );
    assert!(text.contains("line 4: unknown key `database`"), "{text}");
    assert!(
        text.contains(
            "unknown environment variable SIGNET_DATABSE_URL; did you mean SIGNET_DATABASE_URL?"
        ),
        "{text}"
    );
    assert!(text.contains("SIGNET_LISTEN_FILE: only secrets"), "{text}");
}

#[test]
fn variables_of_kubernetes_services_and_empty_ones_are_no_settings() {
    let env = [
        ("SIGNET_PORT", "tcp://10.0.0.1:80"),
        ("SIGNET_SERVICE_HOST", "10.0.0.1"),
        ("SIGNET_SERVICE_PORT_HTTP", "80"),
        ("SIGNET_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("SIGNET_POSTGRES_PORT_5432_TCP", "tcp://10.0.0.2:5432"),
        ("SIGNET_ISSUER", ""),
    ];
    assert!(load("", &env, &[]).is_ok());
}

#[test]
fn all_problems_are_told_together_and_no_secret() {
    let file = "access_token_lifetime = '5x'\nlisten = 80\nlog = 'a=b=c'\nmax_connections = 0\nlog_format = true\nissuer = ['a']\npassword_hash_threads = 1.5";
    let env = [
        ("SIGNET_MASTER_KEY", "hunter2"),
        ("SIGNET_DATABASE_URL", "mysql://u:hunter3@h"),
        ("SIGNET_REDIS_URL", "hunter4"),
    ];
    let text = problems(file, &env);
    for key in [
        "access_token_lifetime",
        "listen",
        "`log`",
        "max_connections",
        "log_format",
        "issuer",
        "password_hash_threads",
        "SIGNET_MASTER_KEY",
        "SIGNET_DATABASE_URL",
        "SIGNET_REDIS_URL",
    ] {
        assert!(text.contains(key), "{key}: {text}");
    }
    assert!(text.contains("got \"5x\""), "{text}");
    assert!(!text.contains("hunter"), "{text}");
}

#[test]
fn broken_toml_says_the_line() {
    assert!(
        problems("issuer = 'https://a.test'\nlisten = \n", &[]).contains("line 2: not valid TOML")
    );
    assert!(problems("log = 'a'\nlog = 'b'", &[]).contains("line 2: not valid TOML"));
}

#[test]
fn a_named_file_must_exist() {
    let error = Config::load(
        Some(Path::new("/nonexistent/x.toml")),
        std::iter::empty(),
        vec![],
    )
    .unwrap_err();
    assert!(error.to_string().contains("/nonexistent/x.toml"), "{error}");
}

#[test]
fn secrets_come_from_files_too_and_not_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("url");
    std::fs::write(
        &path,
        "postgres://signet:hunter2@db/signet?sslmode=require\n",
    )
    .unwrap();
    let path = path.to_str().unwrap();
    let config = load("", &[("SIGNET_DATABASE_URL_FILE", path)], &[]).unwrap();
    assert!(config.database_url.expose().ends_with("sslmode=require"));
    let shown = format!("{config:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(
        config
            .describe()
            .iter()
            .any(|s| s.value.contains("postgres://db/signet"))
    );
    let text = problems(
        "",
        &[
            ("SIGNET_DATABASE_URL_FILE", path),
            ("SIGNET_DATABASE_URL", "sqlite://x"),
        ],
    );
    assert!(text.contains("both set"), "{text}");
    assert!(
        problems("", &[("SIGNET_MASTER_KEY_FILE", "/nonexistent")])
            .contains("SIGNET_MASTER_KEY_FILE")
    );
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    for (file, key) in [
        (
            "refresh_token_idle_lifetime = '31d'",
            "refresh_token_idle_lifetime",
        ),
        (
            "refresh_retry_window = '5m'\nrefresh_token_idle_lifetime = '5m'",
            "refresh_retry_window",
        ),
        ("key_publish_lead = '90d'", "key_publish_lead"),
        ("session_idle_lifetime = '13h'", "session_idle_lifetime"),
        ("code_lifetime = '11m'", "code_lifetime"),
        ("management_listen = '127.0.0.1:8080'", "management_listen"),
        ("management_listen = '0.0.0.0:8080'", "management_listen"),
        (
            "password_hash_memory_kib = 4096\npassword_hash_iterations = 10",
            "password_hash_memory_kib",
        ),
        ("password_hash_iterations = 1", "password_hash_memory_kib"),
        ("header_timeout = '1m'", "header_timeout"),
    ] {
        assert!(problems(file, &[]).contains(key), "{file}");
    }
    assert!(load("password_hash_memory_kib = 7168\npassword_hash_iterations = 5\nrefresh_retry_window = 0", &[], &[]).is_ok());
}

#[test]
fn rate_limits_are_on_unless_they_are_switched_off() {
    assert!(load("", &[], &[]).unwrap().rate_limits);
    assert!(!load("rate_limits = false", &[], &[]).unwrap().rate_limits);
    let env = [("SIGNET_RATE_LIMITS", "false")];
    assert!(!load("rate_limits = true", &env, &[]).unwrap().rate_limits);
    let wrong = problems("rate_limits = 'no'\nlogin_delay_max = '2h'", &[]);
    assert!(
        wrong.contains("`rate_limits` (") && wrong.contains("expected true or false"),
        "{wrong}"
    );
    let wrong = problems("login_delay_max = '2h'\nbrand_name = true", &[]);
    assert!(wrong.contains("expected at most 1h"), "{wrong}");
}
