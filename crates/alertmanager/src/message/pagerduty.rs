//! PagerDuty's Events API v2, and v1 for a `service_key`. The key is added when the message is sent, so that the outbox
//! does not store it.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{Pen, addresses::safe, data::Data, put, shortened};
use crate::{config::PagerDuty, dispatch::Notification};

/// Maximum length of a summary, in characters.
const SUMMARY: usize = 1_024;
/// Maximum length of the custom details, in characters.
const DETAIL: usize = 20_000;
/// Maximum size of an event in bytes, less room for the key that is added later.
const EVENT_BYTES: usize = 512_000 - 200;
/// Severities that PagerDuty accepts; it rejects an event with any other.
const SEVERITIES: [&str; 4] = ["critical", "error", "warning", "info"];
/// Replaces a required text that is empty.
const SOURCE: &str = "hyperscope";

pub(super) fn body(pagerduty: &PagerDuty, notification: &Notification, data: &Data<'_>, pen: &mut Pen<'_>) -> Value {
    let action = if data.status == "firing" { "trigger" } else { "resolve" };
    let key = incident_key(&notification.group_key);
    let summary = shortened(pen.text_or(&pagerduty.description, DEFAULT_DESCRIPTION), SUMMARY);
    let mut details = Map::new();
    for (name, template) in &pagerduty.details {
        put(&mut details, name, shortened(pen.text(template), DETAIL));
    }
    let (client, client_url) = (pen.text(&pagerduty.client), pen.text(&pagerduty.client_url));
    let mut body = Map::new();
    if pagerduty.service_key.is_some() {
        put(&mut body, "event_type", action.to_owned());
        put(&mut body, "incident_key", key);
        put(&mut body, "description", summary);
        put(&mut body, "client", client);
        put(&mut body, "client_url", safe(client_url));
        body.insert("details".to_owned(), Value::Object(details));
        return within_limit(body, pen);
    }
    let source = [pen.text(&pagerduty.source), client.clone(), SOURCE.to_owned()];
    let mut payload = Map::new();
    put(&mut payload, "summary", summary);
    put(&mut payload, "source", source.into_iter().find(|source| !source.trim().is_empty()).unwrap_or_default());
    put(&mut payload, "severity", severity(pagerduty, pen));
    for (name, template) in
        [("class", &pagerduty.class), ("component", &pagerduty.component), ("group", &pagerduty.group)]
    {
        put(&mut payload, name, pen.text(template));
    }
    payload.insert("custom_details".to_owned(), Value::Object(details));
    put(&mut body, "event_action", action.to_owned());
    put(&mut body, "dedup_key", key);
    put(&mut body, "client", client);
    put(&mut body, "client_url", safe(client_url));
    body.insert("payload".to_owned(), Value::Object(payload));
    let images = pagerduty.images.iter().filter_map(|image| {
        let [src, alt, href] = [&image.src, &image.alt, &image.href].map(|template| pen.text(template));
        entry("src", [("src", safe(src)), ("alt", alt), ("href", safe(href))])
    });
    let images: Vec<Value> = images.collect();
    let links = pagerduty.links.iter().filter_map(|link| {
        let [href, text] = [&link.href, &link.text].map(|template| pen.text(template));
        entry("href", [("href", safe(href)), ("text", text)])
    });
    let links: Vec<Value> = links.collect();
    for (name, entries) in [("images", images), ("links", links)] {
        if !entries.is_empty() {
            body.insert(name.to_owned(), Value::Array(entries));
        }
    }
    within_limit(body, pen)
}

const DEFAULT_DESCRIPTION: &str = r#"{{ template "pagerduty.default.description" . }}"#;

/// An image or a link without its empty parts. `None` if the part that PagerDuty requires is empty, because it would
/// reject the event.
fn entry<const N: usize>(required: &str, parts: [(&str, String); N]) -> Option<Value> {
    let mut made = Map::new();
    for (name, text) in parts {
        put(&mut made, name, text);
    }
    made.contains_key(required).then_some(Value::Object(made))
}

fn severity(pagerduty: &PagerDuty, pen: &mut Pen<'_>) -> String {
    let text = pen.text(&pagerduty.severity);
    let lower = text.trim().to_lowercase();
    match SEVERITIES.into_iter().find(|known| *known == lower) {
        Some(known) => known.to_owned(),
        None => {
            if !lower.is_empty() {
                let known = SEVERITIES.join(", ");
                pen.problems.push(format!("PagerDuty knows the severities {known}: {text:?} is sent as error"));
            }
            "error".to_owned()
        }
    }
}

/// Drops the details of an event that is too large, then its links and images.
fn within_limit(mut body: Map<String, Value>, pen: &mut Pen<'_>) -> Value {
    let size = |body: &Map<String, Value>| serde_json::to_vec(body).map_or(0, |bytes| bytes.len());
    let before = size(&body);
    if before > EVENT_BYTES {
        pen.problems.push(format!("an event of {before} bytes is too large for PagerDuty: its details are left out"));
        let left_out = json!({ "error": "The details are left out: with them the event is larger than 512 KB." });
        match body.get_mut("payload").and_then(Value::as_object_mut) {
            Some(payload) => payload.insert("custom_details".to_owned(), left_out),
            None => body.insert("details".to_owned(), left_out),
        };
    }
    if size(&body) > EVENT_BYTES {
        body.remove("images");
        body.remove("links");
    }
    Value::Object(body)
}

/// The incident key of a group, so that the resolve event closes the same incident.
pub(crate) fn incident_key(group_key: &str) -> String {
    use std::fmt::Write;
    Sha256::digest(group_key.as_bytes()).iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
