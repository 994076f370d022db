//! The protocol endpoints.

mod audience;
mod authorize;
mod authzen;
mod authzen_callers;
mod authzen_examples;
mod claims_parameter;
mod client_auth;
mod client_auth_methods;
mod discovery;
mod id_token_claims;
mod introspect;
mod jwks;
mod logout;
mod logout_backend;
mod many_groups;
mod revoke;
mod taken_back;
mod token_client_credentials;
mod token_code;
mod token_refresh;
mod userinfo;
