//! Resource servers and their scopes.

use super::api::{About, Api};
use super::crud::{self, Collection};
use crate::domain::resource::{Identifier, Resource};
use crate::store::Store;
use crate::store::error::StoreError;

const READ: &str = "resources.read";
const WRITE: &str = "resources.write";

pub(super) fn add(api: &mut Api) {
    let about = |id, summary, action| About::new("resources", id, summary, action);
    crud::add::<Resource>(
        api,
        ["/v1/resources", "/v1/resources/{identifier}"],
        &[
            about("list_resources", "List resource servers", READ),
            about("create_resource", "Register a resource server", WRITE),
            about("get_resource", "Read a resource server", READ),
            about("update_resource", "Change a resource server", WRITE),
            about("delete_resource", "Remove a resource server", WRITE).details(
                "Nothing is issued for it any more; what was issued lives until it expires.",
            ),
        ],
    );
}

impl Collection for Resource {
    const NAME: &'static str = "resources";
    const WRITE: &'static str = WRITE;

    async fn read(store: &Store, key: &Identifier) -> Result<Option<Self>, StoreError> {
        store.find_resource(key).await
    }

    async fn page(
        store: &Store,
        begins: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<(Identifier, Self)>, StoreError> {
        // There are few of them: every token request looks through them all.
        let mut all = store.list_resources().await?;
        all.sort_by(|one, other| one.identifier.cmp(&other.identifier));
        all.retain(|it| it.identifier.as_str() > after && it.identifier.starts_with(begins));
        all.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let key = |resource: &Self| Identifier::stored(resource.identifier.clone());
        Ok(all.into_iter().map(|it| (key(&it), it)).collect())
    }
}
