//! Randomness for everything that must not be guessed.

use rand::Rng as _;

use super::b64;
use super::secret::PlainToken;

/// `N` random bytes from a generator that the operating system seeds and reseeds.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

/// A token of 256 random bits as 43 letters of base64url; RFC 6749 asks for 128 at least
/// ([RFC 6749 §10.10](https://www.rfc-editor.org/rfc/rfc6749#section-10.10)).
pub fn token() -> PlainToken {
    prefixed("")
}

/// A [`token`] behind a `prefix` by which secret scanners find leaks, such as `sgs_`.
pub fn prefixed(prefix: &str) -> PlainToken {
    let mut text = String::with_capacity(prefix.len() + 43);
    text.push_str(prefix);
    b64::encode_into(&bytes::<32>(), &mut text);
    PlainToken::new(text)
}

#[cfg(test)]
mod tests {

    use std::collections::HashSet;

    use super::*;
    use crate::spec::params::{decode, encode};

    #[test]
    fn what_is_made_needs_no_form_encoding_rfc6749_2_3_1() {
        for _ in 0..100 {
            let secret = prefixed("sgs_");
            let text = secret.expose();
            assert_eq!(encode([("s", text)]), format!("s={text}"));
            assert_eq!(decode(text.as_bytes()).as_deref(), Some(text));
        }
    }

    #[test]
    fn tokens_hold_256_bits_and_never_repeat() {
        let tokens: HashSet<String> = (0..1000).map(|_| token().expose().to_owned()).collect();
        assert_eq!(tokens.len(), 1000);
        for token in &tokens {
            assert_eq!(b64::decode(token).unwrap().len(), 32);
        }
        assert_ne!(bytes::<16>(), [0; 16]);
    }

    #[test]
    fn a_prefix_stands_before_a_whole_token() {
        let token = prefixed("sgs_");
        let random = token.expose().strip_prefix("sgs_").unwrap();
        assert_eq!(b64::decode(random).unwrap().len(), 32);
    }
}
