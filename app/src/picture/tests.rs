//! Tests of the content of images of each panel kind, and that they can be rasterized.

use model::{
    dashboard::Panel,
    frame::{Frame, Labels, Series},
    job::JobStatus,
    live::{Alert, AlertList, AlertState},
    panel::{PanelData, QueryState, Staleness},
    range::{Instant, TimeRange},
    upstream::{UpstreamKind, UpstreamState, UpstreamStatus},
};

use super::{Setting, Theme};
use crate::panels::{
    jobs::order::tests::job,
    tests::{NOW_MS, queries, series},
};

const SIZE: (f32, f32) = (600.0, 300.0);

/// The SVG of a panel. It is also rasterized, which shows that it is valid.
fn svg(kind: &str, fields: &str, data: &PanelData) -> String {
    sized(kind, fields, data, SIZE)
}

fn sized(kind: &str, fields: &str, data: &PanelData, size: (f32, f32)) -> String {
    let json = format!(r#"{{"id":"p","title":"Title & more","kind":"{kind}","width":12,"height":8{fields}}}"#);
    let panel: Panel = serde_json::from_str(&json).unwrap();
    let range = TimeRange { from: Instant::At(NOW_MS - 60_000), to: Instant::At(NOW_MS) };
    let setting = Setting::new(range, NOW_MS, Theme::Light, [data]);
    let svg = super::panel(&panel, data, &setting, size);
    picture::png(&svg, 0.5, 1_000_000).unwrap();
    svg
}

fn two() -> PanelData {
    queries(vec![series(("provider", "aws"), &[1.0, 2.0, 3.0]), series(("provider", "kvm"), &[4.0, 5.0, 6.5])])
}

fn has(svg: &str, parts: &[&str]) {
    for part in parts {
        assert!(svg.contains(part), "{part} is not in {svg}");
    }
}

const QUERY: &str = r#","unit":"s","queries":[{"expr":"a > 1","legend":"{{provider}}"}]"#;
const SECOND_SERIES: &str = "#c76a00";

#[test]
fn a_chart_has_title_time_axes_legend_and_lines_in_its_colours() {
    let svg = svg("timeseries", QUERY, &two());
    has(&svg, &["Title &amp; more", "Nov 14 22:12 to 22:13 UTC", ">8 s<", "22:13", ">aws<", ">kvm<", ">6.5 s<"]);
    has(&svg, &[&format!("stroke=\"{SECOND_SERIES}\"")]);
    let named =
        format!(r#"{QUERY},"threshold_style":"line","thresholds":[{{"value":5,"color":"red","label":"most"}}]"#);
    has(&self::svg("timeseries", &named, &two()), &["stroke-dasharray", ">most<", "#c3261f"]);
}

#[test]
fn a_legend_that_does_not_fit_says_how_many_entries_it_leaves_out() {
    let many: Vec<Series> =
        (0..60).map(|number| series(("provider", &format!("a-provider-{number}")), &[1.0, 2.0])).collect();
    let svg = svg("timeseries", QUERY, &queries(many));
    has(&svg, &["a-provider-0", ">and "]);
    assert!(!svg.contains("a-provider-59"));
}

#[test]
fn numbers_shares_and_bars_have_their_values() {
    let limits = r#","unit":"short","thresholds":[{"value":2,"color":"yellow"},{"value":3,"color":"red"}],"queries":[{"expr":"a","legend":"{{provider}}"}]"#;
    has(
        &svg("stat", limits, &queries(vec![series(("provider", "aws"), &[1.0, 7.0])])),
        &[">7<", "#c3261f", "<polygon"],
    );
    has(&svg("stat", QUERY, &two()), &[">3<", ">6.5<", ">aws<", ">kvm<"]);
    let bounds = format!(r#"{limits},"min":0,"max":10"#);
    has(&svg("gauge", &bounds, &queries(vec![series(("provider", "aws"), &[7.0])])), &[">7<", ">0<", ">10<"]);
    has(&svg("pie", QUERY, &two()), &[">9.5 s<", ">total<", ">aws<", ">32%<", ">68%<"]);
    has(&svg("bars", QUERY, &two()), &[">aws<", ">6.5 s<", "<rect"]);
    has(&svg("table", QUERY, &two()), &[">Provider<", ">kvm<", ">6.5 s<"]);
}

#[test]
fn values_that_do_not_fit_are_counted() {
    let many = || {
        let name = |number: usize| format!("p{number}");
        queries((1..=40).map(|number| series(("provider", &name(number)), &[1.0])).collect())
    };
    has(&svg("gauge", QUERY, &two()), &[">aws<", ">kvm<", ">3<", ">6.5<"]);
    has(&svg("gauge", QUERY, &many()), &[">p1<", ">p2<", ">and "]);
    has(&svg("stat", QUERY, &many()), &[">p1<", ">p20<", ">and "]);
}

#[test]
fn no_series_is_named_by_its_expression() {
    let bare = r#","queries":[{"expr":"a > 1"},{"expr":"a > 2"}]"#;
    let one = |value| QueryState::Ready {
        frame: Frame {
            series: vec![Series { timestamps: vec![NOW_MS], values: vec![value], ..Series::default() }],
            ..Frame::default()
        },
        stale: None,
    };
    let data = PanelData::Queries(vec![one(1.0), one(2.0)]);
    for kind in ["stat", "gauge", "timeseries", "pie", "bars", "table"] {
        let svg = svg(kind, bare, &data);
        assert!(!svg.contains("a &gt;") && svg.contains("(query "), "{kind}: {svg}");
    }
}

#[test]
fn a_heatmap_has_cells_and_bounds() {
    let buckets = queries(vec![series(("le", "1"), &[2.0, 3.0]), series(("le", "+Inf"), &[5.0, 9.0])]);
    has(&svg("heatmap", QUERY, &buckets), &[">1 s<", ">few<", ">many<", "#0a305c"]);
}

#[test]
fn a_value_from_incomplete_data_has_a_remark() {
    let data = || {
        let frame = Frame {
            series: vec![series(("provider", "aws"), &[1.0, 2.0])],
            remarks: vec!["6 h of 24 h stored".into()],
            ..Frame::default()
        };
        let state = QueryState::Ready { frame, stale: None };
        PanelData::Queries(vec![state.clone(), state])
    };
    let twice = r#","queries":[{"expr":"a","legend":"a"},{"expr":"b","legend":"b"}]"#;
    for kind in ["stat", "gauge", "timeseries", "pie", "bars", "table"] {
        let svg = svg(kind, twice, &data());
        assert_eq!(svg.matches(">6 h of 24 h stored<").count(), 1, "{kind}: {svg}");
    }
}

#[test]
fn a_panel_without_data_says_why() {
    let failed = PanelData::Queries(vec![QueryState::Failed { message: "the source timed out".into() }]);
    has(&svg("timeseries", QUERY, &failed), &["Query failed", "the source timed out", "shorter time range"]);
    let absent = svg("timeseries", QUERY, &queries(vec![]));
    has(&absent, &["No data", "The series is absent.", "No source has it in this time."]);
    assert!(!absent.contains("a &gt; 1"), "words, not an expression: {absent}");
    has(&svg("stat", QUERY, &PanelData::Queries(vec![QueryState::Loading])), &["No answer yet"]);
    let stale = Staleness { since_ms: NOW_MS - 90_000, reason: "d1 is silent".into() };
    let frame = Frame { series: vec![series(("provider", "aws"), &[1.0, 2.0])], ..Frame::default() };
    let old = PanelData::Queries(vec![QueryState::Ready { frame, stale: Some(stale) }]);
    has(&svg("timeseries", QUERY, &old), &["stale, 1 min 30 s old", "opacity=\"0.45\""]);
}

#[test]
fn as_many_jobs_sources_and_alerts_are_listed_as_fit() {
    let jobs = PanelData::Jobs((0..200).map(|number| job(&format!("n{number}"), JobStatus::Running, "aws")).collect());
    has(&sized("jobs", "", &jobs, (1_200.0, 300.0)), &["export n0", "\u{25b6} running", ">Provider<", " rows more<"]);
    let narrow = sized("jobs", "", &jobs, (400.0, 300.0));
    assert!(!narrow.contains(">Provider<") && narrow.contains("running"));
    has(&svg("jobs", "", &PanelData::Jobs(vec![])), &["No jobs"]);
    let source = UpstreamStatus {
        name: "d1".into(),
        kind: UpstreamKind::Daemon,
        state: UpstreamState::Down,
        since_ms: NOW_MS - 5_000,
        last_data_ms: None,
        reconnects: 2,
        scrape_duration_seconds: None,
        error: Some("connection refused".into()),
        detail: None,
    };
    let sources = PanelData::Sources(vec![source], vec![]);
    has(&sized("sources", "", &sources, (1_200.0, 300.0)), &["down", ">d1<", "for 5 s", "never", "connection refused"]);
    let alert = |name: &str| Alert {
        name: name.into(),
        state: AlertState::Firing,
        severity: "critical".into(),
        labels: Labels::from([("daemon".into(), "d1".into())]),
        summary: "The queue grows".into(),
        active_at: Some(NOW_MS - 60_000),
        ..Alert::default()
    };
    let list = |alerts: Vec<Alert>| PanelData::Alerts(AlertList { alerts, ..AlertList::default() });
    let few = svg("alerts", "", &list(vec![alert("QueueGrowing")]));
    has(&few, &["QueueGrowing", "\u{25c6} critical", "firing for 1 min", "The queue grows", "daemon=d1"]);
    has(&svg("alerts", "", &list((0..30).map(|_| alert("A")).collect())), &[">and 2"]);
    has(&svg("alerts", "", &list(vec![])), &["All quiet"]);
    let unknown = |alerts| {
        PanelData::Alerts(AlertList { alerts, unavailable: Some("p1 is down".into()), ..AlertList::default() })
    };
    has(&svg("alerts", "", &unknown(vec![])), &["Alerts are unknown", "p1 is down"]);
    has(&svg("alerts", "", &unknown(vec![alert("A")])), &["Not all are known: p1 is down", ">A<"]);
}
