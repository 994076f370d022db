//! The scenarios, and what one engine needs for them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use super::acts::Acts;
use super::asks::{self, Authorization, Client, MODERN, WEB};
use super::change;
use super::company;
use super::in_process::{self, Company};
use super::load::{self, Connection, Length, Operation, Sample};
use super::operations::{Authorize, Codes, Exchange, InTurn, Rotate, SignIn};
use super::person::Person;
use super::process::resident_mib;
use super::site::{Engine, Site};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Scenario {
    /// The metadata document.
    Discovery,
    /// The public keys.
    Jwks,
    /// Tokens of the client credentials grant, signed with ES256.
    ClientCredentials,
    /// The same token again and again.
    IntrospectOne,
    /// A thousand tokens in turn.
    IntrospectMany,
    /// Refresh tokens without an ID token.
    Refresh,
    /// Refresh tokens with an ID token of RS256.
    RefreshIdToken,
    /// Codes for somebody signed in, and their exchange, with an ID token of RS256.
    Code,
    /// The same with an ID token of ES256.
    CodeEs256,
    /// Sign-ins with a password.
    Logins,
    /// Decisions about 1000 of 10,000 people, by a role, by a policy, and 100 in one request.
    Decide,
    /// The same decisions in one process, without a server: by the policies alone, and through the service.
    DecideInProcess,
    /// From a change of a policy by another process until two instances decide by it; PostgreSQL alone.
    Change,
    /// Acts of administrators, one after the other, on a small site and on one near the documented bounds, and tokens
    /// beside them.
    Acts,
    /// Tokens while nothing else happens and while many sign in.
    Storm,
}

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amount {
    pub(crate) connections: usize,
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
    /// Codes per round.
    pub(crate) codes: usize,
    /// Sign-ins per round.
    pub(crate) logins: u64,
}

impl Amount {
    fn timed(&self) -> Length {
        Length::Timed {
            warm_up: self.warm_up,
            measured: self.measured,
        }
    }
}

/// A line of the table, and what was measured for it in one round.
pub(crate) type Measured = (&'static str, Sample);

/// One served engine under load.
pub(crate) struct Subject {
    pub(crate) site: Site,
    users: Vec<String>,
    amount: Amount,
    /// Somebody signed in for each connection, once that was needed.
    people: Vec<Person>,
    /// Refresh tokens without `openid`, and with it.
    grants: [Option<Rc<[Cell<String>]>>; 2],
    /// Sites of their own for the acts, once they were needed: a small one and a big one.
    acts: Option<[Acts; 2]>,
}

impl Subject {
    pub(crate) fn start(engine: Engine, amount: Amount, password_hash: &str) -> Self {
        let users: Vec<String> = (0..amount.connections)
            .map(|number| format!("user{number}"))
            .collect();
        let mut site = Site::seeded(engine, &users, password_hash);
        site.serve();
        Self {
            site,
            users,
            amount,
            people: Vec::new(),
            grants: [None, None],
            acts: None,
        }
    }

    /// What the server takes before anybody asked for anything.
    pub(crate) fn just_started(&self) -> Measured {
        ("just started", self.resident())
    }

    /// What it keeps when everything has been done and nobody asks any more.
    pub(crate) fn at_rest(&self) -> Measured {
        ("after all of this, at rest", self.resident())
    }

    fn resident(&self) -> Sample {
        Sample {
            resident_mib: resident_mib(self.site.pid()),
            ..Sample::default()
        }
    }

    /// One round of a scenario. What was needed before it failed when there is an error.
    pub(crate) async fn measure(&mut self, scenario: Scenario) -> Result<Vec<Measured>, String> {
        let connections = self.amount.connections;
        Ok(match scenario {
            Scenario::Discovery => {
                let asks = vec![asks::get("/.well-known/openid-configuration")];
                let all = InTurn::on(connections, asks, "\"issuer\"");
                vec![("discovery", self.timed(all).await)]
            }
            Scenario::Jwks => {
                let all = InTurn::on(connections, vec![asks::get("/jwks")], "\"kid\"");
                vec![("JWKS", self.timed(all).await)]
            }
            Scenario::ClientCredentials => {
                let asks = vec![asks::client_credentials()];
                let all = InTurn::on(connections, asks, "\"access_token\"");
                vec![("client_credentials, ES256", self.timed(all).await)]
            }
            Scenario::IntrospectOne => {
                vec![("introspection, one token", self.introspect(1).await?)]
            }
            Scenario::IntrospectMany => {
                vec![("introspection, 1000 tokens", self.introspect(1000).await?)]
            }
            Scenario::Refresh => {
                vec![(
                    "refresh rotation, ES256 access token",
                    self.rotate(false).await?,
                )]
            }
            Scenario::RefreshIdToken => {
                vec![(
                    "refresh rotation, and RS256 ID token",
                    self.rotate(true).await?,
                )]
            }
            Scenario::Code => {
                let (asked, exchanged) = self.code(WEB).await?;
                vec![
                    ("/authorize, signed in", asked),
                    ("code exchange, RS256 ID token", exchanged),
                ]
            }
            Scenario::CodeEs256 => {
                let (_, exchanged) = self.code(MODERN).await?;
                vec![("code exchange, ES256 ID token", exchanged)]
            }
            Scenario::Logins => vec![("password login, 5 requests", self.logins().await)],
            Scenario::Decide => self.decide().await,
            // What is asked of the engine is kept in memory: one of them tells it all.
            Scenario::DecideInProcess if self.site.engine != Engine::Sqlite => Vec::new(),
            Scenario::DecideInProcess => {
                let length = self.amount.measured;
                let mut all = Company::read(&self.site).await.measure(
                    [
                        "decision in process, by a role",
                        "decision in process, by a policy",
                    ],
                    length,
                );
                all.extend(Company::tenths(1).measure(
                    [
                        "… of a tenth of everything, by a role",
                        "… of a tenth of everything, by a policy",
                    ],
                    length,
                ));
                all.extend(Company::tenths(100).measure(
                    [
                        "… of ten times everything, by a role",
                        "… of ten times everything, by a policy",
                    ],
                    length,
                ));
                all.extend(in_process::through_the_service(&self.site, length).await);
                all
            }
            Scenario::Change => match self.site.engine {
                // Two instances need a server that both can reach.
                Engine::Sqlite => Vec::new(),
                Engine::Postgres | Engine::PostgresRedis => {
                    vec![(
                        "a change, until two instances decide by it",
                        change::measure(&self.site).await?,
                    )]
                }
            },
            Scenario::Acts => {
                let engine = self.site.engine;
                let sites = || [Acts::small(engine), Acts::big(engine)];
                let [small, big] = self.acts.get_or_insert_with(sites);
                let mut all = small.measure().await?;
                all.extend(big.measure().await?);
                all
            }
            Scenario::Storm => self.storm().await,
        })
    }

    async fn timed<O: Operation>(&self, operations: Vec<O>) -> Sample {
        self.run(operations, self.amount.timed()).await
    }

    async fn run<O: Operation>(&self, operations: Vec<O>, length: Length) -> Sample {
        load::run(self.site.address(), self.site.pid(), operations, length).await
    }

    async fn introspect(&self, tokens: usize) -> Result<Sample, String> {
        let mut connection = Connection::new(self.site.address());
        let mut asks = Vec::with_capacity(tokens);
        for _ in 0..tokens {
            let answer = connection.send(asks::client_credentials()).await?;
            asks.push(asks::introspect(asks::member(&answer, "access_token")?));
        }
        let all = InTurn::on(self.amount.connections, asks, "\"active\":true");
        Ok(self.timed(all).await)
    }

    async fn decide(&self) -> Vec<Measured> {
        const ASKED: usize = 1000;
        let each = |question: fn(usize) -> serde_json::Value| {
            let asks = (0..ASKED)
                .map(|person| asks::decide("/access/v1/evaluation", question(person).to_string()));
            InTurn::on(self.amount.connections, asks.collect(), "\"decision\":true")
        };
        let batches = (0..ASKED / 100).map(|batch| {
            let people = batch * 100..(batch + 1) * 100;
            let body = serde_json::json!({
                "evaluations": people.map(company::by_role).collect::<Vec<_>>(),
            });
            asks::decide("/access/v1/evaluations", body.to_string())
        });
        let batches = InTurn::on(
            self.amount.connections,
            batches.collect(),
            "\"decision\":true",
        );
        vec![
            (
                "decision, by a role",
                self.timed(each(company::by_role)).await,
            ),
            (
                "decision, by a policy",
                self.timed(each(company::by_policy)).await,
            ),
            ("100 decisions in one request", self.timed(batches).await),
        ]
    }

    async fn rotate(&mut self, id_token: bool) -> Result<Sample, String> {
        let (scope, slot) = if id_token {
            ("openid orders:read", 1)
        } else {
            ("orders:read", 0)
        };
        if self.grants[slot].is_none() {
            let wanted = GRANTS.next_multiple_of(self.amount.connections);
            let (_, codes) = self.codes(WEB, scope, wanted).await?;
            let (_, tokens) = self.exchange(codes).await?;
            self.grants[slot] = Some(tokens.into_iter().map(Cell::new).collect());
        }
        let tokens = self.grants[slot].as_ref().expect("made above");
        let all = Rotate::on(self.amount.connections, WEB, tokens);
        Ok(self.timed(all).await)
    }

    async fn code(&mut self, client: Client) -> Result<(Sample, Sample), String> {
        let (asked, codes) = self
            .codes(client, "openid profile", self.amount.codes)
            .await?;
        let (exchanged, _) = self.exchange(codes).await?;
        Ok((asked, exchanged))
    }

    async fn codes(
        &mut self,
        client: Client,
        scope: &'static str,
        wanted: usize,
    ) -> Result<(Sample, Codes), String> {
        let (asked, codes) = (Rc::new(Cell::new(0)), Codes::default());
        let all = self.people().await?.iter().map(|person| Authorize {
            person: person.clone(),
            client,
            scope,
            wanted,
            asked: Rc::clone(&asked),
            codes: Rc::clone(&codes),
        });
        let all = all.collect();
        let sample = self.run(all, Length::Exhausted).await;
        Ok((sample, codes))
    }

    async fn exchange(&self, codes: Codes) -> Result<(Sample, Vec<String>), String> {
        let tokens = Rc::new(RefCell::new(Vec::new()));
        let one = |_| Exchange {
            codes: Rc::clone(&codes),
            refresh_tokens: Rc::clone(&tokens),
        };
        let all = (0..self.amount.connections).map(one).collect();
        let sample = self.run(all, Length::Exhausted).await;
        Ok((sample, tokens.take()))
    }

    /// Somebody signed in for each connection.
    async fn people(&mut self) -> Result<&[Person], String> {
        let mut connection = Connection::new(self.site.address());
        for user in self.users.iter().skip(self.people.len()) {
            let mut person = Person::default();
            let authorization = Authorization::new(WEB, "openid");
            person
                .sign_in(&mut connection, user, &authorization)
                .await?;
            self.people.push(person);
        }
        Ok(&self.people)
    }

    async fn logins(&self) -> Sample {
        self.run(self.sign_ins(self.amount.logins), Length::Exhausted)
            .await
    }

    fn sign_ins(&self, count: u64) -> Vec<SignIn> {
        let left = Rc::new(Cell::new(count));
        let one = |user: &String| SignIn {
            client: WEB,
            username: user.clone(),
            left: Rc::clone(&left),
        };
        self.users.iter().map(one).collect()
    }

    /// A steady trickle of token requests, as in production, alone and beside as many sign-ins as there are
    /// connections. (Connections that ask as fast as they can would only measure their own queue.)
    async fn storm(&self) -> Vec<Measured> {
        let (address, pid) = (self.site.address(), self.site.pid());
        let trickle = || {
            let asks = vec![asks::client_credentials()];
            let all = InTurn::on(TRICKLE, asks, "\"access_token\"");
            load::run_paced(address, pid, all, self.amount.timed(), PACE)
        };
        let alone = trickle().await;
        let storm = load::run(address, pid, self.sign_ins(u64::MAX), self.amount.timed());
        let (mut beside, mut storm) = tokio::join!(trickle(), storm);
        // Nobody can tell whose processor time it was.
        beside.cpu_micros = f64::NAN;
        storm.cpu_micros = f64::NAN;
        vec![
            ("800 tokens/s, alone", alone),
            ("800 tokens/s, in a login storm", beside),
            ("the login storm beside them", storm),
        ]
    }
}

/// Refresh tokens come from so many grants, at least.
const GRANTS: usize = 1024;

/// Connections of the trickle, and how often each asks: 800 a second together.
const TRICKLE: usize = 8;
const PACE: Duration = Duration::from_millis(10);
