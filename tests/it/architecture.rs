//! The house rules of `src/README.md`, read off the sources.

mod circles;
mod doors;
mod sources;

use std::collections::BTreeSet;

use sources::{Source, is_test, is_word, sources};

/// A module may use itself and what stands left of it; modules of one row never use each other.
const ROOMS: [&[&str]; 10] = [
    &["spec", "telemetry"],
    &["crypto"],
    &["domain"],
    &["store"],
    &["config"],
    &["service"],
    &["http"],
    &["protocol", "web", "admin"],
    &["app"],
    &["cli"],
];

/// The rooms in which an outside crate may be named.
const HOMES: [(&str, &[&str]); 9] = [
    ("sqlx", &["store"]),
    ("redis", &["store"]),
    ("josekit", &["crypto"]),
    ("aws_lc_rs", &["crypto"]),
    ("argon2", &["crypto"]),
    ("rand", &["crypto"]),
    ("axum", &["http", "protocol", "web", "admin", "app", "cli"]),
    ("askama", &["web"]),
    ("cedar_policy", &["domain"]),
];

/// Where access tokens that a request presents are judged: the gate, and the two endpoints that speak about a token
/// instead of acting on it.
const JUDGES: [&str; 4] = [
    "service/tokens/access_token.rs",
    "http/bearer.rs",
    "protocol/introspect.rs",
    "protocol/revoke.rs",
];

/// Words of the judge of administrators' acts, which every surface leaves to `service::administration`.
const RIGHTS: [&str; 8] = [
    "rights()",
    "Rights",
    "may_give_",
    "may_take_",
    "may_control",
    "must_be_full",
    "require_",
    "judge_",
];

/// The files that may name the playground, which `serve --dev` alone serves: its route, itself and its demo.
const PLAYGROUND: [&str; 4] = [
    "app/router.rs",
    "service/administration/demo.rs",
    "web/mod.rs",
    "web/playground.rs",
];

/// What one can hold in the head; the design says about 400.
const LONGEST: usize = 450;

#[test]
fn a_room_uses_only_what_stands_left_of_it() {
    let mut broken = Vec::new();
    for source in sources() {
        let Some(row) = row_of(&source.room) else {
            continue;
        };
        for used in crate_paths(&source.code) {
            let Some(other) = row_of(&used) else { continue };
            if other > row || (other == row && used != source.room) {
                broken.push(format!("{} uses crate::{used}", source.path));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_room_has_a_place_in_the_order() {
    let rooms: BTreeSet<_> = sources().into_iter().map(|source| source.room).collect();
    assert!(!rooms.is_empty());
    let homeless: Vec<_> = rooms
        .iter()
        .filter(|room| row_of(room).is_none() && !room.is_empty())
        .collect();
    assert!(homeless.is_empty(), "{homeless:?}");
}

#[test]
fn an_outside_crate_is_named_only_in_its_home() {
    let mut broken = Vec::new();
    for source in sources() {
        for (name, homes) in HOMES {
            if names_crate(&source.code, name) && !homes.contains(&source.room.as_str()) {
                broken.push(format!("{} names {name}", source.path));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn spec_and_domain_wait_for_nothing() {
    let pure = |source: &Source| source.room == "spec" || source.room == "domain";
    let waits = |source: &Source| {
        source
            .code
            .split(|c: char| !is_word(c))
            .any(|word| word == "async" || word == "await")
    };
    let broken: Vec<_> = sources()
        .into_iter()
        .filter(pure)
        .filter(waits)
        .map(|source| source.path)
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Where a bare digest is made, and why nothing that can be guessed comes of it.
const BARE_DIGESTS: [(&str, &str); 22] = [
    ("crypto/", "makes them"),
    ("domain/audit/chain.rs", "the chain over stored events"),
    ("domain/grant.rs", "PKCE S256, compared with the challenge"),
    (
        "domain/audit/guard.rs",
        "stands for a member that is too long to be shown",
    ),
    (
        "admin/call.rs",
        "entity tags, told to who has read the text",
    ),
    (
        "protocol/client_auth/private_key_jwt.rs",
        "a jti, which is no secret",
    ),
    (
        "service/administration/idempotency.rs",
        "a caller's key, which is no secret, and in memory a request",
    ),
    (
        "service/administration/users.rs",
        "of a password hash, whose salt cannot be guessed",
    ),
    (
        "service/authorization/flow.rs",
        "of a random cookie, sealed",
    ),
    ("service/registry/client_keys.rs", "in memory"),
    ("service/administration/setup.rs", "of a random link"),
    ("service/sign_in/sessions.rs", "of a random cookie"),
    ("service/tokens/access_token.rs", "in memory"),
    (
        "service/tokens/redeem.rs",
        "PKCE S256: the client's challenge is this digest",
    ),
    ("store/idempotency.rs", "the number of a lock"),
    ("store/migrate.rs", "checksums of migrations"),
    ("web/assets.rs", "of public files"),
    // Tests of the above.
    ("service/administration/document/tests", "tests"),
    (
        "service/administration/tests.rs",
        "looked for in what is stored",
    ),
    ("service/tests", "tests"),
    ("service/rate_limits/tests.rs", "tests"),
    ("store/tests/", "tests"),
];

/// What can be guessed is stored as a `KeyedDigest`, under the master key.
#[test]
fn a_bare_digest_is_made_only_where_nothing_can_be_guessed_from_it() {
    let makes = |code: &str| {
        ["sha256(", "sha256_b64(", "Sha256", ".digest()"]
            .iter()
            .any(|way| code.contains(way))
    };
    let known = |path: &str| BARE_DIGESTS.iter().any(|(home, _)| path.starts_with(home));
    let broken: Vec<_> = sources()
        .into_iter()
        .filter(|source| makes(&source.code) && !known(&source.path))
        .map(|source| source.path)
        .collect();
    assert!(
        broken.is_empty(),
        "store a KeyedDigest, or say here why nothing can be guessed: {broken:#?}"
    );
}

/// A proof is made by the step that has its factor checked; `domain/sign_in` decides what it is worth.
#[test]
fn only_the_step_that_checks_a_factor_makes_a_proof() {
    let homes = ["domain/sign_in", "service/sign_in/step.rs"];
    let makes = |source: &Source| source.code.contains("Proof::") && !source.path.contains("tests");
    let found: Vec<_> = sources()
        .into_iter()
        .filter(makes)
        .map(|source| source.path)
        .collect();
    assert!(!found.is_empty());
    let is_at_home = |path: &String| homes.iter().any(|home| path.starts_with(home));
    assert!(found.iter().all(is_at_home), "{found:?}");
}

#[test]
fn no_file_grows_past_what_one_can_hold_in_the_head() {
    let long = |source: Source| {
        (source.lines > LONGEST).then(|| format!("{}: {} lines", source.path, source.lines))
    };
    let broken: Vec<_> = sources().into_iter().filter_map(long).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn no_surface_judges_what_an_administrator_may_change() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| source.room == "admin") {
        for word in RIGHTS {
            if source.code.contains(word) {
                broken.push(format!("{} says {word}", source.path));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// What an operator does at the command line is an act as well: `service::administration` begins and commits it.
#[test]
fn no_surface_begins_a_transaction() {
    let surfaces = ["admin", "cli", "web", "protocol", "app"];
    let mut broken = Vec::new();
    for source in sources() {
        let room = source.room.as_str();
        if surfaces.contains(&room) && !source.path.contains("tests") {
            for word in [".begin()", "revoke::user(", "revoke::client("] {
                if source.code.contains(word) {
                    broken.push(format!("{} says {word}", source.path));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn only_the_gate_verifies_access_tokens_that_are_presented() {
    let mut broken = Vec::new();
    for source in sources() {
        let judge = JUDGES.iter().any(|path| source.path == *path)
            || source.path.starts_with("http/bearer/");
        if !judge && judges_tokens(&source.code) {
            broken.push(source.path);
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// What is said in one place: an answer of 401 always with a challenge, and of every answer that its type is meant.
const SAID_ONCE: [(&str, &str); 3] = [
    ("StatusCode::UNAUTHORIZED", "http/challenge.rs"),
    ("WWW_AUTHENTICATE", "http/challenge.rs"),
    ("X_CONTENT_TYPE_OPTIONS", "http/server.rs"),
];

#[test]
fn what_every_answer_says_is_said_in_one_place() {
    for (word, home) in SAID_ONCE {
        let named: Vec<_> = sources()
            .into_iter()
            .filter(|source| source.code.contains(word) && source.path != "http/cors.rs")
            .map(|source| source.path)
            .collect();
        assert_eq!(named, [home], "{word}");
    }
}

#[test]
fn a_failed_serialization_is_no_empty_text() {
    let empty = |source: Source| writes_empty(&source.code).then_some(source.path);
    let broken: Vec<_> = sources().into_iter().filter_map(empty).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Whether a statement writes JSON and goes on with something else when that fails.
fn writes_empty(code: &str) -> bool {
    let goes_on = [".unwrap_or", ".ok()", "Err(_)"];
    code.split(';').any(|statement| {
        statement
            .split_once("serde_json::to_")
            .is_some_and(|(_, rest)| goes_on.iter().any(|way| rest.contains(way)))
    })
}

/// Whether code names more of `service::tokens::access_token` than the types.
fn judges_tokens(code: &str) -> bool {
    let named = code.match_indices("access_token::").any(|(at, found)| {
        let whole = !code[..at].ends_with(is_word);
        let name = first_word(&code[at + found.len()..]);
        whole && !matches!(name.as_str(), "AccessToken" | "AccessTokens")
    });
    named || code.contains("access_tokens.") || code.contains(".revocation_keys(")
}

/// Where `service/` may start tasks that nothing waits for, and why; what is done again and again is a job of
/// `app/jobs.rs`. A `JoinSet` ends with its owner and is no such task.
const SPAWNING: [(&str, &str); 1] = [(
    "service/tokens/redeem.rs",
    "a redemption goes on to its end although the client hangs up",
)];

#[test]
fn service_starts_no_tasks_and_no_loops_but_where_the_list_says_why() {
    let mut broken = Vec::new();
    let mut used = BTreeSet::new();
    for source in sources() {
        if source.room != "service" || is_test(&source.path) || !starts_tasks(&source.code) {
            continue;
        }
        match SPAWNING.iter().find(|(path, _)| *path == source.path) {
            Some((path, _)) => drop(used.insert(*path)),
            None => broken.push(source.path),
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    let unused: Vec<_> = SPAWNING
        .iter()
        .filter(|(path, _)| !used.contains(path))
        .collect();
    assert!(unused.is_empty(), "no longer needed: {unused:#?}");
}

fn starts_tasks(code: &str) -> bool {
    let loops = ["interval", "interval_at", "CancellationToken"];
    let mut words = code.split(|c: char| !is_word(c));
    code.contains("tokio::spawn") || words.any(|word| loops.contains(&word))
}

#[test]
fn production_does_not_name_the_playground() {
    let named: Vec<_> = sources()
        .into_iter()
        .filter(|source| !source.path.split('/').any(is_tests))
        .filter(|source| source.code.to_lowercase().contains("playground"))
        .map(|source| source.path)
        .collect();
    assert_eq!(named, PLAYGROUND);
}

/// A directory or file of tests.
fn is_tests(segment: &str) -> bool {
    segment.trim_end_matches(".rs").ends_with("tests")
}

fn row_of(room: &str) -> Option<usize> {
    ROOMS.iter().position(|row| row.contains(&room))
}

/// The first segments of every `crate::…` path, also of `crate::{a, b::c}`.
fn crate_paths(code: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for (at, found) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| is_word(c) || c == '$') {
            continue;
        }
        let rest = &code[at + found.len()..];
        match rest.strip_prefix('{') {
            Some(list) => rooms.extend(top_level_names(list)),
            None => rooms.extend([first_word(rest)]),
        }
    }
    rooms
}

/// The names at the first level of a use list that has just been opened.
fn top_level_names(list: &str) -> Vec<String> {
    let (mut depth, mut names, mut fresh) = (0_usize, Vec::new(), true);
    for (at, letter) in list.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            _ if fresh && is_word(letter) => {
                names.push(first_word(&list[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

fn names_crate(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = &code[..at];
        let after = &code[at + name.len()..];
        let whole =
            !before.ends_with(|c: char| is_word(c) || c == '.') && !after.starts_with(is_word);
        // `redis::` and `use redis;`, but neither `ephemeral::redis::` nor `mod redis;` nor a variable.
        let own_module = before.ends_with("::")
            && !before
                .trim_end_matches(':')
                .ends_with(|c: char| !is_word(c));
        whole && !own_module && (after.starts_with("::") || before.trim_end().ends_with("use"))
    })
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|c| is_word(*c)).collect()
}

#[test]
fn the_rules_above_can_fail() {
    let code = "use crate::{store::Store, web::{pages, crate_of}};\nfn f() { crate::cli::run() }";
    assert_eq!(
        crate_paths(code),
        ["cli", "store", "web"].map(str::to_owned).into()
    );
    assert!(names_crate("use redis::Client;", "redis"));
    assert!(names_crate("fn f() -> ::redis::Value {}", "redis"));
    assert!(!names_crate(
        "use super::redis::Shared; mod redis;",
        "redis"
    ));
    assert!(!names_crate("let rand = operand::new();", "rand"));
    assert!(writes_empty(
        "let a = serde_json::to_vec(&value)\n    .unwrap_or_default();"
    ));
    assert!(writes_empty(
        "match serde_json::to_value(a) { Ok(it) => it, Err(_) => Map::new() }"
    ));
    assert!(!writes_empty(
        "let a = serde_json::to_vec(&value)?; let b = text.unwrap_or_default();"
    ));
    for judging in [
        "use crate::service::tokens::access_token::{AccessToken, verify};",
        "access_token::verify_unrevoked(services, token, now)",
        "services.access_tokens.known(token, now)",
        "revocations.check(&token.revocation_keys())",
    ] {
        assert!(judges_tokens(judging), "{judging}");
    }
    assert!(!judges_tokens(
        "use crate::service::tokens::access_token::AccessToken; revoke::access_token(services, jti)"
    ));
    assert!(starts_tasks("let task = tokio::spawn(run());"));
    assert!(starts_tasks("let mut ticks = interval(EVERY);"));
    assert!(!starts_tasks("spawn_blocking(|| 1)"));
    assert!(is_test("service/audit/tests/mod.rs") && !is_test("service/audit/mod.rs"));
}
