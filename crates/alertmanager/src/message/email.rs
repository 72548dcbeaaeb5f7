//! Mail, in parts; how it is put on the wire is the sender's.

use serde::{Deserialize, Serialize};

use super::{Pen, addresses::with_safe_addresses, pagerduty::incident_key, shortened};
use crate::{config::Email, dispatch::Notification};

/// Longest subject, in characters: programs for mail show less, and no line of a mail may be longer.
const SUBJECT: usize = 900;

const DEFAULT_SUBJECT: &str = r#"{{ template "email.default.subject" . }}"#;
const DEFAULT_TEXT: &str = r#"{{ template "email.default.text" . }}"#;

/// The parts of a mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// Sender: what the mail server is told.
    pub from: String,
    /// Addressees, separated by commas: whom the mail server delivers it to.
    pub to: String,
    /// The header `From`, where it is not `from`. It is only shown.
    #[serde(default)]
    pub shown_from: Option<String>,
    /// The header `To`, where it is not `to`. It is only shown.
    #[serde(default)]
    pub shown_to: Option<String>,
    /// One line.
    pub subject: String,
    /// Further headers. They are only shown: `Cc` and `Bcc` too bring the mail to nobody.
    pub headers: Vec<(String, String)>,
    /// Body in HTML, or empty.
    pub html: String,
    /// Body in plain text.
    pub text: String,
    /// Names the group: mails of one group are one thread.
    pub thread: String,
}

pub(super) fn mail(email: &Email, notification: &Notification, pen: &mut Pen<'_>) -> Mail {
    let mut mail = Mail {
        from: one_line(&pen.text(&email.from)),
        to: one_line(&pen.text(&email.to)),
        shown_from: None,
        shown_to: None,
        subject: String::new(),
        headers: Vec::new(),
        html: with_safe_addresses(&pen.html(&email.html)),
        text: pen.text(if email.text.is_empty() { DEFAULT_TEXT } else { &email.text }),
        thread: incident_key(&notification.group_key),
    };
    if mail.html.trim().is_empty() {
        mail.html.clear();
        if mail.text.trim().is_empty() {
            mail.text = pen.text(DEFAULT_TEXT);
        }
    }
    for (name, template) in &email.headers {
        let value = one_line(&pen.text(template));
        if value.is_empty() {
            continue;
        }
        match name.to_ascii_lowercase().as_str() {
            "subject" => mail.subject = value,
            "from" => mail.shown_from = Some(value),
            "to" => mail.shown_to = Some(value),
            _ => mail.headers.push((name.clone(), value)),
        }
    }
    if mail.subject.is_empty() {
        mail.subject = one_line(&pen.text(DEFAULT_SUBJECT));
    }
    mail.subject = shortened(mail.subject, SUBJECT);
    mail
}

/// A line break would begin another header.
fn one_line(text: &str) -> String {
    text.trim().replace(['\r', '\n'], " ")
}
