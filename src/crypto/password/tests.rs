use std::time::{Duration, Instant};

use super::*;

fn cheap() -> PasswordParams {
    PasswordParams {
        memory_kib: 64,
        iterations: 1,
        parallelism: 1,
        threads: 2,
        queue: 16,
    }
}

fn passwords(params: PasswordParams) -> Passwords {
    Passwords::new(params).unwrap()
}

async fn verify(
    passwords: &Passwords,
    password: &str,
    phc: &str,
) -> Result<Verified, PasswordError> {
    passwords
        .verify(password.to_owned(), Some(phc.to_owned()))
        .await
}

#[tokio::test]
async fn a_hash_is_salted_argon2id_and_verifies() {
    let passwords = passwords(cheap());
    let phc = passwords.hash("correct horse".to_owned()).await.unwrap();
    assert!(phc.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{phc}");
    assert!(is_valid_phc(&phc));
    assert_ne!(
        phc,
        passwords.hash("correct horse".to_owned()).await.unwrap()
    );
    assert_eq!(
        verify(&passwords, "correct horse", &phc).await,
        Ok(Verified::Match {
            needs_rehash: false
        })
    );
    for wrong in ["", "correct horsf", "correct horse ", "Correct horse"] {
        assert_eq!(
            verify(&passwords, wrong, &phc).await,
            Ok(Verified::Mismatch),
            "{wrong}"
        );
    }
}

/// The vector of the reference implementation's test suite (`password`, `somesalt`).
#[tokio::test]
async fn imported_hashes_are_verified_with_their_own_parameters() {
    let passwords = passwords(cheap());
    let phc = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ\
               $CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    assert!(is_valid_phc(phc));
    assert_eq!(
        verify(&passwords, "password", phc).await,
        Ok(Verified::Match { needs_rehash: true })
    );
    assert_eq!(
        verify(&passwords, "passwore", phc).await,
        Ok(Verified::Mismatch)
    );
}

#[tokio::test]
async fn a_change_of_any_parameter_asks_for_a_new_hash() {
    let phc = passwords(cheap()).hash("secret".to_owned()).await.unwrap();
    for params in [
        PasswordParams {
            memory_kib: 128,
            ..cheap()
        },
        PasswordParams {
            iterations: 2,
            ..cheap()
        },
        PasswordParams {
            parallelism: 2,
            ..cheap()
        },
    ] {
        assert_eq!(
            verify(&passwords(params), "secret", &phc).await,
            Ok(Verified::Match { needs_rehash: true })
        );
    }
}

#[tokio::test]
async fn hashes_that_are_not_argon2id_or_cost_too_much_are_refused() {
    let passwords = passwords(cheap());
    let rest = "c29tZXNhbHRzb21lc2FsdA$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    for phc in [
        String::new(),
        "password".to_owned(),
        "$2b$12$abcdefghijklmnopqrstuuGk".to_owned(),
        format!("$argon2i$v=19$m=64,t=1,p=1${rest}"),
        format!("$argon2d$v=19$m=64,t=1,p=1${rest}"),
        format!("$argon2id$v=18$m=64,t=1,p=1${rest}"),
        format!("$argon2id$v=19$m=262145,t=1,p=1${rest}"),
        format!("$argon2id$v=19$m=64,t=17,p=1${rest}"),
        format!("$argon2id$v=19$m=64,t=0,p=1${rest}"),
        format!("$argon2id$v=19$m=4294967295,t=1,p=1${rest}"),
        format!("$argon2id$v=19$m=256,t=1,p=17${rest}"),
        format!("$argon2id$v=19$m=64,t=1,p=1,keyid=AAAA${rest}"),
        "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA".to_owned(),
        "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$CTFhFdXPJO1aFQ".to_owned(),
    ] {
        assert!(!is_valid_phc(&phc), "{phc}");
        let error = verify(&passwords, "password", &phc).await.unwrap_err();
        assert!(matches!(error, PasswordError::Broken(_)), "{phc}: {error}");
        assert!(
            !error.to_string().contains("CTFh"),
            "the hash stays out of the message"
        );
    }
}

#[tokio::test]
async fn over_long_passwords_are_refused_when_set_and_never_match() {
    let passwords = passwords(cheap());
    let longest = "x".repeat(MAX_PASSWORD_BYTES);
    let phc = passwords.hash(longest.clone()).await.unwrap();
    assert_eq!(
        verify(&passwords, &longest, &phc).await,
        Ok(Verified::Match {
            needs_rehash: false
        })
    );
    let longer = format!("{longest}x");
    assert_eq!(
        passwords.hash(longer.clone()).await,
        Err(PasswordError::TooLong)
    );
    assert_eq!(
        verify(&passwords, &longer, &phc).await,
        Ok(Verified::Mismatch)
    );
    // An over-long password is hashed as the empty one; it must not match that either.
    let empty = passwords.hash(String::new()).await.unwrap();
    assert_eq!(
        verify(&passwords, &longer, &empty).await,
        Ok(Verified::Mismatch)
    );
}

#[tokio::test]
async fn an_unknown_user_costs_what_a_known_one_costs() {
    let passwords = passwords(PasswordParams {
        memory_kib: 8192,
        iterations: 2,
        threads: 1,
        ..cheap()
    });
    let phc = passwords.hash("secret".to_owned()).await.unwrap();
    let (mut known, mut unknown) = (Duration::MAX, Duration::MAX);
    let ratio = |known: Duration, unknown: Duration| unknown.as_secs_f64() / known.as_secs_f64();
    // The least of ten; of more while a busy machine has disturbed all of one kind.
    for round in 0..100 {
        if round >= 10 && (0.5..2.0).contains(&ratio(known, unknown)) {
            break;
        }
        let start = Instant::now();
        assert_eq!(
            verify(&passwords, "wrong", &phc).await,
            Ok(Verified::Mismatch)
        );
        known = known.min(start.elapsed());
        let start = Instant::now();
        let answer = passwords.verify("wrong".to_owned(), None).await;
        assert_eq!(answer, Ok(Verified::Mismatch));
        unknown = unknown.min(start.elapsed());
    }
    assert!(
        (0.5..2.0).contains(&ratio(known, unknown)),
        "known {known:?}, unknown {unknown:?}"
    );
}

/// One thread and a queue of two, all taken.
fn busy() -> PasswordParams {
    PasswordParams {
        memory_kib: 65_536,
        iterations: 4,
        threads: 1,
        queue: 2,
        ..cheap()
    }
}

/// Waits until the only thread has taken what is queued.
async fn taken(passwords: &Passwords) {
    while passwords.queue_depth() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_full_queue_answers_busy_at_once() {
    let passwords = passwords(busy());
    let mut running = Box::pin(passwords.hash("one".to_owned()));
    assert!(poll_once(&mut running).await.is_none());
    taken(&passwords).await;
    let mut waiting = [
        Box::pin(passwords.hash("two".to_owned())),
        Box::pin(passwords.hash("three".to_owned())),
    ];
    for waiting in &mut waiting {
        assert!(poll_once(waiting).await.is_none());
    }
    assert_eq!(passwords.queue_depth(), 2);
    assert_eq!(
        passwords.hash("four".to_owned()).await,
        Err(PasswordError::Busy)
    );
    let unknown = passwords.verify("four".to_owned(), None).await;
    assert_eq!(unknown, Err(PasswordError::Busy));
    // One that waited for room would have waited for the one that runs.
    assert!(poll_once(&mut running).await.is_none());

    // Callers that went away make room at once and cost no hash.
    drop(waiting);
    let start = Instant::now();
    running.await.unwrap();
    let one = start.elapsed();
    let start = Instant::now();
    passwords.hash("five".to_owned()).await.unwrap();
    assert!(
        start.elapsed() < one * 3 + Duration::from_millis(200),
        "the abandoned were skipped"
    );
}

/// A very costly hash delays sign-ins of its own user alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn costly_imported_hashes_delay_no_other_sign_in() {
    let passwords = std::sync::Arc::new(passwords(cheap()));
    let ordinary = passwords.hash("secret".to_owned()).await.unwrap();
    let costly = "$argon2id$v=19$m=65536,t=16,p=1$c29tZXNhbHQ\
                  $CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    assert!(passwords.is_costly(costly) && !passwords.is_costly(&ordinary));
    let crowd: Vec<_> = (0..50)
        .map(|_| {
            let passwords = std::sync::Arc::clone(&passwords);
            tokio::spawn(async move { verify(&passwords, "password", costly).await })
        })
        .collect();
    // One runs and a few wait; the others are told to come again.
    let answered = || crowd.iter().filter(|one| one.is_finished()).count();
    while answered() < 50 - 1 - COSTLY_QUEUE {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for _ in 0..20 {
        let checked = verify(&passwords, "secret", &ordinary).await;
        assert!(matches!(checked, Ok(Verified::Match { .. })), "{checked:?}");
    }
    // Each of them takes as long as 16,384 of the ordinary ones.
    assert!(
        answered() < 50,
        "the ordinary ones waited for the costly ones"
    );
    for one in crowd {
        one.abort();
    }
}

#[test]
fn a_hash_is_costly_from_more_than_four_times_the_configured_work() {
    let passwords = passwords(PasswordParams {
        memory_kib: 1024,
        iterations: 2,
        ..cheap()
    });
    let phc = |m: u32, t: u32| {
        format!(
            "$argon2id$v=19$m={m},t={t},p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
        )
    };
    for (memory, iterations, costly) in [
        (1024, 2, false),
        (1024, 8, false),
        (4096, 2, false),
        (1024, 9, true),
        (4097, 2, true),
        (65_536, 1, true),
    ] {
        let hash = phc(memory, iterations);
        assert_eq!(passwords.is_costly(&hash), costly, "{hash}");
    }
    assert!(!passwords.is_costly("no hash"));
}

#[tokio::test]
async fn dropping_the_pool_tells_those_who_wait_and_ends_the_threads() {
    let passwords = passwords(busy());
    let shared = std::sync::Arc::downgrade(passwords.pool.shared());
    let (reply, answer) = oneshot::channel();
    let (second_reply, second) = oneshot::channel();
    for reply in [reply, second_reply] {
        let work = Work {
            password: Zeroizing::new("one".to_owned()),
            salt: vec![0; SALT],
            hasher: passwords.today(),
            length: OUTPUT,
        };
        passwords.pool.submit(Job { work, reply }).unwrap();
    }
    while passwords.queue_depth() > 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(passwords);
    assert!(answer.await.is_ok(), "what runs is finished");
    assert!(second.await.is_err(), "what waits is told");
    for _ in 0..1000 {
        if shared.strong_count() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(shared.strong_count(), 0, "the thread has ended");
}

/// Linux has a priority for each thread, the nineteenth field of its `stat`.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_threads_that_hash_yield_to_those_that_serve() {
    use std::path::Path;

    let nice = |thread: &Path| {
        let stat = std::fs::read_to_string(thread.join("stat")).ok()?;
        let (name, fields) = stat.rsplit_once(')')?;
        let nice: i32 = fields.split_whitespace().nth(16)?.parse().ok()?;
        Some((name.contains("(password-"), nice))
    };
    let ours = Path::new("/proc/thread-self");
    let before = nice(ours).unwrap();
    let passwords = passwords(cheap());
    passwords.hash("one".to_owned()).await.unwrap();
    let lowered = std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| nice(&task.unwrap().path()))
        .any(|(hashes, nice)| hashes && nice >= 10);
    assert!(lowered);
    assert_eq!(nice(ours).unwrap(), before);
}

#[test]
fn unusable_parameters_are_refused_at_start() {
    for params in [
        PasswordParams {
            memory_kib: 7,
            ..cheap()
        },
        PasswordParams {
            iterations: 0,
            ..cheap()
        },
        PasswordParams {
            iterations: 17,
            ..cheap()
        },
        PasswordParams {
            parallelism: 0,
            ..cheap()
        },
        PasswordParams {
            memory_kib: 262_145,
            ..cheap()
        },
    ] {
        assert!(
            matches!(Passwords::new(params), Err(PasswordError::Broken(_))),
            "{params:?}"
        );
    }
}

/// Polls once: `Some` if it is ready.
async fn poll_once<T>(future: &mut std::pin::Pin<Box<impl Future<Output = T>>>) -> Option<T> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match future.as_mut().poll(context) {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        })
    })
    .await
}
