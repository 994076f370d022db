//! Policies: Cedar texts. A policy can allow anything, so writing one takes every permission there is.

use std::collections::BTreeMap;

use super::checking::Checking;
use super::kind::Kind;
use super::{Act, AdministrationError, KindName};
use crate::domain::audit::EventType;
use crate::domain::directory::{Policy, PolicyId};
use crate::domain::policy::{Bounded, Count, validate};
use crate::store::db::Tx;
use crate::store::error::StoreError;

impl Kind for Policy {
    type Key = PolicyId;

    const KIND: KindName = KindName::Policy;
    const READ: &'static str = "policies.read";
    const EVENTS: [EventType; 3] = [
        EventType::PolicyCreated,
        EventType::PolicyUpdated,
        EventType::PolicyDeleted,
    ];

    async fn find(tx: &mut Tx, key: &PolicyId) -> Result<Option<Self>, StoreError> {
        tx.find_policy(key).await
    }

    async fn list(tx: &mut Tx) -> Result<BTreeMap<PolicyId, Self>, StoreError> {
        tx.list_policies().await
    }

    async fn save(
        tx: &mut Tx,
        key: &PolicyId,
        _was: Option<&Self>,
        is: &Self,
    ) -> Result<(), StoreError> {
        tx.save_policy(key, is).await
    }

    async fn delete(tx: &mut Tx, key: &PolicyId) -> Result<(), StoreError> {
        tx.delete_policy(key).await
    }

    async fn check(&self, key: &PolicyId, checking: &mut Checking<'_>) -> Result<(), StoreError> {
        match validate(&self.cedar, checking.vocabulary().await?) {
            Ok(warnings) => {
                for warning in warnings {
                    checking.warn(format!("policy {:?}: {warning}", key.as_str()));
                }
            }
            Err(problem) => {
                let mut told = problem.to_string();
                let underlined = problem.underlined(&self.cedar);
                for line in underlined.iter().flat_map(|text| text.lines()) {
                    told.push_str("\n      ");
                    told.push_str(line);
                }
                checking.refuse("cedar", told);
            }
        }
        checking.text("cedar", &self.cedar);
        checking.description(self.description.as_deref());
        Ok(())
    }

    async fn judge(
        act: &mut Act,
        _key: &PolicyId,
        _was: Option<&Self>,
        is: Option<&Self>,
    ) -> Result<(), AdministrationError> {
        // Deleting a forbid allows as much as writing a permit.
        let param = if is.is_some() { "cedar" } else { "id" };
        act.rights.require_all_rights(param)
    }

    fn counts(&self) -> Vec<Count> {
        vec![(Bounded::Policies, 1)]
    }
}
