//! Decisions without a server: the compiled snapshot alone, and the service with what it keeps of people.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use serde_json::Map;
use signet::doors::{
    Assignment, Clock, Config, DecisionRequest, Levels, Object, Question, Services, Snapshot,
    Store, Subject, UserId, Who, Written,
};

use super::company::{BREADTH, Size};
use super::load::Sample;
use super::scenarios::Measured;
use super::site::Site;

/// The snapshot and the people of the company, in memory.
pub(crate) struct Company {
    size: Size,
    snapshot: Snapshot,
    people: Vec<Subject>,
}

impl Company {
    /// As the store of this site has it.
    pub(crate) async fn read(site: &Site) -> Self {
        let store = Store::open(&site.database_url(), 2).await.unwrap();
        let (_, written) = store.read_policy().await.unwrap();
        Self::of(written, Size::WHOLE)
    }

    /// So many tenths of it.
    pub(crate) fn tenths(tenths: usize) -> Self {
        let size = Size::tenths(tenths);
        Self::of(size.written(), size)
    }

    fn of(written: Written, size: Size) -> Self {
        let person = |number: usize| {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&number.to_be_bytes());
            let role = size.roles - size.breadth() + number % size.breadth();
            Subject {
                id: UserId::from_random(id),
                enabled: true,
                attributes: Map::from_iter([("department".to_owned(), "sales".into())]),
                assignments: vec![Assignment::of(format!("role{role}"))],
                groups: Vec::new(),
                organizations: Vec::new(),
                levels: Levels::default(),
            }
        };
        Self {
            size,
            snapshot: Snapshot::compile(written),
            people: (0..size.people).map(person).collect(),
        }
    }

    /// One thread, each decision timed.
    pub(crate) fn measure(&self, names: [&'static str; 2], length: Duration) -> Vec<Measured> {
        let none = Map::new();
        let (breadth, actions) = (self.size.breadth(), self.size.actions());
        let now = Clock::system().now();
        let objects: BTreeMap<bool, Vec<Object>> = [true, false]
            .into_iter()
            .map(|by_role| (by_role, (0..breadth).map(|n| object(n, by_role)).collect()))
            .collect();
        let actions: Vec<String> = (0..actions).map(|n| format!("act{n}")).collect();
        let run = |by_role: bool| {
            repeat(self.people.len(), length, |number| {
                let decision = self.snapshot.decide(&Question {
                    subject: &self.people[number % self.people.len()],
                    action: if by_role {
                        "use"
                    } else {
                        &actions[number % actions.len()]
                    },
                    object: &objects[&by_role][number % breadth],
                    context: &none,
                    client: None,
                    now,
                    why: false,
                });
                assert!(decision.allowed);
                black_box(decision);
            })
        };
        let [by_role, by_policy] = names;
        vec![(by_role, run(true)), (by_policy, run(false))]
    }
}

/// The same through the service, which finds people by their names and asks whether anything was changed.
pub(crate) async fn through_the_service(site: &Site, length: Duration) -> Vec<Measured> {
    let env = site.settings().into_iter();
    let services = Services::start(Config::load(None, env, Vec::new()).unwrap());
    let services = services.await.unwrap();
    let now = services.clock.now();
    let mut measured = Vec::new();
    for (name, by_role) in [
        ("decision by the service, by a role", true),
        ("decision by the service, by a policy", false),
    ] {
        let asked: Vec<DecisionRequest> = (0..1000).map(|number| asked(number, by_role)).collect();
        // What is read the first time is kept.
        for asked in &asked {
            assert!(services.decisions.decide(asked, now).await.unwrap().allowed);
        }
        let (began, cpu) = (Instant::now(), cpu_micros());
        let (mut latencies, mut number) = (Vec::new(), 0_usize);
        while began.elapsed() < length {
            let one = Instant::now();
            let asked = &asked[number % asked.len()];
            assert!(services.decisions.decide(asked, now).await.unwrap().allowed);
            latencies.push(one.elapsed());
            number += 1;
        }
        measured.push((name, sample(latencies, began.elapsed(), cpu_micros() - cpu)));
    }
    measured
}

fn asked(number: usize, by_role: bool) -> DecisionRequest {
    let Object {
        kind,
        id,
        attributes,
        ..
    } = object(number % BREADTH, by_role);
    DecisionRequest {
        subject: Who::Username(format!("person{number}")),
        action: if by_role {
            "use".to_owned()
        } else {
            format!("act{}", number % BREADTH)
        },
        resource_type: kind,
        resource_id: id,
        resource_attributes: attributes,
        context: Map::new(),
        client: None,
        why: false,
    }
}

fn object(number: usize, by_role: bool) -> Object {
    let attributes = if by_role {
        Map::new()
    } else {
        Map::from_iter([("department".to_owned(), "sales".into())])
    };
    Object {
        kind: if by_role {
            format!("thing{number}")
        } else {
            "Document".to_owned()
        },
        id: "1".to_owned(),
        organization: None,
        attributes,
    }
}

fn repeat(people: usize, length: Duration, mut decide: impl FnMut(usize)) -> Sample {
    (0..people).for_each(&mut decide);
    let (began, cpu) = (Instant::now(), cpu_micros());
    let (mut latencies, mut number) = (Vec::new(), 0);
    while began.elapsed() < length {
        let one = Instant::now();
        decide(number);
        latencies.push(one.elapsed());
        number += 1;
    }
    sample(latencies, began.elapsed(), cpu_micros() - cpu)
}

fn sample(latencies: Vec<Duration>, took: Duration, cpu_micros: f64) -> Sample {
    let micros = |one: Duration| one.as_micros() as u32;
    let mut latencies: Vec<u32> = latencies.into_iter().map(micros).collect();
    latencies.sort_unstable();
    Sample {
        done: latencies.len() as u64,
        seconds: took.as_secs_f64(),
        latencies,
        cpu_micros,
        ..Sample::default()
    }
}

fn cpu_micros() -> f64 {
    super::process::cpu_micros(std::process::id())
}
