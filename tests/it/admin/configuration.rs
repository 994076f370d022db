//! The configuration is shown, its secrets are not.

use super::support::Api;
use crate::support::engines::on_every_engine;

const DATABASE: &str = "database-password-of-this-test";
const REDIS: &str = "redis-password-of-this-test";

on_every_engine! {
    async fn no_secret_of_the_configuration_is_shown(server: Server) {
        let master = std::fs::read_to_string(server.directory().join("keys/master.key")).unwrap();
        let master = master.trim().to_owned();
        assert!(master.len() >= 43, "a key of 32 bytes");
        let mut settings = vec![("SIGNET_MASTER_KEY", master.clone())];
        let mut ways = vec![None];
        if server.has_postgres() {
            let url = server.database().url();
            let (before, after) = url.split_once("://").unwrap();
            ways = vec![
                Some(format!("{url}&password={DATABASE}")),
                Some(format!("{before}://postgres:{DATABASE}@localhost{after}")),
            ];
        }
        if server.has_redis() {
            server.redis().require_password(REDIS);
            settings.push(("SIGNET_REDIS_URL", server.redis().url().replace("redis://", &format!("redis://:{REDIS}@"))));
        }
        let mut server = server;
        for database in ways {
            let mut all: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
            if let Some(url) = &database {
                all.push(("SIGNET_DATABASE_URL", url));
            }
            server = server.with_settings(&all);
            let api = Api::robot(&server).await;
            let shown = api.get("/v1/configuration").await.done(200);
            let settings = shown.json()["settings"].as_array().unwrap().clone();
            let source = |key: &str| settings.iter().find(|it| it["key"] == key).map(|it| it["source"].clone());
            for (key, value) in &all {
                let name = key.strip_prefix("SIGNET_").unwrap().to_lowercase();
                assert!(source(&name).is_some_and(|it| it != "default"), "{name} counts: {settings:#?}");
                assert!(!shown.body.contains(value), "{name}: {shown:?}");
            }
            for secret in [master.as_str(), master.trim_end_matches('='), DATABASE, REDIS] {
                assert!(!shown.body.contains(secret), "{shown:?}");
                assert!(!server.log().contains(secret), "not in the log either");
            }
        }
    }
}
