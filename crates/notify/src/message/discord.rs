//! Discord's webhooks, with one embed.

use serde_json::{Value, json};

use super::{Pen, data::Data, shortened};
use crate::{color, config::Discord};

/// Longest title, in characters.
const TITLE: usize = 256;
/// Longest text of an embed, in characters.
const DESCRIPTION: usize = 4_096;
/// Longest text beside it, in characters.
const CONTENT: usize = 2_000;

pub(super) fn body(discord: &Discord, data: &Data<'_>, pen: &mut Pen<'_>) -> Value {
    let severities = data
        .notification
        .alerts
        .iter()
        .filter(|(_, is_resolved)| !is_resolved)
        .map(|(alert, _)| alert.labels.get("severity").map_or("", String::as_str));
    let color = if data.status == "resolved" { color::GREEN } else { color::of_severities(severities) };
    let mut body = json!({
        "content": shortened(pen.text(&discord.content), CONTENT),
        "embeds": [{
            "title": shortened(pen.text(&discord.title), TITLE),
            "description": shortened(pen.text(&discord.message), DESCRIPTION),
            "url": format!("{}/alerts", data.external_url),
            "color": color,
        }],
        // A text of an alert that says @everyone must not call everyone.
        "allowed_mentions": { "parse": [] },
    });
    for (name, template) in [("username", &discord.username), ("avatar_url", &discord.avatar_url)] {
        let text = pen.text(template);
        if let (false, Some(body)) = (text.is_empty(), body.as_object_mut()) {
            body.insert(name.to_owned(), Value::String(text));
        }
    }
    body
}
