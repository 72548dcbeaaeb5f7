//! PagerDuty's Events API v2, and the older one for a `service_key`. The key is put in when the message is sent, so that it
//! is not kept with it.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{Pen, data::Data, shortened};
use crate::{config::PagerDuty, dispatch::Notification};

/// Longest summary, in characters.
const SUMMARY: usize = 1_024;
/// Longest of the further facts, in characters: a whole event may have 512 KB.
const DETAIL: usize = 20_000;

pub(super) fn body(pagerduty: &PagerDuty, notification: &Notification, data: &Data<'_>, pen: &mut Pen<'_>) -> Value {
    let action = if data.status == "firing" { "trigger" } else { "resolve" };
    let key = incident_key(&notification.group_key);
    let summary = shortened(pen.text(&pagerduty.description), SUMMARY);
    let details: Map<String, Value> = pagerduty
        .details
        .iter()
        .map(|(name, template)| (name.clone(), Value::String(shortened(pen.text(template), DETAIL))))
        .collect();
    let (client, client_url) = (pen.text(&pagerduty.client), pen.text(&pagerduty.client_url));
    if pagerduty.service_key.is_some() {
        return json!({
            "event_type": action,
            "incident_key": key,
            "description": summary,
            "client": client,
            "client_url": client_url,
            "details": details,
        });
    }
    let severity = pen.text(&pagerduty.severity);
    let source = if pagerduty.source.is_empty() { client.clone() } else { pen.text(&pagerduty.source) };
    let mut payload = Map::new();
    payload.insert("summary".to_owned(), Value::String(summary));
    payload.insert("source".to_owned(), Value::String(source));
    payload
        .insert("severity".to_owned(), Value::String(if severity.is_empty() { "error".to_owned() } else { severity }));
    for (name, template) in
        [("class", &pagerduty.class), ("component", &pagerduty.component), ("group", &pagerduty.group)]
    {
        let text = pen.text(template);
        if !text.is_empty() {
            payload.insert(name.to_owned(), Value::String(text));
        }
    }
    payload.insert("custom_details".to_owned(), Value::Object(details));
    let images: Vec<Value> = pagerduty
        .images
        .iter()
        .map(|image| json!({ "src": pen.text(&image.src), "alt": pen.text(&image.alt), "href": pen.text(&image.href) }))
        .collect();
    let links: Vec<Value> = pagerduty
        .links
        .iter()
        .map(|link| json!({ "href": pen.text(&link.href), "text": pen.text(&link.text) }))
        .collect();
    json!({
        "event_action": action,
        "dedup_key": key,
        "client": client,
        "client_url": client_url,
        "payload": payload,
        "images": images,
        "links": links,
    })
}

/// Names the incident of a group, so that its end is told of the same one.
pub(crate) fn incident_key(group_key: &str) -> String {
    use std::fmt::Write;
    Sha256::digest(group_key.as_bytes()).iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
