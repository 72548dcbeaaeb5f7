//! Slack's incoming webhooks, with one attachment.

use serde_json::{Map, Value, json};

use super::{Pen, addresses::safe, is_link, put, shortened};
use crate::config::{Slack, receiver::SlackAction};

/// Maximum length of a title, in characters, as in Alertmanager.
const TITLE: usize = 1_024;
/// Maximum length of a text, in characters: Slack truncates more.
const TEXT: usize = 40_000;
/// Maximum length of a footer, in characters.
const FOOTER: usize = 300;
/// Maximum number of buttons of an attachment.
const ACTIONS: usize = 5;

const DEFAULT_FALLBACK: &str = r#"{{ template "slack.default.fallback" . }}"#;

pub(super) fn body(slack: &Slack, pen: &mut Pen<'_>) -> Value {
    let mut attachment = Map::new();
    for (name, template, most) in [
        ("title", &slack.title, TITLE),
        ("text", &slack.text, TEXT),
        ("pretext", &slack.pretext, TEXT),
        ("fallback", &slack.fallback, TEXT),
        ("callback_id", &slack.callback_id, TEXT),
        ("footer", &slack.footer, FOOTER),
        ("color", &slack.color, TITLE),
    ] {
        put(&mut attachment, name, shortened(pen.text(template), most));
    }
    put(&mut attachment, "title_link", shortened(safe(pen.text(&slack.title_link)), TEXT));
    for (name, template) in [("image_url", &slack.image_url), ("thumb_url", &slack.thumb_url)] {
        let address = pen.text(template);
        if is_link(&address) {
            put(&mut attachment, name, address);
        }
    }
    let fields: Vec<Value> = slack
        .fields
        .iter()
        .filter_map(|field| {
            let mut made = Map::new();
            put(&mut made, "title", shortened(pen.text(&field.title), TITLE));
            put(&mut made, "value", shortened(pen.text(&field.value), TEXT));
            if made.is_empty() {
                return None;
            }
            made.insert("short".to_owned(), Value::Bool(field.short.unwrap_or(slack.short_fields)));
            Some(Value::Object(made))
        })
        .collect();
    if !fields.is_empty() {
        attachment.insert("fields".to_owned(), Value::Array(fields));
    }
    if !["title", "text", "pretext", "fields", "image_url"].iter().any(|part| attachment.contains_key(*part)) {
        // Slack rejects a message without visible text.
        put(&mut attachment, "text", shortened(pen.text(DEFAULT_FALLBACK), TEXT));
    }
    let actions: Vec<Value> = slack.actions.iter().filter_map(|action| button(action, pen)).take(ACTIONS).collect();
    if !actions.is_empty() {
        attachment.insert("actions".to_owned(), Value::Array(actions));
    }
    let marked: Vec<&str> = match slack.mrkdwn_in.as_slice() {
        [] => vec!["fallback", "pretext", "text"],
        given => given.iter().map(String::as_str).collect(),
    };
    attachment.insert("mrkdwn_in".to_owned(), json!(marked));
    let mut body = Map::new();
    for (name, template) in [
        ("channel", &slack.channel),
        ("username", &slack.username),
        ("icon_emoji", &slack.icon_emoji),
        ("icon_url", &slack.icon_url),
    ] {
        put(&mut body, name, pen.text(template));
    }
    if slack.link_names {
        body.insert("link_names".to_owned(), Value::Bool(true));
    }
    body.insert("attachments".to_owned(), json!([attachment]));
    Value::Object(body)
}

/// A button; `None` if it has no label or no action.
fn button(action: &SlackAction, pen: &mut Pen<'_>) -> Option<Value> {
    let mut made = Map::new();
    for (name, template) in [
        ("type", &action.kind),
        ("text", &action.text),
        ("style", &action.style),
        ("name", &action.name),
        ("value", &action.value),
    ] {
        put(&mut made, name, pen.text(template));
    }
    put(&mut made, "url", safe(pen.text(&action.url)));
    if !made.contains_key("text") || !(made.contains_key("url") || made.contains_key("name")) {
        return None;
    }
    if let Some(confirm) = &action.confirm {
        let mut asked = Map::new();
        for (name, template) in [
            ("title", &confirm.title),
            ("text", &confirm.text),
            ("ok_text", &confirm.ok_text),
            ("dismiss_text", &confirm.dismiss_text),
        ] {
            put(&mut asked, name, pen.text(template));
        }
        if asked.contains_key("text") {
            made.insert("confirm".to_owned(), Value::Object(asked));
        }
    }
    Some(Value::Object(made))
}
