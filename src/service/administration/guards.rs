//! What an act may not do in a roundabout way: policies go by names and by what is written of people.

use serde_json::Value;

use super::{Act, AdministrationError, Named};

impl Act {
    /// Refuses whoever may not do everything, if an enabled policy may speak of this, or of what it brings: then it
    /// decides more than one sees. Taking it away may take a `forbid` away.
    pub async fn may_lose(
        &mut self,
        thing: Named<'_>,
        param: &str,
    ) -> Result<(), AdministrationError> {
        if self.rights.must_be_full(param).is_err() && self.is_in_policies(thing, |_| true).await? {
            self.rights.must_be_full(param)?;
        }
        Ok(())
    }

    /// The same of what somebody is to get: a `forbid` that speaks of it would bind them.
    pub async fn may_bind(
        &mut self,
        thing: Named<'_>,
        param: &str,
    ) -> Result<(), AdministrationError> {
        let forbids = |cedar: &str| cedar.contains("forbid");
        if self.rights.must_be_full(param).is_err() && self.is_in_policies(thing, forbids).await? {
            self.rights.must_be_full(param)?;
        }
        Ok(())
    }

    async fn is_in_policies(
        &mut self,
        thing: Named<'_>,
        counts: impl Fn(&str) -> bool,
    ) -> Result<bool, AdministrationError> {
        let names = self.rights.names_of(thing);
        let quoted: Vec<String> = names
            .into_iter()
            .map(|name| Value::from(name).to_string())
            .collect();
        // An escape may stand for anything.
        let speaks = |cedar: &str| {
            quoted.iter().any(|name| cedar.contains(name))
                || cedar.contains("\\u")
                || cedar.contains("\\x")
        };
        let policies = self.tx.list_policies().await?;
        let mut enabled = policies.values().filter(|policy| policy.enabled);
        Ok(enabled.any(|policy| speaks(&policy.cedar) && counts(&policy.cedar)))
    }
}
