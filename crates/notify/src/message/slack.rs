//! Slack's incoming webhooks, with one attachment.

use serde_json::{Map, Value, json};

use super::{Pen, shortened};
use crate::config::Slack;

/// Longest title, in characters.
const TITLE: usize = 1_024;
/// Longest text, in characters: what Slack shows of a message.
const TEXT: usize = 40_000;

pub(super) fn body(slack: &Slack, pen: &mut Pen<'_>) -> Value {
    let mut attachment = Map::new();
    let put = |map: &mut Map<String, Value>, name: &str, text: String| {
        if !text.is_empty() {
            map.insert(name.to_owned(), Value::String(text));
        }
    };
    put(&mut attachment, "title", shortened(pen.text(&slack.title), TITLE));
    put(&mut attachment, "text", shortened(pen.text(&slack.text), TEXT));
    for (name, template) in [
        ("title_link", &slack.title_link),
        ("pretext", &slack.pretext),
        ("fallback", &slack.fallback),
        ("callback_id", &slack.callback_id),
        ("image_url", &slack.image_url),
        ("thumb_url", &slack.thumb_url),
        ("footer", &slack.footer),
        ("color", &slack.color),
    ] {
        let text = pen.text(template);
        put(&mut attachment, name, text);
    }
    let marked: Vec<&str> = match slack.mrkdwn_in.as_slice() {
        [] => vec!["fallback", "pretext", "text"],
        given => given.iter().map(String::as_str).collect(),
    };
    attachment.insert("mrkdwn_in".to_owned(), json!(marked));
    if !slack.fields.is_empty() {
        let fields: Vec<Value> = slack
            .fields
            .iter()
            .map(|field| {
                let short = field.short.unwrap_or(slack.short_fields);
                json!({ "title": pen.text(&field.title), "value": pen.text(&field.value), "short": short })
            })
            .collect();
        attachment.insert("fields".to_owned(), Value::Array(fields));
    }
    if !slack.actions.is_empty() {
        let actions = slack.actions.iter().map(|action| {
            let mut made = Map::new();
            for (name, template) in [
                ("type", &action.kind),
                ("text", &action.text),
                ("url", &action.url),
                ("style", &action.style),
                ("name", &action.name),
                ("value", &action.value),
            ] {
                let text = pen.text(template);
                put(&mut made, name, text);
            }
            if let Some(confirm) = &action.confirm {
                let mut asked = Map::new();
                for (name, template) in [
                    ("title", &confirm.title),
                    ("text", &confirm.text),
                    ("ok_text", &confirm.ok_text),
                    ("dismiss_text", &confirm.dismiss_text),
                ] {
                    let text = pen.text(template);
                    put(&mut asked, name, text);
                }
                made.insert("confirm".to_owned(), Value::Object(asked));
            }
            Value::Object(made)
        });
        let actions: Vec<Value> = actions.collect();
        attachment.insert("actions".to_owned(), Value::Array(actions));
    }
    let mut body = Map::new();
    for (name, template) in [
        ("channel", &slack.channel),
        ("username", &slack.username),
        ("icon_emoji", &slack.icon_emoji),
        ("icon_url", &slack.icon_url),
    ] {
        let text = pen.text(template);
        put(&mut body, name, text);
    }
    if slack.link_names {
        body.insert("link_names".to_owned(), Value::Bool(true));
    }
    body.insert("attachments".to_owned(), json!([attachment]));
    Value::Object(body)
}
