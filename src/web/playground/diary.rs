//! What travels from step to step: the tokens, and what happened so far. Sealed in a form field and bounded, because
//! every step posts all of it again.

use serde::{Deserialize, Serialize};

use crate::crypto::seal::Sealer;
use crate::web::pages::Step;

/// The tokens of someone who is signed in.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Tokens {
    /// For resource servers.
    pub(super) access_token: String,
    /// For more of them.
    pub(super) refresh_token: Option<String>,
    /// Who is signed in.
    pub(super) id_token: String,
    /// `sub` of the first ID token, which no later answer may change.
    pub(super) subject: String,
}

/// Tokens and history.
#[derive(Serialize, Deserialize)]
pub(super) struct Diary {
    /// The tokens.
    pub(super) tokens: Tokens,
    /// What happened, oldest first.
    pub(super) steps: Vec<Step>,
}

impl Diary {
    /// Seals it for the browser with that cookie.
    pub(super) fn seal(&self, sealer: &Sealer, browser: &str) -> String {
        let json = serde_json::to_vec(self).unwrap_or_default();
        sealer.seal_text(&bound_to(browser), &json)
    }

    /// Opens what was sealed for this browser.
    pub(super) fn open(sealer: &Sealer, browser: &str, text: &str) -> Option<Self> {
        let json = sealer.open_text(&bound_to(browser), text)?;
        serde_json::from_slice(&json).ok()
    }
}

/// Makes the history fit into `limit` bytes: the oldest messages lose their bodies, then the oldest steps go. The
/// latest step stays.
pub(super) fn shorten(steps: &mut Vec<Step>, limit: usize) {
    while size(steps) > limit {
        let Some((_, older)) = steps.split_last_mut() else {
            return;
        };
        if let Some(whole) = older.iter_mut().find(|step| has_bodies(step)) {
            drop_bodies(whole);
        } else if older.is_empty() {
            return;
        } else {
            steps.remove(0);
        }
    }
}

/// `text`, cut to at most `limit` bytes, with a word about the rest.
pub(super) fn clip(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let (kept, rest) = text
        .split_at_checked(text.floor_char_boundary(limit))
        .unwrap_or((text, ""));
    format!("{kept}… ({} more bytes)", rest.len())
}

fn size(steps: &[Step]) -> usize {
    serde_json::to_vec(steps).map_or(0, |json| json.len())
}

fn has_bodies(step: &Step) -> bool {
    let sent = step.request.as_ref().map(|request| &request.body);
    let came = step.response.as_ref().map(|response| &response.body);
    sent.into_iter().chain(came).any(|body| is_long(body))
}

fn is_long(body: &str) -> bool {
    body.len() > LEFT_OUT.len()
}

fn drop_bodies(step: &mut Step) {
    let sent = step.request.as_mut().map(|request| &mut request.body);
    let came = step.response.as_mut().map(|response| &mut response.body);
    for body in sent.into_iter().chain(came).filter(|body| is_long(body)) {
        LEFT_OUT.clone_into(body);
    }
    // A bearer token is as long as a body.
    let headers = step.request.iter_mut().flat_map(|it| &mut it.headers);
    for (_, value) in headers.filter(|(_, value)| value.len() > 100) {
        *value = clip(value, 40);
    }
}

fn bound_to(browser: &str) -> Vec<u8> {
    ["diary ", browser].concat().into_bytes()
}

const LEFT_OUT: &str = "(left out: only the latest messages are kept whole)";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::master_key::MasterKey;
    use crate::web::pages::{Exchange, Reply};

    fn step(title: &str, bytes: usize) -> Step {
        Step {
            title: title.to_owned(),
            request: Some(Exchange {
                headers: vec![("authorization".to_owned(), "x".repeat(bytes))],
                ..Exchange::default()
            }),
            response: Some(Reply {
                status: 200,
                body: "y".repeat(bytes),
                ..Reply::default()
            }),
            ..Step::default()
        }
    }

    fn tokens() -> Tokens {
        Tokens {
            access_token: "at".to_owned(),
            refresh_token: Some("rt".to_owned()),
            id_token: "it".to_owned(),
            subject: "sub".to_owned(),
        }
    }

    #[test]
    fn a_diary_comes_back_in_its_own_browser_only() {
        let sealer = Sealer::new(&MasterKey::generate(), "playground");
        let diary = Diary {
            tokens: tokens(),
            steps: vec![step("one", 5)],
        };
        let text = diary.seal(&sealer, "browser");
        let back = Diary::open(&sealer, "browser", &text).unwrap();
        assert!(back.tokens == tokens());
        assert_eq!(back.steps[0].title, "one");
        assert_eq!(back.steps[0].response.as_ref().unwrap().body, "yyyyy");
        assert!(Diary::open(&sealer, "other", &text).is_none());
        assert!(Diary::open(&sealer, "browser", &text[1..]).is_none());
        assert!(Diary::open(&sealer, "browser", "").is_none());
    }

    #[test]
    fn the_oldest_bodies_go_first() {
        let mut steps = vec![step("one", 3000), step("two", 3000), step("three", 3000)];
        shorten(&mut steps, 14_000);
        let body = |at: usize| steps[at].response.as_ref().unwrap().body.as_str();
        assert_eq!(body(0), LEFT_OUT);
        assert_eq!(body(1).len(), 3000);
        assert_eq!(body(2).len(), 3000);
        assert!(steps[0].request.as_ref().unwrap().headers[0].1.len() < 100);
    }

    #[test]
    fn any_number_of_steps_fits_and_the_latest_stays_whole() {
        let mut steps = Vec::new();
        for number in 0..300 {
            steps.push(step(&number.to_string(), 2000));
            shorten(&mut steps, 24 * 1024);
            assert!(size(&steps) <= 24 * 1024);
        }
        let last = steps.last().unwrap();
        assert_eq!(last.title, "299");
        assert_eq!(last.response.as_ref().unwrap().body.len(), 2000);
        let mut one = vec![step("huge", 50_000)];
        shorten(&mut one, 1000);
        assert_eq!(one.len(), 1);
        shorten(&mut Vec::new(), 0);
    }

    #[test]
    fn text_is_cut_between_letters() {
        assert_eq!(clip("short", 5), "short");
        assert_eq!(clip("äöü", 3), "ä… (4 more bytes)");
    }
}
