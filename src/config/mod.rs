//! Settings: `signet.toml`, overridden by `SIGNET_*` environment variables, overridden by flags.
//!
//! [`KEYS`] is the one table of what can be set; [`Config`] is what comes out when all of it is
//! well-formed and makes sense together. Everything that is wrong is reported at once.

pub mod check;
pub mod issuer;
pub mod keys;
pub mod load;
pub mod parse;
mod reader;
pub mod secret;
mod settings;
pub mod source;
mod values;

pub use issuer::Issuer;
pub use parse::nearest;
pub use reader::Setting;
pub use secret::Secret;
pub use settings::{Config, KEYS};
pub use source::Source;
