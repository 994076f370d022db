//! Authorization codes and refresh tokens as counters: a grant id, a generation and a tag.
//!
//! A credential is `prefix ‖ base64url(version ‖ key id ‖ grant id ‖ generation ‖ tag)`. The tag is
//! HMAC-SHA-256 over the kind and everything before it, so a credential cannot be guessed
//! ([RFC 6749 §10.10](https://www.rfc-editor.org/rfc/rfc6749#section-10.10) asks for a chance of at
//! most 2⁻¹²⁸), garbage is refused without touching the database, and minting the same generation
//! again gives the same bytes: a client that lost a response gets the very token it lost.
//!
//! The grant id and the generation are readable by the holder of the credential. They are not
//! secrets: the id is random and opens nothing by itself, and the generation tells a client how
//! often it has refreshed, which it knows. Two credentials of one grant share their first 26 or so
//! letters for the same reason; the last 43 differ.

use std::fmt;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::master_key::MasterKey;
use super::secret::PlainToken;
use super::{b64, digest};

/// What a credential may be exchanged for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    /// A `code` ([RFC 6749 §4.1.2](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2)).
    AuthorizationCode,
    /// A `refresh_token` ([RFC 6749 §1.5](https://www.rfc-editor.org/rfc/rfc6749#section-1.5)).
    RefreshToken,
}

impl CredentialKind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::AuthorizationCode, Self::RefreshToken];

    /// What the credential begins with, so that secret scanners recognise a leak.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "sgc_",
            Self::RefreshToken => "sgr_",
        }
    }
}

/// What a genuine credential says. Whether its generation is the current one is for the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The grant it belongs to.
    pub grant_id: [u8; 16],
    /// The generation of that grant: 0 for the code, *n* for the *n*-th refresh token.
    pub generation: i64,
}

/// Not one of ours: misspelled, forged, of another kind or under another key. Why is not said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a genuine credential")]
pub struct BadCredential;

/// Mints and recognises credentials; shared by all threads.
#[derive(Clone)]
pub struct CredentialKeys {
    keyed: Hmac<Sha256>,
}

impl CredentialKeys {
    /// The keys that belong to a master key. All instances with the same master key recognise
    /// each other's credentials.
    pub fn new(master: &MasterKey) -> Self {
        Self {
            keyed: master.hmac("credential/1"),
        }
    }

    /// The credential of this kind for this generation of this grant; always the same bytes.
    pub fn mint(&self, kind: CredentialKind, grant_id: [u8; 16], generation: i64) -> PlainToken {
        let mut bytes = Zeroizing::new(Vec::with_capacity(BODY + TAG));
        bytes.extend_from_slice(&[VERSION, KEY_ID]);
        bytes.extend_from_slice(&grant_id);
        bytes.extend_from_slice(&generation.to_be_bytes());
        let tag = self.tag(kind, &bytes);
        bytes.extend_from_slice(&tag);
        let mut text = String::with_capacity(LETTERS);
        text.push_str(kind.prefix());
        b64::encode_into(&bytes, &mut text);
        PlainToken::new(text)
    }

    /// Reads a presented credential of an expected kind. The tag is compared in constant time.
    pub fn open(&self, kind: CredentialKind, presented: &str) -> Result<Credential, BadCredential> {
        // The length first: nothing is decoded or hashed for text that cannot be a credential.
        if presented.len() != LETTERS {
            return Err(BadCredential);
        }
        presented
            .strip_prefix(kind.prefix())
            .and_then(b64::decode)
            .and_then(|bytes| self.read(kind, &bytes))
            .ok_or(BadCredential)
    }

    /// Reads a presented credential of either kind, for revocation and introspection
    /// ([RFC 7009 §2.1](https://www.rfc-editor.org/rfc/rfc7009#section-2.1): the hint is only one).
    pub fn open_any(&self, presented: &str) -> Option<(CredentialKind, Credential)> {
        CredentialKind::ALL.into_iter().find_map(|kind| {
            let credential = self.open(kind, presented).ok()?;
            Some((kind, credential))
        })
    }

    fn read(&self, kind: CredentialKind, bytes: &[u8]) -> Option<Credential> {
        let (body, tag) = bytes.split_first_chunk::<BODY>()?;
        let (&[version, key_id], rest) = body.split_first_chunk::<2>()?;
        let (grant_id, generation) = rest.split_first_chunk::<16>()?;
        if version != VERSION || key_id != KEY_ID || !digest::same(&self.tag(kind, body), tag) {
            return None;
        }
        Some(Credential {
            grant_id: *grant_id,
            generation: i64::from_be_bytes(generation.try_into().ok()?),
        })
    }

    fn tag(&self, kind: CredentialKind, body: &[u8]) -> [u8; TAG] {
        let mut mac = self.keyed.clone();
        // Both prefixes have the same length, so kind and body cannot run into each other.
        mac.update(kind.prefix().as_bytes());
        mac.update(body);
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for CredentialKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialKeys(…)")
    }
}

/// The layout; a later layout gets a later number.
const VERSION: u8 = 1;
/// Which key made the tag; there is one so far. A second one lets the first retire.
const KEY_ID: u8 = 1;
/// Version, key id, grant id, generation.
const BODY: usize = 1 + 1 + 16 + 8;
const TAG: usize = 32;
/// Prefix and base64url of 58 bytes.
const LETTERS: usize = 4 + (BODY + TAG).div_ceil(3) * 4 - 2;

#[cfg(test)]
mod tests {

    use CredentialKind::{AuthorizationCode, RefreshToken};
    use proptest::prelude::*;

    use super::*;

    fn keys() -> CredentialKeys {
        CredentialKeys::new(&MasterKey::generate())
    }

    proptest! {
        #[test]
        fn what_was_minted_opens(grant_id: [u8; 16], generation: i64) {
            let keys = keys();
            for kind in CredentialKind::ALL {
                let token = keys.mint(kind, grant_id, generation);
                let credential = Credential { grant_id, generation };
                prop_assert_eq!(token.expose().len(), LETTERS);
                prop_assert_eq!(keys.open(kind, token.expose()), Ok(credential));
                prop_assert_eq!(keys.open_any(token.expose()), Some((kind, credential)));
                let again = keys.mint(kind, grant_id, generation);
                prop_assert_eq!(again.expose(), token.expose());
            }
        }

        #[test]
        fn garbage_is_refused(text in "\\PC{0,120}", letters in "[A-Za-z0-9_-]{78}") {
            let keys = keys();
            prop_assert_eq!(keys.open_any(&text), None);
            prop_assert_eq!(keys.open_any(&format!("sgc_{letters}")), None);
            prop_assert_eq!(keys.open_any(&format!("sgr_{letters}")), None);
        }

        #[test]
        fn no_other_letter_fits_anywhere(at in 0..LETTERS, letter in any::<char>()) {
            let keys = keys();
            let token = keys.mint(RefreshToken, [5; 16], 7);
            let mut letters: Vec<char> = token.expose().chars().collect();
            prop_assume!(letters[at] != letter);
            letters[at] = letter;
            prop_assert_eq!(keys.open_any(&letters.iter().collect::<String>()), None);
        }
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let keys = keys();
        let token = keys.mint(AuthorizationCode, [9; 16], 0);
        let bytes = b64::decode(&token.expose()[4..]).unwrap();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut tampered = bytes.clone();
                tampered[at] ^= 1 << bit;
                let text = format!("sgc_{}", b64::encode(&tampered));
                assert_eq!(keys.open(AuthorizationCode, &text), Err(BadCredential));
            }
        }
    }

    #[test]
    fn kinds_are_never_confused() {
        let keys = keys();
        let code = keys.mint(AuthorizationCode, [1; 16], 0);
        let refresh = keys.mint(RefreshToken, [1; 16], 0);
        assert_eq!(keys.open(RefreshToken, code.expose()), Err(BadCredential));
        assert_eq!(
            keys.open(AuthorizationCode, refresh.expose()),
            Err(BadCredential)
        );
        // Under the other prefix the tag does not fit.
        let relabelled = format!("sgr_{}", &code.expose()[4..]);
        assert_eq!(keys.open_any(&relabelled), None);
    }

    #[test]
    fn a_second_spelling_is_refused() {
        let keys = keys();
        let token = keys.mint(RefreshToken, [1; 16], 1);
        let token = token.expose();
        // 58 bytes leave two unused bits in the last letter.
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let last = alphabet.find(&token[LETTERS - 1..]).unwrap();
        let others: Vec<String> = (0..64)
            .filter(|&other| other != last)
            .map(|other| format!("{}{}", &token[..LETTERS - 1], &alphabet[other..=other]))
            .collect();
        for other in &others {
            assert_eq!(
                keys.open(RefreshToken, other),
                Err(BadCredential),
                "{other}"
            );
        }
        for other in [
            format!("{token}="),
            format!("{token}=="),
            format!(" {token}"),
            format!("{token}\n"),
            token.replacen("sgr_", "SGR_", 1),
        ] {
            assert_eq!(
                keys.open(RefreshToken, &other),
                Err(BadCredential),
                "{other}"
            );
        }
    }

    #[test]
    fn another_master_key_recognises_nothing() {
        let token = keys().mint(RefreshToken, [1; 16], 1);
        assert_eq!(keys().open_any(token.expose()), None);
    }
}
