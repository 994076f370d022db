//! Browsers that have signed in to an account before.
//!
//! Strangers who guess at an account make it slow for strangers; its owner comes from a browser that is known by a
//! cookie and has a count of its own. The cookie holds a random number and, for each of a few accounts, a tag over
//! that number, the user and the token version: it names no user, cannot be forged, and is worth nothing once the
//! password was changed or the user was signed out everywhere. It proves no more than an earlier sign-in there, so it
//! only chooses the count and never signs a user in.

use crate::crypto::b64;
use crate::crypto::digest::same;
use crate::crypto::master_key::MasterKey;
use crate::crypto::random;
use crate::crypto::seal::Mac;
use crate::domain::user::User;

/// How many accounts one browser is known to, the latest ones.
const ACCOUNTS: usize = 5;
const NUMBER: usize = 16;
const TAG: usize = 16;

/// Makes and reads the cookie.
pub struct KnownBrowsers {
    mac: Mac,
}

/// A browser that has signed in to an account before, by its random number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownBrowser(pub(super) [u8; NUMBER]);

impl KnownBrowsers {
    /// Tags with a key of this deployment.
    #[must_use]
    pub fn new(master: &MasterKey) -> Self {
        Self {
            mac: Mac::new(master, "known_browser"),
        }
    }

    /// The browser, if that cookie was given to it when this person signed in.
    #[must_use]
    pub fn recognise(&self, cookie: Option<&str>, user: &User) -> Option<KnownBrowser> {
        let (number, tags) = parts(cookie?)?;
        let own = self.tag(number, user);
        let known = tags.iter().any(|tag| same(tag, &own));
        known.then_some(KnownBrowser(number))
    }

    /// The cookie that the browser with that cookie has after this person signed in.
    #[must_use]
    pub fn remember(&self, cookie: Option<&str>, user: &User) -> String {
        let (number, tags) = cookie
            .and_then(parts)
            .unwrap_or_else(|| (random::bytes(), Vec::new()));
        let own = self.tag(number, user);
        let others = tags.into_iter().filter(|tag| *tag != own);
        let mut bytes = number.to_vec();
        for tag in std::iter::once(own).chain(others).take(ACCOUNTS) {
            bytes.extend_from_slice(&tag);
        }
        b64::encode(&bytes)
    }

    fn tag(&self, number: [u8; NUMBER], user: &User) -> [u8; TAG] {
        let version = user.token_version.to_be_bytes();
        let tag = self.mac.tag(&[&number, &user.id.bytes(), &version]);
        tag.first_chunk().copied().unwrap_or_default()
    }
}

fn parts(cookie: &str) -> Option<([u8; NUMBER], Vec<[u8; TAG]>)> {
    let bytes = b64::decode(cookie)?;
    let (number, rest) = bytes.split_first_chunk()?;
    let (tags, rest) = rest.as_chunks::<TAG>();
    (rest.is_empty() && tags.len() <= ACCOUNTS).then(|| (*number, tags.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::UserId;
    use crate::spec::time::Ts;

    fn user(id: u8) -> User {
        User {
            id: UserId::from_bytes([id; 16]),
            username: String::new(),
            email: None,
            email_verified: false,
            claims: crate::spec::standard_claims::StandardClaims::default(),
            attributes: serde_json::Map::new(),
            token_version: 3,
            disabled_at: None,
            created_at: Ts(0),
            updated_at: Ts(0),
        }
    }

    #[test]
    fn a_browser_is_known_to_those_who_signed_in_there_until_their_version_rises() {
        let browsers = KnownBrowsers::new(&MasterKey::generate());
        let cookie = browsers.remember(None, &user(1));
        let known = browsers.recognise(Some(&cookie), &user(1)).unwrap();
        assert!(browsers.recognise(Some(&cookie), &user(2)).is_none());
        assert!(browsers.recognise(None, &user(1)).is_none());
        let raised = User {
            token_version: 4,
            ..user(1)
        };
        assert!(browsers.recognise(Some(&cookie), &raised).is_none());
        // A second person at the same browser, and the first one again.
        let both = browsers.remember(Some(&cookie), &user(2));
        assert_eq!(browsers.recognise(Some(&both), &user(1)), Some(known));
        assert_eq!(browsers.recognise(Some(&both), &user(2)), Some(known));
        assert_eq!(browsers.remember(Some(&both), &user(1)).len(), both.len());
        let elsewhere = KnownBrowsers::new(&MasterKey::generate());
        assert!(elsewhere.recognise(Some(&both), &user(1)).is_none());
    }

    #[test]
    fn only_the_latest_few_accounts_are_kept() {
        let browsers = KnownBrowsers::new(&MasterKey::generate());
        let cookie = (0..20).fold(String::new(), |cookie, n| {
            browsers.remember(Some(&cookie), &user(n))
        });
        assert!(cookie.len() < 150, "{cookie}");
        let known: Vec<u8> = (0..20)
            .filter(|n| browsers.recognise(Some(&cookie), &user(*n)).is_some())
            .collect();
        assert_eq!(known, [15, 16, 17, 18, 19]);
    }

    #[test]
    fn nonsense_is_no_known_browser() {
        let browsers = KnownBrowsers::new(&MasterKey::generate());
        let cookie = browsers.remember(None, &user(1));
        for wrong in [
            "",
            "x",
            &cookie[..40],
            &format!("{cookie}AA"),
            &"A".repeat(2000),
        ] {
            assert!(
                browsers.recognise(Some(wrong), &user(1)).is_none(),
                "{wrong}"
            );
            assert!(
                browsers
                    .recognise(Some(&browsers.remember(Some(wrong), &user(1))), &user(1))
                    .is_some()
            );
        }
    }
}
