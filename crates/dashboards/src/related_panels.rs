//! Finds the panels related to an expression: those that show a series it reads. Rules are linked to them.

use std::collections::BTreeSet;

use model::dashboard::{Dashboard, Panel, PanelKind, ThresholdStyle};
use promql::Options;

/// Names of the series that an expression reads. The parts of a histogram or summary count as one series; an invalid
/// expression has none.
#[must_use]
pub fn series(expr: &str) -> BTreeSet<String> {
    let Ok(query) = promql::parse(expr) else { return BTreeSet::new() };
    let selectors = query.selectors(0, 0, 1, &Options::default());
    selectors.iter().filter_map(|selector| labels::metric_name(&selector.matchers)).map(family).collect()
}

fn family(name: &str) -> String {
    let part = ["_bucket", "_sum", "_count"].into_iter().find_map(|suffix| name.strip_suffix(suffix));
    part.unwrap_or(name).to_owned()
}

/// Whether a panel shows one of the series in `names`, a result of [`series`].
#[must_use]
pub fn shows(panel: &Panel, names: &BTreeSet<String>) -> bool {
    panel.queries.iter().any(|query| !series(&query.expr).is_disjoint(names))
}

/// The panel most related to an expression: preferably a time series, then the panel that shows most of what the
/// expression reads, then the one that shows least else.
#[must_use]
pub fn best<'a>(dashboards: impl IntoIterator<Item = &'a Dashboard>, expr: &str) -> Option<(&'a Dashboard, &'a Panel)> {
    let names = series(expr);
    if names.is_empty() {
        return None;
    }
    let rank = |panel: &Panel| {
        let shown: BTreeSet<String> = panel.queries.iter().flat_map(|query| series(&query.expr)).collect();
        let common = shown.intersection(&names).count();
        let beside = shown.len() - common;
        let has_course = matches!(panel.kind, PanelKind::Timeseries);
        let has_limit = panel.threshold_style != ThresholdStyle::None;
        (common > 0).then_some((has_course, common, std::cmp::Reverse(beside), has_limit))
    };
    let panels =
        dashboards.into_iter().flat_map(|dashboard| dashboard.panels.iter().map(move |panel| (dashboard, panel)));
    let ranked = panels.filter_map(|(dashboard, panel)| Some((rank(panel)?, dashboard, panel)));
    // The first one of equals; `max_by_key` would return the last.
    let best = ranked.reduce(|best, next| if next.0 > best.0 { next } else { best });
    best.map(|(_, dashboard, panel)| (dashboard, panel))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DashboardRegistry;

    #[test]
    fn what_an_expression_reads_is_known_by_name() {
        let names = |expr: &str| series(expr).into_iter().collect::<Vec<_>>().join(" ");
        assert_eq!(names("sum(rate(a_total[5m])) / sum(b{x=\"1\"}) > 0.5"), "a_total b");
        assert_eq!(names("histogram_quantile(0.9, sum by (le) (rate(took_seconds_bucket[5m])))"), "took_seconds");
        assert_eq!(names("{job=\"x\"} or 1"), "");
        assert_eq!(names("sum("), "");
    }

    #[test]
    fn the_panel_behind_a_rule_is_found() {
        let library = DashboardRegistry::load(None).unwrap();
        let panel = |expr: &str| best(library.all(), expr).map(|(_, panel)| panel.title.as_str());
        assert_eq!(panel("hypersdk_goroutines > 1000"), Some("Goroutines"));
        assert_eq!(panel("hypersdk_memory_bytes{type=\"\"} > 2e9"), Some("Memory Usage"));
        assert_eq!(panel("sum(hypersdk_queue_length) > 50"), Some("Queue Length & Active Jobs"));
        assert_eq!(panel("nothing_has_this > 1"), None);
        let (_, found) = best(library.all(), "hypersdk_goroutines > 1000").unwrap();
        assert!(shows(found, &series("rate(hypersdk_goroutines[5m])")));
        assert!(!shows(found, &series("up")));
    }
}
