//! The policy tables, compiled: roles, groups and policies as they stood at one moment.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::cedar::{
    Broken, CedarRequest, GROUP, KnownThings, ORGANIZATION, Policies, ROLE, Texts, Verdict,
};
use super::decision::{Assignment, Decision, Levels, Question, Reason, Subject};
use super::groups::{Compiled, Groups};
use super::permission::Level;
use super::roles::Roles;

/// A refusal names at most so many roles or policies that would have allowed it.
const NAMED: usize = 5;

/// All of it, ready to decide by. Never changed; replaced as a whole.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub(super) roles: Roles,
    pub(super) groups: Groups,
    pub(super) policies: Arc<Policies>,
    pub(super) known: KnownThings,
    /// The policies as they are written; those that decide may be older.
    pub(super) written: Texts,
    pub(super) broken: Vec<Broken>,
    pub(super) unusable: Vec<Broken>,
}

/// A role that a user has at this moment for this resource, or would have.
struct Held<'a> {
    assignment: &'a Assignment,
    group: Option<&'a str>,
}

impl Snapshot {
    /// Whether some policy may ask about the client.
    #[must_use]
    pub fn speaks_of_clients(&self) -> bool {
        self.policies.speak_of_clients()
    }

    /// Policies that cannot be used, because of which nothing is allowed.
    #[must_use]
    pub fn broken(&self) -> &[Broken] {
        &self.broken
    }

    /// The one decision: refused unless a role, a level or a `permit` policy allows it, and no `forbid` policy holds.
    #[must_use]
    pub fn decide(&self, question: &Question<'_>) -> Decision {
        let refused = |reasons| Decision {
            allowed: false,
            reasons,
        };
        if !question.subject.enabled {
            return refused(vec![Reason::Disabled]);
        }
        // What cannot be read might forbid it.
        if !self.broken.is_empty() {
            let broken = self.broken.iter();
            let failed = broken.map(|Broken { id, problem }| Reason::Failed {
                policy: id.clone(),
                problem: problem.clone(),
                forbids: true,
            });
            return refused(failed.take(NAMED).collect());
        }
        let groups = self.groups_of(question.subject);
        let (held, lapsed): (Vec<_>, Vec<_>) = self
            .assignments(question, &groups)
            .partition(|held| counts(held.assignment, question));
        let mut allowing = self.by_role(question, &held);
        allowing.extend(self.by_level(question, &groups));
        let verdict = match self.ask_policies(question, &held, &groups) {
            Ok(verdict) => verdict,
            Err(problem) => return refused(vec![Reason::Unaskable { problem }]),
        };
        let forbidding = forbidding(&verdict);
        if !forbidding.is_empty() {
            return refused(forbidding);
        }
        let permits = verdict.permits.iter().cloned();
        allowing.extend(permits.map(|policy| Reason::Permit { policy }));
        if !allowing.is_empty() {
            return Decision {
                allowed: true,
                reasons: allowing,
            };
        }
        let mut reasons = vec![Reason::NothingAllows];
        if question.why {
            reasons.extend(self.nearest(question, &groups, &lapsed, verdict));
        }
        refused(reasons)
    }

    /// Every action on a resource type that roles, levels or policies speak of, in the order of their names.
    #[must_use]
    pub fn named_actions(&self, resource_type: &str) -> BTreeSet<String> {
        let mut all: BTreeSet<String> = Level::ALL
            .into_iter()
            .map(|level| level.as_str().to_owned())
            .collect();
        all.extend(self.roles.named_actions(resource_type).map(str::to_owned));
        all.extend(self.policies.named_actions().map(str::to_owned));
        all
    }

    /// The resources of a type on which a person, or a group of theirs, has a level.
    #[must_use]
    pub fn levelled(&self, subject: &Subject, resource_type: &str) -> BTreeSet<String> {
        let groups = self.groups_of(subject);
        let through_groups = groups
            .iter()
            .filter_map(|name| self.groups.get(name))
            .map(Compiled::levels);
        std::iter::once(&subject.levels)
            .chain(through_groups)
            .filter_map(|levels| levels.get(resource_type))
            .flat_map(|levels| levels.keys().cloned())
            .collect()
    }

    /// The groups that a person belongs to, directly or through other groups.
    pub(super) fn groups_of(&self, subject: &Subject) -> Vec<&str> {
        let mut all: Vec<&str> = Vec::new();
        for group in &subject.groups {
            let Some(group) = self.groups.get(group) else {
                continue;
            };
            for ancestor in group.ancestors.iter() {
                if !all.contains(&ancestor.as_str()) {
                    all.push(ancestor);
                }
            }
        }
        all
    }

    fn assignments<'a>(
        &'a self,
        question: &'a Question<'_>,
        groups: &'a [&'a str],
    ) -> impl Iterator<Item = Held<'a>> {
        let own = question.subject.assignments.iter();
        let through_groups = groups.iter().filter_map(|&name| {
            let group = self.groups.get(name)?;
            Some(group.assignments().iter().map(move |assignment| Held {
                assignment,
                group: Some(name),
            }))
        });
        own.map(|assignment| Held {
            assignment,
            group: None,
        })
        .chain(through_groups.flatten())
    }

    fn by_role(&self, question: &Question<'_>, held: &[Held<'_>]) -> Vec<Reason> {
        let (kind, action) = (&question.object.kind, question.action);
        held.iter()
            .filter_map(|held| {
                let Assignment {
                    role, organization, ..
                } = held.assignment;
                let granted_by = self.roles.granting(role, kind, action)?;
                Some(Reason::Role {
                    role: role.clone(),
                    granted_by: granted_by.to_owned(),
                    group: held.group.map(str::to_owned),
                    organization: organization.clone(),
                })
            })
            .collect()
    }

    fn by_level(&self, question: &Question<'_>, groups: &[&str]) -> Vec<Reason> {
        let needed = Level::needed_for(question.action);
        self.levels(question, groups)
            .filter(|(level, _)| *level >= needed)
            .map(|(level, group)| Reason::Level {
                level,
                group: group.map(str::to_owned),
            })
            .collect()
    }

    /// The levels on this very resource, and through which group.
    fn levels<'a>(
        &'a self,
        question: &'a Question<'_>,
        groups: &'a [&'a str],
    ) -> impl Iterator<Item = (Level, Option<&'a str>)> {
        let object = question.object;
        let find = |levels: &Levels| levels.get(&object.kind)?.get(&object.id).copied();
        let own = find(&question.subject.levels).map(|level| (level, None));
        let through_groups = groups.iter().filter_map(move |&name| {
            let level = find(self.groups.get(name)?.levels())?;
            Some((level, Some(name)))
        });
        own.into_iter().chain(through_groups)
    }

    fn ask_policies(
        &self,
        question: &Question<'_>,
        held: &[Held<'_>],
        groups: &[&str],
    ) -> Result<Verdict, String> {
        let mut memberships: Vec<(&'static str, &str)> = Vec::new();
        for held in held {
            for role in self.roles.with_ancestors(&held.assignment.role) {
                memberships.push((ROLE, role));
            }
        }
        memberships.extend(groups.iter().map(|&group| (GROUP, group)));
        let organizations = &question.subject.organizations;
        memberships.extend(
            organizations
                .iter()
                .map(|name| (ORGANIZATION, name.as_str())),
        );
        let asked = CedarRequest {
            user: &question.subject.id.to_string(),
            user_attributes: &question.subject.attributes,
            memberships: &memberships,
            action: question.action,
            resource_type: &question.object.kind,
            resource_id: &question.object.id,
            resource_attributes: &question.object.attributes,
            organizations,
            resource_organization: question.object.organization.as_deref(),
            client: question.client,
            context: question.context,
        };
        self.policies.ask(&asked, &self.known)
    }

    /// What would have allowed it.
    fn nearest(
        &self,
        question: &Question<'_>,
        groups: &[&str],
        lapsed: &[Held<'_>],
        verdict: Verdict,
    ) -> Vec<Reason> {
        let (kind, action) = (&question.object.kind, question.action);
        let mut reasons = Vec::new();
        for Held { assignment, .. } in lapsed {
            let role = assignment.role.clone();
            if self.roles.granting(&role, kind, action).is_none() {
                continue;
            }
            match (&assignment.organization, assignment.until) {
                (_, Some(until)) if until <= question.now => reasons.push(Reason::Expired {
                    role,
                    since: until.rfc3339(),
                }),
                (Some(organization), _) => reasons.push(Reason::OtherOrganization {
                    role,
                    organization: organization.clone(),
                }),
                (None, _) => {}
            }
        }
        if let Some(level) = self.levels(question, groups).map(|(level, _)| level).max() {
            let needed = Level::needed_for(action);
            reasons.push(Reason::LevelTooLow { level, needed });
        }
        let failed = verdict.failed.into_iter();
        reasons.extend(failed.map(|(policy, problem, forbids)| Reason::Failed {
            policy,
            problem,
            forbids,
        }));
        let permits = self.policies.permits_for(action);
        if !permits.is_empty() {
            let policies = permits.into_iter().take(NAMED).collect();
            reasons.push(Reason::PermitDoesNotHold { policies });
        }
        let roles = self.roles.all_granting(kind, action);
        if !roles.is_empty() {
            let roles = roles.into_iter().take(NAMED).map(str::to_owned).collect();
            reasons.push(Reason::MissingRole { roles });
        }
        reasons
    }
}

/// Whether an assignment counts at this moment for this resource.
fn counts(assignment: &Assignment, question: &Question<'_>) -> bool {
    let in_time = assignment.until.is_none_or(|until| question.now < until);
    let in_place = match &assignment.organization {
        None => true,
        Some(organization) => question.object.organization.as_ref() == Some(organization),
    };
    in_time && in_place
}

fn forbidding(verdict: &Verdict) -> Vec<Reason> {
    let holding = verdict.forbids.iter().map(|policy| Reason::Forbid {
        policy: policy.clone(),
    });
    let failed = verdict.failed.iter().filter(|(_, _, forbids)| *forbids);
    holding
        .chain(failed.map(|(policy, problem, forbids)| Reason::Failed {
            policy: policy.clone(),
            problem: problem.clone(),
            forbids: *forbids,
        }))
        .collect()
}

#[cfg(test)]
impl Snapshot {
    pub(super) fn role_reaches(&self, role: &str, ancestor: &str) -> bool {
        self.roles
            .with_ancestors(role)
            .iter()
            .any(|name| name == ancestor)
    }
}
