//! Roles: their parents and permissions.

use super::api::{About, Api};
use super::crud::{self, Collection};
use crate::domain::directory::{Role, RoleName};
use crate::store::Store;
use crate::store::error::StoreError;

const READ: &str = "roles.read";
const WRITE: &str = "roles.write";

pub(super) fn add(api: &mut Api) {
    let about = |id, summary, action| About::new("roles", id, summary, action);
    crud::add::<Role>(
        api,
        ["/v1/roles", "/v1/roles/{name}"],
        &[
            about("list_roles", "List roles", READ),
            about("create_role", "Create a role", WRITE)
                .details("Its parents and permissions must be among your own."),
            about("get_role", "Read a role", READ),
            about("update_role", "Change a role", WRITE)
                .details("What you add must be among your own parents and permissions."),
            about("delete_role", "Delete a role", WRITE).details(
                "Takes the role from every user and group. The built-in role `admin` stays.",
            ),
        ],
    );
}

impl Collection for Role {
    const NAME: &'static str = "roles";
    const WRITE: &'static str = WRITE;

    async fn read(store: &Store, key: &RoleName) -> Result<Option<Self>, StoreError> {
        store.find_role(key).await
    }

    async fn page(
        store: &Store,
        begins: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<(RoleName, Self)>, StoreError> {
        store.page_of_roles(begins, after, limit).await
    }
}
