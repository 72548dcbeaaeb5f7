//! Secrets of tokens and sessions: creation, format and hashing.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use redact::Secret;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Prefix of all our tokens, so that secret scanners can find them.
const PREFIX: &str = "hs_";
/// Random bytes in a secret.
const RANDOM_BYTES: usize = 32;
/// Length of those bytes in base64url.
const BODY_LENGTH: usize = 43;
/// Length of the checksum after them.
const CHECKSUM_LENGTH: usize = 6;

/// The stored hash of a secret. Comparison takes constant time.
#[derive(Debug, Clone, Copy)]
pub struct Hash([u8; 32]);

/// Half of a hash, as a lookup key.
pub(crate) type HashKey = [u8; 16];

impl Hash {
    /// The hash of `secret`.
    pub fn of(secret: &str) -> Self {
        Hash(Sha256::digest(secret.as_bytes()).into())
    }

    /// A stored hash; `None` if it is not 32 bytes.
    pub fn from_stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Hash)
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The lookup key. The caller must compare the whole hash too.
    pub fn key(&self) -> HashKey {
        std::array::from_fn(|at| self.0.get(at).copied().unwrap_or_default())
    }
}

impl PartialEq for Hash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// The system has no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes: {0}")]
pub struct NoRandomness(getrandom::Error);

/// `N` random bytes as base64url.
pub fn random_text<const N: usize>() -> Result<String, NoRandomness> {
    let mut bytes = [0_u8; N];
    getrandom::fill(&mut bytes).map_err(NoRandomness)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// A new token secret.
pub(crate) fn new_token() -> Result<Secret, NoRandomness> {
    let body = random_text::<RANDOM_BYTES>()?;
    let sum = checksum(&body);
    Ok(Secret::new(format!("{PREFIX}{body}{sum}")))
}

/// A new session secret, the value of its cookie.
pub(crate) fn new_session() -> Result<Secret, NoRandomness> {
    random_text::<RANDOM_BYTES>().map(Secret::new)
}

/// Whether `secret` has the prefix of our tokens.
pub fn has_our_prefix(secret: &str) -> bool {
    secret.starts_with(PREFIX)
}

/// Whether `secret` looks like a mistyped token. Only for a better error message: the hash alone decides whether a
/// token is valid.
pub fn is_mistyped(secret: &str) -> bool {
    secret.starts_with(PREFIX) && !is_well_formed(secret)
}

/// Whether `secret` has the format of our tokens with a correct checksum: anyone can create such a text.
pub(crate) fn is_well_formed(secret: &str) -> bool {
    let parts = secret.strip_prefix(PREFIX).and_then(|rest| rest.split_at_checked(BODY_LENGTH));
    parts.is_some_and(|(body, sum)| sum == checksum(body))
}

/// The first characters of the hash of `body`: 36 bits, so that a typo is undetected once in 70 billion.
fn checksum(body: &str) -> String {
    let mut sum = URL_SAFE_NO_PAD.encode(Sha256::digest(body.as_bytes()));
    sum.truncate(CHECKSUM_LENGTH);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_token_has_the_documented_form() {
        let (one, other) = (new_token().unwrap(), new_token().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.expose().len(), 3 + 43 + 6);
        assert!(one.expose().starts_with("hs_"));
        assert!(one.expose().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        assert!(!is_mistyped(one.expose()));
    }

    #[test]
    fn a_slip_is_noticed() {
        let token = new_token().unwrap();
        let token = token.expose();
        let forged = format!("{}{}", &token[..46], if token.ends_with("AAAAAA") { "BBBBBB" } else { "AAAAAA" });
        for wrong in [&token[..51], &format!("{token}A"), "hs_", "hs_é", &forged] {
            assert!(is_mistyped(wrong), "{wrong}");
        }
        assert!(!is_mistyped("a-first-token-chosen-by-the-operator"));
    }

    #[test]
    fn hashes_are_equal_only_whole() {
        let hash = Hash::of("a");
        assert!(hash == Hash::of("a") && hash != Hash::of("b"));
        assert!(Hash::from_stored(hash.as_bytes()) == Some(hash));
        assert!(Hash::from_stored(&[0; 31]).is_none());
    }
}
