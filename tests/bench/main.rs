//! `make bench`: a release build on every engine under load, beside what the machine can do at most.
//!
//! Servers, databases and the load generator share one machine and its loopback. Requests per second tell how
//! these share it; the processor time of the server per request is the steadier figure.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::format_push_string,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a benchmark ends by panicking, prints its table, and its figures are small"
)]

mod acts;
mod asks;
mod change;
mod company;
mod in_process;
mod limits;
mod load;
mod operations;
mod person;
mod process;
mod report;
mod scenarios;
mod site;
mod support;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum as _};

use limits::EmptyServer;
use load::Length;
use report::{Report, median};
use scenarios::{Amount, Scenario, Subject};
use site::{Engine, Site};

/// Measures requests per second, latency, processor time and memory.
#[derive(Parser)]
struct Options {
    /// Only these engines.
    #[arg(long, value_enum)]
    engine: Vec<Engine>,
    /// Only these scenarios.
    #[arg(long, value_enum)]
    scenario: Vec<Scenario>,
    /// Seconds of one measurement, after a warm-up of one second.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Connections of the load generator.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Times that everything is measured, in turn; medians are told.
    #[arg(long, default_value_t = 3)]
    rounds: u64,
    /// Sign-ins with a password on each engine, in all rounds together.
    #[arg(long, default_value_t = 300)]
    logins: u64,
    /// Codes asked for and exchanged per round.
    #[arg(long, default_value_t = 4000)]
    codes: usize,
    /// Leaves out what the machine can do at most.
    #[arg(long)]
    no_limits: bool,
    /// Prints JSON instead of the table.
    #[arg(long)]
    json: bool,
    /// Serves an empty handler on this port and does nothing else.
    #[arg(long, hide = true)]
    empty_server: Option<u16>,
    /// What cargo says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(port) = options.empty_server {
        limits::serve_empty(port);
        return ExitCode::SUCCESS;
    }
    let began = Instant::now();
    let report = measure(&options);
    let start = start_times();
    if options.json {
        let json = serde_json::json!({
            "machine": process::machine(),
            "share_of_processors": report.share(),
            "connections": options.connections,
            "seconds": options.seconds,
            "rounds": options.rounds,
            "start_ms": start,
            "lines": report.lines(),
        });
        println!("{json}");
    } else {
        println!("{}", report.markdown());
        print!("{}", remarks(&options, &report, &start));
        println!("The run took {} s.", began.elapsed().as_secs());
    }
    if report.has_failed() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn measure(options: &Options) -> Report {
    let rounds = options.rounds.max(1);
    let amount = Amount {
        connections: options.connections.max(1),
        warm_up: Duration::from_secs(1),
        measured: Duration::from_secs(options.seconds.max(1)),
        codes: options.codes,
        logins: options.logins.div_ceil(rounds),
    };
    let chosen = |engine: &Engine| options.engine.is_empty() || options.engine.contains(engine);
    let engines = Engine::ALL.into_iter().filter(chosen);
    let chosen = |one: &Scenario| options.scenario.is_empty() || options.scenario.contains(one);
    let scenarios: Vec<_> = Scenario::value_variants()
        .iter()
        .copied()
        .filter(chosen)
        .collect();

    let hash = limits::password_hash();
    let mut subjects: Vec<_> = engines
        .map(|engine| Subject::start(engine, amount, &hash))
        .collect();
    let empty = (!options.no_limits).then(EmptyServer::start);
    // One thread: the generator should take as little as possible from the server.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut report = Report::default();
    for subject in &subjects {
        report.add(subject.site.engine.as_str(), subject.just_started());
    }
    for round in 1..=rounds {
        if let Some(empty) = &empty {
            eprintln!("round {round} of {rounds}: the machine");
            let length = Length::Timed {
                warm_up: Duration::from_millis(500),
                measured: LIMIT,
            };
            let measured = runtime.block_on(empty.measure(amount.connections, length));
            report.add(MACHINE, measured);
            report.add(MACHINE, limits::signatures(LIMIT));
            report.add(MACHINE, limits::hashes(LIMIT));
            report.add(MACHINE, limits::postgres_commits(LIMIT));
            report.add(MACHINE, limits::sqlite_commits(LIMIT));
        }
        for subject in &mut subjects {
            let engine = subject.site.engine.as_str();
            for scenario in &scenarios {
                let name = scenario.to_possible_value().expect("none is hidden");
                let name = name.get_name();
                eprintln!("round {round} of {rounds}: {engine}, {name}");
                match runtime.block_on(subject.measure(*scenario)) {
                    Ok(all) => all.into_iter().for_each(|one| report.add(engine, one)),
                    Err(error) => report.fail(engine, name, error),
                }
            }
        }
    }
    for subject in &subjects {
        // A hashing thread gives its memory back after five seconds without work.
        std::thread::sleep(Duration::from_secs(6));
        report.add(subject.site.engine.as_str(), subject.at_rest());
    }
    report
}

/// Milliseconds from `exec` to the first 200 of `/jwks`, which needs the signing keys, ascending.
fn start_times() -> Vec<f64> {
    let mut site = Site::seeded(Engine::Sqlite, &[], "");
    // The first start makes the keys.
    site.serve();
    site.kill();
    let mut times: Vec<f64> = (0..9)
        .map(|_| {
            let began = Instant::now();
            site.spawn();
            site.wait_for_public("/jwks");
            let took = began.elapsed().as_secs_f64() * 1000.0;
            site.kill();
            took
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times
}

/// Under which settings all this holds.
fn remarks(options: &Options, report: &Report, start: &[f64]) -> String {
    let limits::PasswordParams {
        memory_kib,
        iterations,
        parallelism,
        threads,
        ..
    } = limits::password_params();
    let share = report.share().map_or(String::new(), |share| {
        format!(
            "; {:.0} % of them could be had when every core signed, the rest went to something else",
            share * 100.0
        )
    });
    format!(
        "From `exec` to the first 200 of `/jwks` on SQLite with an existing store: {:.0} ms (median of {}; {:.0} to {:.0}).\n\n\
         {}{}. Medians of {} rounds of {} s after 1 s of \
         warm-up. Server, databases and load generator share the machine; the generator is one thread with {} \
         keep-alive connections over loopback (hyper), each asking again as soon as it is answered. Signet and its \
         databases have their default settings, commits wait for the disk. Argon2id: m={memory_kib} t={iterations} p={parallelism} on {threads} \
         thread(s), {} sign-ins per engine. No refresh token or code is ever sent twice. The \
         processor time is the server's alone, databases not included; the more requests come at once, the more of \
         them share a database round trip, and at 800 a second none do. Resident memory is the server's after the \
         last round of that line, when everything else had been done too; while passwords are hashed, {} MiB of it are the hashing \
         threads'.\n",
        median(start.iter().copied()),
        start.len(),
        start.first().copied().unwrap_or_default(),
        start.last().copied().unwrap_or_default(),
        process::machine(),
        share,
        options.rounds,
        options.seconds,
        options.connections,
        options.logins,
        threads * memory_kib as usize / 1024,
    )
}

const MACHINE: &str = "the machine itself";

/// How long one of its limits is measured.
const LIMIT: Duration = Duration::from_secs(2);
