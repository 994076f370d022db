//! Whether a person can be what is wanted.

use std::collections::BTreeMap;

use super::check::{Check, CheckedUser};
use super::report::Kind;
use super::{DesiredPassword, DesiredUser};
use crate::crypto::password::{MAX_PASSWORD_BYTES, is_valid_phc};
use crate::domain::user::username_key;
use crate::service::users::MIN_PASSWORD_CHARS;
use crate::store::roles::RoleRecord;

impl<'a> Check<'a, '_> {
    pub(super) fn user(
        &mut self,
        desired: &'a DesiredUser,
        roles: &BTreeMap<String, RoleRecord>,
    ) -> Option<CheckedUser<'a>> {
        let name = &desired.username;
        match &desired.password {
            Some(DesiredPassword::Plain(password)) => {
                let password = password.expose();
                if password.chars().count() < MIN_PASSWORD_CHARS {
                    let problem = format!("expected at least {MIN_PASSWORD_CHARS} characters");
                    self.refuse(Kind::User, name, "password", problem);
                }
                if password.len() > MAX_PASSWORD_BYTES {
                    let problem = format!("expected at most {MAX_PASSWORD_BYTES} bytes");
                    self.refuse(Kind::User, name, "password", problem);
                }
            }
            Some(DesiredPassword::Hash(phc)) if !is_valid_phc(phc.expose()) => {
                let problem = "expected a PHC string of Argon2id: $argon2id$v=19$m=…,t=…,p=…$…$…";
                self.refuse(Kind::User, name, "password_hash", problem);
            }
            Some(DesiredPassword::Hash(_) | DesiredPassword::Fresh(_)) | None => {}
        }
        if desired
            .email
            .as_ref()
            .is_some_and(|email| !email.is_empty() && !is_address(email))
        {
            self.refuse(Kind::User, name, "email", "expected an e-mail address");
        }
        self.text(
            Kind::User,
            name,
            "claims",
            &serde_json::to_string(&desired.claims).unwrap_or_default(),
        );
        let attributes = serde_json::to_string(&desired.attributes).unwrap_or_default();
        self.text(Kind::User, name, "attributes", &attributes);
        if let Some(given) = &desired.roles {
            self.assignments(Kind::User, name, given, roles);
        }
        self.memberships(desired);
        let Some(key) = username_key(name) else {
            let problem = "expected 1 to 255 bytes without control characters";
            self.refuse(Kind::User, name, "username", problem);
            return None;
        };
        Some(CheckedUser { key, desired })
    }
}

fn is_address(text: &str) -> bool {
    text.len() <= 320
        && !text.chars().any(|c| c.is_control() || c.is_whitespace())
        && text
            .rsplit_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
}
