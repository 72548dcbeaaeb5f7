//! The fields of a response in Prometheus' API as raw JSON, so that only fields that change are parsed.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer, Serializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// The fields of an envelope, in order.
pub(crate) struct Fields<'a>(Vec<(String, Cow<'a, RawValue>)>);

impl<'a> Fields<'a> {
    /// The fields of `body`, if it is a JSON object.
    pub(crate) fn read(body: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    /// A field.
    pub(crate) fn get(&mut self, name: &str) -> Option<&mut Cow<'a, RawValue>> {
        self.0.iter_mut().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    /// Adds a field.
    pub(crate) fn push(&mut self, name: &str, value: Cow<'a, RawValue>) {
        self.0.push((name.to_owned(), value));
    }

    /// Encodes as JSON; `bytes` is the expected size.
    pub(crate) fn write(self, bytes: usize) -> Option<Vec<u8>> {
        let mut text = Vec::with_capacity(bytes);
        serde_json::Serializer::new(&mut text).collect_map(self.0).ok()?;
        Some(text)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Vec<(String, Cow<'de, RawValue>)>;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("the envelope of an answer")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    fields.push((name, Cow::Borrowed(value)));
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Each).map(Fields)
    }
}
