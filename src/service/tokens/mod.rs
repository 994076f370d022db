//! Tokens: issuing, redeeming, verifying and revoking them, and the keys that sign them.

pub mod access_token;
pub mod claims;
pub mod id_token_hint;
pub mod issue;
pub mod keys;
pub mod own_jwt;
pub mod redeem;
pub mod revoke;
