//! `prompt` (OpenID Connect Core §3.1.2.1).

/// What the client asks to be shown to the person.
#[expect(
    clippy::struct_excessive_bools,
    reason = "prompt is a set of four words"
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// Show nothing: answer at once or with an error.
    pub none: bool,
    /// Sign in again, visibly.
    pub login: bool,
    /// Ask for consent again.
    pub consent: bool,
    /// Ask which account.
    pub select_account: bool,
}

impl Prompt {
    /// The words of `prompt` that Signet knows, as discovery lists them.
    pub const ALL: [&'static str; 4] = ["none", "login", "consent", "select_account"];

    /// Reads the space-delimited list; the error is the sentence for `error_description`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut prompt = Self::default();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            match word {
                "none" => prompt.none = true,
                "login" => prompt.login = true,
                "consent" => prompt.consent = true,
                "select_account" => prompt.select_account = true,
                _ => {
                    return Err(
                        "prompt has an unknown value; use none, login, consent or select_account"
                            .to_owned(),
                    );
                }
            }
        }
        if prompt.none && (prompt.login || prompt.consent || prompt.select_account) {
            return Err("prompt=none cannot be combined with other values".to_owned());
        }
        Ok(prompt)
    }
}
