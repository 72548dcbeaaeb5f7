//! The wire format of protocol buffers.

use crate::DecodeError;

/// Decodes a message field by field.
#[derive(Debug, Clone)]
pub(crate) struct Message<'a> {
    bytes: &'a [u8],
    offset: usize,
}

/// The content of a field.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Field<'a> {
    /// An integer, a boolean or an enumeration.
    Varint(u64),
    /// Eight bytes.
    Fixed64(u64),
    /// Four bytes, not used by any message here.
    Fixed32,
    /// Text, a nested message, or packed numbers.
    Bytes(&'a [u8]),
}

impl<'a> Message<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Message { bytes, offset: 0 }
    }

    /// Number and content of the next field; `None` at the end.
    pub(crate) fn next_field(&mut self) -> Result<Option<(u64, Field<'a>)>, DecodeError> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let field = match key & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = self.varint()?;
                let length = usize::try_from(length).map_err(|_| self.malformed("a field beyond the end"))?;
                Field::Bytes(self.take(length)?)
            }
            5 => {
                self.array::<4>()?;
                Field::Fixed32
            }
            _ => return Err(self.malformed("a field of an unknown type")),
        };
        if key >> 3 == 0 {
            return Err(self.malformed("a field with the number 0"));
        }
        Ok(Some((key >> 3, field)))
    }

    /// An integer of one to ten bytes.
    pub(crate) fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0;
        for (index, byte) in self.bytes.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                if index == 9 && *byte > 1 {
                    break;
                }
                self.take(index + 1)?;
                return Ok(value);
            }
        }
        Err(self.malformed("an integer without an end"))
    }

    /// The next eight bytes as a float.
    pub(crate) fn double(&mut self) -> Result<f64, DecodeError> {
        Ok(f64::from_bits(u64::from_le_bytes(self.array()?)))
    }

    /// Number of remaining bytes.
    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let bytes = self.take(N)?;
        bytes.try_into().map_err(|_| self.malformed("a number beyond the end"))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) =
            self.bytes.split_at_checked(length).ok_or_else(|| self.malformed("a field beyond the end"))?;
        self.bytes = rest;
        self.offset += length;
        Ok(taken)
    }

    pub(crate) fn malformed(&self, what: &'static str) -> DecodeError {
        DecodeError::Malformed { what, offset: self.offset }
    }
}

impl<'a> Field<'a> {
    /// An integer.
    pub(crate) fn varint(self, message: &Message) -> Result<u64, DecodeError> {
        match self {
            Field::Varint(value) => Ok(value),
            _ => Err(message.malformed("no integer where one belongs")),
        }
    }

    /// A signed integer in two's complement, such as a time.
    pub(crate) fn int64(self, message: &Message) -> Result<i64, DecodeError> {
        Ok(self.varint(message)?.cast_signed())
    }

    /// A float.
    pub(crate) fn double(self, message: &Message) -> Result<f64, DecodeError> {
        match self {
            Field::Fixed64(bits) => Ok(f64::from_bits(bits)),
            _ => Err(message.malformed("no double where one belongs")),
        }
    }

    /// Bytes.
    pub(crate) fn bytes(self, message: &Message) -> Result<&'a [u8], DecodeError> {
        match self {
            Field::Bytes(bytes) => Ok(bytes),
            _ => Err(message.malformed("no text or message where one belongs")),
        }
    }

    /// Text, which must be UTF-8.
    pub(crate) fn text(self, message: &Message) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.bytes(message)?).map_err(|_| message.malformed("text that is not UTF-8"))
    }

    /// A nested message.
    pub(crate) fn message(self, message: &Message) -> Result<Message<'a>, DecodeError> {
        Ok(Message { bytes: self.bytes(message)?, offset: 0 })
    }
}

/// Decodes a zigzag-encoded signed integer.
pub(crate) fn zigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}
