//! Times at which alerts related to the panels of a dashboard fired, as annotations on its charts.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use model::{
    dashboard::{Dashboard, Panel, PanelKind},
    frame::{Frame, Labels, Series},
    live::{Alert, AlertState, AlertTransition},
};
use parking_lot::Mutex;

use crate::related_panels;

/// Maximum number of annotations per panel; the latest ones are used.
const OF_PANEL: usize = 24;
/// Two annotations of an alert are joined if the gap is less than this fraction of the time range.
const NARROW: i64 = 100;
/// Maximum number of queries whose metrics are cached.
const MOST_QUERIES: usize = 2_000;

/// A time range in which alerts of one name fired, on a panel.
#[derive(Debug, PartialEq)]
struct Annotation<'a> {
    panel: &'a str,
    name: &'a str,
    severity: &'a str,
    from: i64,
    to: Option<i64>,
}

impl Annotation<'_> {
    /// As a series in the format of [`model::page::Boot::marks`].
    fn series(&self) -> Series {
        let labels = [("panel", self.panel), ("alertname", self.name), ("severity", self.severity)];
        let timestamps: Vec<i64> = [Some(self.from), self.to].into_iter().flatten().collect();
        Series {
            labels: labels
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect::<Labels>()
                .into(),
            values: vec![1.0; timestamps.len()],
            timestamps,
        }
    }
}

/// A time range in which an alert fired.
#[derive(Debug, Clone)]
struct Span {
    alert: Arc<Alert>,
    from: i64,
    to: Option<i64>,
}

/// The start or end of an alert's firing.
#[derive(Debug, Clone)]
pub struct FiringChange {
    /// When, in milliseconds since the Unix epoch.
    pub at: i64,
    /// True for a start.
    pub began: bool,
    /// The alert after the change.
    pub alert: Arc<Alert>,
}

impl FiringChange {
    /// The start or end that a change of an alert's state is, if it is one.
    #[must_use]
    pub fn of(change: &AlertTransition) -> Option<Self> {
        let began = change.to == AlertState::Firing;
        let ended = change.from == AlertState::Firing;
        // An alert that kept firing during a restart of the server neither started nor ended.
        (began != ended).then(|| FiringChange { at: change.at, began, alert: Arc::new(change.alert.clone()) })
    }
}

/// Changes in a time range, oldest first.
#[derive(Debug)]
pub struct FiringChanges {
    /// Starts and ends.
    pub changes: Vec<FiringChange>,
    /// Until when the changes are complete, in milliseconds since the Unix epoch; `None` if until now.
    pub until_ms: Option<i64>,
}

/// Time ranges between two times, in milliseconds since the Unix epoch, in which alerts fired that are related to the
/// time series panels of `dashboard`: from the changes in that time, and from the alerts that fire now. See
/// [`model::page::Boot::marks`].
#[must_use]
pub fn marks(
    FiringChanges { changes, until_ms }: FiringChanges,
    now: Vec<Arc<Alert>>,
    dashboard: &Dashboard,
    (start_ms, end_ms): (i64, i64),
    metrics: &ReadMetrics,
) -> Frame {
    let nothing = Frame { end_ms, ..Frame::default() };
    if !may_have_marks(dashboard) {
        return nothing;
    }
    let mut spans = spans(changes, now, start_ms, until_ms);
    spans.retain(|span| span.from <= end_ms && span.to.is_none_or(|to| to >= start_ms));
    if spans.is_empty() {
        return nothing;
    }
    // Gaps that a chart cannot show are closed.
    let gap_ms = end_ms.saturating_sub(start_ms) / NARROW;
    let annotations = of_panels(&dashboard.panels, &spans, gap_ms, metrics);
    Frame { series: annotations.iter().map(Annotation::series).collect(), ..nothing }
}

/// Whether a dashboard has charts for such annotations.
#[must_use]
pub fn may_have_marks(dashboard: &Dashboard) -> bool {
    dashboard.panels.iter().any(|panel| panel.kind == PanelKind::Timeseries)
}

/// Time ranges of firing, from changes (oldest first; known up to `until_ms`, or up to now if it is `None`) and from
/// the alerts that fire now.
fn spans(changes: Vec<FiringChange>, now: Vec<Arc<Alert>>, start_ms: i64, until_ms: Option<i64>) -> Vec<Span> {
    let mut open: HashMap<String, Span> = HashMap::new();
    let mut spans = Vec::new();
    for FiringChange { at, began, alert } in changes {
        if began {
            open.insert(alert.fingerprint.clone(), Span { alert, from: at, to: None });
        } else {
            // It started before the time range.
            let before = || alert.fired_at.unwrap_or(start_ms);
            let from = open.remove(&alert.fingerprint).map_or_else(before, |span| span.from);
            spans.push(Span { alert, from, to: Some(at) });
        }
    }
    for alert in now {
        let began = alert.fired_at.or(alert.active_at).unwrap_or(start_ms);
        let from = open.remove(&alert.fingerprint).map_or(began, |span| span.from);
        spans.push(Span { alert, from, to: None });
    }
    // Alerts without an end still fired at `until_ms`. If the changes go up to now, such an alert ended while the
    // server was down.
    let went_on = open.into_values().filter(|_| until_ms.is_some());
    spans.extend(went_on.map(|span| Span { to: until_ms, ..span }));
    spans
}

/// The annotations of each time series panel: for alerts that the panel names, otherwise for alerts that read the same
/// metrics.
fn of_panels<'a>(panels: &'a [Panel], spans: &'a [Span], gap_ms: i64, metrics: &ReadMetrics) -> Vec<Annotation<'a>> {
    let mut read: HashMap<&str, Arc<BTreeSet<String>>> = HashMap::new();
    for span in spans {
        read.entry(&span.alert.expr).or_insert_with(|| metrics.of(&span.alert.expr));
    }
    let mut annotations = Vec::new();
    for panel in panels.iter().filter(|panel| panel.kind == PanelKind::Timeseries) {
        let of_panel: Vec<Arc<BTreeSet<String>>> = if panel.alerts.is_empty() {
            panel.queries.iter().map(|query| metrics.of(&query.expr)).collect()
        } else {
            Vec::new()
        };
        let concerns = |span: &&Span| {
            if panel.alerts.is_empty() {
                let read = read.get(span.alert.expr.as_str());
                read.is_some_and(|read| of_panel.iter().any(|of_query| !read.is_disjoint(of_query)))
            } else {
                panel.alerts.contains(&span.alert.name)
            }
        };
        annotations.extend(joined(&panel.id, spans.iter().filter(concerns), gap_ms));
    }
    annotations
}

/// Annotations of a panel: time ranges of alerts with the same name and severity are joined if the gap between them is
/// at most `gap_ms`.
fn joined<'a>(panel: &'a str, spans: impl Iterator<Item = &'a Span>, gap_ms: i64) -> Vec<Annotation<'a>> {
    let mut by_name: BTreeMap<(&str, &str), Vec<(i64, i64)>> = BTreeMap::new();
    for span in spans {
        let times = by_name.entry((&span.alert.name, &span.alert.severity)).or_default();
        times.push((span.from, span.to.unwrap_or(i64::MAX)));
    }
    let mut annotations = Vec::new();
    for ((name, severity), mut times) in by_name {
        times.sort_unstable();
        let mut whole: Vec<(i64, i64)> = Vec::new();
        for (from, to) in times {
            match whole.last_mut() {
                Some(last) if from <= last.1.saturating_add(gap_ms) => last.1 = last.1.max(to),
                _ => whole.push((from, to)),
            }
        }
        annotations.extend(whole.into_iter().map(|(from, to)| Annotation {
            panel,
            name,
            severity,
            from,
            to: (to < i64::MAX).then_some(to),
        }));
    }
    annotations.sort_by_key(|annotation| std::cmp::Reverse(annotation.from));
    annotations.truncate(OF_PANEL);
    annotations
}

/// Cache of the series that queries read, by the names of [`related_panels::series`].
#[derive(Default)]
pub struct ReadMetrics(Mutex<HashMap<String, Arc<BTreeSet<String>>>>);

impl ReadMetrics {
    /// Names of the series that a query reads.
    fn of(&self, expr: &str) -> Arc<BTreeSet<String>> {
        let mut known = self.0.lock();
        if let Some(metrics) = known.get(expr) {
            return Arc::clone(metrics);
        }
        if known.len() >= MOST_QUERIES {
            known.clear();
        }
        let metrics = Arc::new(related_panels::series(expr));
        known.insert(expr.to_owned(), Arc::clone(&metrics));
        metrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(name: &str, expr: &str) -> Alert {
        Alert {
            name: name.into(),
            expr: expr.into(),
            severity: "warning".into(),
            state: AlertState::Firing,
            fingerprint: name.into(),
            ..Alert::default()
        }
    }

    fn change(at: i64, began: bool, alert: Alert) -> FiringChange {
        FiringChange { at, began, alert: Arc::new(alert) }
    }

    fn panel(fields: &str) -> Panel {
        let json = format!(r#"{{"id":"p","title":"P","kind":"timeseries","width":12,"height":8{fields}}}"#);
        serde_json::from_str(&json).unwrap()
    }

    fn times(annotations: &[Annotation]) -> Vec<(i64, Option<i64>)> {
        annotations.iter().map(|annotation| (annotation.from, annotation.to)).collect()
    }

    #[test]
    fn a_mark_travels_as_a_series_from_its_begin_to_its_end() {
        let annotation = |to| Annotation { panel: "p", name: "A", severity: "info", from: 5, to }.series();
        assert_eq!((annotation(Some(9)).timestamps, annotation(None).timestamps), (vec![5, 9], vec![5]));
        assert_eq!(annotation(Some(9)).values.len(), 2);
        assert_eq!(annotation(None).labels.get("alertname").map(String::as_str), Some("A"));
    }

    #[test]
    fn a_span_is_from_its_begin_to_its_end_and_goes_on_while_it_fires() {
        let began_before = Alert { fired_at: Some(40), ..alert("Before", "a") };
        let changes = vec![
            change(200, true, alert("Once", "a")),
            change(250, false, alert("Once", "a")),
            change(300, false, began_before),
            change(400, true, alert("On", "a")),
        ];
        let mut found: Vec<_> = spans(changes, vec![Arc::new(alert("On", "a"))], 100, None)
            .into_iter()
            .map(|span| (span.alert.name.clone(), span.from, span.to))
            .collect();
        found.sort();
        let expected = [("Before", 40, Some(300)), ("On", 400, None), ("Once", 200, Some(250))];
        assert_eq!(found, expected.map(|(name, from, to)| (name.to_owned(), from, to)));
        let began = alert("Lost", "a");
        let lost = |until_ms| {
            let spans = spans(vec![change(200, true, began.clone())], Vec::new(), 100, until_ms);
            spans.first().map(|span| (span.from, span.to))
        };
        assert_eq!((lost(None), lost(Some(900))), (None, Some((200, Some(900)))));
        let late = vec![change(900, false, Alert { fired_at: Some(700), ..alert("Late", "a") })];
        assert_eq!(spans(late, Vec::new(), 100, None)[0].from, 700, "its begin is no longer at hand");
    }

    #[test]
    fn a_panel_has_the_alerts_that_read_what_it_reads_or_those_it_names() {
        let slow = "histogram_quantile(0.9, sum by (le) (rate(took_seconds_bucket[5m]))) > 1";
        let spans = [("Memory", "go_memstats / 2 > 1"), ("Queue", "sum(rate(queue[5m])) > 1"), ("Slow", slow)]
            .map(|(name, expr)| Span { alert: Arc::new(alert(name, expr)), from: 1, to: None });
        let names = |fields: &str| -> Vec<String> {
            let panels = [panel(fields)];
            let annotations = of_panels(&panels, &spans, 0, &ReadMetrics::default());
            annotations.into_iter().map(|annotation| annotation.name.to_owned()).collect()
        };
        assert_eq!(names(r#","queries":[{"expr":"max(go_memstats{daemon=\"a\"})"}]"#), ["Memory"]);
        assert_eq!(names(r#","queries":[{"expr":"rate(took_seconds_sum[5m])"}]"#), ["Slow"], "parts of one histogram");
        assert_eq!(names(r#","queries":[{"expr":"up"}]"#), [""; 0]);
        assert_eq!(names(r#","queries":[{"expr":"up"}],"alerts":["Queue"]"#), ["Queue"]);
    }

    #[test]
    fn alerts_of_one_name_that_fire_together_are_one_mark_and_there_are_not_too_many() {
        let span = |from, to| Span { alert: Arc::new(alert("A", "a")), from, to };
        assert_eq!(
            times(&joined("p", [span(5, Some(9)), span(1, Some(4)), span(3, Some(6)), span(20, None)].iter(), 1)),
            [(20, None), (1, Some(9))]
        );
        assert_eq!(times(&joined("p", [span(5, Some(9)), span(12, Some(14))].iter(), 3)), [(5, Some(14))]);
        let many: Vec<Span> = (0..100).map(|index| span(index * 10, Some(index * 10 + 1))).collect();
        let annotations = joined("p", many.iter(), 1);
        assert_eq!((annotations.len(), annotations[0].from), (OF_PANEL, 990));
    }
}
