//! What settings must be to each other.

use std::collections::BTreeMap;

use super::parse::{duration, show_duration};
use super::{Config, Source};

/// Argon2id parameters of the same strength, (KiB, passes), weakest memory first:
/// OWASP Password Storage Cheat Sheet, the floor that RFC 9106 §4 recommendations lie above.
const HASH_FLOORS: [(u32, u32); 5] = [(7168, 5), (9216, 4), (12_288, 3), (19_456, 2), (47_104, 1)];

/// Where each key's value came from.
type Sources = BTreeMap<&'static str, Source>;

/// Every combination that cannot work, each as a sentence naming both keys.
pub(super) fn problems(config: &Config, sources: &Sources) -> Vec<String> {
    let mut problems = out_of_order(config, sources);
    problems.extend(too_long(config, sources));
    problems.extend(same_address(config, sources));
    problems.extend(weak_hashing(config, sources));
    problems
}

fn origin(sources: &Sources, key: &str) -> String {
    sources
        .get(key)
        .map_or(String::new(), |source| format!(" ({source})"))
}

/// Pairs of which the first must be shorter than the second, or at most as long.
fn out_of_order(config: &Config, sources: &Sources) -> Vec<String> {
    let ordered = [
        (
            "refresh_token_idle_lifetime",
            config.refresh_token_idle_lifetime,
            "refresh_token_lifetime",
            config.refresh_token_lifetime,
            true,
        ),
        (
            "refresh_retry_window",
            config.refresh_retry_window,
            "refresh_token_idle_lifetime",
            config.refresh_token_idle_lifetime,
            false,
        ),
        (
            "session_idle_lifetime",
            config.session_idle_lifetime,
            "session_lifetime",
            config.session_lifetime,
            true,
        ),
        (
            "key_publish_lead",
            config.key_publish_lead,
            "key_rotation_interval",
            config.key_rotation_interval,
            false,
        ),
        // A key must outlive what it signs, or retiring keys pile up in the JWK Set.
        (
            "access_token_lifetime",
            config.access_token_lifetime,
            "key_rotation_interval",
            config.key_rotation_interval,
            false,
        ),
        (
            "id_token_lifetime",
            config.id_token_lifetime,
            "key_rotation_interval",
            config.key_rotation_interval,
            false,
        ),
        (
            "header_timeout",
            config.header_timeout,
            "request_timeout",
            config.request_timeout,
            true,
        ),
    ];
    let wrong = ordered
        .into_iter()
        .filter(|(_, a, _, b, equal)| a > b || (a == b && !equal));
    wrong
        .map(|(small, a, large, b, equal)| {
            format!(
                "`{small}`{}: expected {} `{large}`{}, which is {}, got {}",
                origin(sources, small),
                if equal { "at most" } else { "less than" },
                origin(sources, large),
                show_duration(b),
                show_duration(a),
            )
        })
        .collect()
}

/// Durations with a ceiling of their own.
fn too_long(config: &Config, sources: &Sources) -> Vec<String> {
    let capped = [
        // RFC 6749 §4.1.2: "A maximum authorization code lifetime of 10 minutes is RECOMMENDED."
        ("code_lifetime", config.code_lifetime, "10m"),
        // Inside the window a stolen refresh token is not noticed: it bridges lost answers, no more.
        ("refresh_retry_window", config.refresh_retry_window, "10m"),
        ("login_lifetime", config.login_lifetime, "1d"),
        // Offline verification means that a revoked token works at other parties until it expires, and
        // records of revocations are kept for as long as the longest token.
        ("access_token_lifetime", config.access_token_lifetime, "1h"),
        ("request_timeout", config.request_timeout, "10m"),
        // A person with a new browser waits this long while strangers guess at their account.
        ("login_delay_max", config.login_delay_max, "1h"),
    ];
    let wrong = capped
        .into_iter()
        .filter(|(_, value, most)| duration(most).is_ok_and(|most| *value > most));
    wrong
        .map(|(key, value, most)| {
            format!(
                "`{key}`{}: expected at most {most}, got {}",
                origin(sources, key),
                show_duration(value)
            )
        })
        .collect()
}

/// Two listeners cannot share a port of one address, and `0.0.0.0` means every address.
fn same_address(config: &Config, sources: &Sources) -> Option<String> {
    let (one, other) = (config.listen, config.management_listen);
    let overlap =
        one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    (one.port() != 0 && one.port() == other.port() && overlap).then(|| {
        format!(
            "`management_listen`{}: expected another port than `listen`{}, got {other} and {one}",
            origin(sources, "management_listen"),
            origin(sources, "listen"),
        )
    })
}

fn weak_hashing(config: &Config, sources: &Sources) -> Option<String> {
    let (memory, passes) = (
        config.password_hash_memory_kib,
        config.password_hash_iterations,
    );
    let strong = HASH_FLOORS
        .iter()
        .any(|(kib, times)| memory >= *kib && passes >= *times);
    (!strong).then(|| {
        let floors: Vec<String> = HASH_FLOORS.iter().map(|(kib, times)| format!("{kib} with {times}")).collect();
        format!(
            "`password_hash_memory_kib`{} with `password_hash_iterations`{}: expected at least one of {}, got {memory} with {passes}",
            origin(sources, "password_hash_memory_kib"),
            origin(sources, "password_hash_iterations"),
            floors.join(", "),
        )
    })
}
