//! Receivers: whom to tell, by which means. Fields hold templates unless they say otherwise; their defaults are templates of
//! [`crate::template`].

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{Secret, http::Http};

/// A receiver and its means.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// As routes call it.
    pub name: String,
    /// In the order of the kinds and of the file.
    pub integrations: Vec<Integration>,
    /// Line and column of each of them, from 1.
    pub places: Vec<(u64, u64)>,
}

/// Kinds of means.
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
    /// Its word in logs, keys and the API.
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

/// One means of a receiver.
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
    /// Which.
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

    /// Whether it is told of the end of alerts.
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

/// Declares a section of the file: every field with its default.
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
        /// Whether it is told of the end of alerts.
        pub send_resolved: bool = true,
        /// How it is reached.
        pub http_config: Option<Http> = None,
        /// Where; no template.
        pub url: Option<Secret> = None,
        /// File that holds where.
        pub url_file: Option<PathBuf> = None,
        /// Most alerts in one message; 0 for all.
        pub max_alerts: usize = 0_usize,
    }
}

section! {
    /// `slack_configs`
    pub struct Slack {
        /// Whether it is told of the end of alerts.
        pub send_resolved: bool = false,
        /// How it is reached.
        pub http_config: Option<Http> = None,
        /// The incoming webhook; no template.
        pub api_url: Option<Secret> = None,
        /// File that holds it.
        pub api_url_file: Option<PathBuf> = None,
        /// Channel or user.
        pub channel: String = "",
        /// Whom it seems to be from.
        pub username: String = r#"{{ template "slack.default.username" . }}"#,
        /// Colour of the bar beside it.
        pub color: String = r#"{{ if eq .Status "firing" }}danger{{ else }}good{{ end }}"#,
        /// Title.
        pub title: String = r#"{{ template "slack.default.title" . }}"#,
        /// Where the title leads.
        pub title_link: String = r#"{{ template "slack.default.titlelink" . }}"#,
        /// Text above it.
        pub pretext: String = r#"{{ template "slack.default.pretext" . }}"#,
        /// Text.
        pub text: String = r#"{{ template "slack.default.text" . }}"#,
        /// Small tables below the text.
        pub fields: Vec<SlackField> = [],
        /// Whether fields stand beside each other.
        pub short_fields: bool = false,
        /// Text at its foot.
        pub footer: String = r#"{{ template "slack.default.footer" . }}"#,
        /// Text where nothing else can be shown.
        pub fallback: String = r#"{{ template "slack.default.fallback" . }}"#,
        /// Names the message to programs.
        pub callback_id: String = r#"{{ template "slack.default.callbackid" . }}"#,
        /// Picture of the sender, by name.
        pub icon_emoji: String = r#"{{ template "slack.default.iconemoji" . }}"#,
        /// Picture of the sender, by URL.
        pub icon_url: String = r#"{{ template "slack.default.iconurl" . }}"#,
        /// Picture.
        pub image_url: String = "",
        /// Small picture.
        pub thumb_url: String = "",
        /// Whether names in the text become links.
        pub link_names: bool = false,
        /// Fields in which Slack's markup holds.
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
        /// Whether it stands beside another; `None` for `short_fields`.
        pub short: Option<bool> = None,
    }
}

section! {
    /// An entry of `actions`.
    pub struct SlackAction {
        /// `button`
        #[serde(rename = "type")]
        pub kind: String = "",
        /// On it.
        pub text: String = "",
        /// Where it leads.
        pub url: String = "",
        /// `primary` or `danger`
        pub style: String = "",
        /// Names it to programs.
        pub name: String = "",
        /// What programs get.
        pub value: String = "",
        /// Question asked before.
        pub confirm: Option<SlackConfirm> = None,
    }
}

section! {
    /// The question asked before an action.
    pub struct SlackConfirm {
        /// The question.
        pub text: String = "",
        /// Its title.
        pub title: String = "",
        /// On the button that goes on.
        pub ok_text: String = "",
        /// On the button that does not.
        pub dismiss_text: String = "",
    }
}

section! {
    /// `discord_configs`
    pub struct Discord {
        /// Whether it is told of the end of alerts.
        pub send_resolved: bool = true,
        /// How it is reached.
        pub http_config: Option<Http> = None,
        /// The webhook; no template.
        pub webhook_url: Option<Secret> = None,
        /// File that holds it.
        pub webhook_url_file: Option<PathBuf> = None,
        /// Title.
        pub title: String = r#"{{ template "discord.default.title" . }}"#,
        /// Text.
        pub message: String = r#"{{ template "discord.default.message" . }}"#,
        /// Text above the embed.
        pub content: String = "",
        /// Whom it seems to be from.
        pub username: String = "",
        /// Picture of the sender.
        pub avatar_url: String = "",
    }
}

section! {
    /// `pagerduty_configs`
    pub struct PagerDuty {
        /// Whether it is told of the end of alerts.
        pub send_resolved: bool = true,
        /// How it is reached.
        pub http_config: Option<Http> = None,
        /// Key of the old integration.
        pub service_key: Option<Secret> = None,
        /// File that holds it.
        pub service_key_file: Option<PathBuf> = None,
        /// Key of the Events API v2.
        pub routing_key: Option<Secret> = None,
        /// File that holds it.
        pub routing_key_file: Option<PathBuf> = None,
        /// Where; no template.
        pub url: String = "",
        /// Who tells.
        pub client: String = r#"{{ template "pagerduty.default.client" . }}"#,
        /// Where who tells is.
        pub client_url: String = r#"{{ template "pagerduty.default.clientURL" . }}"#,
        /// What happened.
        pub description: String = r#"{{ template "pagerduty.default.description" .}}"#,
        /// Further facts by name.
        pub details: BTreeMap<String, String> = BTreeMap::new(),
        /// Pictures.
        pub images: Vec<PagerDutyImage> = [],
        /// Links.
        pub links: Vec<PagerDutyLink> = [],
        /// `critical`, `error`, `warning` or `info`.
        pub severity: String = "error",
        /// What is affected.
        pub source: String = "",
        /// Kind of event.
        pub class: String = "",
        /// Part that is affected.
        pub component: String = "",
        /// Group that is affected.
        pub group: String = "",
    }
}

section! {
    /// An entry of `images`.
    pub struct PagerDutyImage {
        /// Where it is.
        pub src: String = "",
        /// Text in its place.
        pub alt: String = "",
        /// Where it leads.
        pub href: String = "",
    }
}

section! {
    /// An entry of `links`.
    pub struct PagerDutyLink {
        /// Where it leads.
        pub href: String = "",
        /// Its text.
        pub text: String = "",
    }
}

section! {
    /// `email_configs`
    pub struct Email {
        /// Whether it is told of the end of alerts.
        pub send_resolved: bool = false,
        /// To whom.
        pub to: String = "",
        /// From whom; empty for the file's.
        pub from: String = "",
        /// What the server is greeted with; empty for the file's.
        pub hello: String = "",
        /// `host:port`; no template; empty for the file's.
        pub smarthost: String = "",
        /// Who logs in.
        pub auth_username: String = "",
        /// With which password.
        pub auth_password: Option<Secret> = None,
        /// File that holds it.
        pub auth_password_file: Option<PathBuf> = None,
        /// Secret of CRAM-MD5, which this program does not speak.
        pub auth_secret: Option<Secret> = None,
        /// On whose behalf.
        pub auth_identity: String = "",
        /// Further headers.
        pub headers: BTreeMap<String, String> = BTreeMap::new(),
        /// Body in HTML.
        pub html: String = r#"{{ template "email.default.html" . }}"#,
        /// Body in plain text; empty for one made of the HTML's facts.
        pub text: String = "",
        /// Whether a server without STARTTLS is refused; `None` for the file's.
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
