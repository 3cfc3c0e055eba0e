//! Secrets that are long enough to need no salt: only their digest is kept.

use sha2::{Digest as _, Sha256};

/// SHA-256 of a token or a recovery code.
pub(super) type Digest = [u8; 32];

pub(super) fn digest(secret: &str) -> Digest {
    Sha256::digest(secret.as_bytes()).into()
}
