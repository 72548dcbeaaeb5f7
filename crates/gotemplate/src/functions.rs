//! The functions that templates may call.

use std::{collections::HashMap, ops::RangeInclusive};

use crate::{
    types::{self, Method, Type},
    value::Value,
    value_error::ValueError,
};

type Body<'a> = Box<dyn Fn(&[Value]) -> Result<Value, ValueError> + Send + Sync + 'a>;

struct Function<'a> {
    arity: RangeInclusive<usize>,
    body: Body<'a>,
}

/// A table of functions, optionally on top of another one. Go's functions (`eq`, `len`, `index`, `printf` …) always
/// exist.
#[derive(Default)]
pub struct Functions<'a> {
    below: Option<&'a Functions<'a>>,
    own: HashMap<&'static str, Function<'a>>,
    signatures: HashMap<&'static str, &'static Method>,
}

impl<'a> Functions<'a> {
    /// A table without functions, except Go's.
    #[must_use]
    pub fn new() -> Self {
        Functions::default()
    }

    /// A table on top of `below`.
    #[must_use]
    pub fn over(below: &'a Functions<'a>) -> Self {
        Functions { below: Some(below), own: HashMap::new(), signatures: HashMap::new() }
    }

    /// Adds a function with this number of arguments (`1..=1` for one, `2..=usize::MAX` for two or more). Its error is
    /// a message without the name of the function.
    #[must_use]
    pub fn with(
        mut self,
        name: &'static str,
        arity: RangeInclusive<usize>,
        body: impl Fn(&[Value]) -> Result<Value, ValueError> + Send + Sync + 'a,
    ) -> Self {
        self.own.insert(name, Function { arity, body: Box::new(body) });
        self
    }

    /// Adds signatures, so that templates can be checked before they are rendered.
    #[must_use]
    pub fn signed(mut self, signatures: &'static [Method]) -> Self {
        self.signatures.extend(signatures.iter().map(|signature| (signature.name, signature)));
        self
    }

    /// The signature of a function, if it was added.
    pub(crate) fn signature(&self, name: &str) -> Option<&'static Method> {
        self.signatures.get(name).copied().or_else(|| self.below.and_then(|below| below.signature(name)))
    }

    /// The number of arguments of a function.
    pub(crate) fn arity(&self, name: &str) -> Option<RangeInclusive<usize>> {
        self.find(name).map(|function| function.arity.clone())
    }

    /// Whether there is a function with this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn find(&self, name: &str) -> Option<&Function<'_>> {
        self.own.get(name).or_else(|| self.below.and_then(|below| below.find(name)))
    }

    /// Converts arguments to the parameter types: constants become the required type.
    pub(crate) fn taken(&self, name: &str, arguments: Vec<(Value, bool)>) -> Result<Vec<Value>, ValueError> {
        let signature = self.signature(name);
        let wanted = |at: usize| signature.and_then(|signature| signature.parameter(at)).unwrap_or(Type::Any);
        let take = |(at, (value, is_constant)): (usize, (Value, bool))| match wanted(at) {
            // The function converts other types itself.
            Type::Any => Ok(value),
            wanted if is_constant && types::whole(&value).is_some() => types::argument(value, true, wanted),
            _ => Ok(value),
        };
        arguments.into_iter().enumerate().map(take).collect()
    }

    /// Calls a function; `None` if there is none with this name.
    pub(crate) fn call(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, ValueError>> {
        let function = self.find(name)?;
        let called = check_count(name, &function.arity, arguments.len()).and_then(|()| {
            (function.body)(arguments).map_err(|error| match error {
                // Go finds a wrong type before it makes the call.
                ValueError::WrongType { .. } => error,
                error => error.calling(name),
            })
        });
        Some(called)
    }
}

/// Go's error for too many or too few arguments.
pub(crate) fn check_count(name: &str, arity: &RangeInclusive<usize>, count: usize) -> Result<(), ValueError> {
    if arity.contains(&count) {
        return Ok(());
    }
    let least = arity.start();
    let want = if arity.end() == least { least.to_string() } else { format!("at least {least}") };
    Err(ValueError::ArgumentCount { name: name.to_owned(), want, got: count })
}
