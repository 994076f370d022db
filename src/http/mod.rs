//! What every surface shares: cookies, form tokens, client addresses, request ids, limits, headers, errors and
//! the accept loop.

mod activity;
pub mod bearer;
pub mod browser;
pub mod caller;
pub mod challenge;
pub mod client_ip;
pub mod cookies;
pub mod cors;
pub mod error;
pub mod form_post;
pub mod headers;
mod host;
pub mod json;
pub mod limits;
pub mod memo;
pub mod observe;
pub mod origin;
pub mod page_error;
pub mod peer;
pub mod rate_limit;
pub mod request_id;
pub mod server;
pub mod site;
