//! Stub of randomness.
/// `N` random bytes.
pub fn bytes<const N: usize>() -> [u8; N] {
    rand::random()
}
