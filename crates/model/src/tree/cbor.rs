//! Parses CBOR (RFC 8949) into a tree, header by header: serde would need four times the code, and browsers have to
//! download it.

use ciborium::value::Integer;
use ciborium_io::Read;
use ciborium_ll::{Decoder, Header, simple};

use super::Tree;

/// Maximum nesting depth: deeper than any message of ours, and safe for any stack.
const MAX_DEPTH: u8 = 64;

/// Parses the document at the start of `bytes`. Strings in several parts are not supported, because the server does not
/// send any.
///
/// # Errors
///
/// As a sentence: the bytes are not CBOR, are truncated, or are nested too deep.
pub(super) fn read(bytes: &[u8]) -> Result<Tree, String> {
    let mut reader = Reader { decoder: Decoder::from(bytes), length: bytes.len() };
    reader.next(MAX_DEPTH).and_then(|item| item.ok_or_else(|| reader.fault()))
}

struct Reader<'a> {
    decoder: Decoder<&'a [u8]>,
    length: usize,
}

impl Reader<'_> {
    fn fault(&mut self) -> String {
        format!("the CBOR cannot be read after byte {}", self.decoder.offset())
    }

    /// The next item, with a nesting depth of at most `depth`; `None` for the break that ends a list of unknown length.
    fn next(&mut self, depth: u8) -> Result<Option<Tree>, String> {
        let header = self.decoder.pull().map_err(|_| self.fault())?;
        Ok(Some(match header {
            Header::Positive(number) => Tree::Integer(number.into()),
            // All bits are inverted (section 3.1).
            Header::Negative(number) => {
                Tree::Integer(Integer::try_from(!i128::from(number)).map_err(|_| self.fault())?)
            }
            Header::Float(number) => Tree::Float(number),
            Header::Simple(simple::FALSE) => Tree::Bool(false),
            Header::Simple(simple::TRUE) => Tree::Bool(true),
            Header::Simple(simple::NULL | simple::UNDEFINED) => Tree::Null,
            Header::Bytes(Some(length)) => Tree::Bytes(self.bytes(length)?),
            Header::Text(Some(length)) => Tree::Text(String::from_utf8(self.bytes(length)?).map_err(|_| self.fault())?),
            Header::Array(count) => Tree::Array(self.items(count, depth)?),
            Header::Map(count) => {
                let mut items = self.items(count.map(|count| count.saturating_mul(2)), depth)?.into_iter();
                let mut members = Vec::with_capacity(items.len() / 2);
                while let Some(key) = items.next() {
                    members.push((key, items.next().ok_or_else(|| self.fault())?));
                }
                Tree::Map(members)
            }
            Header::Break => return Ok(None),
            _ => return Err(self.fault()),
        }))
    }

    /// `count` items, or those before the next break.
    fn items(&mut self, count: Option<usize>, depth: u8) -> Result<Vec<Tree>, String> {
        let depth = depth.checked_sub(1).ok_or_else(|| self.fault())?;
        let mut items = Vec::new();
        while count != Some(items.len()) {
            match (self.next(depth)?, count) {
                (Some(item), _) => items.push(item),
                (None, None) => break,
                (None, Some(_)) => return Err(self.fault()),
            }
        }
        Ok(items)
    }

    fn bytes(&mut self, length: usize) -> Result<Vec<u8>, String> {
        // A length in a header is not allocated before the bytes are there.
        if length > self.length.saturating_sub(self.decoder.offset()) {
            return Err(self.fault());
        }
        let mut bytes = vec![0; length];
        self.decoder.read_exact(&mut bytes).map_err(|_| self.fault())?;
        Ok(bytes)
    }
}
