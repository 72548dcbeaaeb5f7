//! Why there is no value, in Go's words.

/// Why a function, a member or a comparison gives no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// A value of another type than is asked for.
    #[error("wrong type for value; expected {expected}; got {got}")]
    WrongType {
        /// The type that is asked for.
        expected: String,
        /// The type of the value.
        got: String,
    },
    /// A constant that does not fit the type that is asked for.
    #[error("expected {expected}; found {found}")]
    WrongConstant {
        /// The type that is asked for.
        expected: String,
        /// The constant.
        found: String,
    },
    /// Too many or too few arguments.
    #[error("wrong number of args for {name}: want {want} got {got}")]
    ArgumentCount {
        /// Name of the function or method.
        name: String,
        /// How many it takes.
        want: String,
        /// How many there are.
        got: usize,
    },
    /// A field that is called like a method.
    #[error("{0} has arguments but cannot be invoked as function")]
    CalledField(String),
    /// An entry of a map that is called like a method.
    #[error("{0} is not a method but has arguments")]
    CalledEntry(String),
    /// A field that a type does not have.
    #[error("can't evaluate field {name} in type {kind}")]
    NoField {
        /// Name of the field.
        name: String,
        /// The type.
        kind: String,
    },
    /// The same, where all fields and methods of the type are known.
    #[error("can't evaluate field {name} in type {kind}: it has {known}")]
    UnknownField {
        /// Name of the field.
        name: String,
        /// The type.
        kind: String,
        /// Names of those that there are.
        known: String,
    },
    /// A field of nothing.
    #[error("nil pointer evaluating interface {{}}.{0}")]
    FieldOfNil(String),
    /// A function or method that was called and failed.
    #[error("error calling {name}: {reason}")]
    Call {
        /// Its name.
        name: String,
        /// Why it failed.
        reason: Box<ValueError>,
    },
    /// The length of nothing.
    #[error("len of nil pointer")]
    LengthOfNil,
    /// The length of a type that has none.
    #[error("len of type {0}")]
    NoLength(String),
    /// A map is asked for a key of this type.
    #[error("value has type {0}; should be string")]
    KeyType(String),
    /// A list or text is asked for an index of this type.
    #[error("cannot index slice/array with type {0}")]
    IndexType(String),
    /// An index or a bound beyond the end.
    #[error("index out of range: {0}")]
    OutOfRange(i64),
    /// An index of nothing.
    #[error("index of untyped nil")]
    IndexOfNil,
    /// An index of a type that has none.
    #[error("can't index item of type {0}")]
    NotIndexed(String),
    /// A part that ends before it begins.
    #[error("invalid slice index: {start} > {end}")]
    SliceBounds {
        /// Where it begins.
        start: usize,
        /// Where it ends.
        end: usize,
    },
    /// A part of a type that has none.
    #[error("can't slice item of type {0}")]
    NotSliced(String),
    /// A comparison with nothing.
    #[error("missing argument for comparison")]
    NothingToCompare,
    /// A comparison of lists or maps.
    #[error("non-comparable type")]
    NotComparable,
    /// A comparison of values of two types.
    #[error("incompatible types for comparison")]
    Incompatible,
    /// The same, with what helps.
    #[error("incompatible types for comparison: {0}")]
    IncompatibleTypes(String),
    /// An order of values of a type that has none.
    #[error("invalid type for comparison")]
    NoOrder,
    /// A time zone that is not known.
    #[error("unknown time zone {0}")]
    UnknownZone(String),
    /// A text that is no time.
    #[error("parsing time {text:?}{reason}")]
    Time {
        /// The text.
        text: String,
        /// What is wrong, as the sentence goes on.
        reason: String,
    },
    /// What a function says for itself.
    #[error("{0}")]
    Failed(String),
}

impl ValueError {
    /// A value of type `got` where `expected` is asked for.
    pub fn wrong_type(expected: impl ToString, got: impl ToString) -> Self {
        ValueError::WrongType { expected: expected.to_string(), got: got.to_string() }
    }

    /// A call of `name` that failed.
    pub(crate) fn calling(self, name: &str) -> Self {
        ValueError::Call { name: name.to_owned(), reason: Box::new(self) }
    }
}

impl From<String> for ValueError {
    fn from(reason: String) -> Self {
        ValueError::Failed(reason)
    }
}

impl From<&str> for ValueError {
    fn from(reason: &str) -> Self {
        ValueError::Failed(reason.to_owned())
    }
}
