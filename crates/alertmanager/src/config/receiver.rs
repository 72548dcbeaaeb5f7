//! Receivers and their integrations. Fields are templates unless they say otherwise; their defaults use the templates
//! of [`crate::template`].

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{Secret, http::Http};

/// A receiver and its integrations.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// Name, as routes refer to it.
    pub name: String,
    /// Ordered by kind, then as in the file.
    pub integrations: Vec<Integration>,
    /// Line and column of each integration, from 1.
    pub places: Vec<(u64, u64)>,
}

/// Kinds of integrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// JSON by POST.
    Webhook,
    /// Slack.
    Slack,
    /// Discord.
    Discord,
    /// PagerDuty.
    PagerDuty,
    /// Mail.
    Email,
}

impl Kind {
    /// Name in logs, keys and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Webhook => "webhook",
            Kind::Slack => "slack",
            Kind::Discord => "discord",
            Kind::PagerDuty => "pagerduty",
            Kind::Email => "email",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// One integration of a receiver.
#[derive(Debug, Clone)]
pub enum Integration {
    /// JSON by POST.
    Webhook(Box<Webhook>),
    /// Slack.
    Slack(Box<Slack>),
    /// Discord.
    Discord(Box<Discord>),
    /// PagerDuty.
    PagerDuty(Box<PagerDuty>),
    /// Mail.
    Email(Box<Email>),
}

impl Integration {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Integration::Webhook(_) => Kind::Webhook,
            Integration::Slack(_) => Kind::Slack,
            Integration::Discord(_) => Kind::Discord,
            Integration::PagerDuty(_) => Kind::PagerDuty,
            Integration::Email(_) => Kind::Email,
        }
    }

    /// Whether it sends notifications for resolved alerts.
    #[must_use]
    pub fn sends_resolved(&self) -> bool {
        match self {
            Integration::Webhook(webhook) => webhook.send_resolved,
            Integration::Slack(slack) => slack.send_resolved,
            Integration::Discord(discord) => discord.send_resolved,
            Integration::PagerDuty(pagerduty) => pagerduty.send_resolved,
            Integration::Email(email) => email.send_resolved,
        }
    }
}

/// Declares a section of the file: each field with its default.
macro_rules! section {
    ($(#[$outer:meta])* pub struct $name:ident { $($(#[$meta:meta])* pub $field:ident: $kind:ty = $default:expr,)* }) => {
        $(#[$outer])*
        #[derive(Debug, Clone, PartialEq, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name { $($(#[$meta])* pub $field: $kind,)* }

        impl Default for $name {
            fn default() -> Self {
                $name { $($field: $default.into(),)* }
            }
        }
    };
}

section! {
    /// `webhook_configs`
    pub struct Webhook {
        /// Whether to notify about resolved alerts.
        pub send_resolved: bool = true,
        /// HTTP client settings.
        pub http_config: Option<Http> = None,
        /// URL; not a template.
        pub url: Option<Secret> = None,
        /// File that holds the URL.
        pub url_file: Option<PathBuf> = None,
        /// Maximum number of alerts in one message; 0 for all.
        pub max_alerts: usize = 0_usize,
    }
}

section! {
    /// `slack_configs`
    pub struct Slack {
        /// Whether to notify about resolved alerts.
        pub send_resolved: bool = false,
        /// HTTP client settings.
        pub http_config: Option<Http> = None,
        /// URL of the incoming webhook; not a template.
        pub api_url: Option<Secret> = None,
        /// File that holds the URL.
        pub api_url_file: Option<PathBuf> = None,
        /// Channel or user.
        pub channel: String = "",
        /// Name of the sender to show.
        pub username: String = r#"{{ template "slack.default.username" . }}"#,
        /// Colour of the bar beside the message.
        pub color: String = r#"{{ if eq .Status "firing" }}danger{{ else }}good{{ end }}"#,
        /// Title.
        pub title: String = r#"{{ template "slack.default.title" . }}"#,
        /// URL of the title.
        pub title_link: String = r#"{{ template "slack.default.titlelink" . }}"#,
        /// Text above the attachment.
        pub pretext: String = r#"{{ template "slack.default.pretext" . }}"#,
        /// Text.
        pub text: String = r#"{{ template "slack.default.text" . }}"#,
        /// Small tables below the text.
        pub fields: Vec<SlackField> = [],
        /// Whether fields are shown side by side.
        pub short_fields: bool = false,
        /// Footer.
        pub footer: String = r#"{{ template "slack.default.footer" . }}"#,
        /// Text for clients that cannot show attachments.
        pub fallback: String = r#"{{ template "slack.default.fallback" . }}"#,
        /// Identifies the message to Slack apps.
        pub callback_id: String = r#"{{ template "slack.default.callbackid" . }}"#,
        /// Icon of the sender, as an emoji name.
        pub icon_emoji: String = r#"{{ template "slack.default.iconemoji" . }}"#,
        /// Icon of the sender, as a URL.
        pub icon_url: String = r#"{{ template "slack.default.iconurl" . }}"#,
        /// Image.
        pub image_url: String = "",
        /// Thumbnail.
        pub thumb_url: String = "",
        /// Whether names in the text become mentions.
        pub link_names: bool = false,
        /// Fields in which Slack's markup is formatted.
        pub mrkdwn_in: Vec<String> = [],
        /// Buttons.
        pub actions: Vec<SlackAction> = [],
    }
}

section! {
    /// An entry of `fields`.
    pub struct SlackField {
        /// Its title.
        pub title: String = "",
        /// Its value.
        pub value: String = "",
        /// Whether it may be shown beside another one; `None` uses `short_fields`.
        pub short: Option<bool> = None,
    }
}

section! {
    /// An entry of `actions`.
    pub struct SlackAction {
        /// `button`
        #[serde(rename = "type")]
        pub kind: String = "",
        /// Label of the button.
        pub text: String = "",
        /// URL to open.
        pub url: String = "",
        /// `primary` or `danger`
        pub style: String = "",
        /// Identifies the button to Slack apps.
        pub name: String = "",
        /// Value sent to Slack apps.
        pub value: String = "",
        /// Confirmation to ask for first.
        pub confirm: Option<SlackConfirm> = None,
    }
}

section! {
    /// The confirmation dialog of an action.
    pub struct SlackConfirm {
        /// The question.
        pub text: String = "",
        /// Its title.
        pub title: String = "",
        /// Label of the confirming button.
        pub ok_text: String = "",
        /// Label of the dismissing button.
        pub dismiss_text: String = "",
    }
}

section! {
    /// `discord_configs`
    pub struct Discord {
        /// Whether to notify about resolved alerts.
        pub send_resolved: bool = true,
        /// HTTP client settings.
        pub http_config: Option<Http> = None,
        /// URL of the webhook; not a template.
        pub webhook_url: Option<Secret> = None,
        /// File that holds the URL.
        pub webhook_url_file: Option<PathBuf> = None,
        /// Title.
        pub title: String = r#"{{ template "discord.default.title" . }}"#,
        /// Text.
        pub message: String = r#"{{ template "discord.default.message" . }}"#,
        /// Text above the embed.
        pub content: String = "",
        /// Name of the sender to show.
        pub username: String = "",
        /// Avatar of the sender.
        pub avatar_url: String = "",
    }
}

section! {
    /// `pagerduty_configs`
    pub struct PagerDuty {
        /// Whether to notify about resolved alerts.
        pub send_resolved: bool = true,
        /// HTTP client settings.
        pub http_config: Option<Http> = None,
        /// Key of the Events API v1.
        pub service_key: Option<Secret> = None,
        /// File that holds the key.
        pub service_key_file: Option<PathBuf> = None,
        /// Key of the Events API v2.
        pub routing_key: Option<Secret> = None,
        /// File that holds the key.
        pub routing_key_file: Option<PathBuf> = None,
        /// URL of the Events API; not a template.
        pub url: String = "",
        /// Name of the client that reports the incident.
        pub client: String = r#"{{ template "pagerduty.default.client" . }}"#,
        /// URL of the client that reports the incident.
        pub client_url: String = r#"{{ template "pagerduty.default.clientURL" . }}"#,
        /// What happened.
        pub description: String = r#"{{ template "pagerduty.default.description" .}}"#,
        /// Custom details by name.
        pub details: BTreeMap<String, String> = BTreeMap::new(),
        /// Images.
        pub images: Vec<PagerDutyImage> = [],
        /// Links.
        pub links: Vec<PagerDutyLink> = [],
        /// `critical`, `error`, `warning` or `info`.
        pub severity: String = "error",
        /// Affected source.
        pub source: String = "",
        /// Class of the event.
        pub class: String = "",
        /// Affected component.
        pub component: String = "",
        /// Affected group.
        pub group: String = "",
    }
}

section! {
    /// An entry of `images`.
    pub struct PagerDutyImage {
        /// URL of the image.
        pub src: String = "",
        /// Alternative text.
        pub alt: String = "",
        /// URL to open.
        pub href: String = "",
    }
}

section! {
    /// An entry of `links`.
    pub struct PagerDutyLink {
        /// URL to open.
        pub href: String = "",
        /// Its text.
        pub text: String = "",
    }
}

section! {
    /// `email_configs`
    pub struct Email {
        /// Whether to notify about resolved alerts.
        pub send_resolved: bool = false,
        /// Recipients.
        pub to: String = "",
        /// Sender; empty uses `global`.
        pub from: String = "",
        /// Host name for the SMTP greeting; empty uses `global`.
        pub hello: String = "",
        /// `host:port`; not a template; empty uses `global`.
        pub smarthost: String = "",
        /// User name for authentication.
        pub auth_username: String = "",
        /// Password for authentication.
        pub auth_password: Option<Secret> = None,
        /// File that holds the password.
        pub auth_password_file: Option<PathBuf> = None,
        /// Secret of CRAM-MD5, which we do not support.
        pub auth_secret: Option<Secret> = None,
        /// Authorization identity of PLAIN.
        pub auth_identity: String = "",
        /// Additional headers.
        pub headers: BTreeMap<String, String> = BTreeMap::new(),
        /// HTML body.
        pub html: String = r#"{{ template "email.default.html" . }}"#,
        /// Plain text body; empty generates one from the alerts.
        pub text: String = "",
        /// Whether STARTTLS is required; `None` uses `global`.
        pub require_tls: Option<bool> = None,
        /// TLS.
        pub tls_config: Option<super::http::Tls> = None,
    }
}

/// Makes the paths of an integration's files relative to `directory`.
pub(super) fn rebase(integration: &mut Integration, directory: &Path) {
    let (http, paths): (&mut Option<Http>, Vec<&mut Option<PathBuf>>) = match integration {
        Integration::Webhook(webhook) => (&mut webhook.http_config, vec![&mut webhook.url_file]),
        Integration::Slack(slack) => (&mut slack.http_config, vec![&mut slack.api_url_file]),
        Integration::Discord(discord) => (&mut discord.http_config, vec![&mut discord.webhook_url_file]),
        Integration::PagerDuty(pagerduty) => {
            (&mut pagerduty.http_config, vec![&mut pagerduty.service_key_file, &mut pagerduty.routing_key_file])
        }
        Integration::Email(email) => {
            let tls =
                email.tls_config.iter_mut().flat_map(|tls| [&mut tls.ca_file, &mut tls.cert_file, &mut tls.key_file]);
            for path in tls.chain([&mut email.auth_password_file]).flatten() {
                *path = directory.join(&path);
            }
            return;
        }
    };
    if let Some(http) = http {
        http.rebase(directory);
    }
    for path in paths.into_iter().flatten() {
        *path = directory.join(&path);
    }
}
