//! The URL of the alert page, and links that change one parameter of it.

use std::fmt::Write;

use model::route::{PageKind, PageRoute};

use crate::platform;

/// A part of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tab {
    /// Pending and firing alerts.
    #[default]
    Alerts,
    /// Silences.
    Silences,
    /// Groups of rules.
    Rules,
    /// Changes of alerts.
    History,
    /// Notifications to receivers.
    Deliveries,
}

impl Tab {
    /// All tabs, in the order of the page.
    pub const ALL: [Tab; 5] = [Tab::Alerts, Tab::Silences, Tab::Rules, Tab::History, Tab::Deliveries];

    /// Its value in the URL.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Tab::Alerts => "alerts",
            Tab::Silences => "silences",
            Tab::Rules => "rules",
            Tab::History => "history",
            Tab::Deliveries => "notifications",
        }
    }

    /// Its heading.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Tab::Alerts => "Alerts",
            Tab::Silences => "Silences",
            Tab::Rules => "Rules",
            Tab::History => "History",
            Tab::Deliveries => "Notifications",
        }
    }
}

/// The label by which alerts are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Grouping {
    /// By severity.
    #[default]
    Severity,
    /// By the name of the rule.
    Name,
    /// By the daemon.
    Daemon,
    /// By the provider.
    Provider,
}

impl Grouping {
    /// All groupings, in the order of the form.
    pub const ALL: [Grouping; 4] = [Grouping::Severity, Grouping::Name, Grouping::Daemon, Grouping::Provider];

    /// The name of the label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Grouping::Severity => "severity",
            Grouping::Name => "alertname",
            Grouping::Daemon => "daemon",
            Grouping::Provider => "provider",
        }
    }
}

/// The parameters of the URL.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ViewAddress {
    /// The tab.
    pub tab: Tab,
    /// Matchers in Alertmanager's syntax.
    pub filter: String,
    /// How alerts are grouped.
    pub grouping: Grouping,
    /// Fingerprint of the alert that is open.
    pub open: Option<String>,
    /// Matchers of the silence in the form; `None` if the form is closed.
    pub draft: Option<String>,
}

impl ViewAddress {
    /// Reads the parameters of a URL. Unknown values are ignored.
    #[must_use]
    pub fn read(parameter: impl Fn(&str) -> Option<String>) -> Self {
        let tab = parameter("view").unwrap_or_default();
        let group = parameter("group").unwrap_or_default();
        ViewAddress {
            tab: Tab::ALL.into_iter().find(|known| known.id() == tab).unwrap_or_default(),
            filter: parameter("filter").unwrap_or_default(),
            grouping: Grouping::ALL.into_iter().find(|known| known.label() == group).unwrap_or_default(),
            open: parameter("alert").filter(|open| !open.is_empty()),
            draft: parameter("matchers"),
        }
    }

    /// The link to this view.
    #[must_use]
    pub fn href(&self) -> String {
        let mut href = PageRoute::path_of(PageKind::Alerts).to_owned();
        let mut add = |name: &str, value: &str| {
            let mark = if href.contains('?') { '&' } else { '?' };
            // Writing to a string cannot fail.
            let _ = write!(href, "{mark}{name}={}", platform::encoded(value));
        };
        if self.tab != Tab::default() {
            add("view", self.tab.id());
        }
        if !self.filter.is_empty() {
            add("filter", &self.filter);
        }
        if self.grouping != Grouping::default() {
            add("group", self.grouping.label());
        }
        if let Some(open) = &self.open {
            add("alert", open);
        }
        if let Some(draft) = &self.draft {
            add("matchers", draft);
        }
        href
    }

    /// The same view with another tab, without the parameters that belong to one tab only.
    pub(super) fn with_tab(&self, tab: Tab) -> Self {
        ViewAddress { tab, grouping: self.grouping, filter: self.filter.clone(), ..ViewAddress::default() }
    }

    /// The same view with the form for a silence with `matchers`.
    pub(super) fn drafting(&self, matchers: String) -> Self {
        ViewAddress { draft: Some(matchers), ..self.with_tab(Tab::Silences) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_from_its_link() {
        let address = ViewAddress {
            tab: Tab::Silences,
            filter: r#"severity="critical",vm=~"a|b&c""#.into(),
            grouping: Grouping::Name,
            open: Some("00ff".into()),
            draft: Some("alertname=\"A B\"".into()),
        };
        let href = address.href();
        let (_, query) = href.split_once('?').unwrap();
        assert_eq!(ViewAddress::read(|name| crate::shell::parameter(query, name)), address);
        assert_eq!(ViewAddress::default().href(), "/alerts");
    }
}
