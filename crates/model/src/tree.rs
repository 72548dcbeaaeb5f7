//! A document of any format as one tree, from which types are then read.
//!
//! Code that reads a type is generated once for each format that it is read from, and enums that are told apart by a member
//! generate it twice more. In the browser's bundle, which speaks both JSON and CBOR, that was a fifth of the download. So both
//! formats are read into this tree, and types are read from the tree alone.

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error},
};

/// Any document. Text formats and binary ones give the same tree, but for byte strings, which only binary ones have.
pub use ciborium::Value as Tree;

/// Reads a `T` from JSON.
///
/// # Errors
/// In words: the text is no JSON, or not that of a `T`.
pub fn read_json<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let tree: Tree = serde_json::from_str(text).map_err(|error| error.to_string())?;
    tree.deserialized().map_err(|error| error.to_string())
}

/// Reads a float that JSON may have written without a fraction, for `deserialize_with`.
///
/// # Errors
/// It is no number.
#[allow(clippy::cast_precision_loss)] // what JSON has as an integer is a float here
pub fn float<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    match Tree::deserialize(deserializer)? {
        Tree::Float(float) => Ok(float),
        Tree::Integer(integer) => Ok(i128::from(integer) as f64),
        _ => Err(D::Error::custom("a number was expected")),
    }
}

/// Reads a `T` from CBOR (RFC 8949).
///
/// # Errors
/// In words: the bytes are no CBOR, or not that of a `T`.
pub fn read_cbor<T: TryFrom<Tree, Error = String>>(bytes: &[u8]) -> Result<T, String> {
    let tree: Tree = ciborium::from_reader(bytes).map_err(|error| error.to_string())?;
    T::try_from(tree)
}

/// The members of an object, taken out by name.
pub(crate) struct Members(Vec<(Tree, Tree)>);

impl Members {
    /// The members of `tree`.
    ///
    /// # Errors
    /// It is no object.
    pub(crate) fn of(tree: Tree) -> Result<Self, String> {
        tree.into_map().map(Members).map_err(|_| "an object was expected".to_owned())
    }

    /// Whether there is a member of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key.as_text() == Some(name))
    }

    /// The object as a `T`.
    ///
    /// # Errors
    /// It is no `T`.
    pub(crate) fn read<T: DeserializeOwned>(self) -> Result<T, String> {
        Tree::Map(self.0).deserialized().map_err(|error| error.to_string())
    }

    /// The member of that name as a tree, once; null if there is none.
    pub(crate) fn tree(&mut self, name: &str) -> Tree {
        match self.0.iter().position(|(key, _)| key.as_text() == Some(name)) {
            Some(at) => self.0.swap_remove(at).1,
            None => Tree::Null,
        }
    }

    /// The member of that name as a `T`, once; a missing one reads as null.
    ///
    /// # Errors
    /// It is no `T`.
    pub(crate) fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, String> {
        self.tree(name).deserialized().map_err(|error| format!("{name}: {error}"))
    }
}
