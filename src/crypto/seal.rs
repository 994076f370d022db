//! Sealed values (AES-256-GCM) and message tags (HMAC-SHA-256) under keys of the master key.

use std::fmt;

use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::master_key::MasterKey;
use super::secret::KeyedDigest;
use super::{b64, digest, random};

/// Encrypts and authenticates values for one purpose; shared by all threads.
///
/// The nonce is random. 2³² values per purpose stay within what NIST SP 800-38D §8.3 allows; a
/// deployment that seals a thousand values a second reaches that in fifty days and then has a
/// chance of 2⁻³² that any two nonces ever met.
#[derive(Clone)]
pub struct Sealer {
    cipher: Aes256Gcm,
}

impl Sealer {
    /// The sealer of one `purpose`; values of another purpose do not open.
    pub fn new(master: &MasterKey, purpose: &str) -> Self {
        let key = Zeroizing::new(master.derive(&format!("seal/{purpose}")));
        Self {
            cipher: Aes256Gcm::new(&(*key).into()),
        }
    }

    /// Seals `plain` as `version ‖ nonce (12 bytes) ‖ ciphertext ‖ tag (16 bytes)`.
    ///
    /// `aad` is authenticated but not contained; the same bytes are needed to open.
    pub fn seal(&self, aad: &[u8], plain: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE] = random::bytes();
        let ciphertext = self.encrypt(nonce, Payload { msg: plain, aad });
        let mut sealed = Vec::with_capacity(1 + NONCE + ciphertext.len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&ciphertext);
        sealed
    }

    /// Opens what [`Sealer::seal`] made with the same purpose and `aad`. `None` says nothing about
    /// why: a forger learns nothing from the difference.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (&version, rest) = sealed.split_first()?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE>()?;
        if version != VERSION {
            return None;
        }
        let msg = ciphertext;
        self.cipher
            .decrypt(&(*nonce).into(), Payload { msg, aad })
            .ok()
    }

    /// [`Sealer::seal`] as base64url, fit for a query or a form field.
    pub fn seal_text(&self, aad: &[u8], plain: &[u8]) -> String {
        b64::encode(&self.seal(aad, plain))
    }

    /// Opens what [`Sealer::seal_text`] made; second spellings of the text do not open.
    pub fn open_text(&self, aad: &[u8], sealed: &str) -> Option<Vec<u8>> {
        self.open(aad, &b64::decode(sealed)?)
    }

    #[expect(
        clippy::expect_used,
        reason = "AES-GCM refuses only texts of 64 GiB and more, which no caller can hold"
    )]
    fn encrypt(&self, nonce: [u8; NONCE], payload: Payload<'_, '_>) -> Vec<u8> {
        self.cipher
            .encrypt(&nonce.into(), payload)
            .expect("the text is shorter than 64 GiB")
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(…)")
    }
}

/// Tags messages of one purpose with HMAC-SHA-256 ([RFC 2104](https://www.rfc-editor.org/rfc/rfc2104)).
#[derive(Clone)]
pub struct Mac {
    keyed: Hmac<Sha256>,
}

impl Mac {
    /// The tagger of one `purpose`; tags of another purpose do not verify.
    pub fn new(master: &MasterKey, purpose: &str) -> Self {
        Self {
            keyed: master.hmac(&format!("mac/{purpose}")),
        }
    }

    /// The tag of `parts`. Each part goes in behind its length, so `["ab", "c"]` and `["a", "bc"]`
    /// differ.
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.keyed.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// The tag of `parts`, to be stored.
    pub fn digest(&self, parts: &[&[u8]]) -> KeyedDigest {
        KeyedDigest::new(self.tag(parts))
    }

    /// Whether `tag` is the tag of `parts`, in constant time.
    pub fn verify(&self, parts: &[&[u8]], tag: &[u8]) -> bool {
        digest::same(&self.tag(parts), tag)
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mac(…)")
    }
}

/// The layout of a sealed value; a later layout gets a later number.
const VERSION: u8 = 1;
const NONCE: usize = 12;

#[cfg(test)]
mod tests {

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_sealed_opens_and_nothing_else_does(
            plain in prop::collection::vec(any::<u8>(), 0..200),
            aad in prop::collection::vec(any::<u8>(), 0..50),
            at in any::<prop::sample::Index>(),
            flip in 1u8..,
        ) {
            let sealer = Sealer::new(&MasterKey::generate(), "test");
            let sealed = sealer.seal(&aad, &plain);
            prop_assert_eq!(sealer.open(&aad, &sealed), Some(plain.clone()));
            let mut tampered = sealed.clone();
            tampered[at.index(sealed.len())] ^= flip;
            prop_assert_eq!(sealer.open(&aad, &tampered), None);
            prop_assert_eq!(sealer.open(&aad, &sealed[..at.index(sealed.len())]), None);
            let mut other = aad.clone();
            other.push(0);
            prop_assert_eq!(sealer.open(&other, &sealed), None);
        }
    }

    #[test]
    fn purposes_and_master_keys_do_not_open_each_other() {
        let master = MasterKey::generate();
        let text = Sealer::new(&master, "one").seal_text(b"", b"plain");
        assert_eq!(
            Sealer::new(&master, "one").open_text(b"", &text).unwrap(),
            b"plain"
        );
        assert!(Sealer::new(&master, "two").open_text(b"", &text).is_none());
        assert!(
            Sealer::new(&MasterKey::generate(), "one")
                .open_text(b"", &text)
                .is_none()
        );
    }

    #[test]
    fn the_same_text_never_seals_to_the_same_bytes() {
        let sealer = Sealer::new(&MasterKey::generate(), "test");
        assert_ne!(sealer.seal(b"", b"plain"), sealer.seal(b"", b"plain"));
    }

    #[test]
    fn a_second_spelling_of_sealed_text_does_not_open() {
        let sealer = Sealer::new(&MasterKey::generate(), "test");
        let text = sealer.seal_text(b"", b"plain");
        assert!(sealer.open_text(b"", &format!("{text}=")).is_none());
        assert!(sealer.open_text(b"", "").is_none());
    }

    #[test]
    fn tags_bind_parts_boundaries_and_purpose() {
        let master = MasterKey::generate();
        let mac = Mac::new(&master, "test");
        let tag = mac.tag(&[b"ab", b"c"]);
        assert!(mac.verify(&[b"ab", b"c"], &tag));
        assert!(!mac.verify(&[b"a", b"bc"], &tag));
        assert!(!mac.verify(&[b"abc"], &tag));
        assert!(!mac.verify(&[b"ab", b"c", b""], &tag));
        assert!(!mac.verify(&[b"ab", b"c"], &tag[..31]));
        assert!(!mac.verify(&[b"ab", b"c"], b""));
        assert!(!Mac::new(&master, "other").verify(&[b"ab", b"c"], &tag));
    }
}
