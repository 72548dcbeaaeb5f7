//! Tests of the panels' HTML from the server.

use crate::view::view;
use leptos::prelude::*;
use model::{
    dashboard::Panel,
    frame::{Frame, Labels, Series},
    job::JobStatus,
    live::{Alert, AlertList, AlertState},
    panel::{PanelData, QueryState, Staleness},
    route::Reach,
    upstream::{UpstreamKind, UpstreamState, UpstreamStatus},
    zone::Zone,
};

use super::{PanelView, PanelsContext, Viewport, jobs::order::tests::job, loading};

pub(crate) const NOW_MS: i64 = 1_700_000_000_000;

fn html(kind: &str, fields: &str, data: impl FnOnce(&Panel) -> PanelData) -> String {
    let json = format!(r#"{{"id":"p1","title":"Title & more","kind":"{kind}","width":12,"height":8{fields}}}"#);
    let panel: Panel = serde_json::from_str(&json).unwrap();
    let data = data(&panel);
    Owner::new().with(|| {
        let viewport = Viewport { start_ms: NOW_MS - 60_000, end_ms: NOW_MS, step_ms: 15_000, zone: Zone::UTC };
        PanelsContext::provide(Signal::stored(viewport), Signal::stored(NOW_MS), Reach::All);
        view! { <PanelView panel=panel data=Signal::stored(data)/> }.to_html()
    })
}

pub(crate) fn series(label: (&str, &str), values: &[f64]) -> Series {
    let count = i64::try_from(values.len()).unwrap();
    Series {
        labels: Labels::from([(label.0.to_owned(), label.1.to_owned())]).into(),
        timestamps: (0..count).map(|index| NOW_MS - (count - 1 - index) * 15_000).collect(),
        values: values.to_vec(),
    }
}

fn ready(series: Vec<Series>) -> QueryState {
    QueryState::Ready { frame: Frame { series, ..Frame::default() }, stale: None }
}

pub(crate) fn queries(series: Vec<Series>) -> PanelData {
    PanelData::Queries(vec![ready(series)])
}

fn has(html: &str, parts: &[&str]) {
    for part in parts {
        assert!(html.contains(part), "{part} is not in {html}");
    }
}

const QUERY: &str = r#","unit":"s","queries":[{"expr":"a > 1","legend":"{{provider}}"}]"#;

#[test]
fn the_heading_and_the_menu_have_title_and_query() {
    let html = html("stat", &format!(r#","description":"What it tells"{QUERY}"#), loading);
    has(&html, &["id=\"panel-p1\"", "Title &amp; more", "What it tells", "a &gt; 1", "--w:12;--h:8", "Loading"]);
}

#[test]
fn a_stat_has_its_value_and_a_sparkline() {
    let html = html("stat", QUERY, |_| queries(vec![series(("provider", "aws"), &[1.0, 2.0, 0.012_3])]));
    has(&html, &["12.3", " ms", "<svg class=\"spark\""]);
}

#[test]
fn a_chart_has_axes_a_legend_and_an_svg() {
    let html = html("timeseries", QUERY, |_| {
        queries(vec![series(("provider", "aws"), &[1.0, 2.0, 3.0]), series(("provider", "kvm"), &[4.0, 5.0, 6.5])])
    });
    has(&html, &["<svg class=\"plot\"", "ink-series-2", "aws", "6.5 s", "8 s", "22:13:10", "aria-pressed=\"true\""]);
}

#[test]
fn values_of_other_kinds_are_text() {
    let data = || queries(vec![series(("provider", "aws"), &[30.0]), series(("provider", "<kvm>"), &[90.0])]);
    has(&html("gauge", QUERY, |_| data()), &["30", "<svg class=\"gauge-arc\""]);
    has(&html("pie", QUERY, |_| data()), &["<svg class=\"donut\"", "&lt;kvm&gt;", "75%", "2 min"]);
    has(&html("bars", QUERY, |_| data()), &["width:33.33%", "1 min 30 s"]);
    has(&html("table", QUERY, |_| data()), &["Provider", "&lt;kvm&gt;", "1 min 30 s"]);
    let buckets = queries(vec![series(("le", "1"), &[1.0, 2.0]), series(("le", "+Inf"), &[4.0, 2.0])]);
    has(&html("heatmap", QUERY, |_| buckets), &["plot-heat", "ink-heat-8", "1 s"]);
}

/// `count` series with the values 1, 2 and so on.
fn many(count: usize) -> PanelData {
    let name = |number: usize| format!("p{number}");
    let value = |number| f64::from(u32::try_from(number).unwrap());
    queries((1..=count).map(|number| series(("provider", &name(number)), &[value(number)])).collect())
}

#[test]
fn every_series_has_its_own_value_or_is_counted_as_not_shown() {
    let arcs = |html: &str| html.matches("class=\"gauge-arc\"").count();
    let two = html("gauge", QUERY, |_| many(2));
    has(&two, &[">p1<", ">p2<"]);
    assert_eq!(arcs(&two), 2);
    let lots = html("gauge", QUERY, |_| many(40));
    assert_eq!(arcs(&lots), 18);
    has(&lots, &[">p18<", "and 22 more"]);
    let numbers = html("stat", QUERY, |_| many(90));
    has(&numbers, &[">p36<", "and 54 more"]);
    let two = queries(vec![series(("provider", "aws"), &[1.0, 2.0]), series(("provider", "kvm"), &[3.0, 4.0])]);
    let two = html("stat", QUERY, |_| two);
    assert!(!two.contains("class=\"spark\""), "a course of one below both would pass for that of both");
    assert!(!numbers.contains(">p37<"));
    let alone = html("gauge", QUERY, |_| many(1));
    assert!(!alone.contains(">p1<") && !alone.contains("cells-more"), "alone, it needs no name");
}

#[test]
fn a_pie_sums_all_series_and_bars_count_the_rest() {
    let pie = html("pie", r#","queries":[{"expr":"a","legend":"{{provider}}"}]"#, |_| many(120));
    has(&pie, &["7.26 K", ">20 more<", ">p100<"]);
    let bars = html("bars", QUERY, |_| many(120));
    has(&bars, &[">p100<", "and 20 more"]);
}

#[test]
fn no_series_is_named_by_its_expression() {
    let bare = r#","queries":[{"expr":"a > 1"},{"expr":"a > 2","legend":"{{absent}}"}]"#;
    let data = || {
        let one = |value| ready(vec![Series { timestamps: vec![NOW_MS], values: vec![value], ..Series::default() }]);
        PanelData::Queries(vec![one(1.0), one(2.0)])
    };
    for kind in ["stat", "gauge", "timeseries", "pie", "bars", "table"] {
        let html = html(kind, bare, |_| data());
        let body = html.split_once("panel-picture").unwrap().1;
        assert!(!body.contains("a &gt;"), "{kind}: {body}");
        has(body, &["Title &amp; more (query 1)", "Title &amp; more (query 2)"]);
    }
}

#[test]
fn a_value_from_incomplete_data_has_a_remark() {
    let remarked = |series| {
        let frame = Frame { series, remarks: vec!["6 h of 24 h stored".into()], ..Frame::default() };
        PanelData::Queries(vec![QueryState::Ready { frame, stale: None }])
    };
    let html = |series: Vec<Series>| html("stat", QUERY, |_| remarked(series));
    has(&html(vec![series(("provider", "aws"), &[1.0])]), &[">6 h of 24 h stored<"]);
    assert!(!html(vec![]).contains("stored"), "nothing is not less than it should be");
}

#[test]
fn each_state_of_a_panel_has_its_own_message() {
    let state = |state: QueryState| html("timeseries", QUERY, |_| PanelData::Queries(vec![state]));
    has(&state(QueryState::Loading), &["message-loading"]);
    let absent = state(ready(vec![]));
    has(&absent, &["message-empty", "No data", "The series is absent.", "No source has it in this time."]);
    let body = absent.split_once("panel-body").unwrap().1;
    assert!(!body.contains("a &gt; 1"), "words, not an expression: {body}");
    let frame = Frame { notices: vec!["hypervisord does not report CPU usage.".into()], ..Frame::default() };
    let told = QueryState::Ready { frame, stale: None };
    // A small panel has room for one line: the notice.
    has(
        &html("gauge", QUERY, |_| PanelData::Queries(vec![told.clone()])),
        &["class=\"message-text\">hypervisord does not report CPU usage."],
    );
    has(
        &state(QueryState::Failed { message: "timed out".into() }),
        &["message-failed", "timed out", "shorter time range"],
    );
    let stale = Staleness { since_ms: NOW_MS - 90_000, reason: "d1 is silent".into() };
    let frame = Frame { series: vec![series(("provider", "aws"), &[1.0])], ..Frame::default() };
    has(
        &state(QueryState::Ready { frame, stale: Some(stale) }),
        &["is-stale", "stale, 1 min 30 s old", "d1 is silent"],
    );
}

#[test]
fn only_the_first_jobs_are_in_the_page() {
    let jobs = (0..200).map(|number| job(&format!("n{number}"), JobStatus::Running, "aws")).collect();
    let html = html("jobs", "", |_| PanelData::Jobs(jobs));
    has(
        &html,
        &[
            "200 jobs",
            "href=\"/jobs/d1/n0\"",
            "export n17",
            "height:6188px",
            "The first 18 of 200 jobs",
            "running",
            "percentage unknown",
        ],
    );
    assert!(!html.contains("export n18"));
}

#[test]
fn the_states_of_alerts_and_sources_are_in_words() {
    let alert = Alert {
        name: "QueueGrowing".into(),
        state: AlertState::Firing,
        severity: "warning".into(),
        labels: Labels::new(),
        summary: "The queue grows".into(),
        description: String::new(),
        value: None,
        active_at: Some(NOW_MS - 60_000),
        ..Alert::default()
    };
    let list = |alerts, unavailable| PanelData::Alerts(AlertList { alerts, unavailable, without_rules: false });
    let lost = || Some("engine is gone".to_owned());
    let known = vec![alert.clone()];
    has(&html("alerts", "", |_| list(known, lost())), &["Not all are known: ", "engine is gone", "QueueGrowing"]);
    let away = Alert { stale_since: Some(NOW_MS - 20_000), ..alert.clone() };
    has(&html("alerts", "", |_| list(vec![away], None)), &["firing for 40 s", "last known 20 s ago"]);
    has(&html("alerts", "", |_| list(vec![alert], None)), &["QueueGrowing", "warning", "firing for 1 min"]);
    has(&html("alerts", "", |_| list(vec![], None)), &["All quiet"]);
    has(&html("alerts", "", |_| list(vec![], lost())), &["message-failed", "Alerts are unknown", "engine is gone"]);
    let bare = || PanelData::Alerts(AlertList { without_rules: true, ..AlertList::default() });
    has(&html("alerts", "", |_| bare()), &["message-empty", "No alerts to show", "--rules"]);
    let before = || {
        let unavailable = Some("the history of alerts begins later".into());
        PanelData::Alerts(AlertList { unavailable, without_rules: true, ..AlertList::default() })
    };
    has(&html("alerts", "", |_| before()), &["message-empty", "Alerts are unknown", "begins later"]);
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
    has(
        &html("sources", "", |_| PanelData::Sources(vec![source], vec![])),
        &["down", "for 5 s", "never", "connection refused"],
    );
}
