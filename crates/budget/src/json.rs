//! JSON is weighed before it is read: `[[],[],` takes three bytes of text for each value, and dozens of memory.

/// What a value takes once it is read, about, in bytes: those of a tree of `serde_json`, with what the allocator adds.
const VALUE_BYTES: u64 = 48;

/// Most values of a body that a client sends.
pub const OF_CLIENTS: usize = 250_000;
/// Most values of an answer or a message of a daemon, whose lists of jobs are long.
pub const OF_DAEMONS: usize = 4_000_000;

/// A text has more values than are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it has more than {0} JSON values: send less at a time")]
pub struct TooManyValues(usize);

/// Refuses a text of more than `most` values.
///
/// # Errors
/// It has too many.
pub fn check(text: &[u8], most: usize) -> Result<(), TooManyValues> {
    if values(text) <= most { Ok(()) } else { Err(TooManyValues(most)) }
}

/// Memory that a text takes with what is read from it, in bytes.
pub fn weight(text: &[u8]) -> u64 {
    let of = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    of(text.len()).saturating_add(of(values(text)).saturating_mul(VALUE_BYTES))
}

/// How many values a text has at most: what comes before a comma, and what lies in a list or an object.
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
