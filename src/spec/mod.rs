//! The RFCs' words as types: what a parameter, a scope or a grant type may be, before anyone decides
//! anything about it. No I/O, no `async`.

pub mod alg;
pub mod auth_method;
pub mod claims;
pub mod claims_request;
pub mod client_metadata;
pub mod error_code;
pub mod grant_type;
pub mod members;
pub mod name_pattern;
pub mod params;
pub mod pkce;
pub mod prompt;
pub mod response_mode;
pub mod scope;
pub mod standard_claims;
pub mod time;
