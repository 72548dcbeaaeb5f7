//! Discord's webhooks, with one embed.

use serde_json::{Map, Value, json};

use super::{Pen, data::Data, is_link, put, shortened};
use crate::{color, config::Discord};

/// Maximum length of a title, in characters.
const TITLE: usize = 256;
/// Maximum length of an embed's text, in characters. Together with the title it stays below the limit of 6,000 for all
/// embeds.
const DESCRIPTION: usize = 4_096;
/// Maximum length of the text above the embed, in characters.
const CONTENT: usize = 2_000;
/// Maximum length of the sender's name, in characters.
const USERNAME: usize = 80;

const DEFAULT_TITLE: &str = r#"{{ template "discord.default.title" . }}"#;

pub(super) fn body(discord: &Discord, data: &Data<'_>, pen: &mut Pen<'_>) -> Value {
    let severities = data
        .notification
        .alerts
        .iter()
        .filter(|(_, is_resolved)| !is_resolved)
        .map(|(alert, _)| alert.labels.get("severity").map_or("", String::as_str));
    let color = if data.status == "resolved" { color::GREEN } else { color::of_severities(severities) };
    let mut embed = Map::new();
    put(&mut embed, "title", shortened(pen.text(&discord.title), TITLE));
    put(&mut embed, "description", shortened(pen.text(&discord.message), DESCRIPTION));
    let mut body = Map::new();
    put(&mut body, "content", shortened(pen.text(&discord.content), CONTENT));
    if embed.is_empty() && body.is_empty() {
        // Discord rejects a message without text.
        put(&mut embed, "title", shortened(pen.text(DEFAULT_TITLE), TITLE));
    }
    if !embed.is_empty() {
        embed.insert("color".to_owned(), json!(color));
        let url = format!("{}/alerts", data.external_url);
        if is_link(&url) {
            put(&mut embed, "url", url);
        }
        body.insert("embeds".to_owned(), json!([embed]));
    }
    // Text of an alert that contains @everyone must not mention everyone.
    body.insert("allowed_mentions".to_owned(), json!({ "parse": [] }));
    put(&mut body, "username", shortened(pen.text(&discord.username), USERNAME));
    let avatar = pen.text(&discord.avatar_url);
    if is_link(&avatar) {
        put(&mut body, "avatar_url", avatar);
    }
    Value::Object(body)
}
