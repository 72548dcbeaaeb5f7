//! The default templates. Names are Alertmanager's, so that users' texts can build on them; the wording is our own.

/// Most alerts that a default text lists one by one is 20: a storm must not make a message that nobody reads or takes.
pub(super) const TEMPLATES: &str = include_str!("default.tmpl");
