//! Writes all kinds of panels in all states to stdout, with generated data, for work on the style: as a page of HTML, or as a PNG of the standalone
//! image.
//!
//! `cargo run -p app --example gallery --features ssr -- dark > gallery.html`, or `-- dark 1280 > gallery.png` for an image of 1280 pixels width

use std::{f64::consts::TAU, io::Write, sync::Arc};

use app::{
    panels::{PanelView, PanelsContext, Viewport},
    picture::{Setting, Theme, natural_height},
};
use leptos::prelude::*;
use model::{
    dashboard::{Dashboard, Panel},
    frame::{Frame, Labels, Series},
    job::{Job, JobStatus},
    live::{Alert, AlertList, AlertState},
    panel::{PanelData, QueryState, Staleness},
    range::TimeRange,
    route::Reach,
    system::SystemMetrics,
    upstream::{UpstreamKind, UpstreamState, UpstreamStatus},
    zone::Zone,
};
use serde::Deserialize;

const NOW_MS: i64 = 1_763_631_000_000;
const STEP_MS: i64 = 15_000;
const WINDOW_MS: i64 = 3_600_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let theme = std::env::args().nth(1).unwrap_or_else(|| "light".to_owned());
    if let Some(width) = std::env::args().nth(2) {
        std::io::stdout().write_all(&picture(&theme, width.parse()?)?)?;
        return Ok(());
    }
    let owner = Owner::new();
    let panels = panels()?;
    let body = owner.with(|| {
        let viewport = Viewport { start_ms: NOW_MS - WINDOW_MS, end_ms: NOW_MS, step_ms: STEP_MS, zone: Zone::UTC };
        PanelsContext::provide(Signal::stored(viewport), Signal::stored(NOW_MS + 4_000), Reach::All);
        let panels =
            panels.into_iter().map(|(panel, data)| view! { <PanelView panel=panel data=Signal::stored(data)/> });
        view! { <main class="panels">{panels.collect_view()}</main> }.to_html()
    });
    let style = include_str!("../../style/panels.css");
    println!(
        "<!doctype html><html lang=\"en\" data-theme=\"{theme}\"><meta charset=\"utf-8\"><title>Panels</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{style}\
         body{{margin:0;padding:8px;background:var(--bg);font-family:system-ui,sans-serif}}</style><body>{body}"
    );
    Ok(())
}

/// The same panels as a dashboard in one PNG.
fn picture(theme: &str, width: f32) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let (panels, data): (Vec<Panel>, Vec<PanelData>) = panels()?.into_iter().unzip();
    let theme: Theme = theme.parse().map_err(|()| "the theme is light or dark")?;
    let mut setting = Setting::new(TimeRange::last(WINDOW_MS), NOW_MS, theme, &data);
    setting.now_ms += 4_000;
    let data = panels.iter().map(|panel| panel.id.clone()).zip(data).collect();
    let dashboard =
        Dashboard { uid: "gallery".into(), title: "Every kind of panel".into(), description: String::new(), panels };
    let height = natural_height(&dashboard, width);
    let svg = app::picture::dashboard(&dashboard, &data, &setting, (width, height));
    Ok(picture::png(&svg, 1.0, 100_000_000)?)
}

fn panel(json: serde_json::Value) -> serde_json::Result<Panel> {
    Panel::deserialize(json)
}

fn wave(index: f64, base: f64, size: f64, period: f64) -> f64 {
    base + size * ((index / period * TAU).sin() + 0.4 * (index * 1.7).sin() + 0.25 * (index * 0.37).cos())
}

fn series(labels: &[(&str, &str)], value: impl Fn(f64) -> f64) -> Series {
    let timestamps: Vec<i64> = (0..=WINDOW_MS / STEP_MS).map(|index| NOW_MS - WINDOW_MS + index * STEP_MS).collect();
    Series {
        labels: Arc::new(labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()),
        values: (0..timestamps.len()).map(|index| value(f64::from(u32::try_from(index).unwrap_or(0)))).collect(),
        timestamps,
    }
}

fn instant(labels: &[(&str, &str)], value: f64) -> Series {
    let mut point = series(labels, |_| value);
    point.timestamps.drain(..point.timestamps.len() - 1);
    point.values.truncate(1);
    point
}

fn ready(series: Vec<Series>) -> QueryState {
    QueryState::Ready { frame: Frame { series, end_ms: NOW_MS, ..Frame::default() }, stale: None }
}

fn stale(series: Vec<Series>) -> QueryState {
    let stale = Staleness { since_ms: NOW_MS - 95_000, reason: "daemon-1 does not answer".into() };
    QueryState::Ready { frame: Frame { series, end_ms: NOW_MS, ..Frame::default() }, stale: Some(stale) }
}

#[allow(clippy::too_many_lines)] // a list
fn panels() -> serde_json::Result<Vec<(Panel, PanelData)>> {
    let json = |value| panel(value);
    let gibibyte = 1_073_741_824.0;
    let providers = ["vsphere", "aws", "azure", "gcp", "openstack"];
    let by_provider = |value: &dyn Fn(f64, f64) -> f64| {
        providers
            .iter()
            .zip(1..)
            .map(|(provider, number)| {
                series(&[("provider", provider)], |index| value(f64::from(number), index).max(0.0))
            })
            .collect::<Vec<_>>()
    };
    let shares = || {
        providers
            .iter()
            .zip([412.0, 233.0, 120.0, 77.0, 18.0])
            .map(|(name, value)| instant(&[("provider", name)], value))
            .collect::<Vec<_>>()
    };
    let limits =
        serde_json::json!([{"value":1_610_612_736.0,"color":"yellow"},{"value":2_147_483_648.0,"color":"red"}]);
    let query = |legend: &str| serde_json::json!({"expr":"sum(hypersdk_jobs_active)","legend":legend});
    let mut panels = vec![
        (
            json(
                serde_json::json!({"id":"active","title":"Active Jobs","description":"Jobs that run now, over all daemons.","kind":"stat","width":4,"height":4,"unit":"short","queries":[query("")]}),
            )?,
            PanelData::Queries(vec![ready(vec![series(&[], |index| wave(index, 42.0, 8.0, 90.0).round())])]),
        ),
        (
            json(
                serde_json::json!({"id":"completed","title":"Completed Jobs (24h)","kind":"stat","width":4,"height":4,"unit":"short","decimals":0,"queries":[{"expr":"x","instant":true}]}),
            )?,
            PanelData::Queries(vec![ready(vec![instant(&[], 3_412.2)])]),
        ),
        (
            json(
                serde_json::json!({"id":"failed","title":"Failed Jobs (24h)","kind":"stat","width":4,"height":4,"unit":"short","decimals":0,"thresholds":[{"value":1.0,"color":"yellow"},{"value":11.0,"color":"red"}],"queries":[query("")]}),
            )?,
            PanelData::Queries(vec![ready(vec![series(&[], |index| (index / 12.0).floor())])]),
        ),
        (
            json(
                serde_json::json!({"id":"memory-stat","title":"Memory","kind":"stat","width":4,"height":4,"unit":"bytes","queries":[query("")]}),
            )?,
            PanelData::Queries(vec![stale(vec![series(&[], |index| {
                wave(index, 1.43 * gibibyte, 0.1 * gibibyte, 60.0)
            })])]),
        ),
        (
            json(
                serde_json::json!({"id":"empty-stat","title":"Queue","kind":"stat","width":4,"height":4,"queries":[query("")]}),
            )?,
            PanelData::Queries(vec![ready(vec![])]),
        ),
        (
            json(
                serde_json::json!({"id":"gauge","title":"Job Success Rate","kind":"gauge","width":4,"height":4,"unit":"percent","min":0.0,"max":100.0,"thresholds":[{"value":0.0,"color":"red"},{"value":75.0,"color":"yellow"},{"value":90.0,"color":"green"}],"queries":[{"expr":"x","instant":true}]}),
            )?,
            PanelData::Queries(vec![ready(vec![instant(&[], 93.4)])]),
        ),
        (
            json(
                serde_json::json!({"id":"rate","title":"Job Completion Rate","kind":"timeseries","width":12,"height":7,"unit":"jobs/h","queries":[{"expr":"a","legend":"completed","color":"green"},{"expr":"b","legend":"failed","color":"red"}]}),
            )?,
            PanelData::Queries(vec![
                ready(vec![series(&[], |index| wave(index, 160.0, 30.0, 110.0))]),
                ready(vec![series(&[], |index| wave(index, 9.0, 6.0, 50.0).max(0.0))]),
            ]),
        ),
        (
            json(
                serde_json::json!({"id":"memory","title":"Memory Usage","kind":"timeseries","width":12,"height":7,"unit":"bytes","thresholds":limits,"threshold_style":"band","queries":[query("total")]}),
            )?,
            PanelData::Queries(vec![ready(vec![series(&[], |index| {
                (0.9 + index / 300.0) * gibibyte + wave(index, 0.0, 6e7, 24.0)
            })])]),
        ),
        (
            json(
                serde_json::json!({"id":"queue","title":"Queue Length & Active Jobs","kind":"timeseries","width":12,"height":7,"unit":"short","thresholds":[{"value":50.0,"color":"yellow","label":"busy"},{"value":100.0,"color":"red"}],"threshold_style":"line","queries":[{"expr":"a","legend":"queue length","stat":true},{"expr":"b","legend":"active"}]}),
            )?,
            PanelData::Queries(vec![
                stale(vec![series(&[], |index| {
                    if index > 90.0 && index < 110.0 { f64::NAN } else { wave(index, 36.0, 12.0, 70.0).round() }
                })]),
                ready(vec![series(&[], |index| wave(index, 21.0, 5.0, 120.0).round())]),
            ]),
        ),
        (
            json(
                serde_json::json!({"id":"stacked","title":"Submitted by provider","kind":"timeseries","width":12,"height":7,"unit":"jobs/min","stacked":true,"queries":[{"expr":"a","legend":"{{provider}}"}]}),
            )?,
            PanelData::Queries(vec![ready(by_provider(&|number, index| {
                wave(index, 8.0 / number, 1.5, 40.0 * number)
            }))]),
        ),
        (
            json(
                serde_json::json!({"id":"pie","title":"Jobs by Provider","kind":"pie","width":8,"height":7,"unit":"short","queries":[{"expr":"a","legend":"{{provider}}"}]}),
            )?,
            PanelData::Queries(vec![ready(shares())]),
        ),
        (
            json(
                serde_json::json!({"id":"bars","title":"Average Duration by Provider","kind":"bars","width":8,"height":7,"unit":"s","thresholds":[{"value":1800.0,"color":"yellow"}],"queries":[{"expr":"a","legend":"{{provider}}"}]}),
            )?,
            PanelData::Queries(vec![ready(
                shares()
                    .into_iter()
                    .map(|mut share| {
                        share.values.iter_mut().for_each(|value| *value *= 5.3);
                        share
                    })
                    .collect(),
            )]),
        ),
        (
            json(
                serde_json::json!({"id":"failed-query","title":"Export Throughput","kind":"timeseries","width":8,"height":7,"unit":"Bps","queries":[query("")]}),
            )?,
            PanelData::Queries(vec![QueryState::Failed { message: "prometheus: query timed out after 30 s".into() }]),
        ),
        (
            json(
                serde_json::json!({"id":"empty","title":"CPU Usage","kind":"timeseries","width":8,"height":7,"unit":"percent","queries":[{"expr":"hypersdk_cpu_usage"}]}),
            )?,
            PanelData::Queries(vec![ready(vec![])]),
        ),
        (
            json(
                serde_json::json!({"id":"loading","title":"Goroutines","kind":"timeseries","width":8,"height":7,"queries":[query("")]}),
            )?,
            PanelData::Queries(vec![QueryState::Loading]),
        ),
        (
            json(
                serde_json::json!({"id":"table","title":"Provider Performance Summary","kind":"table","width":8,"height":7,"queries":[
                {"expr":"a","legend":"Jobs"},{"expr":"b","legend":"Average","unit":"s"},
                {"expr":"c","legend":"Success","unit":"percent","thresholds":[{"value":0.0,"color":"red"},{"value":75.0,"color":"yellow"},{"value":90.0,"color":"green"}]}]}),
            )?,
            PanelData::Queries(vec![
                ready(shares()),
                ready(shares().into_iter().take(4).collect()),
                ready(
                    providers
                        .iter()
                        .zip([99.97, 92.0, 81.5, 71.0, 96.0])
                        .map(|(name, value)| instant(&[("provider", name)], value))
                        .collect(),
                ),
            ]),
        ),
        (
            json(
                serde_json::json!({"id":"heat","title":"Job Duration Heatmap","kind":"heatmap","width":12,"height":7,"unit":"s","queries":[{"expr":"a"}]}),
            )?,
            PanelData::Queries(vec![ready(buckets())]),
        ),
        (
            json(
                serde_json::json!({"id":"latency","title":"HTTP Response Time","kind":"timeseries","width":12,"height":7,"unit":"s","thresholds":[{"value":0.5,"color":"red","label":"slow"}],"threshold_style":"line","queries":[{"expr":"a","legend":"p50"},{"expr":"b","legend":"p95"},{"expr":"c","legend":"p99"}]}),
            )?,
            PanelData::Queries(
                [0.04, 0.18, 0.42]
                    .into_iter()
                    .map(|base| ready(vec![series(&[], |index| wave(index, base, base * 0.2, 33.0))]))
                    .collect(),
            ),
        ),
        (
            json(serde_json::json!({"id":"jobs","title":"Live jobs","kind":"jobs","width":16,"height":12}))?,
            PanelData::Jobs((0..400).map(job).collect()),
        ),
        (
            json(serde_json::json!({"id":"alerts","title":"Alerts","kind":"alerts","width":8,"height":6}))?,
            PanelData::Alerts(AlertList { alerts: alerts(), ..AlertList::default() }),
        ),
        (
            json(serde_json::json!({"id":"no-alerts","title":"Alerts","kind":"alerts","width":8,"height":6}))?,
            PanelData::Alerts(AlertList::default()),
        ),
        (
            json(serde_json::json!({"id":"sources","title":"Sources","kind":"sources","width":24,"height":6}))?,
            sources(),
        ),
    ];
    if let Some((_, PanelData::Queries(states))) = panels.first_mut()
        && let Some(QueryState::Ready { frame, .. }) = states.first_mut()
    {
        frame.notices.push("PromQL info: metric might not be a gauge".into());
    }
    Ok(panels)
}

fn buckets() -> Vec<Series> {
    let bounds = ["1", "2", "4", "8", "16", "32", "64", "128", "256", "512", "1024", "2048", "4096", "8192", "+Inf"];
    bounds
        .iter()
        .zip(0..)
        .map(|(bound, number)| {
            series(&[("le", bound)], |index| {
                let middle = 7.0 + 2.0 * (index / 60.0).sin();
                40.0 / (1.0 + (-(f64::from(number) - middle) * 0.9).exp()) * (1.0 + 0.3 * (index * 0.9).sin())
            })
        })
        .collect()
}

fn job(number: u32) -> Job {
    let status = match number % 9 {
        0..=3 => JobStatus::Running,
        4 => JobStatus::Pending,
        5 | 6 => JobStatus::Completed,
        7 => JobStatus::Failed,
        _ => JobStatus::Cancelled,
    };
    let percent = match status {
        JobStatus::Running if number.is_multiple_of(4) => None,
        JobStatus::Running => Some(f64::from(number * 7 % 100)),
        JobStatus::Completed => Some(100.0),
        JobStatus::Failed => Some(38.0),
        _ => None,
    };
    let started = NOW_MS - i64::from(number + 1) * 61_000;
    Job {
        id: format!("job-{number}"),
        daemon: "daemon-1".into(),
        name: format!("export-web-{number:03}"),
        vm: format!("/dc1/vm/production/web-{number:03}"),
        provider: ["vsphere", "aws", "azure", "kvm"]
            .into_iter()
            .nth(usize::try_from(number % 4).unwrap_or(0))
            .unwrap_or("gcp")
            .into(),
        job_type: Some("export".into()),
        region: None,
        status,
        cancel_requested: number % 18 == 8,
        historic: number == 14,
        phase: (status == JobStatus::Running).then(|| "copying disks".into()),
        percent,
        bytes_transferred: Some(41 << 30),
        bytes_total: Some(120 << 30),
        rate_bytes_per_second: Some(48e6 + f64::from(number) * 1e6),
        eta_seconds: percent.filter(|_| status == JobStatus::Running).map(|percent| (100.0 - percent) * 31.0),
        created_at: Some(started),
        started_at: (status != JobStatus::Pending).then_some(started),
        completed_at: status.is_final().then_some(started + 1_234_000),
        updated_at: None,
        format: None,
        export_method: None,
        output_dir: None,
        error: (status == JobStatus::Failed).then(|| "NFC lease expired: the host closed the connection".into()),
    }
}

fn alerts() -> Vec<Alert> {
    [
        ("HyperSDKHighFailureRate", "critical", AlertState::Firing),
        ("HyperSDKQueueGrowing", "warning", AlertState::Firing),
        ("HyperSDKSlowExports", "warning", AlertState::Pending),
    ]
    .into_iter()
    .map(|(name, severity, state)| Alert {
        name: name.into(),
        state,
        severity: severity.into(),
        labels: Labels::from([("instance".into(), "daemon-1".into()), ("provider".into(), "vsphere".into())]),
        summary: "More than 10 % of the jobs failed in the last 15 minutes".into(),
        description: String::new(),
        value: Some(12.0),
        active_at: Some(NOW_MS - 754_000),
        ..Alert::default()
    })
    .collect()
}

fn sources() -> PanelData {
    let states = [
        UpstreamState::Live,
        UpstreamState::Polling,
        UpstreamState::Stale,
        UpstreamState::Down,
        UpstreamState::Connecting,
    ];
    let sources = states.into_iter().zip(1..).map(|(state, number)| UpstreamStatus {
        name: format!("daemon-{number}"),
        kind: UpstreamKind::Daemon,
        state,
        since_ms: NOW_MS - 7_000_000,
        last_data_ms: Some(NOW_MS - i64::from(number - 1) * 40_000),
        reconnects: 3,
        scrape_duration_seconds: Some(0.012),
        error: (state == UpstreamState::Down).then(|| "connection refused".into()),
        detail: Some("stock 1.4.0".into()),
    });
    let system = SystemMetrics {
        daemon: "daemon-1".into(),
        cpu_percent: Some(12.5),
        memory_bytes: Some(5e8),
        ..SystemMetrics::default()
    };
    PanelData::Sources(sources.collect(), vec![system])
}
