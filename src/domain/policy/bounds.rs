//! How much is held in memory to decide by. More is refused when it is written; what came into the store in another
//! way is not taken over, and decisions go on by what was there before.

/// A kind of thing and how many there are.
pub type Count = (Bounded, i64);

/// What is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bounded {
    /// Roles.
    Roles,
    /// Permissions of all roles together.
    Permissions,
    /// Parents of all roles together.
    RoleParents,
    /// Groups.
    Groups,
    /// Parents of all groups together.
    GroupParents,
    /// Roles given to groups, together.
    GroupRoles,
    /// Levels of the group that has most.
    LevelsOfAGroup,
    /// Levels of all groups together.
    GroupLevels,
    /// Organizations.
    Organizations,
    /// Policies.
    Policies,
    /// Resource servers, which every token request looks through.
    Resources,
}

impl Bounded {
    /// How many there may be.
    #[must_use]
    pub const fn most(self) -> i64 {
        match self {
            Self::Roles | Self::Groups | Self::LevelsOfAGroup => 10_000,
            Self::Policies => 5_000,
            Self::Resources => 1_000,
            Self::Permissions
            | Self::RoleParents
            | Self::GroupParents
            | Self::GroupRoles
            | Self::Organizations => 100_000,
            Self::GroupLevels => 200_000,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Roles => "roles",
            Self::Permissions => "permissions of roles",
            Self::RoleParents => "parents of roles",
            Self::Groups => "groups",
            Self::GroupParents => "parents of groups",
            Self::GroupRoles => "roles of groups",
            Self::LevelsOfAGroup => "levels of one group",
            Self::GroupLevels => "levels of groups",
            Self::Organizations => "organizations",
            Self::Policies => "policies",
            Self::Resources => "resource servers",
        }
    }
}

/// What is too much, as a sentence.
pub fn check_counts(counts: &[Count]) -> Result<(), String> {
    let beyond = counts.iter().find(|(what, count)| *count > what.most());
    match beyond {
        None => Ok(()),
        Some((what, count)) => Err(format!(
            "there would be {count} {}; at most {} are allowed, because every instance holds them in memory",
            what.name(),
            what.most()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_too_many_is_refused_by_its_name() {
        let most = Bounded::Policies.most();
        assert_eq!(check_counts(&[(Bounded::Policies, most)]), Ok(()));
        let counts = [(Bounded::Roles, 1), (Bounded::Policies, most + 1)];
        let refused = check_counts(&counts).unwrap_err();
        assert!(refused.contains("5001 policies; at most 5000"), "{refused}");
    }
}
