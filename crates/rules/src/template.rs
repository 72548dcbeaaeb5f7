//! Texts of labels and annotations, which may be templates.

use std::sync::Arc;

use gotemplate::{
    Functions, Options, Record, Templates, Value,
    types::{Named, Type},
};
use labels::Labels;

use crate::{error::InvalidTemplate, functions};

/// What Prometheus puts before each text, so that `$labels` and the like are there. Columns in errors count it.
const VARIABLES: &str = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}\
                         {{$externalURL := .ExternalURL}}{{$value := .Value}}";

/// A text that was parsed.
#[derive(Debug, Clone)]
pub(crate) enum Text {
    /// It has no actions.
    Plain(Arc<str>),
    /// It has some.
    Template { name: String, templates: Templates },
}

impl Text {
    /// Parses a text of the alert `alert`.
    ///
    /// # Errors
    /// It is no template, or uses what is not there.
    pub(crate) fn parse(alert: &str, text: &str) -> Result<Self, InvalidTemplate> {
        if !text.contains("{{") {
            return Ok(Text::Plain(text.into()));
        }
        let name = format!("__alert_{alert}");
        let mut templates = Templates::new();
        match templates.parse(&name, &format!("{VARIABLES}{text}"), functions::all_names()) {
            Ok(()) => Ok(Text::Template { name, templates }),
            Err(error) => Err(InvalidTemplate { name, error: Box::new(error) }),
        }
    }

    /// The text for one alert. What cannot be filled in says so in the text, as Prometheus does it.
    pub(crate) fn expand(&self, data: &Value, functions: &Functions) -> String {
        match self {
            Text::Plain(text) => text.to_string(),
            Text::Template { name, templates } => {
                templates.render(name, data, functions, &Options::default()).unwrap_or_else(|error| {
                    format!("<error expanding template: error executing template {name}: {error}>")
                })
            }
        }
    }

    /// What cannot be filled in whatever the alert: Prometheus takes such a text, and shows the error where the text would be.
    pub(crate) fn faults(&self) -> Vec<String> {
        match self {
            Text::Plain(_) => Vec::new(),
            Text::Template { name, templates } => {
                let found = templates.check(name, Type::Named(&DATA), functions::all_names());
                found.iter().map(ToString::to_string).collect()
            }
        }
    }

    /// True if it has actions.
    pub(crate) fn is_template(&self) -> bool {
        matches!(self, Text::Template { .. })
    }
}

/// What the templates of an alert see, before there is one. Says the same as [`data`].
static DATA: Named = Named {
    name: "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value float64 }",
    fields: &[
        ("Labels", Type::Map(&Type::Str)),
        ("ExternalLabels", Type::Map(&Type::Str)),
        ("ExternalURL", Type::Str),
        ("Value", Type::Float),
    ],
    methods: &[],
    underlying: None,
};

/// What the templates of an alert see.
pub(crate) fn data(labels: &Labels, external_labels: &Labels, external_url: &str, value: f64) -> Value {
    Record::value(
        DATA.name,
        [
            ("Labels", Value::strings(labels.iter())),
            ("ExternalLabels", Value::strings(external_labels.iter())),
            ("ExternalURL", external_url.into()),
            ("Value", Value::Float(value)),
        ],
    )
}
