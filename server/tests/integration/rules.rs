//! Rules in the real program: evaluation, notification, history, restart, reload of changed files.

use std::{path::Path, sync::Arc, time::Duration};

use crate::common::{Live, Program, Prometheus, Server, Simulator, eventually, now_ms, series, write};
use labels::Labels;
use remote_write::TimeSeries;
use serde_json::{Value, json};
use tempfile::TempDir;
use timeseries::{STALE_NAN, histogram::Histogram};
use tokio::process::Command;

const RULES: &str = r#"
groups:
- name: load
  interval: 1s
  rules:
  - { record: "load:double", expr: "load * 2", labels: { made: here } }
  - alert: LoadHigh
    expr: load > 5
    labels: { severity: critical }
    annotations: { summary: "{{ $labels.host }} has {{ $value | humanize }}", runbook_url: "https://wiki/load" }
  - { alert: LoadWaits, expr: load > 5, for: 1h }
"#;

fn rules(text: &str) -> (TempDir, String) {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("r.yml"), text).unwrap();
    let pattern = directory.path().join("*.yml").to_str().unwrap().to_owned();
    (directory, pattern)
}

async fn load(server: &Server, value: f64) {
    let answer = write(server, vec![series("load", &[("host", "a")], &[(now_ms(), value)])]).await;
    assert!(answer.status().is_success());
}

/// The rule of this name, once it fulfils a condition.
async fn rule(server: &Server, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    eventually(name, async || {
        let answer = server.json(&format!("/api/v1/rules?rule_name[]={name}")).await;
        let rule = answer["data"]["groups"].as_array()?.iter().find_map(|group| group["rules"].get(0).cloned())?;
        wanted(&rule).then_some(rule)
    })
    .await
}

#[tokio::test]
async fn an_alert_fires_is_told_and_resolves() {
    let (_directory, pattern) = rules(RULES);
    let server = Server::serve(&["--rules", &pattern]).await;
    let mut live = Live::open_at(&server, "/ws?topics=alerts").await;
    load(&server, 7.0).await;
    let fired = live.until("the alert", |message| message["event"] == "alert.fired").await;
    let data = &fired["data"];
    assert_eq!(
        (&data["name"], &data["severity"], &data["state"]),
        (&json!("LoadHigh"), &json!("critical"), &json!("firing"))
    );
    assert_eq!(
        (&data["summary"], &data["value"], &data["labels"]["host"]),
        (&json!("a has 7"), &json!(7.0), &json!("a"))
    );
    assert!(fired["ts"].as_i64().unwrap() - data["active_at"].as_i64().unwrap() < 5_000, "{fired}");

    let alerts = server.json("/api/v1/alerts").await["data"]["alerts"].clone();
    let high = alerts.as_array().unwrap().iter().find(|alert| alert["labels"]["alertname"] == "LoadHigh").unwrap();
    assert_eq!(
        (&high["state"], &high["value"], &high["source"]),
        (&json!("firing"), &json!("7e+00"), &json!("hyperscope"))
    );
    let page = server.json("/api/alerts").await;
    let high = &page["alerts"][0];
    assert_eq!((&high["name"], &high["runbook"]), (&json!("LoadHigh"), &json!("https://wiki/load")));
    assert_eq!(high["threshold"], json!({ "expr": "load", "op": ">", "value": 5.0 }));
    assert_eq!(page["alerts"][1]["state"], "pending");
    assert_eq!(
        server.query("load:double").await[0],
        (json!({"__name__": "load:double", "host": "a", "made": "here"}), 14.0)
    );
    // The series appears with the second evaluation, which may correct the start of the alert.
    let series = eventually("its series", async || {
        Some(server.query("ALERTS{alertname='LoadHigh'}").await).filter(|series| !series.is_empty())
    })
    .await;
    assert_eq!((&series[0].0["alertstate"], series[0].1), (&json!("firing"), 1.0));

    load(&server, 1.0).await;
    let over = live.until("its end", |message| message["event"] == "alert.resolved").await;
    assert_eq!(over["data"]["name"], "LoadHigh");
    assert!(over["data"]["resolved_at"].is_i64(), "{over}");
    let history = eventually("the history", async || {
        let history = server.json("/api/alerts/history?name=LoadHigh").await["transitions"].clone();
        (history.as_array()?.len() == 2).then_some(history)
    })
    .await;
    let states = |change: &Value| (change["from"].clone(), change["to"].clone());
    assert_eq!(states(&history[0]), (json!("firing"), json!("inactive")));
    assert_eq!(states(&history[1]), (json!("inactive"), json!("firing")));
    assert!(server.query("ALERTS{alertname='LoadHigh'}").await.is_empty(), "a series that is over is ended");
}

#[tokio::test]
async fn native_histograms_are_recorded_and_end() {
    let (_directory, pattern) = rules(
        "groups:\n- name: a\n  interval: 1s\n  rules:\n  - { record: 'latency:all', expr: 'sum without (host) (latency)' }\n",
    );
    let server = Server::serve(&["--rules", &pattern]).await;
    let histogram = |count: f64| {
        let positive = vec![(0, count)];
        Arc::new(Histogram { count, sum: count, positive, zero_threshold: 0.001, ..Histogram::default() })
    };
    let of_host = |host: &str, count| TimeSeries {
        labels: Labels::new([("__name__", "latency"), ("host", host)]),
        histograms: vec![(now_ms(), histogram(count))],
        ..TimeSeries::default()
    };
    assert!(write(&server, vec![of_host("a", 3.0), of_host("b", 4.0)]).await.status().is_success());
    eventually("the recorded histogram", async || {
        let recorded = server.query("histogram_count({__name__='latency:all'})").await;
        (recorded == [(json!({}), 7.0)]).then_some(())
    })
    .await;
    let ended = |host| series("latency", &[("host", host)], &[(now_ms(), STALE_NAN)]);
    assert!(write(&server, vec![ended("a"), ended("b")]).await.status().is_success());
    eventually("its end", async || server.query("count({__name__='latency:all'})").await.is_empty().then_some(()))
        .await;
}

#[tokio::test]
async fn the_answer_has_prometheus_shape_and_filters() {
    let (_directory, pattern) = rules(RULES);
    let server = Server::serve(&["--rules", &pattern]).await;
    let high = rule(&server, "LoadHigh", |rule| rule["health"] == "ok").await;
    assert_eq!(
        (&high["type"], &high["query"], &high["duration"]),
        (&json!("alerting"), &json!("load > 5"), &json!(0.0))
    );
    assert_eq!((&high["labels"], &high["state"]), (&json!({"severity": "critical"}), &json!("inactive")));
    let names = async |query: &str| {
        let answer = server.json(&format!("/api/v1/rules?{query}")).await;
        let groups = answer["data"]["groups"].as_array().unwrap().clone();
        let rules = groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone());
        rules.map(|rule| rule["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("").await, ["load:double", "LoadHigh", "LoadWaits"]);
    assert_eq!(names("type=record").await, ["load:double"]);
    assert_eq!(names("type=alert").await, ["LoadHigh", "LoadWaits"]);
    assert_eq!(names("rule_group[]=other").await, <[&str; 0]>::default());
    assert_eq!(names("match[]={severity=\"critical\"}").await, ["LoadHigh"]);
    let wrong = server.get("/api/v1/rules?type=x").send().await.unwrap();
    assert_eq!(wrong.status(), 400);
    // The links of alerts lead to a page.
    let link = server.get("/graph?g0.expr=load&g0.tab=1").send().await.unwrap();
    assert_eq!((link.status().as_u16(), link.headers()["location"].to_str().unwrap()), (303, "/alerts"));
    // No built-in rules without a daemon.
    assert_eq!(server.json("/api/v1/rules").await["data"]["groups"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn waiting_goes_on_after_a_restart() {
    let (_directory, pattern) = rules(RULES);
    let data_dir = Arc::new(TempDir::new().unwrap());
    let server = Server::start("serve", Arc::clone(&data_dir), &["--rules", &pattern]).await;
    load(&server, 7.0).await;
    let since = |rule: &Value| -> Option<i64> {
        let text = rule["alerts"][0]["activeAt"].as_str()?;
        text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
    };
    let before = rule(&server, "LoadWaits", |rule| rule["state"] == "pending").await;
    eventually("its series", async || {
        (!server.query("ALERTS_FOR_STATE{alertname='LoadWaits'}").await.is_empty()).then_some(())
    })
    .await;
    // It is pending for some seconds.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let data_dir = server.kill().await;
    let down_ms = now_ms();
    tokio::time::sleep(Duration::from_secs(2)).await;

    let server = Server::start("serve", data_dir, &["--rules", &pattern]).await;
    let started_ms = now_ms();
    // The time of the restart does not count, the time before does.
    let after = rule(&server, "LoadWaits", |rule| since(rule).is_some_and(|since| since < started_ms - 1_000)).await;
    let (before, after) = (since(&before).unwrap(), since(&after).unwrap());
    assert!(after >= before && after <= before + (now_ms() - down_ms) + 2_000, "{before} {after}");
}

#[tokio::test]
async fn what_fires_goes_on_firing_over_a_restart_while_its_rule_waits_again() {
    let rule = "groups:\n- name: g\n  interval: 1s\n  rules:\n  - { alert: GoesOn, expr: vector(1), for: 4s }\n";
    let (_directory, pattern) = rules(rule);
    let data_dir = Arc::new(TempDir::new().unwrap());
    let server = Server::start("serve", Arc::clone(&data_dir), &["--rules", &pattern]).await;
    let listed = async |server: &Server| server.json("/api/alerts").await["alerts"][0].clone();
    let before = eventually("the alert", async || {
        let notified = server.json("/api/v2/alerts").await[0].is_object();
        Some(listed(&server).await).filter(|alert| notified && alert["state"] == "firing")
    })
    .await;
    server.stop().await;

    let server = Server::start("serve", data_dir, &["--rules", &pattern]).await;
    let mut waited = false;
    let after = eventually("the rule", async || {
        let alert = listed(&server).await;
        assert!(alert.is_null() || alert["state"] == "firing", "nobody wants to hear that it may fire: {alert}");
        let state = server.json("/api/v1/rules").await["data"]["groups"][0]["rules"][0]["state"].clone();
        waited |= state == "pending" && !alert.is_null();
        (waited && state == "firing").then_some(alert)
    })
    .await;
    assert_eq!(after["fired_at"], before["fired_at"]);
    // The history is the same while its rule was pending again and afterwards: the alert continued, and did not begin.
    let now = now_ms();
    let past = eventually("the past", async || {
        let list = server.json(&format!("/api/alerts/past?at={now}")).await["alerts"][0].clone();
        (!list.is_null()).then_some(list)
    })
    .await;
    assert_eq!((&past["state"], &past["fired_at"]), (&json!("firing"), &before["fired_at"]), "{past}");
    let history = server.json("/api/alerts/history").await;
    let began = history["transitions"].as_array().unwrap().iter();
    let began = began.filter(|change| change["to"] == "firing" && change["from"] != "firing").count();
    assert_eq!(began, 1, "{history}");
    // The number in the navigation is current, and a page of the past says so.
    let badge = async |query: &str| {
        let page = server.text(&format!("/{query}")).await;
        page.split("class=\"counts\"").nth(1).unwrap().split("</a>").next().unwrap().to_owned()
    };
    let past = badge(&format!("?from={}&to={}", now - 3_600_000, now - 60_000)).await;
    assert!(past.contains(">1<") && past.contains(">now<"), "{past}");
    let present = badge("").await;
    assert!(present.contains(">1<") && !present.contains(">now<"), "{present}");
}

#[tokio::test]
async fn what_ended_while_nobody_saw_it_fires_no_longer_in_the_history() {
    let (directory, pattern) = rules(RULES);
    let data_dir = Arc::new(TempDir::new().unwrap());
    let server = Server::start("serve", Arc::clone(&data_dir), &["--rules", &pattern]).await;
    let standing = async |server: &Server, at_ms: i64| -> Vec<String> {
        let list = server.json(&format!("/api/alerts/past?at={at_ms}")).await;
        let alerts = list["alerts"].as_array().unwrap().iter();
        alerts
            .map(|alert| format!("{} {}", alert["name"].as_str().unwrap(), alert["state"].as_str().unwrap()))
            .collect()
    };
    load(&server, 7.0).await;
    let both = ["LoadHigh firing", "LoadWaits pending"];
    eventually("the history", async || (standing(&server, now_ms()).await == both).then_some(())).await;
    eventually("their series", async || (server.query("ALERTS_FOR_STATE").await.len() == 2).then_some(())).await;
    let data_dir = server.kill().await;
    let killed_ms = now_ms();
    // As after some minutes of downtime: the notifier, which waits that long, has dropped the alerts.
    let pool = sqlx::SqlitePool::connect(data_dir.path().join("hyperscope.db").to_str().unwrap()).await.unwrap();
    sqlx::query("DELETE FROM known_alerts").execute(&pool).await.unwrap();
    pool.close().await;
    let file = directory.path().join("r.yml");
    std::fs::write(&file, RULES.replace("load > 5", "load > 50")).unwrap();

    let server = Server::start("serve", data_dir, &["--rules", &pattern]).await;
    let started_ms = now_ms();
    eventually("their ends", async || standing(&server, now_ms()).await.is_empty().then_some(())).await;
    // They ended at their last evaluation, not when the server was restarted.
    assert_eq!(standing(&server, killed_ms + 1).await, Vec::<String>::new());
    let history = server.json("/api/alerts/history").await;
    let ends = history["transitions"].as_array().unwrap().iter().filter(|change| change["to"] == "inactive");
    let ends: Vec<i64> = ends.map(|change| change["at"].as_i64().unwrap()).collect();
    assert!(ends.len() == 2 && ends.iter().all(|at| *at <= killed_ms && *at < started_ms), "{history}");
}

#[tokio::test]
async fn files_are_read_again_and_a_bad_one_keeps_the_old_rules() {
    let (directory, pattern) = rules(RULES);
    let mut server = Server::serve(&["--rules", &pattern]).await;
    load(&server, 7.0).await;
    let fired = rule(&server, "LoadHigh", |rule| rule["state"] == "firing").await;
    let file = directory.path().join("r.yml");
    std::fs::write(&file, "groups:\n- name: load\n  rules:\n  - { alert: LoadHigh, expr: 'load >' }\n").unwrap();
    hang_up(&server.program).await;
    server_says(&mut server, "r.yml:4:30: could not parse expression").await;
    assert_eq!(rule(&server, "LoadHigh", |_| true).await["state"], "firing");
    assert_eq!(server.query("hyperscope_rules_last_reload_successful").await.len().min(1), 1);

    // Unchanged rules continue, new ones begin, deleted ones end.
    let changed = RULES
        .replace("load > 5", "load > 4")
        .replace("load:double", "load:twice")
        .replace("\"load * 2\"", "load + load");
    std::fs::write(&file, changed).unwrap();
    let again = rule(&server, "LoadHigh", |rule| rule["query"] == "load > 4" && rule["health"] == "ok").await;
    assert_eq!(again["alerts"][0]["activeAt"], fired["alerts"][0]["activeAt"]);
    eventually("the new series", async || {
        let (new, old) = (server.query("load:twice").await, server.query("load:double").await);
        (new.len() == 1 && old.is_empty()).then_some(())
    })
    .await;
    std::fs::remove_file(&file).unwrap();
    eventually("the end of all rules", async || {
        let groups = server.json("/api/v1/rules").await["data"]["groups"].clone();
        (groups == json!([]) && server.query("ALERTS").await.is_empty()).then_some(())
    })
    .await;
}

async fn hang_up(program: &Program) {
    let sent = Command::new("kill").args(["-s", "HUP", &program.pid().to_string()]).status().await.unwrap();
    assert!(sent.success());
}

async fn server_says(server: &mut Server, words: &str) {
    eventually(words, async || server.program.stderr().contains(words).then_some(())).await;
}

#[tokio::test]
async fn a_bad_file_at_the_start_is_told_with_its_line() {
    let (directory, pattern) = rules("groups:\n- name: a\n  rules:\n  - { alert: a }\n");
    let data_dir = TempDir::new().unwrap();
    let mut program = crate::common::launch("serve", data_dir.path(), &["--rules", &pattern]);
    assert_eq!(program.ended().await.code(), Some(1));
    let file = directory.path().join("r.yml");
    let said = program.stderr();
    assert!(said.contains(&format!("{}:4:5: a rule needs an expression", file.display())), "{said}");
}

#[tokio::test]
async fn built_in_rules_watch_daemons_and_groups_can_be_switched_off() {
    let simulator = Simulator::start("documented", &[]).await;
    let daemon = simulator.named("d1");
    let server =
        Server::serve(&["--daemon-url", &daemon, "--rules-off", "hypersdk-queue", "--evaluation-interval", "1s"]).await;
    rule(&server, "DaemonDown", |rule| rule["health"] == "ok" && rule["state"] == "inactive").await;
    let answer = server.json("/api/v1/rules").await;
    let groups: Vec<&str> =
        answer["data"]["groups"].as_array().unwrap().iter().map(|group| group["name"].as_str().unwrap()).collect();
    assert!(groups.contains(&"hypersdk-jobs") && groups.contains(&"hypnoscript-system"), "{groups:?}");
    assert!(!groups.contains(&"hypersdk-queue") && !groups.contains(&"demo-drills"), "{groups:?}");
    drop(simulator);
    rule(&server, "DaemonDown", |rule| rule["state"] == "pending").await;
}

#[tokio::test]
async fn rules_of_prometheus_are_merged_in_and_ours_ask_it() {
    let simulator = Simulator::start("documented", &[]).await;
    let theirs = "[{ alert: Theirs, expr: 'up >= 0' }]";
    let prometheus = Prometheus::start(&simulator.named("d1").replace("d1=", ""), theirs).await;
    let (_directory, pattern) =
        rules("groups:\n- name: ours\n  interval: 1s\n  rules:\n  - { alert: Ours, expr: 'up >= 0' }\n");
    let url = prometheus.url.clone();
    let server = Server::serve(&["--rules", &pattern, "--prometheus-url", &url]).await;
    let alerts = eventually("both alerts", async || {
        let alerts = server.json("/api/v1/alerts").await["data"]["alerts"].as_array()?.clone();
        let has = |name: &str, source: &str| {
            alerts.iter().any(|alert| alert["labels"]["alertname"] == name && alert["source"] == source)
        };
        (has("Theirs", "prometheus") && has("Ours", "hyperscope")).then_some(alerts)
    })
    .await;
    assert!(alerts.iter().all(|alert| alert["state"] == "firing" || alert["state"] == "pending"), "{alerts:?}");
    let groups = server.json("/api/v1/rules").await["data"]["groups"].clone();
    let sources: Vec<&str> = groups.as_array().unwrap().iter().map(|group| group["source"].as_str().unwrap()).collect();
    assert_eq!(sources, ["hyperscope", "prometheus"]);
}

#[tokio::test]
async fn built_in_rules_see_a_series_by_the_name_that_the_source_has() {
    let (_directory, pattern) = rules(
        "groups:\n- name: ours\n  interval: 1s\n  rules:\n  - { record: \"jobs:active\", expr: sum(hypersdk_jobs_active) }\n",
    );
    let args = ["--rules", &pattern, "--rules-builtin=true", "--evaluation-interval", "1s"];
    let server = Server::serve(&args).await;
    eventually("what another daemon calls its jobs", async || {
        let now = now_ms();
        let of = |name, value| series(name, &[("daemon", "d")], &[(now, value)]);
        // The dashboards' names are hypersdk_jobs_pending and hypersdk_jobs_active.
        let sent = write(&server, vec![of("hypersdk_queued_jobs", 700.0), of("hypersdk_jobs_running", 3.0)]).await;
        assert!(sent.status().is_success());
        let large = server.json("/api/v1/rules?rule_name[]=LargeJobQueue").await;
        let state = large["data"]["groups"][0]["rules"][0]["state"].as_str()?.to_owned();
        let recorded = server.query("jobs:active").await;
        (state == "pending" && recorded.first()?.1 == 3.0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_demo_fires_and_resolves_soon_and_nothing_falsely() {
    let server = Server::demo(&["--history", "1h"]).await;
    let mut live = Live::open_at(&server, "/ws?topics=alerts").await;
    let resolved = live.until("the end of a drill", |message| message["event"] == "alert.resolved").await;
    assert!(resolved["data"]["name"].as_str().unwrap().starts_with("Demo"), "{resolved}");
    let firing = server.json("/api/alerts").await;
    for alert in firing["alerts"].as_array().unwrap() {
        assert!(alert["state"] != "firing" || alert["name"].as_str().unwrap().starts_with("Demo"), "{alert}");
    }
}

#[tokio::test]
async fn tests_of_rules_run_from_the_command_line() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("r.yml"), RULES).unwrap();
    let test = |value: &str| {
        format!(
            "rule_files: [r.yml]\ntests:\n- input_series:\n  - {{ series: 'load{{host=\"a\"}}', values: '1 7' }}\n  promql_expr_test:\n  - {{ expr: 'load:double', eval_time: 1m, exp_samples: [{{ labels: 'load:double{{host=\"a\",made=\"here\"}}', value: {value} }}] }}\n"
        )
    };
    std::fs::write(directory.path().join("good.yml"), test("14")).unwrap();
    std::fs::write(directory.path().join("bad.yml"), test("13")).unwrap();
    let run = async |file: &str| check(directory.path(), &["check", "rules", "r.yml", "--test", file]).await;
    let (code, said) = run("good.yml").await;
    assert_eq!((code, said.contains("good.yml: ok, 1 test")), (Some(0), true), "{said}");
    let (code, said) = run("bad.yml").await;
    assert_eq!((code, said.contains("bad.yml:6:5: expr: \"load:double\", time: 1m")), (Some(1), true), "{said}");
}

async fn check(directory: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(crate::common::HYPERSCOPE).args(arguments).current_dir(directory).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), said)
}
