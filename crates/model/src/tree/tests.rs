use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};

use super::*;
use crate::{
    dashboard::{Color, Dashboard, Draw, Panel, PanelKind, Query, Threshold, ThresholdStyle},
    frame::{Frame, Labels, Series},
    job::{Job, JobDetail, JobLogEntry, JobStatus},
    live::{
        Alert, AlertList, AlertState, AlertThreshold, Event, FiringCount, JobKey, JobProgress, JobTransition,
        ServerMessage, SnapshotData,
    },
    page::{Boot, DashboardLink, Session},
    range::{Instant, TimeRange},
    role::Role,
    severity::Severity,
    system::SystemMetrics,
    upstream::{UpstreamKind, UpstreamState, UpstreamStatus},
};

/// The tree reads the same value from what serde writes in either format.
#[track_caller]
fn reads_back<T: Serialize + FromTree + PartialEq + Debug>(value: &T) {
    let json = serde_json::to_string(value).unwrap();
    assert_eq!(read_json::<T>(&json).as_ref(), Ok(value), "{json}");
    let mut cbor = Vec::new();
    ciborium::into_writer(value, &mut cbor).unwrap();
    assert_eq!(read_cbor::<T>(&cbor).as_ref(), Ok(value), "{json} as CBOR");
}

/// The same members may be missing for serde, which reads files and other servers' messages, and for the tree.
#[track_caller]
fn needs_the_same<T: Serialize + FromTree + DeserializeOwned>(value: &T) {
    let serde_json::Value::Object(members) = serde_json::to_value(value).unwrap() else { panic!("no object") };
    for left_out in members.keys() {
        let mut fewer = members.clone();
        fewer.remove(left_out);
        let text = serde_json::Value::Object(fewer).to_string();
        assert_eq!(
            serde_json::from_str::<T>(&text).is_ok(),
            read_json::<T>(&text).is_ok(),
            "{} without {left_out}",
            std::any::type_name::<T>()
        );
    }
}

fn text(word: &str) -> String {
    word.to_owned()
}

fn job() -> Job {
    Job {
        id: text("job-1"),
        daemon: text("hv1"),
        name: text("export web"),
        vm: text("/dc/vm/web"),
        provider: text("vsphere"),
        job_type: Some(text("export")),
        region: Some(text("eu")),
        status: JobStatus::Failed,
        cancel_requested: true,
        historic: true,
        phase: Some(text("export")),
        percent: Some(12.5),
        bytes_transferred: Some(u64::MAX),
        bytes_total: Some(7),
        rate_bytes_per_second: Some(3.0),
        eta_seconds: Some(0.5),
        created_at: Some(1),
        started_at: Some(2),
        completed_at: Some(3),
        updated_at: Some(-4),
        format: Some(text("qcow2")),
        export_method: Some(text("govc")),
        output_dir: Some(text("/out")),
        error: Some(text("disk full")),
    }
}

fn labels() -> Labels {
    Labels::from([(text("a"), text("b")), (text("c.d"), text("e"))])
}

fn frame() -> Frame {
    Frame {
        series: vec![Series {
            labels: labels().into(),
            timestamps: vec![1, 2, i64::MIN, 4],
            values: vec![1.5, 2.0, f64::INFINITY, f64::NEG_INFINITY],
        }],
        removed: vec![labels()],
        replaces: Some((1, 2)),
        end_ms: 4,
        notices: vec![text("note")],
        remarks: vec![text("remark")],
        sent: Some(text("up")),
        estimated: true,
    }
}

fn alert() -> Alert {
    Alert {
        name: text("Down"),
        state: AlertState::Firing,
        severity: text("page"),
        labels: labels(),
        summary: text("s"),
        description: text("d"),
        value: Some(1.0),
        active_at: Some(1),
        fired_at: Some(2),
        resolved_at: Some(3),
        annotations: labels(),
        runbook: Some(text("https://runbook.test")),
        expr: text("up == 0"),
        threshold: Some(AlertThreshold { expr: text("up"), op: text("=="), value: 0.0 }),
        group: text("g"),
        file: text("f"),
        source: text("hyperscope"),
        fingerprint: text("00ff"),
        silenced_by: vec![text("id")],
        silenced_until: Some(9),
        inhibited_by: vec![text("ff00")],
        acknowledged_by: Some(text("ops")),
        stale_since: Some(8),
    }
}

fn alerts() -> AlertList {
    AlertList { alerts: vec![alert(), Alert::default()], unavailable: Some(text("down")), without_rules: true }
}

fn upstream() -> UpstreamStatus {
    UpstreamStatus {
        name: text("hv1"),
        kind: UpstreamKind::Daemon,
        state: UpstreamState::Polling,
        since_ms: 1,
        last_data_ms: Some(2),
        reconnects: 3,
        scrape_duration_seconds: Some(0.25),
        error: Some(text("e")),
        detail: Some(text("stock")),
    }
}

fn system() -> SystemMetrics {
    SystemMetrics {
        daemon: text("hv1"),
        cpu_percent: Some(1.0),
        memory_bytes: None,
        goroutines: Some(2.5),
        connections: None,
    }
}

fn dashboard() -> Dashboard {
    let threshold = Threshold { value: 90.0, color: Color::Red, label: text("max") };
    let query = Query {
        expr: text("up"),
        engine: Some(text("prom")),
        legend: text("{{job}}"),
        instant: true,
        color: Some(Color::Purple),
        unit: Some(text("bytes")),
        thresholds: vec![threshold.clone()],
        stat: true,
        draw: Draw::Dashed,
        hidden: true,
    };
    let panel = Panel {
        description: text("what"),
        kind: PanelKind::Heatmap,
        unit: text("percent"),
        thresholds: vec![threshold],
        threshold_style: ThresholdStyle::Band,
        stacked: true,
        decimals: Some(2),
        min: Some(0.0),
        max: Some(100.0),
        alerts: vec![text("Down")],
        ..Panel::timeseries("p", "P", 8, query)
    };
    Dashboard { uid: text("u"), title: text("T"), description: text("D"), panels: vec![panel] }
}

fn session() -> Session {
    Session {
        name: text("wall"),
        role: Role::Kiosk,
        expires_at: Some(1),
        dashboards: vec![text("u")],
        matchers: text("provider=\"aws\""),
    }
}

fn boot() -> Boot {
    Boot {
        version: text("1"),
        boot_id: text("b"),
        now_ms: 5,
        session: session(),
        dashboards_version: text("v"),
        warning: text("f"),
        dashboards: vec![DashboardLink { uid: text("u"), title: text("T"), path: text("/d/u") }],
        dashboard: Some(dashboard()),
        firing: FiringCount { active: 1, muted: 2, silenced: 1, worst: Severity::Critical, begins_secs: 5 },
        marks: frame(),
        range: TimeRange { from: Instant::At(1), to: Instant::Ago(60_000) },
        kiosk: true,
        theme: Some(text("dark")),
        standalone: true,
    }
}

#[test]
fn each_type_reads_what_serde_writes() {
    reads_back(&boot());
    reads_back(&Boot { dashboard: None, theme: None, range: TimeRange::default(), ..boot() });
    let entry = JobLogEntry { timestamp: None, level: text("info"), message: text("m") };
    reads_back(&JobDetail { job: job(), log: vec![entry], log_error: Some(text("e")) });
    reads_back(&alerts());
    reads_back(&frame());
    for word in ["green", "yellow", "orange", "red", "blue", "purple", "gray"] {
        let color: Color = serde_json::from_value(word.into()).unwrap();
        reads_back(&color);
    }
    for word in ["stat", "timeseries", "gauge", "pie", "bars", "table", "heatmap", "jobs", "alerts", "sources"] {
        let kind: PanelKind = serde_json::from_value(word.into()).unwrap();
        reads_back(&kind);
    }
    reads_back(&[Draw::Panel, Draw::Line, Draw::Dashed, Draw::Mark].to_vec());
    reads_back(&[ThresholdStyle::None, ThresholdStyle::Line, ThresholdStyle::Band].to_vec());
    reads_back(&Role::ALL.to_vec());
    reads_back(&[Severity::Critical, Severity::Warning, Severity::Info, Severity::Unknown].to_vec());
    reads_back(&[AlertState::Pending, AlertState::Firing, AlertState::Inactive].to_vec());
    use UpstreamKind as Kind;
    reads_back(&[Kind::Daemon, Kind::Prometheus, Kind::Alertmanager, Kind::Store].to_vec());
    use UpstreamState as State;
    reads_back(&[State::Connecting, State::Live, State::Polling, State::Stale, State::Down].to_vec());
    use JobStatus as Status;
    reads_back(
        &[Status::Pending, Status::Running, Status::Completed, Status::Failed, Status::Cancelling, Status::Cancelled]
            .to_vec(),
    );
    assert_eq!(read_json("\"paused\""), Ok(Status::Unknown));
}

#[test]
fn each_message_reads_as_it_was_sent() {
    let snapshot = |data| ServerMessage::Snapshot { id: 1, seq: 2, data };
    let event = |event| ServerMessage::Event { id: 1, seq: 2, ts: 3, event };
    let progress = JobProgress {
        job_id: text("job-1"),
        daemon: text("hv1"),
        name: text("n"),
        percent: None,
        bytes_transferred: Some(1),
        bytes_total: Some(2),
        rate_bytes_per_second: Some(0.5),
        eta_seconds: Some(1.5),
    };
    let transition = JobTransition {
        job_id: text("job-1"),
        daemon: text("hv1"),
        name: text("n"),
        from: Some(JobStatus::Running),
        status: JobStatus::Completed,
        timestamp: 4,
        job: job(),
    };
    for message in [
        ServerMessage::Hello {
            protocol: 1,
            boot_id: text("b"),
            version: text("1"),
            role: Role::Admin,
            now_ms: 6,
            dashboards: text("d"),
        },
        snapshot(SnapshotData::Query(frame())),
        snapshot(SnapshotData::Jobs { jobs: vec![job()] }),
        snapshot(SnapshotData::System { system: vec![system()] }),
        snapshot(SnapshotData::Upstreams { upstreams: vec![upstream()] }),
        snapshot(SnapshotData::Alerts(alerts())),
        ServerMessage::Delta { id: 1, seq: 2, data: frame() },
        event(Event::JobProgress(progress)),
        event(Event::JobStatus(Box::new(transition))),
        event(Event::JobRemoved(JobKey { job_id: text("job-1"), daemon: text("hv1") })),
        event(Event::SystemMetrics(system())),
        event(Event::UpstreamStatus(upstream())),
        event(Event::AlertFired(Box::new(alert()))),
        event(Event::AlertResolved(Box::new(alert()))),
        ServerMessage::Status { id: 1, fresh: false, since: 2, reason: text("r") },
        ServerMessage::Error { id: None, code: text("limit"), message: text("m") },
    ] {
        reads_back(&message);
    }
}

#[test]
fn what_may_be_missing_is_the_same_as_in_files() {
    needs_the_same(&boot());
    needs_the_same(&session());
    needs_the_same(&dashboard());
    needs_the_same(&dashboard().panels[0]);
    needs_the_same(&dashboard().panels[0].queries[0]);
    needs_the_same(&dashboard().panels[0].thresholds[0]);
    needs_the_same(&job());
    needs_the_same(&alert());
    needs_the_same(&alerts());
    needs_the_same(&frame());
    needs_the_same(&frame().series[0]);
    needs_the_same(&upstream());
    needs_the_same(&system());
    needs_the_same(&TimeRange::default());
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let fault = |json: &str| read_json::<ServerMessage>(json).unwrap_err();
    assert_eq!(fault(r#"{"type":"later"}"#), "unknown type of message: later");
    assert_eq!(fault(r#"{"type":"delta","id":1,"seq":-1}"#), "seq: the number is out of its range");
    assert_eq!(fault(r#"{"type":"event","id":1,"seq":2,"ts":3,"event":"alert.flew"}"#), "unknown event: alert.flew");
    assert_eq!(
        fault(
            r#"{"type":"snapshot","id":1,"seq":2,"data":{"upstreams":[{"name":"a","kind":"daemon","state":"gone"}]}}"#
        ),
        "data.upstreams.1.state: one of connecting, live, polling, stale, down was expected"
    );
    assert_eq!(fault("[]"), "an object was expected");
    assert!(fault("{").contains("EOF"), "{}", fault("{"));
    let column = |values: &str| read_json::<Series>(&format!(r#"{{"labels":{{}},"timestamps":[],"values":{values}}}"#));
    assert_eq!(column(r#"["Inf"]"#).unwrap_err(), "values: a number was expected");
    assert_eq!(column("7").unwrap_err(), "values: a list of numbers was expected, or a byte string of them");
    assert!(column(r#"[1,2.5,"NaN"]"#).unwrap().values[2].is_nan());
    assert!(
        read::<Series>(Tree::Map(vec![
            (text("labels").into(), Tree::Map(Vec::new())),
            (text("timestamps").into(), Tree::Bytes(vec![0; 9])),
            (text("values").into(), Tree::Bytes(vec![0; 8])),
        ]))
        .unwrap_err()
        .contains("ends within a number")
    );
    let range = read_json::<TimeRange>(r#"{"from":"yesterday","to":"now"}"#).unwrap_err();
    assert!(range.starts_with("from: \"yesterday\" is not a time"), "{range}");
}

#[test]
fn cbor_that_is_none_is_an_error_and_allocates_nothing() {
    let fault = |bytes: &[u8]| read_cbor::<Tree>(bytes).unwrap_err();
    for bytes in [
        &b""[..],
        // A truncated list, text and object; a text with a length of 2^63 bytes; a break outside a list.
        b"\x82\x01",
        b"\x62a",
        b"\xa1\x61a",
        b"\x7b\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\xff",
        b"\xbf\x61a\xff",
        // Invalid UTF-8; a tag; a text in parts.
        b"\x61\xff",
        b"\xc1\x01",
        b"\x7f\x61a\xff",
    ] {
        assert!(fault(bytes).starts_with("the CBOR cannot be read after byte "), "{bytes:?}");
    }
    assert!(read_cbor::<Tree>(&[0x81; 65]).is_err());
    let nested: Vec<u8> = std::iter::repeat_n(0x81, 64).chain([0x80]).collect();
    assert!(read_cbor::<Tree>(&nested).is_err(), "65 levels");
    assert!(read_cbor::<Tree>(&nested[1..]).is_ok(), "64 levels");
    // Lists and objects of unknown length, which serde writes for flattened structs.
    let open = read_cbor::<Tree>(b"\xbf\x61a\x9f\x01\x20\xff\xff").unwrap();
    let items = Tree::Array(vec![Tree::Integer(1.into()), Tree::Integer((-1).into())]);
    assert_eq!(open, Tree::Map(vec![(Tree::Text(text("a")), items)]));
}
