//! What the application does: each function is one act, told step by step.

use serde_json::{Map, Value};

use super::call::{Authorization, Call};
use super::check::{self, Expected, all_passed};
use super::diary::{Diary, Tokens, clip};
use super::errand::{SignIn, SignOut};
use super::{CALLBACK, PlaygroundOptions};
use crate::crypto::jose::KeySet;
use crate::service::Services;
use crate::spec::params::{Params, encode};
use crate::spec::time::Ts;
use crate::web::pages::{Exchange, Step};

/// The application at work. Errors are sentences for the person who watches.
pub(super) struct RelyingParty<'a> {
    pub(super) options: &'a PlaygroundOptions,
    pub(super) services: &'a Services,
    pub(super) now: Ts,
}

impl RelyingParty<'_> {
    /// The browser is back from `/authorize`: checks what it brings and exchanges the code.
    pub(super) async fn finish_sign_in(
        &self,
        sign_in: Option<&SignIn>,
        query: &Params,
        steps: &mut Vec<Step>,
    ) -> Result<Tokens, String> {
        let issuer = &self.services.config.issuer;
        if let Some(sign_in) = sign_in {
            steps.push(Step {
                title: "The application sends your browser to the provider".to_owned(),
                note: "It made a state, a nonce and a code_verifier and kept them. Only the hash of the code_verifier \
                       travels along.".to_owned(),
                request: Some(get(&sign_in.authorize_url(issuer, &self.options.client_id))),
                ..Step::default()
            });
        }
        let state = sign_in.map(|sign_in| sign_in.state.as_str());
        let checks = check::authorization_response(query, state, issuer.as_str());
        let believed = all_passed(&checks);
        steps.push(Step {
            title: "Your browser comes back with an answer".to_owned(),
            note: "It came through the browser, so the application makes sure that it answers its own request and that \
                   it comes from the provider it asked."
                .to_owned(),
            request: Some(get(&with_query(&issuer.endpoint(CALLBACK), query))),
            checks,
            ..Step::default()
        });
        let Some(sign_in) = sign_in.filter(|_| believed) else {
            return Err(
                "This answer is not to a sign-in that waits in this browser: it is somebody else's, too old, or was \
                 used already, by reloading the page for example. The application does not touch it. Start over."
                    .to_owned(),
            );
        };
        if let Some(error) = query.find("error") {
            return Err(refusal(error, query.find("error_description")));
        }
        let code = query
            .find("code")
            .filter(|_| query.count("code") == 1)
            .ok_or("The answer brings no code, or more than one.")?;
        self.exchange(sign_in, code, steps).await
    }

    async fn exchange(
        &self,
        sign_in: &SignIn,
        code: &str,
        steps: &mut Vec<Step>,
    ) -> Result<Tokens, String> {
        let redirect_uri = self.services.config.issuer.endpoint(CALLBACK);
        let call = Call {
            path: "/token",
            authorization: Authorization::None,
            form: Some(vec![
                ("grant_type", "authorization_code"),
                ("code", code),
                ("redirect_uri", &redirect_uri),
                ("client_id", &self.options.client_id),
                ("code_verifier", &sign_in.code_verifier),
            ]),
        };
        let note = "This goes from the application straight to the provider; the browser sees none of it. The \
                    code_verifier proves that whoever brings the code is whoever asked for it.";
        let step = step("The application exchanges the code for tokens", note);
        let answer = call.send(self.services, steps, step).await?.successful()?;
        let access_token = text(&answer, "access_token")?.to_owned();
        let id_token = text(&answer, "id_token")?.to_owned();
        let note = "The keys are public, and one fetch serves for many sign-ins. A token that fails any check is \
                    refused, whoever sent it.";
        let expected = self.expected(Some(&sign_in.nonce), None, &access_token);
        let subject = self
            .check_id_token(&id_token, &expected, note, steps)
            .await?;
        Ok(Tokens {
            access_token,
            refresh_token: answer
                .get("refresh_token")
                .and_then(Value::as_str)
                .map(str::to_owned),
            id_token,
            subject,
        })
    }

    fn expected<'b>(
        &'b self,
        nonce: Option<&'b str>,
        subject: Option<&'b str>,
        access_token: &'b str,
    ) -> Expected<'b> {
        Expected {
            issuer: self.services.config.issuer.as_str(),
            client_id: &self.options.client_id,
            nonce,
            subject,
            access_token,
            now: self.now,
        }
    }

    /// Fetches the provider's keys and checks an ID token with them; returns whom it is about.
    async fn check_id_token(
        &self,
        id_token: &str,
        expected: &Expected<'_>,
        note: &str,
        steps: &mut Vec<Step>,
    ) -> Result<String, String> {
        let call = Call {
            path: "/jwks",
            authorization: Authorization::None,
            form: None,
        };
        let step = Step {
            folded: true,
            ..step(
                "The application fetches the provider's keys and checks the ID token",
                note,
            )
        };
        let jwks = call.send(self.services, steps, step).await?.successful()?;
        let keys = KeySet::from_jwks(&Value::Object(jwks)).map_err(|error| format!("{error}."))?;
        let (checks, subject) = check::id_token(id_token, &keys, expected);
        if let Some(step) = steps.last_mut() {
            step.checks = checks;
        }
        subject.ok_or_else(|| {
            "The ID token is not as it must be, so the application refuses it.".to_owned()
        })
    }

    /// Swaps the refresh token for new tokens (RFC 6749 §6).
    pub(super) async fn refresh(&self, diary: &mut Diary) -> Result<(), String> {
        let Some(refresh_token) = diary.tokens.refresh_token.clone() else {
            return Err("The provider gave no refresh token.".to_owned());
        };
        let call = Call {
            path: "/token",
            authorization: Authorization::None,
            form: Some(vec![
                ("grant_type", "refresh_token"),
                ("refresh_token", &refresh_token),
                ("client_id", &self.options.client_id),
            ]),
        };
        let note = "A refresh token is used once: the answer brings its successor. Using an old one again would tell \
                    of a theft and end them all.";
        let step = step("The application refreshes its tokens", note);
        let answer = call.send(self.services, &mut diary.steps, step).await?;
        // A refusal is what the person may have wanted to see.
        let Ok(answer) = answer.successful() else {
            return Ok(());
        };
        let mut tokens = diary.tokens.clone();
        text(&answer, "access_token")?.clone_into(&mut tokens.access_token);
        if let Ok(successor) = text(&answer, "refresh_token") {
            tokens.refresh_token = Some(successor.to_owned());
        }
        if let Ok(id_token) = text(&answer, "id_token") {
            let expected = self.expected(None, Some(&tokens.subject), &tokens.access_token);
            let note = "An ID token that comes with a refresh must be about the same person.";
            self.check_id_token(id_token, &expected, note, &mut diary.steps)
                .await?;
            id_token.clone_into(&mut tokens.id_token);
        }
        diary.tokens = tokens;
        Ok(())
    }

    /// Reads the person's claims (OpenID Connect Core §5.3).
    pub(super) async fn user_info(&self, diary: &mut Diary) -> Result<(), String> {
        let call = Call {
            path: "/userinfo",
            authorization: Authorization::Bearer(&diary.tokens.access_token),
            form: None,
        };
        let note =
            "Which claims come is decided by the scopes of the access token: profile and email.";
        let step = step("The application reads your claims", note);
        let answer = call.send(self.services, &mut diary.steps, step).await?;
        let Ok(claims) = answer.successful() else {
            return Ok(());
        };
        let check = check::user_info(&claims, &diary.tokens.subject);
        let believed = check.passed;
        if let Some(step) = diary.steps.last_mut() {
            step.checks = vec![check];
        }
        if !believed {
            return Err(
                "The claims are about somebody else, so the application refuses them.".to_owned(),
            );
        }
        Ok(())
    }

    /// Asks as a resource server whether the access token is active (RFC 7662).
    pub(super) async fn introspect(&self, diary: &mut Diary) -> Result<(), String> {
        let call = Call {
            path: "/introspect",
            authorization: Authorization::Basic(
                &self.options.api_client_id,
                &self.options.api_secret,
            ),
            form: Some(vec![
                ("token", &diary.tokens.access_token),
                ("token_type_hint", "access_token"),
            ]),
        };
        let step = Step {
            title: "A resource server asks whether the access token is active".to_owned(),
            note: format!(
                "This is not the application but {}, an API that was shown the token. It could also check the \
                 signature by itself, but then it would not learn of a revocation.",
                self.options.api_client_id
            ),
            ..Step::default()
        };
        call.send(self.services, &mut diary.steps, step).await?;
        Ok(())
    }

    /// Takes the tokens back (RFC 7009).
    pub(super) async fn revoke(&self, diary: &mut Diary) -> Result<(), String> {
        let (token, hint) = match &diary.tokens.refresh_token {
            Some(token) => (token, "refresh_token"),
            None => (&diary.tokens.access_token, "access_token"),
        };
        let call = Call {
            path: "/revoke",
            authorization: Authorization::None,
            form: Some(vec![
                ("token", token),
                ("token_type_hint", hint),
                ("client_id", &self.options.client_id),
            ]),
        };
        let note = "Revoking the refresh token ends the whole grant, the access token too. You stay signed in at the \
                    provider.";
        let step = step("The application revokes its tokens", note);
        call.send(self.services, &mut diary.steps, step).await?;
        Ok(())
    }

    /// The browser is back from `/logout`.
    pub(super) fn finish_sign_out(&self, sign_out: &SignOut, query: &Params) -> Vec<Step> {
        let issuer = &self.services.config.issuer;
        vec![
            Step {
                title: "The application sends your browser to sign out".to_owned(),
                note: "The ID token shows whose session is meant, so you are not asked again.".to_owned(),
                request: Some(get(&sign_out.url)),
                ..Step::default()
            },
            Step {
                title: "Your browser comes back".to_owned(),
                note: "Your session at the provider has ended: the next sign-in asks for the password. The tokens stay \
                       valid until they are revoked or expire, because you allowed offline access."
                    .to_owned(),
                request: Some(get(&with_query(&issuer.endpoint("/playground"), query))),
                checks: vec![check::returned_state(query, Some(&sign_out.state))],
                ..Step::default()
            },
        ]
    }
}

fn step(title: &str, note: &str) -> Step {
    Step {
        title: title.to_owned(),
        note: note.to_owned(),
        ..Step::default()
    }
}

fn get(url: &str) -> Exchange {
    Exchange {
        method: "GET".to_owned(),
        url: clip(url, MAX_URL),
        ..Exchange::default()
    }
}

fn with_query(url: &str, query: &Params) -> String {
    let pairs = query.pairs().iter();
    let query = encode(pairs.map(|(name, value)| (name.as_str(), value.as_str())));
    format!("{url}?{query}")
}

fn text<'a>(answer: &'a Map<String, Value>, name: &str) -> Result<&'a str, String> {
    answer
        .get(name)
        .and_then(Value::as_str)
        .ok_or_else(|| format!("The answer has no {name}."))
}

/// An error response (RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6) in plain words.
fn refusal(error: &str, description: Option<&str>) -> String {
    match (error, description) {
        ("access_denied", _) => {
            "You cancelled or did not agree, so the application got no code. That is all it learns."
                .to_owned()
        }
        ("login_required" | "consent_required" | "interaction_required", _) => {
            "The provider would have had to ask you something first.".to_owned()
        }
        ("temporarily_unavailable", _) => "The provider is busy. Try again in a moment.".to_owned(),
        (code, Some(description)) => format!(
            "The provider refused: {} ({}).",
            clip(description, 300),
            clip(code, 60)
        ),
        (code, None) => format!("The provider refused: {}.", clip(code, 60)),
    }
}

/// Longest address that is shown, in bytes.
const MAX_URL: usize = 4 * 1024;
