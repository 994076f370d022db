//! What policies may speak of, and whether a text would be a policy.

use tokio::sync::Semaphore;

use crate::domain::policy::{Declarations, Level, Permission, Problem, Vocabulary, validate};
use crate::service::Services;
use crate::store::db::Tx;
use crate::store::error::StoreError;

/// One text is judged at a time: it takes a processor as long as it takes.
static JUDGING: Semaphore = Semaphore::const_new(1);

/// Whether a text would be taken as a policy as things stand: `Ok` with what an operator should look at, or what is
/// wrong, with line, column and hint.
pub async fn validate_policy(
    services: &Services,
    cedar: String,
) -> Result<Result<Vec<Problem>, Problem>, StoreError> {
    let busy = |_| StoreError::unavailable("policies cannot be judged right now");
    let turn = JUDGING.acquire().await.map_err(busy)?;
    let (_, written) = services.store.read_policy().await?;
    let mut vocabulary = of_permissions(
        written.declarations,
        written
            .roles
            .into_values()
            .flat_map(|role| role.permissions),
    );
    let types = services.store.list_object_types().await?;
    vocabulary.resource_types.extend(types);
    let judging = tokio::task::spawn_blocking(move || {
        // Held until the text is judged, even when the caller has hung up.
        let _turn = turn;
        validate(&cedar, &vocabulary)
    });
    let failed = |_| StoreError::unavailable("judging the policy broke off");
    judging.await.map_err(failed)
}

/// What policies may speak of, as the transaction sees it.
pub(super) async fn vocabulary(tx: &mut Tx) -> Result<Vocabulary, StoreError> {
    let declarations = tx.list_declarations().await?;
    let permissions = tx.list_permissions().await?;
    let permissions = permissions
        .iter()
        .filter_map(|text| Permission::parse(text));
    let mut vocabulary = of_permissions(declarations, permissions);
    vocabulary
        .resource_types
        .extend(tx.list_object_types().await?);
    Ok(vocabulary)
}

fn of_permissions(
    declarations: Declarations,
    permissions: impl Iterator<Item = Permission>,
) -> Vocabulary {
    let mut vocabulary = Vocabulary {
        declarations,
        actions: Level::ALL.map(|level| level.as_str().to_owned()).into(),
        ..Vocabulary::default()
    };
    for permission in permissions {
        vocabulary.resource_types.insert(permission.resource_type);
        vocabulary.actions.insert(permission.action);
    }
    vocabulary
}
