//! What the browser was sent away for, until it comes back: a sealed cookie, so that several applications or tabs
//! cannot take each other's answers for their own.

use serde::{Deserialize, Serialize};

use crate::config::Issuer;
use crate::crypto::digest::sha256_b64;
use crate::crypto::random;
use crate::crypto::seal::Sealer;
use crate::spec::params::encode;
use crate::spec::time::Ts;

/// What the browser comes back from.
#[derive(Serialize, Deserialize)]
pub(super) enum Errand {
    /// `/authorize`.
    SignIn(SignIn),
    /// `/logout`.
    SignOut(SignOut),
}

/// An authorization request that waits for its answer.
#[derive(Serialize, Deserialize)]
pub(super) struct SignIn {
    /// Shows that the answer belongs to a request of this browser (RFC 6749 §10.12).
    pub(super) state: String,
    /// Shows that the ID token belongs to this request (OpenID Connect Core §15.5.2).
    pub(super) nonce: String,
    /// Shows at `/token` that the code was asked for by this application (RFC 7636 §4.1).
    pub(super) code_verifier: String,
}

/// A logout request that waits for its answer.
#[derive(Serialize, Deserialize)]
pub(super) struct SignOut {
    /// Shows that the answer belongs to a request of this browser.
    pub(super) state: String,
    /// The request.
    pub(super) url: String,
}

impl SignIn {
    /// A new request with random values.
    pub(super) fn begin() -> Self {
        let random = || random::token().expose().to_owned();
        Self {
            state: random(),
            nonce: random(),
            code_verifier: random(),
        }
    }

    /// The authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3).
    pub(super) fn authorize_url(&self, issuer: &Issuer, client_id: &str) -> String {
        let redirect_uri = issuer.endpoint(super::CALLBACK);
        let code_challenge = sha256_b64(self.code_verifier.as_bytes());
        let query = encode([
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", &redirect_uri),
            ("scope", "openid profile email offline_access"),
            ("state", &self.state),
            ("nonce", &self.nonce),
            ("code_challenge", &code_challenge),
            ("code_challenge_method", "S256"),
        ]);
        format!("{}?{query}", issuer.endpoint("/authorize"))
    }
}

impl SignOut {
    /// A logout request for the session of `id_token` (OpenID Connect RP-Initiated Logout 1.0 §2).
    pub(super) fn begin(issuer: &Issuer, client_id: &str, id_token: &str) -> Self {
        let state = random::token().expose().to_owned();
        let query = encode([
            ("id_token_hint", id_token),
            ("client_id", client_id),
            ("post_logout_redirect_uri", &issuer.endpoint("/playground")),
            ("state", &state),
        ]);
        Self {
            url: format!("{}?{query}", issuer.endpoint("/logout")),
            state,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Dated {
    errand: Errand,
    ends_at: Ts,
}

impl Errand {
    /// Seals it for the browser with that cookie.
    pub(super) fn seal(self, sealer: &Sealer, browser: &str, ends_at: Ts) -> String {
        let dated = Dated {
            errand: self,
            ends_at,
        };
        let json = serde_json::to_vec(&dated).unwrap_or_default();
        sealer.seal_text(&bound_to(browser), &json)
    }

    /// Opens what was sealed for this browser, unless it is too old.
    pub(super) fn open(sealer: &Sealer, browser: &str, text: &str, now: Ts) -> Option<Self> {
        let json = sealer.open_text(&bound_to(browser), text)?;
        let dated: Dated = serde_json::from_slice(&json).ok()?;
        (now < dated.ends_at).then_some(dated.errand)
    }
}

fn bound_to(browser: &str) -> Vec<u8> {
    ["errand ", browser].concat().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::master_key::MasterKey;
    use crate::spec::params::Params;

    #[test]
    fn a_request_has_fresh_proofs_and_shows_only_the_hash_of_its_verifier_rfc7636_4_3() {
        let issuer = Issuer::parse("http://localhost:8080").unwrap();
        let (one, two) = (SignIn::begin(), SignIn::begin());
        assert_ne!(one.state, two.state);
        assert_ne!(one.nonce, two.nonce);
        assert_ne!(one.code_verifier, two.code_verifier);
        let url = one.authorize_url(&issuer, "playground");
        assert!(!url.contains(&one.code_verifier));
        let query = Params::parse(url.split_once('?').unwrap().1.as_bytes()).unwrap();
        assert_eq!(query.repeated(), None);
        assert_eq!(
            query.find("redirect_uri"),
            Some("http://localhost:8080/playground/callback")
        );
        assert_eq!(
            query.find("code_challenge"),
            Some(sha256_b64(one.code_verifier.as_bytes()).as_str())
        );
    }

    #[test]
    fn an_errand_opens_in_its_own_browser_and_time_only() {
        let sealer = Sealer::new(&MasterKey::generate(), "playground");
        let sign_in = SignIn::begin();
        let state = sign_in.state.clone();
        let text = Errand::SignIn(sign_in).seal(&sealer, "browser", Ts::from_secs(10));
        let open = |browser, at| Errand::open(&sealer, browser, &text, Ts::from_secs(at));
        assert!(matches!(open("browser", 9), Some(Errand::SignIn(back)) if back.state == state));
        assert!(open("browser", 10).is_none());
        assert!(open("other", 9).is_none());
    }
}
