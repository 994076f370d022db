use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::config::Config;
use crate::domain::audit::{Actor, EventType};
use crate::service::decisions::access::SignIn;
use crate::store::audit::EventFilter;
use crate::store::db::tests::{Fresh, both};

struct Site {
    services: Arc<Services>,
    robot: Administrator,
    directory: tempfile::TempDir,
}

impl Site {
    async fn new(fresh: &Fresh) -> Self {
        Self::at(fresh, tempfile::tempdir().unwrap()).await
    }

    /// Another instance with the same keys, on the same store.
    async fn another(&self, fresh: &Fresh) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let keys = directory.path().join("keys");
        std::fs::create_dir(&keys).unwrap();
        for file in std::fs::read_dir(self.directory.path().join("keys")).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), keys.join(file.file_name())).unwrap();
        }
        Self::at(fresh, directory).await
    }

    async fn at(fresh: &Fresh, directory: tempfile::TempDir) -> Self {
        let keys = directory.path().join("keys").display().to_string();
        let settings = [
            ("SIGNET_DATABASE_URL", fresh.url.as_str()),
            ("SIGNET_KEYS_DIR", keys.as_str()),
            ("SIGNET_DATABASE_MAX_CONNECTIONS", "4"),
        ];
        let file = directory.path().join("signet.toml");
        std::fs::write(&file, "").unwrap();
        let env = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = Config::load(Some(&file), env.into_iter(), Vec::new()).unwrap();
        let client = ClientId::parse("robot").unwrap();
        let ip = "127.0.0.1".parse().unwrap();
        Self {
            services: Services::start(config).await.unwrap(),
            robot: Administrator {
                user: None,
                sign_in: SignIn::default(),
                ip,
                origin: Origin::request(ip, "r".to_owned()).by(Actor::Client(client.clone())),
                client,
            },
            directory,
        }
    }

    async fn begin(&self, key: &str, body: &str, now: Ts) -> Result<Begun, AdministrationError> {
        let key = RequestKey::new(key, &[body.as_bytes()]);
        begin(&self.services, &self.robot, Some(key), now).await
    }

    /// Begins once nothing runs under the key: PostgreSQL learns a moment later that a caller gave up, or was answered.
    async fn begin_when_free(
        &self,
        key: &str,
        body: &str,
        now: Ts,
    ) -> Result<Begun, AdministrationError> {
        let mut begun = self.begin(key, body, now).await;
        for _ in 0..100 {
            if !matches!(begun, Err(AdministrationError::Running)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            begun = self.begin(key, body, now).await;
        }
        begun
    }

    /// Does something under a key; whether it was done now, and what was answered.
    async fn act(&self, key: &str, body: &str, now: Ts) -> (bool, String) {
        match self.begin_when_free(key, body, now).await.unwrap() {
            Begun::Before(answered) => (false, answered.body.unwrap()),
            Begun::Now(mut writing) => {
                let event = writing.event(EventType::RoleCreated);
                writing.record(event.target("role", body)).await.unwrap();
                let answer = Answered {
                    status: 200,
                    body: Some(format!("did {body}")),
                    ..Answered::default()
                };
                let answered = writing.finish(answer).await.unwrap();
                (true, answered.body.unwrap())
            }
        }
    }

    /// How often anything was done.
    async fn done(&self) -> usize {
        let filter = EventFilter {
            kind: Some(EventType::RoleCreated),
            ..EventFilter::default()
        };
        let events = self.services.store.list_events(&filter, None, 100).await;
        events.unwrap().len()
    }
}

#[tokio::test]
async fn a_request_that_is_being_worked_on_is_told_so_to_whoever_repeats_it() {
    for fresh in both().await {
        let site = Site::new(&fresh).await;
        let now = site.services.clock.now();
        let Begun::Now(working) = site.begin("k", "a", now).await.unwrap() else {
            panic!("nothing was done yet")
        };
        let again = site.begin("k", "a", now).await;
        assert!(matches!(again, Err(AdministrationError::Running)));
        // A request that was given up has done nothing, and may come again.
        drop(working);
        assert_eq!(site.act("k", "a", now).await, (true, "did a".to_owned()));
        assert_eq!(site.act("k", "a", now).await, (false, "did a".to_owned()));
        let other = site.begin_when_free("k", "b", now).await;
        assert!(matches!(other, Err(AdministrationError::KeyReused)));
        assert_eq!(site.done().await, 1);
    }
}

#[tokio::test]
async fn another_instance_tells_so_too_and_has_the_answer_later() {
    for fresh in both().await {
        if fresh.url.starts_with("sqlite:") {
            continue;
        }
        let one = Site::new(&fresh).await;
        let two = one.another(&fresh).await;
        let now = one.services.clock.now();
        let Begun::Now(working) = one.begin("k", "a", now).await.unwrap() else {
            panic!("nothing was done yet")
        };
        let again = two.begin("k", "a", now).await;
        assert!(matches!(again, Err(AdministrationError::Running)));
        drop(working);
        assert!(one.act("k", "a", now).await.0);
        assert_eq!(two.act("k", "a", now).await, (false, "did a".to_owned()));
        assert_eq!(two.done().await, 1);
    }
}

#[tokio::test]
async fn an_answer_is_kept_for_a_day_and_written_with_the_act_or_not_at_all() {
    for fresh in both().await {
        let site = Site::new(&fresh).await;
        let now = site.services.clock.now();
        assert!(site.act("k", "a", now).await.0);
        let later = |hours| now.plus(Duration::from_hours(hours));
        assert!(!site.act("k", "a", later(23)).await.0);
        assert!(site.act("k", "a", later(25)).await.0);
        assert_eq!(site.done().await, 2);
        // Neither the act nor its answer is there when the end is not reached.
        let Begun::Now(mut writing) = site.begin("lost", "b", now).await.unwrap() else {
            panic!("nothing was done yet")
        };
        let event = writing.event(EventType::RoleCreated);
        writing.record(event).await.unwrap();
        drop(writing);
        assert_eq!(site.done().await, 2);
        assert!(site.act("lost", "b", now).await.0);
        // What is too old is forgotten.
        let forgotten = site.services.store.forget_answers(later(50), 500);
        assert_eq!(forgotten.await.unwrap(), 2);
    }
}

/// A body may hold a password, and a reader of the database must not be able to try guesses at it.
#[tokio::test]
async fn nothing_stored_of_a_request_is_a_bare_digest() {
    use crate::crypto::digest::sha256;
    use crate::crypto::master_key::MasterKey;
    for fresh in both().await {
        let site = Site::new(&fresh).await;
        let body = "{\"password\":\"guessable\"}";
        assert!(site.act("k", body, site.services.clock.now()).await.0);
        let rows = site.services.store.db().q(STORED);
        let rows = rows.all::<(Vec<u8>, Vec<u8>)>().await.unwrap();
        let digest = RequestKey::new("k", &[body.as_bytes()]).request;
        let caller = site.robot.name();
        let bare: [&[u8]; 4] = [
            &sha256(body.as_bytes()),
            &digest,
            &sha256(&digest),
            &sha256(&[caller.as_bytes(), &digest].concat()),
        ];
        let [(request, answer)] = &rows[..] else {
            panic!("{rows:?}");
        };
        for digest in bare {
            let is_in = |stored: &[u8]| stored.windows(32).any(|part| part == digest);
            assert!(!is_in(request) && !is_in(answer));
        }
        assert!(!answer.windows(9).any(|part| part == b"guessable"));
        // It is under the master key: with another one the tag is another.
        let key = RequestKey::new("k", &[body.as_bytes()]);
        let tag = site.services.idempotency.digest(&caller, &key);
        assert_eq!(tag.as_bytes(), &request[..]);
        let other = Idempotency::new(&MasterKey::generate());
        assert_ne!(other.digest(&caller, &key).as_bytes(), tag.as_bytes());
    }
}

const STORED: &str = "SELECT request, answer FROM idempotency_keys";
