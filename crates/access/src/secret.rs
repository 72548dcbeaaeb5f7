//! Secrets of tokens and sessions: how they are made, recognised and kept.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use redact::Secret;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What every token of ours begins with, so that scanners for leaked secrets can find it.
const PREFIX: &str = "hs_";
/// Random bytes of a secret.
const RANDOM_BYTES: usize = 32;
/// Characters that those bytes take.
const BODY_LENGTH: usize = 43;
/// Characters of checksum after them.
const CHECKSUM_LENGTH: usize = 6;

/// What is kept of a secret. Comparing takes the same time wherever two differ.
#[derive(Debug, Clone, Copy)]
pub struct Hash([u8; 32]);

/// Half of a hash, to find the other half by.
pub(crate) type HashKey = [u8; 16];

impl Hash {
    /// The hash of `secret`.
    pub fn of(secret: &str) -> Self {
        Hash(Sha256::digest(secret.as_bytes()).into())
    }

    /// A hash as it was stored; `None` if it is not 32 bytes.
    pub fn from_stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Hash)
    }

    /// What to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What to look it up by. What is found is to be compared whole.
    pub fn key(&self) -> HashKey {
        std::array::from_fn(|at| self.0.get(at).copied().unwrap_or_default())
    }
}

impl PartialEq for Hash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// The system has no randomness to give.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes: {0}")]
pub struct NoRandomness(getrandom::Error);

/// `N` random bytes as base64url.
pub fn random_text<const N: usize>() -> Result<String, NoRandomness> {
    let mut bytes = [0_u8; N];
    getrandom::fill(&mut bytes).map_err(NoRandomness)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// A new secret of a token.
pub(crate) fn new_token() -> Result<Secret, NoRandomness> {
    let body = random_text::<RANDOM_BYTES>()?;
    let sum = checksum(&body);
    Ok(Secret::new(format!("{PREFIX}{body}{sum}")))
}

/// A new secret of a session, the value of its cookie.
pub(crate) fn new_session() -> Result<Secret, NoRandomness> {
    random_text::<RANDOM_BYTES>().map(Secret::new)
}

/// Whether `secret` says that it is a token of ours.
pub fn has_our_prefix(secret: &str) -> bool {
    secret.starts_with(PREFIX)
}

/// Whether `secret` looks like a token of ours with a character wrong or missing. Only for a better message: what is a
/// token is decided by its hash alone.
pub fn is_mistyped(secret: &str) -> bool {
    secret.starts_with(PREFIX) && !is_well_formed(secret)
}

/// Whether `secret` has the form of a token of ours, with the right checksum: anyone can make such a text.
pub(crate) fn is_well_formed(secret: &str) -> bool {
    let parts = secret.strip_prefix(PREFIX).and_then(|rest| rest.split_at_checked(BODY_LENGTH));
    parts.is_some_and(|(body, sum)| sum == checksum(body))
}

/// The first characters of the hash of `body`: 36 bits, so that a slip goes unnoticed once in 70 thousand million.
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
