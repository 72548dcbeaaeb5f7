//! Go's `time.Month`, `time.Weekday` and `time.Location`, which print as words.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::layout::{DAYS, MONTHS};
use crate::{
    types::{Method, Named, Type},
    value::{Object, Value},
    value_error::ValueError,
};

/// Type of a month, for the check of templates.
pub static MONTH: Named = Named {
    name: "time.Month",
    fields: &[],
    methods: &[Method::new("String", &[], Type::Str)],
    underlying: Some(Type::Int),
};

/// Type of a day of the week, for the check of templates.
pub static WEEKDAY: Named = Named {
    name: "time.Weekday",
    fields: &[],
    methods: &[Method::new("String", &[], Type::Str)],
    underlying: Some(Type::Int),
};

/// Type of a time zone, for the check of templates.
pub static LOCATION: Named =
    Named { name: "*time.Location", fields: &[], methods: &[Method::new("String", &[], Type::Str)], underlying: None };

/// A number that prints as a word.
#[derive(Debug)]
struct Word {
    named: &'static Named,
    number: i64,
    word: &'static str,
}

/// A month, from 1.
pub(super) fn month(number: i8) -> Value {
    let word = usize::try_from(number - 1).ok().and_then(|at| MONTHS.get(at)).copied().unwrap_or_default();
    Value::Object(Arc::new(Word { named: &MONTH, number: i64::from(number), word }))
}

/// A day of the week, Sunday is 0.
pub(super) fn weekday(number: i8) -> Value {
    let monday_first = (number + 6) % 7;
    let word = usize::try_from(monday_first).ok().and_then(|at| DAYS.get(at)).copied().unwrap_or_default();
    Value::Object(Arc::new(Word { named: &WEEKDAY, number: i64::from(number), word }))
}

impl Object for Word {
    fn type_name(&self) -> &'static str {
        self.named.name
    }

    fn named(&self) -> Option<&'static Named> {
        Some(self.named)
    }

    fn member(&self, name: &str, _: &[Value]) -> Option<Result<Value, ValueError>> {
        (name == "String").then(|| Ok(self.word.into()))
    }

    fn underlying(&self) -> Value {
        Value::Int(self.number)
    }

    fn text(&self) -> Option<String> {
        Some(self.word.to_owned())
    }
}

/// A time zone.
#[derive(Debug)]
pub(super) struct Location(pub(super) TimeZone);

impl Location {
    /// The zone of a location value.
    pub(super) fn of(value: &Value) -> Option<TimeZone> {
        match value {
            // The zone is looked up by its name, or is a fixed offset.
            Value::Object(object) if object.type_name() == LOCATION.name => {
                object.text().and_then(|name| zone_of(&name))
            }
            _ => None,
        }
    }
}

/// The zone with a name from [`Location`].
fn zone_of(name: &str) -> Option<TimeZone> {
    match name {
        "UTC" => Some(TimeZone::UTC),
        "Local" => Some(super::local()),
        name => TimeZone::get(name).ok(),
    }
}

impl Object for Location {
    fn type_name(&self) -> &'static str {
        LOCATION.name
    }

    fn named(&self) -> Option<&'static Named> {
        Some(&LOCATION)
    }

    fn member(&self, name: &str, _: &[Value]) -> Option<Result<Value, ValueError>> {
        (name == "String").then(|| Ok(self.text().unwrap_or_default().into()))
    }

    fn text(&self) -> Option<String> {
        Some(if self.0 == TimeZone::UTC { "UTC" } else { self.0.iana_name().unwrap_or("Local") }.to_owned())
    }
}
