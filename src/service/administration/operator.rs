//! Acts of an operator: what the command line asks for, with the methods that administrators' acts have.

use std::sync::Arc;

use super::{Act, AdministrationError};
use crate::domain::audit::Origin;
use crate::service::Services;
use crate::spec::time::Ts;

/// One act of an operator, who may do everything: begun, done and committed. When it returns, every instance knows.
pub async fn act_of_operator<T>(
    services: &Arc<Services>,
    origin: &Origin,
    now: Ts,
    change: impl AsyncFnOnce(&mut Act) -> Result<T, AdministrationError>,
) -> Result<T, AdministrationError> {
    let mut act = Act::of_operator(services, origin, now).await?;
    let done = change(&mut act).await?;
    act.commit().await?;
    Ok(done)
}
