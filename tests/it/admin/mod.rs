//! The administration API.

mod clients;
mod configuration;
mod cycles;
mod directory;
mod document;
mod escalation;
mod events;
mod every_operation;
mod first_party;
mod guards;
mod instances;
mod lifted;
mod lists;
mod old_secrets;
mod readings;
mod registration;
mod repeats;
mod roundabout;
mod schemathesis;
mod support;
mod trail;
mod users;
mod webhooks;
