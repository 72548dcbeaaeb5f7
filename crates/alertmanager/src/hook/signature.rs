//! The signature by which a receiver verifies that a message comes from us and is recent.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Header with the signature.
pub const SIGNATURE: &str = "X-Hyperscope-Signature";
/// Header with the time of the signature, in seconds since the Unix epoch.
pub const TIMESTAMP: &str = "X-Hyperscope-Timestamp";
/// Header with the ID of the delivery; retries have the same.
pub const DELIVERY: &str = "X-Hyperscope-Delivery";

/// `sha256=` and the HMAC-SHA256 of `timestamp.body` in hexadecimal.
#[must_use]
pub fn sign(secret: &str, timestamp: &str, body: &[u8]) -> String {
    let mut text = String::from("sha256=");
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return text };
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    for byte in mac.finalize().into_bytes() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
