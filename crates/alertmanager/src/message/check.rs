//! Checks the templates of receivers when a file is loaded: parses them and checks their fields against the types of
//! the data.

use gotemplate::types::Type;

use super::{Composer, data::DATA};
use crate::config::Integration;

impl Composer {
    /// Problems in the templates of an integration, each with the key of the template.
    #[must_use]
    pub fn check(&self, integration: &Integration) -> Vec<String> {
        texts(integration).iter().flat_map(|(key, text)| self.check_text(key, text)).collect()
    }

    /// Problems in one template, each with its key.
    #[must_use]
    pub fn check_text(&self, key: &str, text: &str) -> Vec<String> {
        if !text.contains("{{") {
            return Vec::new();
        }
        let mut templates = self.templates.clone();
        let found = match templates.parse(key, text, &self.functions) {
            Ok(()) => templates.check(key, Type::Named(&DATA), &self.functions),
            Err(error) => vec![error],
        };
        found.iter().map(|error| format!("{key}: {error}")).collect()
    }
}

/// The templates of an integration, with their keys.
fn texts(integration: &Integration) -> Vec<(String, &str)> {
    let mut found: Vec<(String, &str)> = Vec::new();
    let mut add = |key: &str, text| found.push((key.to_owned(), text));
    match integration {
        Integration::Webhook(_) => {}
        Integration::Slack(slack) => {
            add("channel", slack.channel.as_str());
            add("username", &slack.username);
            add("color", &slack.color);
            add("title", &slack.title);
            add("title_link", &slack.title_link);
            add("pretext", &slack.pretext);
            add("text", &slack.text);
            add("footer", &slack.footer);
            add("fallback", &slack.fallback);
            add("callback_id", &slack.callback_id);
            add("icon_emoji", &slack.icon_emoji);
            add("icon_url", &slack.icon_url);
            add("image_url", &slack.image_url);
            add("thumb_url", &slack.thumb_url);
            for field in &slack.fields {
                add("title of a field", &field.title);
                add("value of a field", &field.value);
            }
            for action in &slack.actions {
                add("type of an action", &action.kind);
                add("text of an action", &action.text);
                add("url of an action", &action.url);
                add("style of an action", &action.style);
                add("name of an action", &action.name);
                add("value of an action", &action.value);
                if let Some(confirm) = &action.confirm {
                    add("title of a confirm", &confirm.title);
                    add("text of a confirm", &confirm.text);
                    add("ok_text of a confirm", &confirm.ok_text);
                    add("dismiss_text of a confirm", &confirm.dismiss_text);
                }
            }
        }
        Integration::Discord(discord) => {
            add("title", discord.title.as_str());
            add("message", &discord.message);
            add("content", &discord.content);
            add("username", &discord.username);
            add("avatar_url", &discord.avatar_url);
        }
        Integration::PagerDuty(pagerduty) => {
            add("client", pagerduty.client.as_str());
            add("client_url", &pagerduty.client_url);
            add("description", &pagerduty.description);
            add("severity", &pagerduty.severity);
            add("source", &pagerduty.source);
            add("class", &pagerduty.class);
            add("component", &pagerduty.component);
            add("group", &pagerduty.group);
            for (name, text) in &pagerduty.details {
                add(&format!("{name} of details"), text);
            }
            for image in &pagerduty.images {
                add("src of an image", &image.src);
                add("alt of an image", &image.alt);
                add("href of an image", &image.href);
            }
            for link in &pagerduty.links {
                add("href of a link", &link.href);
                add("text of a link", &link.text);
            }
        }
        Integration::Email(email) => {
            add("to", email.to.as_str());
            add("from", &email.from);
            add("html", &email.html);
            add("text", &email.text);
            for (name, text) in &email.headers {
                add(&format!("{name} of headers"), text);
            }
        }
    }
    found
}
