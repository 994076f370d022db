//! base64url without padding, with exactly one spelling per value.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Encodes `bytes` as base64url without padding
/// ([RFC 7515 §2](https://www.rfc-editor.org/rfc/rfc7515#section-2)).
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes base64url, strictly: padding, white space, the standard alphabet and non-zero trailing
/// bits are refused ([RFC 4648 §3.5](https://www.rfc-editor.org/rfc/rfc4648#section-3.5)).
///
/// A token with two spellings would pass a denylist or a cache that knows it by its text.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Appends the base64url of `bytes` to `text` without a string in between.
pub(super) fn encode_into(bytes: &[u8], text: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_exactly_one_spelling_rfc4648_3_5() {
        assert_eq!(encode(&[0xff]), "_w");
        assert_eq!(decode("_w"), Some(vec![0xff]));
        // The unused low bits of the last letter are set.
        for second in ["_x", "_y", "_z"] {
            assert_eq!(decode(second), None, "{second}");
        }
        for foreign in ["/w", "_w==", "_w=", " _w", "_w\n", "_", "_wé"] {
            assert_eq!(decode(foreign), None, "{foreign}");
        }
        assert_eq!(decode(""), Some(Vec::new()));
    }
}
