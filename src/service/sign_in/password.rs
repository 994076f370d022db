//! The password as a factor: its check, and replacing a hash that was made with weaker settings.

use super::step::{Checked, SignIn, Step, StepError};
use crate::crypto::password::{PasswordError, Verified};
use crate::domain::audit::Origin;
use crate::domain::sign_in::{Factor, Next, Unmet};
use crate::domain::user::username_key;
use crate::service::Services;
use crate::spec::time::Ts;
use crate::store::error::StoreError;
use crate::store::factors::Credentials;

/// A name and a password as they were typed.
pub struct Typed<'a> {
    /// The name.
    pub username: &'a str,
    /// The password.
    pub password: String,
}

/// Checks a name and a password, and says what comes next. An unknown name takes as long as a wrong password, and as
/// many attempts.
pub async fn prove(
    services: &Services,
    typed: Typed<'_>,
    sign_in: SignIn<'_>,
    origin: &Origin,
    now: Ts,
) -> Result<Next, StepError> {
    let Typed { username, password } = typed;
    let key = username_key(username);
    let known = match &key {
        Some(key) => services.store.find_credentials(key).await?,
        None => None,
    };
    let step = Step {
        factor: Factor::Password,
        // A text that cannot be a name counts like a name that no account has.
        key: key.as_deref().unwrap_or_default(),
        account: known.as_ref().map(|known| &known.account),
        sign_in,
        origin,
        now,
    };
    let hash = known.as_ref().and_then(|known| known.password_hash.clone());
    let mut weak = false;
    let check = async {
        Ok(
            match services.passwords.verify(password.clone(), hash).await {
                Ok(Verified::Match { needs_rehash }) => {
                    weak = needs_rehash;
                    Checked::Right
                }
                Ok(Verified::Mismatch) => Checked::Wrong,
                Err(PasswordError::Busy) => Checked::Busy,
                Err(error) => {
                    tracing::error!(%error, "a stored password hash cannot be checked");
                    Checked::Wrong
                }
            },
        )
    };
    let next = step.take(services, check).await?;
    if let (true, Some(known)) = (weak, &known)
        && !matches!(next, Next::Refuse(Unmet::Disabled))
    {
        rehash(services, known, password).await?;
    }
    Ok(next)
}

/// Replaces a hash that was made with weaker settings than today's.
async fn rehash(
    services: &Services,
    known: &Credentials,
    password: String,
) -> Result<(), StoreError> {
    let id = known.account.user.id;
    match (
        &known.password_hash,
        services.passwords.hash(password).await,
    ) {
        (Some(old), Ok(new)) => services.store.rehash_password(id, old, &new).await,
        (_, _) => Ok(()),
    }
}
