//! Labels and annotations, which may be templates.

use std::sync::Arc;

use gotemplate::{
    Functions, Options, Record, Templates, Value,
    types::{Named, Type},
};
use labels::Labels;

use crate::{error::InvalidTemplate, functions};

/// Prometheus' prefix of each template, which defines `$labels` and the others. Columns in error messages include it.
const VARIABLES: &str = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}\
                         {{$externalURL := .ExternalURL}}{{$value := .Value}}";

/// A parsed label or annotation.
#[derive(Debug, Clone)]
pub(crate) enum Text {
    /// Without template actions.
    Plain(Arc<str>),
    /// With template actions.
    Template { name: String, templates: Templates },
}

impl Text {
    /// Parses a label or annotation of the alert `alert`.
    ///
    /// # Errors
    ///
    /// It is not a valid template, or uses an unknown function.
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

    /// Renders the text for one alert. If that fails, the text is the error, as in Prometheus.
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

    /// Errors that occur with any alert: Prometheus accepts such a template, and shows the error instead of the text.
    pub(crate) fn faults(&self) -> Vec<String> {
        match self {
            Text::Plain(_) => Vec::new(),
            Text::Template { name, templates } => {
                let found = templates.check(name, Type::Named(&DATA), functions::all_names());
                found.iter().map(ToString::to_string).collect()
            }
        }
    }

    /// True if it has template actions.
    pub(crate) fn is_template(&self) -> bool {
        matches!(self, Text::Template { .. })
    }
}

/// Type of a template's data, for the check of templates. Must match [`data`].
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

/// A template's data.
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
