//! What settings must be to each other.

use std::collections::BTreeMap;
use std::time::Duration;

use super::parse::show_duration;
use super::{Config, Source};

/// Argon2id parameters of the same strength, (KiB, passes), weakest memory first:
/// OWASP Password Storage Cheat Sheet, the floor that RFC 9106 §4 recommendations lie above.
const HASH_FLOORS: [(u32, u32); 5] = [(7168, 5), (9216, 4), (12_288, 3), (19_456, 2), (47_104, 1)];

/// Every combination that cannot work, each as a sentence naming both keys.
pub(super) fn problems(config: &Config, sources: &BTreeMap<&'static str, Source>) -> Vec<String> {
    let mut problems = Vec::new();
    let origin = |name: &str| {
        sources
            .get(name)
            .map_or(String::new(), |source| format!(" ({source})"))
    };

    let ordered: [(&str, Duration, &str, Duration, bool); 7] = [
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
        // A key must outlive what it signs, or verifiers meet more retiring keys than make sense.
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
    for (small, a, large, b, may_be_equal) in ordered {
        if a > b || (a == b && !may_be_equal) {
            let relation = if may_be_equal { "at most" } else { "less than" };
            problems.push(format!(
                "`{small}`{}: expected {relation} `{large}`{}, which is {}, got {}",
                origin(small),
                origin(large),
                show_duration(b),
                show_duration(a),
            ));
        }
    }

    let capped = [
        // RFC 6749 §4.1.2: "A maximum authorization code lifetime of 10 minutes is RECOMMENDED."
        ("code_lifetime", config.code_lifetime, 10 * 60),
        // Inside the window a stolen refresh token is not noticed: it bridges lost answers, no more.
        ("refresh_retry_window", config.refresh_retry_window, 10 * 60),
        ("login_lifetime", config.login_lifetime, 24 * 60 * 60),
        // Offline verification means that a revoked token works at other parties until it expires.
        (
            "access_token_lifetime",
            config.access_token_lifetime,
            24 * 60 * 60,
        ),
        ("request_timeout", config.request_timeout, 10 * 60),
    ];
    for (name, value, most) in capped {
        if value > Duration::from_secs(most) {
            problems.push(format!(
                "`{name}`{}: expected at most {}, got {}",
                origin(name),
                show_duration(Duration::from_secs(most)),
                show_duration(value),
            ));
        }
    }

    let (one, other) = (config.listen, config.management_listen);
    let overlap =
        one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    if one.port() != 0 && one.port() == other.port() && overlap {
        problems.push(format!(
            "`management_listen`{}: expected another port than `listen`{}, got {other} and {one}",
            origin("management_listen"),
            origin("listen"),
        ));
    }

    let (memory, passes) = (
        config.password_hash_memory_kib,
        config.password_hash_iterations,
    );
    let strong = HASH_FLOORS
        .iter()
        .any(|(kib, times)| memory >= *kib && passes >= *times);
    if !strong {
        let choices: Vec<String> = HASH_FLOORS
            .iter()
            .map(|(kib, times)| format!("{kib} with {times}"))
            .collect();
        problems.push(format!(
            "`password_hash_memory_kib`{} with `password_hash_iterations`{}: expected at least one of {}, got {memory} with {passes}",
            origin("password_hash_memory_kib"), origin("password_hash_iterations"), choices.join(", "),
        ));
    }
    problems
}
