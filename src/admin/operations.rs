//! Every operation there is.

use super::api::Api;
use super::{
    assignments, attributes, audit_events, clients, configuration, grants, groups, levels, objects,
    organizations, policies, resources, revocation, roles, signing_keys, users, webhooks,
};

/// All of them, in the order in which they are described.
pub(super) fn all() -> Api {
    let mut api = Api::default();
    users::add(&mut api);
    revocation::add(&mut api);
    grants::add(&mut api);
    clients::add(&mut api);
    resources::add(&mut api);
    roles::add(&mut api);
    assignments::add(&mut api);
    groups::add(&mut api);
    organizations::add(&mut api);
    levels::add(&mut api);
    objects::add(&mut api);
    policies::add(&mut api);
    attributes::add(&mut api);
    signing_keys::add(&mut api);
    audit_events::add(&mut api);
    webhooks::add(&mut api);
    configuration::add(&mut api);
    api
}
