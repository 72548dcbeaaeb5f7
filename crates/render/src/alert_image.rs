//! Images of alerts: the related panel, or otherwise a chart of the expression with its threshold.

use std::sync::Arc;

use access::Scope;
use app::picture::{Setting, Theme, severity_color};
use dashboards::{DashboardRegistry, related_panels as concern};
use datasource::{Engines, fixed};
use model::{
    dashboard::{Color, Panel, PanelKind, Query, Threshold, ThresholdStyle},
    panel::{PanelData, QueryState},
    range::{Instant, TimeRange},
};
use notify::AlertSubject;

use crate::{Format, PictureFailure, Pictures, RenderRequest, data, draw::Subject};

/// Width and height in units.
const SIZE: (u32, u32) = (720, 340);
/// Pixels per unit, for phones with high resolution.
const ZOOM: f32 = 2.0;
/// Time shown before the start of an alert.
const BEFORE_MS: i64 = 30 * 60_000;
/// Minimum and maximum length of the time range.
const WINDOW_MS: (i64, i64) = (3_600_000, 24 * 3_600_000);

/// The colour of an alert's severity.
fn color(subject: &AlertSubject) -> Color {
    severity_color(subject.labels.get("severity").map_or("", String::as_str))
}

/// Draws images of alerts. Cheap to clone.
#[derive(Clone)]
pub struct AlertPictures(Arc<Parts>);

struct Parts {
    pictures: Pictures,
    engines: Engines,
    /// The dashboards as they are now.
    library: Box<dyn Fn() -> DashboardRegistry + Send + Sync>,
}

impl AlertPictures {
    /// With the panels of the dashboards that `library` returns and the data of `engines`.
    #[must_use]
    pub fn new(
        pictures: Pictures,
        engines: Engines,
        library: impl Fn() -> DashboardRegistry + Send + Sync + 'static,
    ) -> Self {
        AlertPictures(Arc::new(Parts { pictures, engines, library: Box::new(library) }))
    }

    /// The PNG of an alert. Its size is `SIZE` times `ZOOM`.
    pub async fn draw(&self, subject: &AlertSubject) -> Result<Vec<u8>, PictureFailure> {
        let _begun = self.0.pictures.begin()?;
        let (panel, data, range) = self.panel(subject).await;
        let setting = Setting::new(range, subject.until_ms, Theme::Light, [&data]);
        let order = RenderRequest { what: Subject::Panel(Box::new(panel), data), setting, size: SIZE, zoom: ZOOM };
        self.0.pictures.draw(order, Format::Png).await
    }

    /// The panel related to an alert if there is one with data, otherwise a chart of its expression.
    async fn panel(&self, subject: &AlertSubject) -> (Panel, PanelData, TimeRange) {
        let (least, most) = WINDOW_MS;
        let window_ms = subject.until_ms.saturating_sub(subject.since_ms).saturating_add(BEFORE_MS).clamp(least, most);
        let range = TimeRange {
            from: Instant::At(subject.until_ms.saturating_sub(window_ms)),
            to: Instant::At(subject.until_ms),
        };
        let library = (self.0.library)();
        let behind = concern::best(library.all(), &subject.expr).map(|(_, panel)| panel);
        if let Some(panel) = behind.filter(|panel| panel.kind == PanelKind::Timeseries) {
            let mut states = Vec::with_capacity(panel.queries.len());
            for query in &panel.queries {
                states.push(self.evaluate(query, range, subject.until_ms).await);
            }
            let has_points = |state: &QueryState| matches!(state, QueryState::Ready { frame, .. } if !frame.is_empty());
            if states.iter().any(has_points) {
                return (behind_alert(panel, subject), PanelData::Queries(states), range);
            }
        }
        let panel = own_panel(subject);
        let mut states = Vec::new();
        for query in &panel.queries {
            let state = self.evaluate(query, range, subject.until_ms).await;
            states.push(data::narrowed(state, &subject.labels));
        }
        (panel, PanelData::Queries(states), range)
    }

    async fn evaluate(&self, query: &Query, range: TimeRange, now_ms: i64) -> QueryState {
        fixed::state(&self.0.engines, &Scope::all(), query, range, now_ms).await
    }
}

/// A copy of the panel related to an alert, with both titles, and with the rule's threshold for one of its queries.
fn behind_alert(panel: &Panel, subject: &AlertSubject) -> Panel {
    let mut panel = panel.clone();
    panel.title = format!("{}: {}", subject.name, panel.title);
    let plain = |expr: &str| expr.split_whitespace().collect::<String>();
    let compared = rules::Threshold::of(&subject.expr)
        .filter(|threshold| panel.queries.iter().any(|query| plain(&query.expr) == plain(&threshold.expr)));
    if let Some(threshold) = compared {
        let value = threshold.value;
        let line = Threshold { value, color: color(subject), label: subject.name.clone() };
        // The rule's threshold replaces the panel's own one with the same value.
        panel.thresholds.retain(|own| own.value != value);
        let place = panel.thresholds.partition_point(|own| own.value < value);
        panel.thresholds.insert(place, line);
        if panel.threshold_style == ThresholdStyle::None {
            panel.threshold_style = ThresholdStyle::Line;
        }
    }
    panel
}

/// A chart of a rule's expression, with its threshold.
fn own_panel(subject: &AlertSubject) -> Panel {
    let threshold = rules::Threshold::of(&subject.expr);
    let line = |threshold: &rules::Threshold| Threshold {
        value: threshold.value,
        color: color(subject),
        label: format!("{} {}", threshold.op, threshold.value),
    };
    let thresholds = threshold.iter().map(line).collect();
    let query = Query {
        expr: threshold.map_or_else(|| subject.expr.clone(), |threshold| threshold.expr),
        color: Some(Color::Blue),
        ..Query::default()
    };
    Panel { thresholds, threshold_style: ThresholdStyle::Line, ..Panel::timeseries("alert", &subject.name, 8, query) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panel_shows_the_number_that_its_query_is_compared_with() {
        let library = DashboardRegistry::load(None).unwrap();
        let subject = |expr: &str| AlertSubject {
            name: "Leak".into(),
            expr: expr.into(),
            labels: std::collections::BTreeMap::new(),
            since_ms: 0,
            until_ms: 0,
        };
        let shown = |expr: &str| {
            let (_, panel) = concern::best(library.all(), expr).unwrap();
            behind_alert(panel, &subject(expr))
        };
        let panel = shown("hypersdk_goroutines > 1500");
        assert_eq!(panel.title, "Leak: Goroutines");
        let values: Vec<f64> = panel.thresholds.iter().map(|threshold| threshold.value).collect();
        assert_eq!(values, [1_000.0, 1_500.0, 2_000.0]);
        assert_eq!(shown("hypersdk_goroutines > 1000").thresholds[0].label, "Leak");
        let other = shown("rate(hypersdk_goroutines[5m]) > 7");
        assert!(other.thresholds.iter().all(|threshold| threshold.label != "Leak"), "another number");
    }

    #[test]
    fn a_rule_without_a_panel_is_shown_with_its_threshold() {
        let subject = AlertSubject {
            name: "DiskFull".into(),
            expr: "disk_free_bytes / disk_bytes < 0.1".into(),
            labels: std::collections::BTreeMap::new(),
            since_ms: 0,
            until_ms: 0,
        };
        let panel = own_panel(&subject);
        assert_eq!(panel.queries[0].expr, "disk_free_bytes / disk_bytes");
        assert_eq!((panel.thresholds[0].value, panel.thresholds[0].label.as_str()), (0.1, "< 0.1"));
        let whole = own_panel(&AlertSubject { expr: "absent(up)".into(), ..subject });
        assert_eq!(whole.queries[0].expr, "absent(up)");
        assert!(whole.thresholds.is_empty());
    }
}
