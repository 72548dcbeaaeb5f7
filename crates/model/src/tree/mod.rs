//! A document of any format as a tree, from which types are read.
//!
//! The compiler generates code for each pair of type and format, and serde's struct readers hold a state for each
//! member. In the browser's bundle, which needs both JSON and CBOR, that was a fifth of the download. So both formats
//! are parsed into this tree, and types are only read from the tree: each member is one call, and errors are recorded
//! on the way.

mod cbor;

use std::{collections::BTreeMap, fmt::Display};

/// A document. Text and binary formats give the same tree, except for byte strings, which only binary ones have.
pub use ciborium::Value as Tree;

/// Reads a `T` from JSON.
///
/// # Errors
///
/// As a sentence: the text is not JSON, or not a `T`.
pub fn read_json<T: FromTree>(text: &str) -> Result<T, String> {
    read(parse_json(text)?)
}

/// Parses JSON, without code for each type that is read from it.
fn parse_json(text: &str) -> Result<Tree, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// Reads a `T` from CBOR (RFC 8949).
///
/// # Errors
///
/// As a sentence: the bytes are not CBOR, or not a `T`.
pub fn read_cbor<T: FromTree>(bytes: &[u8]) -> Result<T, String> {
    read(cbor::read(bytes)?)
}

/// Reads a `T` from a tree.
///
/// # Errors
///
/// As a sentence: which part of the tree is wrong, and what was expected.
pub fn read<T: FromTree>(tree: Tree) -> Result<T, String> {
    let mut faults = Faults::default();
    let value = T::from_tree(tree, &mut faults);
    faults.first.map_or(Ok(value), Err)
}

/// A type that can be read from a tree.
pub trait FromTree: Sized {
    /// The value of `tree`. If the tree is wrong, records that in `faults` and returns any value.
    fn from_tree(tree: Tree, faults: &mut Faults) -> Self;
}

/// Errors found while reading a tree.
#[derive(Debug, Default)]
pub struct Faults {
    path: Vec<String>,
    first: Option<String>,
}

impl Faults {
    /// Records an error in the current part. Only the first one counts, because later ones may follow from it.
    pub fn note(&mut self, fault: &dyn Display) {
        if self.first.is_none() {
            let mut said = self.path.join(".");
            if !said.is_empty() {
                said.push_str(": ");
            }
            said.push_str(&fault.to_string());
            self.first = Some(said);
        }
    }

    fn inside<T>(&mut self, name: String, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(name);
        let value = read(self);
        self.path.pop();
        value
    }
}

/// The members of an object, which are taken by name.
pub struct Members(Vec<(Tree, Tree)>);

impl Members {
    /// The members of `tree`, which must be an object.
    pub fn of(tree: Tree, faults: &mut Faults) -> Self {
        let Tree::Map(members) = tree else {
            faults.note(&"an object was expected");
            return Members(Vec::new());
        };
        Members(members)
    }

    /// Whether there is a member with this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key.as_text() == Some(name))
    }

    /// Reads the object as a `T`.
    pub(crate) fn read<T: FromTree>(self, faults: &mut Faults) -> T {
        T::from_tree(Tree::Map(self.0), faults)
    }

    /// Takes the member with this name; null if there is none.
    fn tree(&mut self, name: &str) -> Tree {
        match self.0.iter().position(|(key, _)| key.as_text() == Some(name)) {
            Some(at) => self.0.swap_remove(at).1,
            None => Tree::Null,
        }
    }

    /// Takes the member with this name as a `T`; a missing one is read as null.
    pub fn take<T: FromTree>(&mut self, name: &str, faults: &mut Faults) -> T {
        let tree = self.tree(name);
        faults.inside(name.to_owned(), |faults| T::from_tree(tree, faults))
    }

    /// Like [`Members::take`], but the default value if it is missing.
    pub fn take_or_default<T: FromTree + Default>(&mut self, name: &str, faults: &mut Faults) -> T {
        if self.has(name) { self.take(name, faults) } else { T::default() }
    }
}

/// Reads a struct from an object with one member per field: `from_members!(Type { needed, ... } or_default { optional,
/// ... })`. Fields of the second list may be missing, and options of the first.
#[macro_export]
macro_rules! from_members {
    ($type:ident { $($needed:ident),* $(,)? } $(or_default { $($optional:ident),* $(,)? })?) => {
        impl $crate::tree::FromTree for $type {
            fn from_tree(tree: $crate::tree::Tree, faults: &mut $crate::tree::Faults) -> Self {
                let mut members = $crate::tree::Members::of(tree, faults);
                $type {
                    $($needed: members.take(stringify!($needed), faults),)*
                    $($($optional: members.take_or_default(stringify!($optional), faults),)*)?
                }
            }
        }
    };
}

/// Reads an enum from one word per variant: `from_word!(Type { "word" => Variant, ... })`.
#[macro_export]
macro_rules! from_word {
    ($type:ident { $first:literal => $stand_in:ident $(, $word:literal => $variant:ident)* $(,)? }) => {
        impl $crate::tree::FromTree for $type {
            fn from_tree(tree: $crate::tree::Tree, faults: &mut $crate::tree::Faults) -> Self {
                match tree.as_text() {
                    Some($first) => $type::$stand_in,
                    $(Some($word) => $type::$variant,)*
                    _ => {
                        faults.note(&concat!("one of ", $first, $(", ", $word,)* " was expected"));
                        $type::$stand_in
                    }
                }
            }
        }
    };
}

impl FromTree for Tree {
    fn from_tree(tree: Tree, _: &mut Faults) -> Self {
        tree
    }
}

impl FromTree for String {
    fn from_tree(tree: Tree, faults: &mut Faults) -> Self {
        tree.into_text().unwrap_or_else(|_| {
            faults.note(&"text was expected");
            String::new()
        })
    }
}

impl FromTree for bool {
    fn from_tree(tree: Tree, faults: &mut Faults) -> Self {
        tree.as_bool().unwrap_or_else(|| {
            faults.note(&"true or false was expected");
            false
        })
    }
}

/// An integer.
fn integer(tree: &Tree, faults: &mut Faults) -> i128 {
    tree.as_integer().map_or_else(
        || {
            faults.note(&"a whole number was expected");
            0
        },
        i128::from,
    )
}

macro_rules! from_integer {
    ($($type:ty),*) => {
        $(impl FromTree for $type {
            fn from_tree(tree: Tree, faults: &mut Faults) -> Self {
                Self::try_from(integer(&tree, faults)).unwrap_or_else(|_| {
                    faults.note(&"the number is out of its range");
                    0
                })
            }
        })*
    };
}

from_integer!(i64, u64, usize, i32, u32, u8);

impl FromTree for f64 {
    /// JSON may have it without a fraction.
    #[allow(clippy::cast_precision_loss)] // what JSON has as an integer is a float here
    fn from_tree(tree: Tree, faults: &mut Faults) -> Self {
        match tree {
            Tree::Float(float) => float,
            Tree::Integer(integer) => i128::from(integer) as f64,
            _ => {
                faults.note(&"a number was expected");
                0.0
            }
        }
    }
}

impl<T: FromTree> FromTree for Option<T> {
    fn from_tree(tree: Tree, faults: &mut Faults) -> Self {
        if tree.is_null() { None } else { Some(T::from_tree(tree, faults)) }
    }
}

impl<T: FromTree> FromTree for Box<T> {
    fn from_tree(tree: Tree, faults: &mut Faults) -> Self {
        Box::new(T::from_tree(tree, faults))
    }
}

impl<T: FromTree> FromTree for Vec<T> {
    fn from_tree(tree: Tree, faults: &mut Faults) -> Self {
        let Tree::Array(items) = tree else {
            faults.note(&"a list was expected");
            return Vec::new();
        };
        let mut at = 0_usize;
        let read = |item| {
            at += 1;
            faults.inside(at.to_string(), |faults| T::from_tree(item, faults))
        };
        items.into_iter().map(read).collect()
    }
}

impl FromTree for BTreeMap<String, String> {
    fn from_tree(tree: Tree, faults: &mut Faults) -> Self {
        let Members(members) = Members::of(tree, faults);
        let pair = |(key, value)| (String::from_tree(key, faults), String::from_tree(value, faults));
        members.into_iter().map(pair).collect()
    }
}

/// Two times as a list.
impl FromTree for (i64, i64) {
    fn from_tree(tree: Tree, faults: &mut Faults) -> Self {
        match Vec::from_tree(tree, faults)[..] {
            [from, to] => (from, to),
            _ => {
                faults.note(&"two numbers were expected");
                (0, 0)
            }
        }
    }
}

#[cfg(test)]
mod tests;
