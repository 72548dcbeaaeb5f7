//! An engine that uses another name for a label, with Debian's Prometheus.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::common::{Live, Prometheus, Server, Simulator, client, eventually, now_ms, token};

/// Scrapes call it `vcenter` instead of `provider`.
const RELABEL: &str =
    "[{ source_labels: [provider], regex: '(.+)', target_label: vcenter }, { action: labeldrop, regex: provider }]";
const RULES: &str = "[{ alert: Waits, expr: 'sum by (vcenter) (hypersdk_jobs_active) > 0' }]";

/// Sorted by its text.
fn sorted(list: &Value) -> Vec<Value> {
    let mut list = list.as_array().unwrap_or_else(|| panic!("{list}")).clone();
    list.sort_by_key(Value::to_string);
    list
}

/// Prometheus' answer with our label names.
fn ours(theirs: &Value) -> Vec<Value> {
    let text = theirs.to_string().replace("\"vcenter\"", "\"provider\"");
    sorted(&serde_json::from_str(&text).unwrap())
}

#[tokio::test]
async fn a_label_is_sent_by_the_engines_name_and_shown_by_ours() {
    let simulator = Simulator::start("documented", &["--jobs-per-minute", "60"]).await;
    let prometheus = Prometheus::start_relabelling(&simulator.url, RULES, RELABEL).await;
    let providers = eventually("series of two providers", async || {
        let lasting = "/api/v1/query?query=count(count by (vcenter) (hypersdk_jobs_active offset 3s))";
        let lasting = prometheus.ask(lasting).await["data"]["result"][0]["value"][1].as_str()?.parse::<u32>().ok()?;
        let answer = prometheus.ask("/api/v1/label/vcenter/values").await;
        answer["data"].as_array().filter(|values| lasting >= 2 && values.len() >= 2).cloned()
    })
    .await;
    let one = providers[0].as_str().unwrap();
    let server = Server::serve(&["--prometheus-url", &prometheus.url, "--engine-labels", "provider=vcenter"]).await;
    let time = (now_ms() / 1000 - 1).to_string();
    let before = (now_ms() / 1000 - 31).to_string();
    let metric = "{__name__=~\"hypersdk_.+\"}";

    for (written, sent) in [
        (metric.to_owned(), metric.to_owned()),
        ("sum by (provider) (hypersdk_jobs_active)".into(), "sum by (vcenter) (hypersdk_jobs_active)".into()),
        (
            format!("count by (provider, __name__) ({{__name__=~\"hypersdk_.+\", provider=\"{one}\"}})"),
            format!("count by (vcenter, __name__) ({{__name__=~\"hypersdk_.+\", vcenter=\"{one}\"}})"),
        ),
        (
            "hypersdk_jobs_active / on (provider) group_left () sum by (provider) (hypersdk_jobs_active)".into(),
            "hypersdk_jobs_active / on (vcenter) group_left () sum by (vcenter) (hypersdk_jobs_active)".into(),
        ),
        (
            "label_replace(hypersdk_jobs_active, \"copy\", \"$1\", \"provider\", \"(.*)\")".into(),
            "label_replace(hypersdk_jobs_active, \"copy\", \"$1\", \"vcenter\", \"(.*)\")".into(),
        ),
    ] {
        // The steps of the second kind are cached.
        for (path, times) in [
            ("/api/v1/query", vec![("time", time.as_str())]),
            ("/api/v1/query_range", vec![("start", before.as_str()), ("end", &time), ("step", "1")]),
            ("/api/v1/query_range", vec![("start", before.as_str()), ("end", &time), ("step", "1"), ("limit", "0")]),
        ] {
            let ask = async |url: String, query: &str| -> Value {
                let request = client().get(url).query(&times).query(&[("query", query)]);
                request.bearer_auth(crate::common::TOKEN).send().await.unwrap().json().await.unwrap()
            };
            let shown = ask(server.url(path), &written).await;
            let theirs = ask(format!("{}{path}", prometheus.url), &sent).await;
            assert!(!theirs["data"]["result"].as_array().unwrap().is_empty(), "{sent}: {theirs}");
            assert_eq!(sorted(&shown["data"]["result"]), ours(&theirs["data"]["result"]), "{written} {times:?}");
        }
    }

    let values = server.json("/api/v1/label/provider/values").await;
    assert_eq!(values["data"], json!(providers));
    let values = server.json(&format!("/api/v1/label/provider/values?match[]={{provider=\"{one}\"}}")).await;
    assert_eq!(values["data"], json!([one]));
    let names = server.json("/api/v1/labels").await;
    let names = names["data"].as_array().unwrap();
    assert!(names.contains(&json!("provider")) && !names.contains(&json!("vcenter")), "{names:?}");
    let series = server.json("/api/v1/series?match[]={provider!=\"\"}").await;
    let series = series["data"].as_array().unwrap();
    assert!(!series.is_empty() && series.iter().all(|one| one["provider"].is_string() && one["vcenter"].is_null()));
    eventually("the engine's alerts by our names", async || {
        let alerts = server.json("/api/v1/alerts").await;
        let labels =
            &alerts["data"]["alerts"].as_array()?.iter().find(|one| one["labels"]["alertname"] == "Waits")?["labels"];
        (labels["provider"].is_string() && labels["vcenter"].is_null()).then_some(())
    })
    .await;

    let mut live = Live::open(&server).await;
    live.subscribe_query(1, "sum by (provider) (hypersdk_jobs_active)", 60_000, 1_000).await;
    let snapshot = live.expect(1, "snapshot").await;
    assert_eq!(snapshot["data"]["sent"], "sum by (vcenter) (hypersdk_jobs_active)");
    assert!(snapshot["data"]["series"].as_array().unwrap().iter().all(|one| one["labels"]["provider"].is_string()));

    // A token with matchers sees its part under either name, and nothing else.
    for (matcher, sees) in [(format!("provider=\"{one}\""), true), (format!("provider!=\"{one}\""), false)] {
        let args = ["create", "--name", "p", "--role", "viewer", "--match", &matcher];
        let part = token(server.data_dir.path(), &args).await;
        eventually("the token", async || {
            let answer = client().get(server.url("/api/v1/labels")).bearer_auth(&part).send().await.unwrap();
            (answer.status() == StatusCode::OK).then_some(())
        })
        .await;
        let get = async |path: &str| {
            let answer = client().get(server.url(path)).bearer_auth(&part).send().await.unwrap();
            answer.json::<Value>().await.unwrap()
        };
        for name in ["provider", "vcenter"] {
            for query in [
                format!("count by ({name}) ({{{name}!=\"\"}})"),
                format!("count by ({name}) ({{{name}=~\".+\"}} or up)"),
            ] {
                let query: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
                let answer = get(&format!("/api/v1/query?query={query}&time={time}")).await;
                let found = answer["data"]["result"].as_array().unwrap_or_else(|| panic!("{answer}"));
                let seen: Vec<&str> = found.iter().filter_map(|one| one["metric"]["provider"].as_str()).collect();
                assert!(
                    !seen.is_empty() && seen.iter().all(|seen| (*seen == one) == sees),
                    "{matcher} {query}: {seen:?}"
                );
            }
            let values = get(&format!("/api/v1/label/{name}/values")).await;
            let seen = values["data"].as_array().unwrap();
            assert!(!seen.is_empty() && seen.iter().all(|seen| (seen == one) == sees), "{matcher} {name}: {seen:?}");
        }
    }
}
