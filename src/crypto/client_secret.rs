//! Client secrets as they are stored: under a key of the master key, because operators may choose secrets that can be
//! guessed. A keyed tag keeps the token endpoint fast, which a password hash would not.

use super::master_key::MasterKey;
use super::seal::Mac;
use super::secret::{KeyedDigest, PlainToken, TokenDigest};

/// Makes the stored form of client secrets.
#[derive(Clone, Debug)]
pub struct ClientSecretMac {
    mac: Mac,
}

/// A stored client secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredSecret {
    /// As secrets are stored.
    Keyed(KeyedDigest),
    /// As versions before migration 14 stored them; [`ClientSecretMac::upgrade`] makes a keyed one of it.
    Bare(TokenDigest),
}

/// A secret that a client presents, in every way in which it can be read.
#[derive(Clone, Copy, Debug)]
pub struct PresentedSecret {
    first: Reading,
    other: Option<Reading>,
    counted: TokenDigest,
}

/// One way to read a presented secret, in both stored forms.
#[derive(Clone, Copy, Debug)]
struct Reading {
    keyed: KeyedDigest,
    bare: TokenDigest,
}

impl ClientSecretMac {
    /// Under a key of this deployment.
    #[must_use]
    pub fn new(master: &MasterKey) -> Self {
        Self {
            mac: Mac::new(master, "client_secret"),
        }
    }

    /// What is stored of a secret.
    #[must_use]
    pub fn digest(&self, secret: &PlainToken) -> KeyedDigest {
        self.upgrade(secret.digest())
    }

    /// What is stored of a secret of which an older version stored this; the secret itself is not needed.
    #[must_use]
    pub fn upgrade(&self, bare: TokenDigest) -> KeyedDigest {
        self.mac.digest(&[bare.as_bytes()])
    }

    /// A secret to be compared with stored ones.
    #[must_use]
    pub fn present(&self, secret: &PlainToken) -> PresentedSecret {
        let first = self.read(secret);
        PresentedSecret {
            first,
            other: None,
            counted: first.bare,
        }
    }

    /// A secret that may have been meant in either of two ways. It is one attempt: what it is counted under covers both,
    /// so that the second of a pair cannot be changed under the count of the first.
    #[must_use]
    pub fn present_either(&self, first: &PlainToken, other: &PlainToken) -> PresentedSecret {
        let (first, other) = (self.read(first), self.read(other));
        let both = [*first.bare.as_bytes(), *other.bare.as_bytes()].concat();
        PresentedSecret {
            first,
            other: Some(other),
            counted: TokenDigest::of(&both),
        }
    }

    fn read(&self, secret: &PlainToken) -> Reading {
        let bare = secret.digest();
        Reading {
            keyed: self.upgrade(bare),
            bare,
        }
    }
}

impl PresentedSecret {
    /// The presented secret for counting attempts in memory; it is not stored.
    #[must_use]
    pub const fn for_counting(&self) -> TokenDigest {
        self.counted
    }

    /// Whether one of its readings is the stored one. Each is compared, in constant time.
    #[must_use]
    pub fn is(&self, stored: &StoredSecret) -> bool {
        let first = self.first.is(stored);
        let other = self.other.is_some_and(|other| other.is(stored));
        first | other
    }
}

impl Reading {
    fn is(&self, stored: &StoredSecret) -> bool {
        match stored {
            StoredSecret::Keyed(digest) => *digest == self.keyed,
            StoredSecret::Bare(digest) => *digest == self.bare,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_fits_both_its_stored_forms_and_only_under_its_own_master_key() {
        let (one, other) = (MasterKey::generate(), MasterKey::generate());
        let (one, other) = (ClientSecretMac::new(&one), ClientSecretMac::new(&other));
        let (right, wrong) = (
            PlainToken::new("chosen by a person"),
            PlainToken::new("guessed"),
        );
        let keyed = StoredSecret::Keyed(one.digest(&right));
        let bare = StoredSecret::Bare(right.digest());
        for stored in [keyed, bare] {
            assert!(one.present(&right).is(&stored), "{stored:?}");
            assert!(!one.present(&wrong).is(&stored), "{stored:?}");
        }
        assert_eq!(one.upgrade(right.digest()), one.digest(&right));
        assert!(!other.present(&right).is(&keyed));
        assert_ne!(one.digest(&right).as_bytes(), right.digest().as_bytes());
    }

    #[test]
    fn a_secret_that_can_be_read_in_two_ways_fits_either_and_is_counted_as_the_pair() {
        let mac = ClientSecretMac::new(&MasterKey::generate());
        let [decoded, raw, other] =
            ["a secret with", "a+secret+with", "another"].map(PlainToken::new);
        let presented = mac.present_either(&decoded, &raw);
        for secret in [&decoded, &raw] {
            for stored in [
                StoredSecret::Keyed(mac.digest(secret)),
                StoredSecret::Bare(secret.digest()),
            ] {
                assert!(presented.is(&stored), "{stored:?}");
                assert!(!mac.present_either(&other, &other).is(&stored));
            }
        }
        let counted = |first, other| mac.present_either(first, other).for_counting();
        assert_ne!(counted(&decoded, &raw), counted(&decoded, &other));
        assert_ne!(counted(&decoded, &raw), counted(&other, &raw));
        assert_ne!(
            counted(&decoded, &raw),
            mac.present(&decoded).for_counting()
        );
        assert_eq!(counted(&decoded, &raw), presented.for_counting());
    }

    #[test]
    fn what_is_stored_is_no_secret_that_could_be_presented() {
        let mac = ClientSecretMac::new(&MasterKey::generate());
        let secret = PlainToken::new("chosen by a person");
        let stored = mac.digest(&secret);
        let text = super::super::b64::encode(stored.as_bytes());
        assert!(
            !mac.present(&PlainToken::new(text))
                .is(&StoredSecret::Keyed(stored))
        );
    }
}
