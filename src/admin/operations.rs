//! Every operation there is.

use super::api::Api;
use super::users;

/// All of them, in the order in which they are described.
pub(super) fn all() -> Api {
    let mut api = Api::default();
    users::add(&mut api);
    api
}
