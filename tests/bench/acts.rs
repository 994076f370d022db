//! What one act of an administrator costs on a small site and on one near the documented bounds, and what the tokens
//! beside a stream of acts notice of it.

use std::fmt::Write as _;
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use serde_json::{Value, json};

use super::asks;
use super::company;
use super::load::{self, Ask, Connection, Length, Operation, Sample};
use super::scenarios::Measured;
use super::site::{Engine, Site};

/// Groups of the big site, and levels of each; the bounds are 10,000 groups and 200,000 levels.
const GROUPS: usize = 9_900;
const LEVELS: usize = 20;

/// How long one act is done over and over.
const LENGTH: Length = Length::Timed {
    warm_up: Duration::from_millis(300),
    measured: Duration::from_millis(1500),
};

/// Connections that ask for tokens, and how often each does: 200 a second together.
const TRICKLE: usize = 4;
const PACE: Duration = Duration::from_millis(20);

/// Acts beside them: 10 a second.
const STREAM: Duration = Duration::from_millis(100);

const TRICKLE_LENGTH: Length = Length::Timed {
    warm_up: Duration::from_millis(500),
    measured: Duration::from_secs(3),
};

/// A site of its own: what is put there would change what other scenarios measure.
pub(crate) struct Acts {
    site: Site,
    /// Which names of the lines are its own.
    which: usize,
    /// So that no name comes twice.
    made: usize,
}

/// What is measured, and what it is called on either site.
const KINDS: [(Kind, [&str; 2]); 7] = [
    (
        Kind::CreateUser,
        [
            "POST /v1/users, small site",
            "POST /v1/users, 9,900 groups of 20 levels",
        ],
    ),
    (
        Kind::DescribeGroup,
        [
            "PATCH of a group's description, small site",
            "PATCH of a group's description, 9,900 groups of 20 levels",
        ],
    ),
    (
        Kind::Group,
        [
            "POST and DELETE of a group in turn, small site",
            "POST and DELETE of a group in turn, 9,900 groups of 20 levels",
        ],
    ),
    (
        Kind::CreateRole,
        [
            "POST /v1/roles, small site",
            "POST /v1/roles, 9,900 groups of 20 levels",
        ],
    ),
    (
        Kind::ChangeRole,
        [
            "PATCH of a role that others inherit from, small site",
            "PATCH of a role that others inherit from, 9,900 groups of 20 levels",
        ],
    ),
    (
        Kind::Level,
        [
            "PUT of a group's level, small site",
            "PUT of a group's level, 9,900 groups of 20 levels",
        ],
    ),
    (
        Kind::Policy,
        [
            "PATCH of a policy, small site",
            "PATCH of a policy, 9,900 groups of 20 levels",
        ],
    ),
];

const REVOKE: [[&str; 2]; 2] = [
    [
        "200 tokens/s and revocations, small site",
        "… beside 10 acts/s, small site",
    ],
    [
        "200 tokens/s and revocations, 9,900 groups of 20 levels",
        "… beside 10 acts/s, 9,900 groups of 20 levels",
    ],
];

impl Acts {
    /// A small site: a few groups, and the roles and policies of the company.
    pub(crate) fn small(engine: Engine) -> Self {
        Self::start(engine, 0, 20)
    }

    /// A big one.
    pub(crate) fn big(engine: Engine) -> Self {
        Self::start(engine, 1, GROUPS)
    }

    fn start(engine: Engine, which: usize, count: usize) -> Self {
        let mut site = Site::seeded(engine, &[], "");
        site.apply(&company::without_people());
        site.apply(&company::switch(true));
        site.apply(&groups(0..count));
        site.serve_without_limits();
        site.wait_until_linked();
        let made = 0;
        Self { site, which, made }
    }

    /// One round.
    pub(crate) async fn measure(&mut self) -> Result<Vec<Measured>, String> {
        let mut all = Vec::new();
        for (kind, names) in KINDS {
            let act = self.act(kind).await?;
            all.push((names[self.which], self.run(vec![act], LENGTH).await));
        }
        all.extend(self.beside(REVOKE[self.which]).await?);
        Ok(all)
    }

    /// Tokens that are issued and revoked at a steady pace, alone and beside a stream of acts.
    async fn beside(&mut self, names: [&'static str; 2]) -> Result<[Measured; 2], String> {
        let (address, pid) = (self.site.address(), self.site.pid());
        let trickle = || {
            let all = (0..TRICKLE).map(|_| Revoke).collect();
            load::run_paced(address, pid, all, TRICKLE_LENGTH, PACE)
        };
        let alone = trickle().await;
        let act = self.act(Kind::DescribeGroup).await?;
        let stream = load::run_paced(address, pid, vec![act], TRICKLE_LENGTH, STREAM);
        let (mut beside, stream) = tokio::join!(trickle(), stream);
        if let Some(error) = stream.first_error {
            return Err(error);
        }
        // Nobody can tell whose processor time it was.
        beside.cpu_micros = f64::NAN;
        Ok([(names[0], alone), (names[1], beside)])
    }

    async fn run(&self, operations: Vec<Administrate>, length: Length) -> Sample {
        load::run(self.site.address(), self.site.pid(), operations, length).await
    }

    async fn act(&mut self, kind: Kind) -> Result<Administrate, String> {
        let mut connection = Connection::new(self.site.address());
        let answer = connection.send(asks::operator_token()).await?;
        let token = asks::member(&answer, "access_token")?.to_owned();
        // More than one of them makes in a round.
        self.made += 100_000;
        Ok(Administrate {
            kind,
            token,
            number: self.made,
        })
    }
}

#[derive(Clone, Copy)]
enum Kind {
    CreateUser,
    DescribeGroup,
    Group,
    CreateRole,
    ChangeRole,
    Level,
    Policy,
}

/// Does one kind of act over and over, one after the other.
struct Administrate {
    kind: Kind,
    token: String,
    number: usize,
}

impl Operation for Administrate {
    async fn perform(&mut self, connection: &mut Connection) -> Result<bool, String> {
        self.number += 1;
        let number = self.number;
        let json = "application/json";
        let (method, path, kind, body) = match self.kind {
            Kind::CreateUser => {
                let body = json!({ "username": format!("made{number}") });
                (Method::POST, "/v1/users".to_owned(), json, body)
            }
            Kind::DescribeGroup => {
                let body = json!({ "description": format!("the {number}th") });
                (Method::PATCH, "/v1/groups/group7".to_owned(), MERGE, body)
            }
            // In turn with the next: there is not room for many more.
            Kind::Group if number % 2 == 1 => {
                let body = json!({ "name": format!("made{number}"), "parents": ["group1"] });
                (Method::POST, "/v1/groups".to_owned(), json, body)
            }
            Kind::Group => {
                let path = format!("/v1/groups/made{}", number - 1);
                (Method::DELETE, path, json, Value::Null)
            }
            Kind::CreateRole => {
                let body = json!({
                    "name": format!("made{number}"), "parents": ["role0"], "permissions": ["thing1:use"],
                });
                (Method::POST, "/v1/roles".to_owned(), json, body)
            }
            Kind::ChangeRole => {
                let body =
                    json!({ "permissions": ["thing0:use", format!("thing0:use{}", number % 2)] });
                (Method::PATCH, "/v1/roles/role0".to_owned(), MERGE, body)
            }
            Kind::Level => {
                let path = "/v1/groups/group3/levels/document/1".to_owned();
                let level = ["read", "write"][number % 2];
                (Method::PUT, path, json, json!({ "level": level }))
            }
            Kind::Policy => {
                let path = "/v1/policies/switch".to_owned();
                let cedar = format!(
                    "permit(principal, action == Action::\"switch\", resource) when {{ principal.department == \"{number}\" }};"
                );
                (Method::PATCH, path, MERGE, json!({ "cedar": cedar }))
            }
        };
        let ask = self.ask(method, &path, kind, &body);
        let answer = connection.send(ask).await?;
        match answer.status {
            200 | 201 | 204 => Ok(true),
            _ => Err(asks::unexpected(&answer)),
        }
    }
}

const MERGE: &str = "application/merge-patch+json";

impl Administrate {
    fn ask(&self, method: Method, path: &str, kind: &str, body: &Value) -> Ask {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "127.0.0.1")
            .header(AUTHORIZATION, format!("Bearer {}", self.token));
        let request = match body {
            Value::Null => request.body(Full::default()),
            body => {
                let body = Full::new(Bytes::from(body.to_string()));
                request.header(CONTENT_TYPE, kind).body(body)
            }
        };
        request.expect("a well-formed request")
    }
}

/// Asks for a token and revokes it: two requests.
struct Revoke;

impl Operation for Revoke {
    async fn perform(&mut self, connection: &mut Connection) -> Result<bool, String> {
        let answer = connection.send(asks::client_credentials()).await?;
        let token = asks::member(&answer, "access_token")?.to_owned();
        let revoke = asks::post("/revoke", asks::MACHINE, &[("token", &token)]);
        let answer = connection.send(revoke).await?;
        if answer.status == 200 {
            Ok(true)
        } else {
            Err(asks::unexpected(&answer))
        }
    }
}

/// Groups as a document: each has levels of its own, and most a parent.
fn groups(numbers: std::ops::Range<usize>) -> String {
    let mut text = String::new();
    for number in numbers {
        let _ = writeln!(text, "\n[[groups]]\nname = \"group{number}\"");
        if number >= 10 {
            let _ = writeln!(text, "parents = [\"group{}\"]", number % 10);
        }
        let levels: Vec<String> = (0..LEVELS)
            .map(|level| format!("\"document:{number}-{level}\" = \"write\""))
            .collect();
        let _ = writeln!(text, "levels = {{ {} }}", levels.join(", "));
    }
    text
}
