//! PHC strings: `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<output>`.

use argon2::{ARGON2ID_IDENT, Params, PasswordHash, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// A stored hash, parsed and found affordable.
pub(super) struct Phc {
    pub(super) version: Version,
    pub(super) params: Params,
    pub(super) salt: Vec<u8>,
    pub(super) output: Vec<u8>,
}

/// Whether an imported hash can be verified later: Argon2id, complete, and within the bounds of
/// memory (256 MiB) and iterations (16) that one sign-in may cost.
pub fn is_valid_phc(text: &str) -> bool {
    Phc::parse(text).is_ok()
}

impl Phc {
    /// Parses a PHC string. The error says what is wrong without quoting the string.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > 512 {
            return Err("it is longer than any PHC string".to_owned());
        }
        let hash = PasswordHash::new(text).map_err(|error| format!("not a PHC string: {error}"))?;
        if hash.algorithm != ARGON2ID_IDENT {
            return Err(format!("{} is not argon2id", hash.algorithm));
        }
        // The reference implementation reads a missing version as 1.0.
        let version = Version::try_from(hash.version.unwrap_or(0x10))
            .map_err(|error| format!("unknown version: {error}"))?;
        let params = Params::try_from(&hash).map_err(|error| format!("parameters: {error}"))?;
        within_bounds(&params)?;
        if !params.keyid().is_empty() {
            return Err("it needs a secret key that is not here".to_owned());
        }
        let (Some(salt), Some(output)) = (hash.salt, hash.hash) else {
            return Err("salt or output is missing".to_owned());
        };
        if output.len() < 16 {
            return Err("its output is shorter than 16 bytes".to_owned());
        }
        Ok(Self {
            version,
            params,
            salt: salt.to_vec(),
            output: output.as_bytes().to_vec(),
        })
    }
}

/// Writes the PHC string of a hash made with the current version of Argon2id.
pub(super) fn write(params: &Params, salt: &[u8], output: &[u8]) -> String {
    format!(
        "$argon2id$v=19$m={},t={},p={}${}${}",
        params.m_cost(),
        params.t_cost(),
        params.p_cost(),
        STANDARD_NO_PAD.encode(salt),
        STANDARD_NO_PAD.encode(output)
    )
}

/// The work of one hash, in KiB written: each iteration passes over the whole memory once
/// ([RFC 9106 §3.2](https://www.rfc-editor.org/rfc/rfc9106#section-3.2)). Lanes share that memory, and here they are
/// computed one after the other, so they add nothing.
pub(super) fn cost(params: &Params) -> u64 {
    u64::from(params.m_cost()) * u64::from(params.t_cost())
}

/// What one hash may cost at most, an imported one included.
pub(super) fn within_bounds(params: &Params) -> Result<(), String> {
    if params.m_cost() > MAX_MEMORY_KIB {
        return Err(format!(
            "it asks for more than {MAX_MEMORY_KIB} KiB of memory"
        ));
    }
    if params.t_cost() > MAX_ITERATIONS {
        return Err(format!("it asks for more than {MAX_ITERATIONS} iterations"));
    }
    if params.p_cost() > MAX_PARALLELISM {
        return Err(format!("it asks for more than {MAX_PARALLELISM} lanes"));
    }
    Ok(())
}

const MAX_MEMORY_KIB: u32 = 256 * 1024;
const MAX_ITERATIONS: u32 = 16;
const MAX_PARALLELISM: u32 = 16;
