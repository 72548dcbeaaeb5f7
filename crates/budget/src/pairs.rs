//! Limits the number of parameters before parsing: `a&a&` needs two bytes of text per parameter, but dozens of bytes of
//! memory.

/// Maximum number of parameters in a form or a query string.
const MOST: usize = 10_000;

/// A form or a query string has too many parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request has more than {MOST} parameters: ask for less at a time")]
pub struct TooManyPairs;

/// Parses a form or a query string into names and values, in order.
///
/// # Errors
///
/// There are too many; none was parsed.
pub fn read(text: &[u8]) -> Result<form_urlencoded::Parse<'_>, TooManyPairs> {
    let count = text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).count();
    if count <= MOST { Ok(form_urlencoded::parse(text)) } else { Err(TooManyPairs) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_counted_before_they_are_read() {
        let text = |count: usize| "&a".repeat(count);
        assert_eq!(read(text(MOST).as_bytes()).unwrap().count(), MOST);
        assert_eq!(read(text(MOST + 1).as_bytes()).err(), Some(TooManyPairs));
        assert_eq!(read("&".repeat(1 << 20).as_bytes()).unwrap().count(), 0, "nothing is no pair");
    }
}
