//! A dashboard as data: the content of the files in `dashboards/`.

use serde::{Deserialize, Serialize};

use crate::{from_members, from_word};

/// A page of panels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dashboard {
    /// Identifier in URLs and tokens. Letters, digits, `-` and `_`.
    pub uid: String,
    /// Heading of the page.
    pub title: String,
    /// One sentence on its purpose.
    #[serde(default)]
    pub description: String,
    /// Panels in reading order, which is also their order on a phone.
    pub panels: Vec<Panel>,
}

from_members!(Dashboard { uid, title, panels } or_default { description });

/// One panel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Panel {
    /// Identifier within its dashboard, in URLs and pages. Letters, digits, `-` and `_`.
    pub id: String,
    /// Its heading.
    pub title: String,
    /// Text of the tooltip.
    #[serde(default)]
    pub description: String,
    /// How its data is shown.
    pub kind: PanelKind,
    /// Width on a wide screen, in columns out of 24.
    pub width: u8,
    /// Height, in rows of about 38 px.
    pub height: u8,
    /// Its queries; empty for kinds with their own data.
    #[serde(default)]
    pub queries: Vec<Query>,
    /// Grafana's unit ID, which formats values. See [`crate::unit`].
    #[serde(default)]
    pub unit: String,
    /// Values at which the colour changes, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<Threshold>,
    /// How thresholds are drawn on a time series.
    #[serde(default)]
    pub threshold_style: ThresholdStyle,
    /// Whether to stack areas rather than draw lines.
    #[serde(default)]
    pub stacked: bool,
    /// Number of decimals; by default chosen by the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimals: Option<u8>,
    /// Minimum of the axis or gauge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Maximum of the axis or gauge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Names of the alerts to annotate on a time series; if empty, the alerts whose rules read a metric that the
    /// panel's queries read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<String>,
}

from_members!(Panel { id, title, kind, width, height, decimals, min, max } or_default {
    description,
    queries,
    unit,
    thresholds,
    threshold_style,
    stacked,
    alerts,
});

impl Panel {
    /// Range queries of a stat, whose current value is queried separately: the last step of a long range may be minutes
    /// old.
    pub fn courses(&self) -> impl Iterator<Item = &Query> {
        self.queries.iter().filter(|query| self.kind == PanelKind::Stat && !query.instant)
    }

    /// All queries to evaluate: the panel's own, then the current values of its [range queries](Panel::courses).
    #[must_use]
    pub fn asked(&self) -> Vec<Query> {
        let newest = self.courses().map(|query| Query { instant: true, ..query.clone() });
        self.queries.iter().cloned().chain(newest).collect()
    }

    /// A time series panel of full width with one query and defaults for the rest.
    #[must_use]
    pub fn timeseries(id: &str, title: &str, height: u8, query: Query) -> Self {
        Panel {
            id: id.to_owned(),
            title: title.to_owned(),
            description: String::new(),
            kind: PanelKind::Timeseries,
            width: 24,
            height,
            queries: vec![query],
            unit: String::new(),
            thresholds: Vec::new(),
            threshold_style: ThresholdStyle::default(),
            stacked: false,
            decimals: None,
            min: None,
            max: None,
            alerts: Vec::new(),
        }
    }
}

/// How a panel shows its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PanelKind {
    /// One number, with a sparkline if it has a range query.
    Stat,
    /// Lines or areas over time.
    Timeseries,
    /// An arc from `min` to `max`.
    Gauge,
    /// A donut of the series' values.
    Pie,
    /// Horizontal bars of the series' values.
    Bars,
    /// Rows by label, one column per query.
    Table,
    /// Buckets over time.
    Heatmap,
    /// The live jobs.
    Jobs,
    /// Alerts that are pending or firing.
    Alerts,
    /// State of the sources.
    Sources,
}

from_word!(PanelKind {
    "stat" => Stat,
    "timeseries" => Timeseries,
    "gauge" => Gauge,
    "pie" => Pie,
    "bars" => Bars,
    "table" => Table,
    "heatmap" => Heatmap,
    "jobs" => Jobs,
    "alerts" => Alerts,
    "sources" => Sources,
});

/// One query of a panel.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// PromQL.
    pub expr: String,
    /// Name of the engine; the default engine if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// Legend of its series: `{{label}}` is replaced by the label's value, and `{{label|other}}` by the value of the
    /// first of these labels that the series has.
    #[serde(default)]
    pub legend: String,
    /// Only query the current value. A stat with `instant: false` has a sparkline.
    #[serde(default)]
    pub instant: bool,
    /// A fixed colour with a meaning, instead of the next one of the palette.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<Color>,
    /// Unit of this query if it differs from the panel's (columns of a table).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Thresholds of this query if they differ from the panel's (columns of a table).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<Threshold>,
    /// Whether to show its value as a number beside the time series too.
    #[serde(default)]
    pub stat: bool,
    /// How it is drawn on a time series.
    #[serde(default)]
    pub draw: Draw,
    /// Whether its series are hidden until the viewer selects them in the legend.
    #[serde(default)]
    pub hidden: bool,
}

from_members!(Query { expr, engine, color, unit } or_default { legend, instant, thresholds, stat, draw, hidden });

/// How a query is drawn on a time series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Draw {
    /// As the panel's other series: a line, or an area of the stack.
    #[default]
    Panel,
    /// A line, also over a stack.
    Line,
    /// A dashed line, also over a stack: a limit.
    Dashed,
    /// No line, but the background at times where the query has a value is tinted.
    Mark,
}

from_word!(Draw { "panel" => Panel, "line" => Line, "dashed" => Dashed, "mark" => Mark });

/// Values from `value` on have the colour `color`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// In the panel's unit.
    pub value: f64,
    /// Colour.
    pub color: Color,
    /// Label at the line, for example `pool max`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
}

from_members!(Threshold { value, color } or_default { label });

/// How thresholds are drawn on a time series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThresholdStyle {
    /// Not drawn: they only colour the value.
    #[default]
    None,
    /// A dashed line.
    Line,
    /// The area above, tinted.
    Band,
}

from_word!(ThresholdStyle { "none" => None, "line" => Line, "band" => Band });

/// A colour by meaning; each theme has its own shade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Color {
    /// Good.
    Green,
    /// Needs a look.
    Yellow,
    /// Between yellow and red.
    Orange,
    /// Needs action.
    Red,
    /// Work in progress.
    Blue,
    /// A second neutral series.
    Purple,
    /// Unimportant.
    Gray,
}

from_word!(Color {
    "green" => Green,
    "yellow" => Yellow,
    "orange" => Orange,
    "red" => Red,
    "blue" => Blue,
    "purple" => Purple,
    "gray" => Gray,
});
