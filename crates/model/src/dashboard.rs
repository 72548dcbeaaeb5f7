//! A dashboard as data: what the files of `dashboards/` hold and the panel components show.

use serde::{Deserialize, Serialize};

use crate::{from_members, from_word};

/// A page of panels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dashboard {
    /// Names it in URLs and tokens. Letters, digits, `-` and `_`.
    pub uid: String,
    /// Heading of the page.
    pub title: String,
    /// One sentence on what it is for.
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
    /// Names it within its dashboard: in URLs and in pages. Letters, digits, `-` and `_`.
    pub id: String,
    /// Its heading.
    pub title: String,
    /// What it tells, for a tooltip.
    #[serde(default)]
    pub description: String,
    /// How its data is shown.
    pub kind: PanelKind,
    /// Columns out of 24 that it takes on a wide screen.
    pub width: u8,
    /// Rows of about 38 px that it takes.
    pub height: u8,
    /// What it shows; empty for the kinds that have a feed of their own.
    #[serde(default)]
    pub queries: Vec<Query>,
    /// Grafana's unit id, by which values are written. See [`crate::unit`].
    #[serde(default)]
    pub unit: String,
    /// Values at which the colour changes, rising.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<Threshold>,
    /// How thresholds are drawn on a time series.
    #[serde(default)]
    pub threshold_style: ThresholdStyle,
    /// Areas on top of each other rather than lines.
    #[serde(default)]
    pub stacked: bool,
    /// Decimals of a value; by default as many as are sensible for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimals: Option<u8>,
    /// Least value of the axis or gauge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Greatest value of the axis or gauge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Names of the alerts that a time series marks; if there are none, of those whose rules read a metric that its queries read.
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
    /// Its queries over a course of which a stat shows the value now as well: the last step of a long range may be minutes old.
    pub fn courses(&self) -> impl Iterator<Item = &Query> {
        self.queries.iter().filter(|query| self.kind == PanelKind::Stat && !query.instant)
    }

    /// What is asked for it: its queries, and then the values now of its [courses](Panel::courses).
    #[must_use]
    pub fn asked(&self) -> Vec<Query> {
        let newest = self.courses().map(|query| Query { instant: true, ..query.clone() });
        self.queries.iter().cloned().chain(newest).collect()
    }

    /// A time series over the whole width, of one query and without anything that may be left out.
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
    /// One number, with a sparkline where there is a range query.
    Stat,
    /// Lines or areas over time.
    Timeseries,
    /// An arc from `min` to `max`.
    Gauge,
    /// A donut of the series' values.
    Pie,
    /// Horizontal bars of the series' values.
    Bars,
    /// Rows by label, a column a query.
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
    /// Name of the engine that answers; the first one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// Name of its series: text in which `{{label}}` stands for a label's value, and `{{label|other}}` for the value of the
    /// first of these labels that a series has.
    #[serde(default)]
    pub legend: String,
    /// Only the newest value is asked for. A stat with `instant: false` has a sparkline.
    #[serde(default)]
    pub instant: bool,
    /// A fixed colour with a meaning, instead of the next of the palette.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<Color>,
    /// Unit of this query where it differs from its panel's (columns of a table).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Thresholds of this query where they differ from its panel's (columns of a table).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<Threshold>,
    /// Shown as a number beside the chart of a time series as well.
    #[serde(default)]
    pub stat: bool,
    /// How it is drawn on a time series.
    #[serde(default)]
    pub draw: Draw,
    /// In the legend, but not drawn until the viewer picks it.
    #[serde(default)]
    pub hidden: bool,
}

from_members!(Query { expr, engine, color, unit } or_default { legend, instant, thresholds, stat, draw, hidden });

/// How a query is drawn on a time series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Draw {
    /// As the panel says: a line, or an area of the stack.
    #[default]
    Panel,
    /// A line, also over a stack.
    Line,
    /// A dashed line, also over a stack: a limit.
    Dashed,
    /// No line: the times at which the query has a value are tinted.
    Mark,
}

from_word!(Draw { "panel" => Panel, "line" => Line, "dashed" => Dashed, "mark" => Mark });

/// From `value` up, the colour is `color`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// In the panel's unit.
    pub value: f64,
    /// What it means.
    pub color: Color,
    /// Name shown at the line, for example `pool max`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
}

from_members!(Threshold { value, color } or_default { label });

/// How thresholds are drawn on a time series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThresholdStyle {
    /// Not at all: they only colour the value.
    #[default]
    None,
    /// A dashed line.
    Line,
    /// The area above, tinted.
    Band,
}

from_word!(ThresholdStyle { "none" => None, "line" => Line, "band" => Band });

/// A colour by what it means; each theme has its own shade of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Color {
    /// As it should be.
    Green,
    /// Look at it.
    Yellow,
    /// Between yellow and red.
    Orange,
    /// Act on it.
    Red,
    /// Work in progress.
    Blue,
    /// A second neutral series.
    Purple,
    /// Of no importance.
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
