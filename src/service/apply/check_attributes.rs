//! Whether attributes can be declared, whether values are as declared, and whether policies are valid.

use serde_json::{Map, Value};

use super::Kind;
use super::check::{Check, NAME, is_name};
use crate::domain::policy::{Declarations, Of, Vocabulary, validate};
use crate::service::attributes::{check_name, speaking_of};

impl Check<'_, '_> {
    /// What is declared afterwards.
    pub(super) fn declarations(&mut self) -> Declarations {
        let mut declarations = if self.options.prune {
            Declarations::default()
        } else {
            self.known.declarations.clone()
        };
        for desired in &self.desired.attributes {
            if let Err(problem) = check_name(&desired.of, &desired.name) {
                self.refuse(Kind::Attribute, &desired.title(), "name", problem);
                continue;
            }
            let (of, name) = (desired.of.clone(), desired.name.clone());
            declarations.insert(of, name, desired.declaration);
        }
        declarations
    }

    /// Whether everything that the document says of things is as declared.
    pub(super) fn values(&mut self, declarations: &Declarations) {
        let desired = self.desired;
        let people = desired.users.iter().filter_map(|user| {
            let attributes = user.attributes.as_ref()?;
            Some((Kind::User, user.username.clone(), Of::User, attributes))
        });
        let groups = desired.groups.iter().map(|it| {
            let attributes = &it.group.attributes;
            (Kind::Group, it.name.clone(), Of::Group, attributes)
        });
        let organizations = desired.organizations.iter().map(|it| {
            let attributes = &it.organization.attributes;
            (
                Kind::Organization,
                it.name.clone(),
                Of::Organization,
                attributes,
            )
        });
        let clients = desired.clients.iter().map(|it| {
            let attributes = &it.metadata.attributes;
            (Kind::Client, it.id.clone(), Of::Client, attributes)
        });
        let objects = desired.objects.iter().map(|it| {
            let of = Of::Resource(it.name.kind.clone());
            (Kind::Object, it.name.to_string(), of, &it.object.attributes)
        });
        let all: Vec<(Kind, String, Of, &Map<String, Value>)> = people
            .chain(groups)
            .chain(organizations)
            .chain(clients)
            .chain(objects)
            .collect();
        for (kind, name, of, attributes) in all {
            for misfit in declarations
                .check(&of, attributes)
                .err()
                .into_iter()
                .flatten()
            {
                self.refuse(kind, &name, "attributes", misfit.to_string());
            }
        }
    }

    /// Whether the policies are valid, as everything is afterwards.
    pub(super) fn policies(&mut self, declarations: Declarations) {
        let vocabulary = self.vocabulary(declarations);
        for desired in &self.desired.policies {
            let (id, cedar) = (&desired.id, &desired.policy.cedar);
            // A text of several policies numbers them after a #.
            if !is_name(id) || id.contains('#') {
                let problem = format!("{NAME}, and without #");
                self.refuse(Kind::Policy, id, "id", problem);
            }
            match validate(cedar, &vocabulary) {
                Ok(warnings) => {
                    let told = |warning| format!("policy {id:?}: {warning}");
                    self.warnings.extend(warnings.iter().map(told));
                }
                Err(problem) => {
                    let mut told = problem.to_string();
                    for line in problem
                        .underlined(cedar)
                        .iter()
                        .flat_map(|text| text.lines())
                    {
                        told.push_str("\n      ");
                        told.push_str(line);
                    }
                    self.refuse(Kind::Policy, id, "cedar", told);
                }
            }
            self.text(Kind::Policy, id, "cedar", cedar);
            let description = desired.policy.description.as_deref().unwrap_or_default();
            self.text(Kind::Policy, id, "description", description);
        }
    }

    fn vocabulary(&self, declarations: Declarations) -> Vocabulary {
        let desired = self.desired;
        let known = self.known.roles.values();
        let roles = known.chain(desired.roles.iter().map(|role| &role.role));
        let mut vocabulary = speaking_of(declarations, roles);
        let types = &mut vocabulary.resource_types;
        types.extend(self.known.object_types.iter().cloned());
        types.extend(desired.objects.iter().map(|it| it.name.kind.clone()));
        vocabulary
    }
}
