//! Limits the number of JSON values before parsing: `[[],[],` needs three bytes of text per value, but dozens of bytes
//! of memory.

/// Approximate memory of a parsed value, in bytes: a `serde_json` tree with the allocator's overhead.
const VALUE_BYTES: u64 = 48;

/// Maximum number of values in a client's body.
pub const OF_CLIENTS: usize = 250_000;
/// Maximum number of values in a daemon's response or message, which may have long lists of jobs.
pub const OF_DAEMONS: usize = 4_000_000;

/// A text has too many values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it has more than {0} JSON values: send less at a time")]
pub struct TooManyValues(usize);

/// Rejects a text with more than `most` values.
///
/// # Errors
///
/// It has too many.
pub fn check(text: &[u8], most: usize) -> Result<(), TooManyValues> {
    if values(text) <= most { Ok(()) } else { Err(TooManyValues(most)) }
}

/// Memory of a text with its parsed values, in bytes.
pub fn weight(text: &[u8]) -> u64 {
    let of = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    of(text.len()).saturating_add(of(values(text)).saturating_mul(VALUE_BYTES))
}

/// Upper bound of the number of values: one per comma, and one per list or object.
fn values(text: &[u8]) -> usize {
    let (mut count, mut in_string, mut is_escaped) = (1, false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b',' | b'[' | b'{' if !in_string => count += 1,
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_and_texts_are_not() {
        assert_eq!(values(br#"{"a":[1,2,{"b":"x,[{\"],"}],"c":null}"#), 1 + 3 + 3);
        assert_eq!(values(br#""no [value], {of} \\\" its own,""#), 1);
        assert_eq!(check("[],".repeat(50).as_bytes(), 100), Err(TooManyValues(100)));
        assert_eq!(check(format!("\"{}\"", "[".repeat(1 << 20)).as_bytes(), 1), Ok(()));
        assert!(weight("[],".repeat(1_000).as_bytes()) > 90_000);
    }
}
