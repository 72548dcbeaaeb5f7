//! Compares the HTTP API with Prometheus: the same samples, the same requests, valid and invalid, and equal answers:
//! status, type and shape, data and errors. Once over our own store, once with that Prometheus as the engine.

mod requests;

use crate::common::{Peers, Prometheus, Server, TOKEN, body, client, now_ms, series, with_body};
use remote_write::TimeSeries;
use requests::{Ask, requests};
use reqwest::Method;
use serde_json::Value;
use timeseries::STALE_NAN;

/// Requests whose answers differ from Prometheus 3.16 over our own store, with the reason.
const KNOWN: &[(&str, &str)] = &[
    (r"=(NaN|Inf|1e300)( |&|$)", "times that do not fit are refused: Go makes some other time of them"),
    (r"/read", "there is no remote read"),
];

/// The same for Prometheus 2.42.
const KNOWN_2_42: &[(&str, &str)] = &[
    (r"=(NaN|Inf|1e300)( |&|$)", "times that do not fit are refused: Go makes some other time of them"),
    (r"/label/a\.b/values", "names of labels are UTF-8 since Prometheus 3"),
    (r"/read", "there is no remote read"),
    (r"targets\?state=foo|targets\?s", "Prometheus counts dropped targets since 2.48"),
    (r"&timeout=(0|0s|-1)$", "Prometheus 3 refuses them, and does not answer that the time is over"),
    (r"&stats=(1|foo)$", "Prometheus 3 remarks that they are deprecated"),
];

/// The same with Prometheus as our engine.
const KNOWN_IN_FRONT: &[(&str, &str)] = &[(r"/read", "there is no remote read")];

/// The samples written to both.
fn world(base_ms: i64) -> Vec<TimeSeries> {
    let steady = |name: &str, labels: &[(&str, &str)], value: &dyn Fn(f64) -> f64| {
        let samples: Vec<(i64, f64)> =
            (0_i32..60).map(|at| (base_ms + i64::from(at) * 15_000, value(f64::from(at)))).collect();
        series(name, labels, &samples)
    };
    let mut all = vec![
        steady("reqs_total", &[("job", "a"), ("instance", "a:1")], &|at| at * 2.0),
        steady("reqs_total", &[("job", "b"), ("instance", "b:1")], &|at| at * 3.0),
        steady("temp", &[("job", "a"), ("unit", "c")], &|at| 20.5 + at / 4.0),
        series("stale", &[("job", "a")], &[(base_ms, 1.0), (base_ms + 15_000, STALE_NAN)]),
        series("weird", &[("job", "\"q\\\n\u{2028}<&>é")], &[(base_ms, 1.0)]),
    ];
    for (bound, count) in [("0.1", 2.0), ("0.5", 5.0), ("1", 9.0), ("+Inf", 10.0)] {
        all.push(steady("lat_bucket", &[("job", "a"), ("le", bound)], &|at| at * count));
    }
    for (name, value) in [
        ("nan", f64::NAN),
        ("inf", f64::INFINITY),
        ("ninf", f64::NEG_INFINITY),
        ("nz", -0.0),
        ("big", 1e21),
        ("bigger", 1.5e300),
        ("small", 5e-324),
        ("e20", 123_456_789_012_345_678_901.0),
        ("micro", 1e-6),
        ("nano", 1e-7),
        ("pi", std::f64::consts::PI),
    ] {
        all.push(series("num", &[("v", name)], &[(base_ms, value), (base_ms + 15_000, value)]));
    }
    all
}

/// The compared parts of an answer.
#[derive(Debug, PartialEq)]
struct Told {
    status: u16,
    kind: String,
    body: String,
}

async fn ask(client: &reqwest::Client, url: &str, token: Option<&str>, ask: &Ask) -> Told {
    let method = Method::from_bytes(ask.method.as_bytes()).unwrap();
    let mut request = client.request(method, format!("{url}{}", ask.path));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(form) = &ask.form {
        request = request.header("content-type", "application/x-www-form-urlencoded").body(form.clone());
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let kind = answer.headers().get("content-type").map(|kind| kind.to_str().unwrap().replace(' ', ""));
    let text = answer.text().await.unwrap();
    // Prometheus answers these as text, we use the envelope.
    if matches!(status, 404 | 405) || (ask.path.starts_with("/federate") && status == 400) {
        return Told { status, kind: String::new(), body: String::new() };
    }
    let body = serde_json::from_str(&text).map_or(text, |answer| shown(answer, &ask.path));
    Told { status, kind: kind.unwrap_or_default(), body }
}

/// An answer without parts that may differ: the order of series, our additional fields, the positions in parse errors.
fn shown(mut answer: Value, path: &str) -> String {
    if let Some(error) = answer.get("error").and_then(Value::as_str).map(str::to_owned) {
        // Since Prometheus 3 range queries name the parameter too; we do so for all.
        let error = error
            .trim_start_matches("invalid parameter \"query\": ")
            .trim_start_matches("invalid parameter \"match[]\": ");
        let error = if error.contains("parse error") { "a parse error" } else { error };
        // Only here Prometheus 2.42 begins with a capital letter.
        let error = error.replace(": Invalid time value for", ": invalid time value for");
        // In which phase a query timed out is random, and our text also says what to do.
        let error = if error.starts_with("query timed out") { "query timed out" } else { &error };
        // Which two series are shown is random.
        let error = error.split_once("[{").map_or(error, |(before, _)| before);
        answer["error"] = error.into();
    }
    // Prometheus returns the series of one selector in storage order, ours are sorted.
    if path.starts_with("/api/v1/series")
        && let Some(series) = answer.get_mut("data").and_then(Value::as_array_mut)
    {
        series.sort_by_key(Value::to_string);
    }
    if let Some(result) = answer.pointer_mut("/data/result").and_then(Value::as_array_mut)
        && result.iter().all(|series| series["metric"].is_object())
    {
        result.sort_by_key(|series| series["metric"].to_string());
    }
    if let Some(stats) = answer.pointer_mut("/data/stats") {
        // Only their presence is compared, not the durations.
        *stats = stats.is_object().into();
    }
    for list in ["groups", "alerts", "activeTargets"] {
        let Some(items) = answer.pointer_mut(&format!("/data/{list}")).and_then(Value::as_array_mut) else { continue };
        // Our own server is a target, but not the engine's.
        items.retain(|item| item["scrapePool"] != "hyperscope");
        for item in items.iter_mut().filter_map(Value::as_object_mut) {
            item.remove("source");
        }
    }
    if path.contains("/targets?state")
        && let Some(data) = answer.get_mut("data").and_then(Value::as_object_mut)
    {
        data.remove("droppedTargetCounts");
    }
    answer.to_string()
}

/// Answers that differ although no difference is listed, and listed differences that never appear.
async fn differences(server: &Server, prometheus: &Prometheus, base: i64, known: &[(&str, &str)]) -> Vec<String> {
    let known: Vec<(regex::Regex, bool)> =
        known.iter().map(|(requests, _)| (regex::Regex::new(requests).unwrap(), false)).collect();
    let (url, mut found, mut known) = (server.url(""), Vec::new(), known);
    let (client, all) = (client(), requests(base));
    assert!(all.len() > 400, "{}", all.len());
    for one in all {
        let (ours, theirs) =
            tokio::join!(ask(&client, &url, Some(TOKEN), &one), ask(&client, &prometheus.url, None, &one));
        if ours == theirs {
            continue;
        }
        let is_known = known.iter_mut().find(|(requests, _)| requests.is_match(&one.path));
        match is_known {
            Some((_, shows)) => *shows = true,
            None => found.push(format!("{one:?}\n  ours   {ours:?}\n  theirs {theirs:?}")),
        }
    }
    let silent = known.iter().filter(|(_, shows)| !shows);
    found.extend(silent.map(|(requests, _)| format!("nothing differs of {requests}")));
    found
}

/// A time in seconds before which both have had samples for a while.
fn base() -> i64 {
    (now_ms() / 60_000 - 30) * 60
}

async fn fill(url: &str, token: Option<&str>, base: i64) {
    let mut request = client().post(format!("{url}/api/v1/write"));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let written = with_body(request, body(world(base * 1000))).send().await.unwrap();
    assert_eq!(written.status(), 204, "{}", written.text().await.unwrap());
}

#[tokio::test]
async fn our_store_answers_as_prometheus_does() {
    let (server, prometheus) = tokio::join!(Server::serve(&[]), Prometheus::with_rules("groups: []\n"));
    let base = base();
    fill(&server.url(""), Some(TOKEN), base).await;
    fill(&prometheus.url, None, base).await;
    let known = match Peers::chosen() {
        Peers::Debian => KNOWN_2_42,
        Peers::Current => KNOWN,
    };
    let found = differences(&server, &prometheus, base, known).await;
    assert!(found.is_empty(), "{} differ:\n{}", found.len(), found.join("\n"));
}

#[tokio::test]
async fn an_engines_answers_come_back_as_they_are() {
    let prometheus = Prometheus::with_rules("groups: []\n").await;
    let base = base();
    fill(&prometheus.url, None, base).await;
    let server = Server::serve(&["--prometheus-url", &prometheus.url]).await;
    let found = differences(&server, &prometheus, base, KNOWN_IN_FRONT).await;
    assert!(found.is_empty(), "{} differ:\n{}", found.len(), found.join("\n"));
}
