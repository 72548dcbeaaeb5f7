//! The bodies of messages, as pure functions of alerts and templates.

mod addresses;
mod check;
mod data;
mod default;
mod discord;
mod email;
mod functions;
mod pagerduty;
mod route_labels;
mod slack;
#[cfg(test)]
mod tests;
mod webhook;

use gotemplate::{Functions, Options, Templates, Value, types::Type};
use serde::{Deserialize, Serialize};

pub use self::email::Mail;
pub(crate) use self::{data::rfc3339, pagerduty::incident_key};
use crate::{config::Integration, dispatch::Notification};

/// A message to send.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outgoing {
    /// JSON body, without the receiver's keys.
    Json(serde_json::Value),
    /// Mail.
    Mail(Box<Mail>),
}

/// A message, and the problems while its templates were rendered. The message is complete anyway: where a template
/// failed, its text says so.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// The message.
    pub outgoing: Outgoing,
    /// Problems while rendering.
    pub problems: Vec<String>,
}

/// Invalid templates.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {reason}")]
pub struct TemplateError {
    /// Name of the file.
    pub file: String,
    /// Go's error message.
    pub reason: String,
}

impl TemplateError {
    fn new(file: &str, error: &gotemplate::Error) -> Self {
        TemplateError { file: file.to_owned(), reason: error.to_string() }
    }
}

/// Renders messages with the default templates, the user's templates and the external URL.
pub struct Composer {
    templates: Templates,
    functions: Functions<'static>,
    external_url: String,
}

impl std::fmt::Debug for Composer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.debug_struct("Composer").field("external_url", &self.external_url).finish_non_exhaustive()
    }
}

impl Composer {
    /// Adds the user's templates, each with its file name, to the default ones.
    ///
    /// # Errors
    ///
    /// A template is invalid.
    pub fn new<'a>(
        external_url: &str,
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, TemplateError> {
        let functions = functions::functions();
        let mut templates = Templates::new();
        let mut names = Vec::new();
        for (name, text) in std::iter::once(("default.tmpl", default::TEMPLATES)).chain(files) {
            templates.parse(name, text, &functions).map_err(|error| TemplateError::new(name, &error))?;
            names.push(name);
        }
        // A definition is checked against types where it is used; here we report only what fails with any data.
        for file in names {
            let mut definitions: Vec<&str> = templates.defined_in(file).collect();
            definitions.sort_unstable();
            for name in definitions {
                if let Some(error) = templates.check(name, Type::Any, &functions).first() {
                    return Err(TemplateError::new(file, error));
                }
            }
        }
        Ok(Composer { templates, functions, external_url: external_url.trim_end_matches('/').to_owned() })
    }

    /// Renders the message for an integration. `at_ms` is the current time in milliseconds since the Unix epoch.
    #[must_use]
    pub fn compose(&self, integration: &Integration, notification: &Notification, at_ms: i64) -> Rendered {
        let (route_labels, problems) = self.route_labels(notification, at_ms);
        let data = data::Data::of(notification, route_labels.clone(), &self.external_url);
        let route_label = |name: &str| Ok(route_labels.get(name).cloned().unwrap_or_default());
        let functions = functions::at(at_ms, route_label, &self.functions);
        let mut pen = Pen { composer: self, functions, data: data.value(), problems };
        let outgoing = match integration {
            Integration::Webhook(webhook) => Outgoing::Json(webhook::body(webhook, notification, &data)),
            Integration::Slack(slack) => Outgoing::Json(slack::body(slack, &mut pen)),
            Integration::Discord(discord) => Outgoing::Json(discord::body(discord, &data, &mut pen)),
            Integration::PagerDuty(pagerduty) => {
                Outgoing::Json(pagerduty::body(pagerduty, notification, &data, &mut pen))
            }
            Integration::Email(email) => Outgoing::Mail(Box::new(email::mail(email, notification, &mut pen))),
        };
        Rendered { outgoing, problems: pen.problems }
    }
}

/// Renders the texts of one message.
struct Pen<'a> {
    composer: &'a Composer,
    functions: Functions<'a>,
    data: Value,
    problems: Vec<String>,
}

impl Pen<'_> {
    fn text(&mut self, template: &str) -> String {
        self.fill(template, false)
    }

    /// The rendered text, or that of `otherwise` if it is empty.
    fn text_or(&mut self, template: &str, otherwise: &str) -> String {
        let text = self.text(template);
        if text.trim().is_empty() { self.text(otherwise) } else { text }
    }

    fn html(&mut self, template: &str) -> String {
        self.fill(template, true)
    }

    fn fill(&mut self, template: &str, html: bool) -> String {
        if !template.contains("{{") {
            return template.to_owned();
        }
        let functions = &self.functions;
        let mut templates = self.composer.templates.clone();
        let options = Options { html, ..Options::default() };
        let filled = templates
            .parse("", template, functions)
            .and_then(|()| templates.render("", &self.data, functions, &options));
        filled.unwrap_or_else(|error| {
            self.problems.push(error.to_string());
            format!("[this text cannot be filled in: {error}]")
        })
    }
}

/// Adds a text under a name unless it is empty: services reject messages with empty parts.
pub(crate) fn put(map: &mut serde_json::Map<String, serde_json::Value>, name: &str, text: String) {
    if !text.trim().is_empty() {
        map.insert(name.to_owned(), serde_json::Value::String(text));
    }
}

/// Whether services accept a text as a link.
pub(crate) fn is_link(text: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| text.len() > scheme.len() && text.starts_with(scheme))
}

/// Shortens a text to `most` characters, with an ellipsis at the end.
pub(crate) fn shortened(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text,
        Some(_) => {
            let end = text.char_indices().nth(most.saturating_sub(1)).map_or(0, |(at, _)| at);
            format!("{}…", text.get(..end).unwrap_or_default())
        }
    }
}
