//! Signing in as proofs and steps: what was proven, what is wanted, what comes next.
//!
//! [`next`] is the one rule. A [`SignedIn`] is made nowhere else, and a session begins with nothing else.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::ids::UserId;
use super::session::Session;
use super::user::User;
use crate::spec::time::Ts;

/// A way to prove who one is; an account has some of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Factor {
    /// A password.
    Password,
    /// A second factor, so that the tests can ask for one.
    #[cfg(test)]
    Code,
}

impl Factor {
    /// Every factor.
    pub const ALL: &[Self] = &[
        Self::Password,
        #[cfg(test)]
        Self::Code,
    ];

    /// Its name in `factors.kind`, in the reasons of refused sign-ins and in the counts of attempts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            #[cfg(test)]
            Self::Code => "code",
        }
    }

    /// Reads `factors.kind`.
    #[must_use]
    pub fn parse(kind: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|factor| factor.as_str() == kind)
    }

    /// The authentication method in `amr` ([RFC 8176 §2](https://www.rfc-editor.org/rfc/rfc8176#section-2)).
    const fn amr(self) -> &'static str {
        match self {
            Self::Password => "pwd",
            #[cfg(test)]
            Self::Code => "otp",
        }
    }
}

/// `acr`: how strong a sign-in was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Acr {
    /// A password.
    Password,
    /// A password and a code, for the tests.
    #[cfg(test)]
    TwoFactors,
}

impl Acr {
    /// Every value, weakest first; discovery lists them.
    pub const ALL: &[Self] = &[
        Self::Password,
        #[cfg(test)]
        Self::TwoFactors,
    ];

    /// The value as it stands in requests and tokens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "urn:signet:acr:password",
            #[cfg(test)]
            Self::TwoFactors => "urn:signet:acr:test",
        }
    }

    /// Reads a value; `None` for one that Signet cannot give.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|acr| acr.as_str() == text)
    }

    /// The factors it takes, all of them, in the order in which they are asked for.
    const fn takes(self) -> &'static [Factor] {
        match self {
            Self::Password => &[Factor::Password],
            #[cfg(test)]
            Self::TwoFactors => &[Factor::Password, Factor::Code],
        }
    }

    fn is_reached_by(self, factors: &BTreeSet<Factor>) -> bool {
        self.takes().iter().all(|factor| factors.contains(factor))
    }
}

/// Something that was proven in a sign-in. Only `service::sign_in::step`, which has the factor checked, makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    factor: Factor,
    at: Ts,
}

impl Proof {
    /// The factor was proven at that time.
    #[must_use]
    pub const fn of(factor: Factor, at: Ts) -> Self {
        Self { factor, at }
    }
}

/// What one account has proven so far in one sign-in. It travels sealed in
/// [`Pending`](super::pending::Pending) until it suffices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proofs {
    user: UserId,
    /// The account's token version: a new password or a sign-out everywhere ends what was proven before it.
    version: i64,
    given: Vec<Proof>,
}

impl Proofs {
    /// `proof` beside what `account` proved before it in this sign-in. Proofs of another account are dropped.
    #[must_use]
    pub fn add(before: Option<Self>, account: &Account, proof: Proof) -> Self {
        let mut proofs = before
            .filter(|before| before.are_of(account))
            .map(|before| before.given)
            .unwrap_or_default();
        proofs.retain(|known| known.factor != proof.factor);
        proofs.push(proof);
        Self {
            user: account.user.id,
            version: account.user.token_version,
            given: proofs,
        }
    }

    fn are_of(&self, account: &Account) -> bool {
        self.user == account.user.id && self.version == account.user.token_version
    }

    /// What counts: proofs of this account as it is now, given since the sign-in began.
    fn that_count(mut self, account: &Account, wanted: &Wanted) -> Self {
        let are_of = self.are_of(account);
        self.given
            .retain(|proof| are_of && proof.at >= wanted.began);
        Self {
            user: account.user.id,
            version: account.user.token_version,
            ..self
        }
    }

    fn factors(&self) -> BTreeSet<Factor> {
        self.given.iter().map(|proof| proof.factor).collect()
    }
}

/// An account that is signed in to.
#[derive(Clone, Debug)]
pub struct Account {
    /// The user.
    pub user: User,
    /// The factors the account has.
    pub factors: BTreeSet<Factor>,
}

/// What a sign-in must reach.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// When it began. Proofs from before do not count.
    pub began: Ts,
    /// Whether no earlier sign-in is enough: `prompt=login`.
    pub again: bool,
    /// For how many seconds an earlier sign-in is enough: `max_age`.
    pub max_age: Option<u64>,
    /// How strong it must be.
    pub acr: WantedAcr,
}

impl Wanted {
    /// Any sign-in that begins at `began`.
    #[must_use]
    pub const fn any(began: Ts) -> Self {
        Self {
            began,
            again: false,
            max_age: None,
            acr: WantedAcr::Preferred(Vec::new()),
        }
    }

    /// Whether the sign-in that `session` began with is recent enough
    /// ([OpenID Connect Core §3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)).
    #[must_use]
    pub fn is_recent(&self, session: &Session) -> bool {
        let age = self.began.since(session.auth_time).as_secs();
        !self.again && self.max_age.is_none_or(|max_age| age < max_age)
    }
}

/// Which `acr` is wanted, in order of preference. Values that Signet cannot give are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WantedAcr {
    /// One of these if the account can reach one, else any: `acr_values`, a voluntary claim
    /// ([OpenID Connect Core §3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)).
    Preferred(Vec<Acr>),
    /// One of these or no sign-in: an essential claim
    /// ([OpenID Connect Core §5.5.1.1](https://openid.net/specs/openid-connect-core-1_0.html#acrSemantics)).
    Required(Vec<Acr>),
}

impl WantedAcr {
    /// Whether no account can give what is wanted.
    #[must_use]
    pub fn is_impossible(&self) -> bool {
        match self {
            Self::Preferred(_) => false,
            Self::Required(wanted) => wanted.is_empty(),
        }
    }

    /// Whether a sign-in of that `acr` may serve.
    #[must_use]
    pub fn is_met_by(&self, acr: &str) -> bool {
        match self {
            Self::Preferred(_) => true,
            Self::Required(wanted) => wanted.iter().any(|wanted| wanted.as_str() == acr),
        }
    }

    /// The `acr` to reach with these factors.
    fn target(&self, factors: &BTreeSet<Factor>) -> Option<Acr> {
        let first = |among: &[Acr]| among.iter().copied().find(|acr| acr.is_reached_by(factors));
        match self {
            Self::Preferred(wanted) => first(wanted).or_else(|| first(Acr::ALL)),
            Self::Required(wanted) => first(wanted),
        }
    }
}

/// What comes next in a sign-in.
#[derive(Clone, Debug)]
pub enum Next {
    /// One more proof is needed.
    Ask {
        /// Of what.
        factor: Factor,
        /// What counts so far.
        proofs: Proofs,
    },
    /// The proofs suffice.
    Done(Box<SignedIn>),
    /// No proof would help.
    Refuse(Unmet),
}

/// Why a sign-in is refused whatever else is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// The account is disabled.
    Disabled,
    /// The account lacks the factors for the `acr` that is wanted.
    Acr,
}

/// A user whose proofs suffice. Only [`next`] makes one.
#[derive(Clone, Debug)]
pub struct SignedIn {
    user: User,
    proofs: Vec<Proof>,
    acr: Acr,
    auth_time: Ts,
}

impl SignedIn {
    /// The user, as they were when the last proof was checked.
    #[must_use]
    pub const fn user(&self) -> &User {
        &self.user
    }

    /// How strongly they proved who they are: the strongest value that the proofs reach.
    #[must_use]
    pub const fn acr(&self) -> Acr {
        self.acr
    }

    /// How they did: `amr` ([RFC 8176 §2](https://www.rfc-editor.org/rfc/rfc8176#section-2)), `mfa` for more than
    /// one factor.
    #[must_use]
    pub fn amr(&self) -> Vec<String> {
        let mut amr: Vec<_> = self.proofs.iter().map(|proof| proof.factor.amr()).collect();
        if amr.len() > 1 {
            amr.push("mfa");
        }
        amr.into_iter().map(str::to_owned).collect()
    }

    /// When they did: `auth_time`. No proof is older, so `max_age` means all of them.
    #[must_use]
    pub const fn auth_time(&self) -> Ts {
        self.auth_time
    }
}

/// Decides what comes next for `account` after `proofs`.
#[must_use]
pub fn next(account: Account, proofs: Proofs, wanted: &Wanted) -> Next {
    if account.user.disabled_at.is_some() {
        return Next::Refuse(Unmet::Disabled);
    }
    let Some(target) = wanted.acr.target(&account.factors) else {
        return Next::Refuse(Unmet::Acr);
    };
    let proofs = proofs.that_count(&account, wanted);
    let proven = proofs.factors();
    let missing = target
        .takes()
        .iter()
        .find(|factor| !proven.contains(factor));
    match missing {
        Some(factor) => Next::Ask {
            factor: *factor,
            proofs,
        },
        None => Next::Done(Box::new(SignedIn {
            user: account.user,
            acr: strongest(&proven).unwrap_or(target),
            auth_time: oldest(&proofs.given).unwrap_or(wanted.began),
            proofs: proofs.given,
        })),
    }
}

fn strongest(proven: &BTreeSet<Factor>) -> Option<Acr> {
    let mut reached = Acr::ALL.iter().rev();
    reached.find(|acr| acr.is_reached_by(proven)).copied()
}

fn oldest(proofs: &[Proof]) -> Option<Ts> {
    proofs.iter().map(|proof| proof.at).min()
}

#[cfg(test)]
mod tests;
