//! The default templates. They have Alertmanager's names, so that users' templates can call them; the wording is our
//! own.

/// A default text lists at most 20 alerts, so that services accept the message of an alert storm and people read it.
pub(super) const TEMPLATES: &str = include_str!("default.tmpl");
