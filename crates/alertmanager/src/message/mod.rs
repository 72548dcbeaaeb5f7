//! What a receiver gets: the bodies of messages as pure functions of alerts and templates.

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

/// What is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outgoing {
    /// A body of JSON, without the receiver's keys.
    Json(serde_json::Value),
    /// Mail.
    Mail(Box<Mail>),
}

/// A message and what went wrong while its templates were filled in. It is whole all the same: a text that could not be filled
/// in says so.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// What is sent.
    pub outgoing: Outgoing,
    /// What went wrong.
    pub problems: Vec<String>,
}

/// Templates that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {reason}")]
pub struct TemplateError {
    /// The file.
    pub file: String,
    /// What is wrong, in Go's words.
    pub reason: String,
}

impl TemplateError {
    fn new(file: &str, error: &gotemplate::Error) -> Self {
        TemplateError { file: file.to_owned(), reason: error.to_string() }
    }
}

/// Makes messages: the default templates, the user's own, and where this server is reached.
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
    /// With the user's templates, each by the name of its file, over the default ones.
    ///
    /// # Errors
    /// A text is no template.
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
        // What a definition gets is known where it is used; what fails whatever it gets is a fault of its own.
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

    /// The message for one means of a receiver, as of a time in milliseconds since the Unix epoch.
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

/// Fills in the texts of one message.
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

    /// The text, or that of another template where it comes out empty.
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

/// Adds a text under a name, unless it is empty: receivers refuse messages for empty parts.
pub(crate) fn put(map: &mut serde_json::Map<String, serde_json::Value>, name: &str, text: String) {
    if !text.trim().is_empty() {
        map.insert(name.to_owned(), serde_json::Value::String(text));
    }
}

/// Whether receivers take a text for a link.
pub(crate) fn is_link(text: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| text.len() > scheme.len() && text.starts_with(scheme))
}

/// At most `most` characters; an ellipsis stands for the rest.
pub(crate) fn shortened(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text,
        Some(_) => {
            let end = text.char_indices().nth(most.saturating_sub(1)).map_or(0, |(at, _)| at);
            format!("{}…", text.get(..end).unwrap_or_default())
        }
    }
}
