//! Prometheus' own programs and our API beyond queries: federation, targets, exemplars, the syntax of a query.

use crate::common::{
    Program, Server, Simulator, TOKEN, client, eventually, free_port, now_ms, series, token, with_body, write,
};
use labels::Labels;
use remote_write::{Exemplar, Request};
use serde_json::{Value, json};
use tempfile::TempDir;
use timeseries::STALE_NAN;

async fn get(server: &Server, path: &str, parameters: &[(&str, &str)]) -> (u16, Value) {
    let answer = server.get(path).query(parameters).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn the_newest_samples_are_federated_and_what_has_ended_is_not() {
    let server = Server::serve(&[]).await;
    let now = now_ms();
    let all = vec![
        series("a", &[("instance", "x:1")], &[(now - 60_000, 1.0), (now - 30_000, 2.5)]),
        series("a", &[("le", "0.5\"\\")], &[(now - 10_000, f64::INFINITY)]),
        series("ended", &[], &[(now - 60_000, 1.0), (now - 30_000, STALE_NAN)]),
        series("old", &[], &[(now - 600_000, 1.0)]),
        series("dotted.name", &[("a b", "c")], &[(now - 5_000, 1e-9)]),
        series("other", &[], &[(now, 1.0)]),
    ];
    assert_eq!(write(&server, all).await.status(), 204);
    let matches = [("match[]", r#"{__name__=~"a|ended|old"}"#), ("match[]", r#"{"dotted.name"}"#), ("match[]", "a")];
    let answer = server.get("/federate").query(&matches).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let page = answer.text().await.unwrap();
    let expected = format!(
        "# TYPE a untyped\na{{instance=\"x:1\"}} 2.5 {}\na{{le=\"0.5\\\"\\\\\",instance=\"\"}} +Inf {}\n\
         # TYPE \"dotted.name\" untyped\n{{\"dotted.name\",\"a b\"=\"c\",instance=\"\"}} 0.000000001 {}\n",
        now - 30_000,
        now - 10_000,
        now - 5_000
    );
    assert_eq!(page, expected);
    assert_eq!(server.get("/federate").send().await.unwrap().status(), 400);
    assert_eq!(server.get_as_nobody("/federate?match[]=a").send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn a_real_prometheus_federates_from_us() {
    let server = Server::demo(&[]).await;
    let directory = TempDir::new().unwrap();
    let target = server.address;
    let address = format!("127.0.0.1:{}", free_port());
    let config = format!(
        "global: {{ scrape_interval: 1s }}\n\
         scrape_configs:\n- job_name: federate\n  honor_labels: true\n  metrics_path: /federate\n  \
         params: {{ 'match[]': ['{{__name__=~\"hypersdk_.+|up\"}}'] }}\n  authorization: {{ credentials: {TOKEN} }}\n  \
         static_configs: [{{ targets: ['{target}'] }}]\n"
    );
    let file = directory.path().join("prometheus.yaml");
    std::fs::write(&file, config).unwrap();
    let _prometheus = Program::start(
        "prometheus",
        &[
            &format!("--config.file={}", file.display()),
            &format!("--storage.tsdb.path={}", directory.path().join("data").display()),
            &format!("--web.listen-address={address}"),
        ],
        &[],
    );
    let ours = server.query("count(hypersdk_job_duration_seconds_bucket)").await[0].1;
    eventually("as many series at Prometheus as here", async || {
        let url = format!("http://{address}/api/v1/query");
        let query = [("query", r#"count(hypersdk_job_duration_seconds_bucket{job="hypersdk", daemon="demo"})"#)];
        let answer: Value = client().get(url).query(&query).send().await.ok()?.json().await.ok()?;
        let count = answer["data"]["result"][0]["value"][1].as_str()?.parse::<f64>().ok()?;
        (count >= ours).then_some(())
    })
    .await;
}

#[tokio::test]
async fn promtool_reads_queries_series_and_labels() {
    // Most of promtool's commands cannot send a token.
    let server = Server::serve(&["--insecure-no-auth"]).await;
    let all = (0..3).map(|n| series("jobs", &[("n", &n.to_string())], &[(0, 1.0), (60_000, f64::from(n))])).collect();
    assert_eq!(write(&server, all).await.status(), 204);
    let url = server.url("");
    for (args, expected) in [
        (vec!["query", "instant", "--time", "60", &url, "sum(jobs)"], "{} => 3 @[60]\n"),
        (
            vec!["query", "range", "--start", "0", "--end", "60", "--step", "60s", &url, "sum(jobs)"],
            "{} =>\n3 @[0]\n3 @[60]\n",
        ),
        (
            vec!["query", "series", "--match", "jobs{n!=\"1\"}", "--start", "0", "--end", "60", &url],
            "{__name__=\"jobs\", n=\"0\"}\n{__name__=\"jobs\", n=\"2\"}\n",
        ),
        (vec!["query", "labels", "--start", "0", "--end", "60", &url, "n"], "0\n1\n2\n"),
    ] {
        let mut promtool = Program::start("promtool", &args, &[]);
        let status = promtool.ended().await;
        assert!(status.success(), "{args:?}: {}", promtool.stderr());
        assert_eq!(promtool.stdout(), expected, "{args:?}");
    }
}

#[tokio::test]
async fn exemplars_are_found_by_the_series_of_a_query() {
    let server = Server::serve(&["--limit-exemplars", "2"]).await;
    let exemplar =
        |id: &str, timestamp_ms| Exemplar { labels: Labels::new([("trace_id", id)]), value: 0.25, timestamp_ms };
    let mut one = series("latency_bucket", &[("le", "1")], &[(1_000, 1.0)]);
    one.exemplars = vec![exemplar("first", 500), exemplar("second", 700), exemplar("third", 900)];
    let body = remote_write::compress(&remote_write::encode(&Request { series: vec![one], ..Request::default() }));
    assert_eq!(with_body(server.post("/api/v1/write"), body.unwrap()).send().await.unwrap().status(), 204);
    let query = "histogram_quantile(0.9, sum by (le) (rate(latency_bucket[5m]))) > bool other";
    let parameters = [("query", query), ("start", "0"), ("end", "10")];
    let (status, answer) = get(&server, "/api/v1/query_exemplars", &parameters).await;
    assert_eq!(status, 200);
    let expected = json!([{
        "seriesLabels": {"__name__": "latency_bucket", "le": "1"},
        "exemplars": [
            {"labels": {"trace_id": "second"}, "value": "0.25", "timestamp": 0.7},
            {"labels": {"trace_id": "third"}, "value": "0.25", "timestamp": 0.9},
        ],
    }]);
    assert_eq!(answer["data"], expected);
    assert_eq!(get(&server, "/api/v1/query_exemplars", &[("query", "other")]).await.1["data"], json!([]));
    assert_eq!(get(&server, "/api/v1/query_exemplars", &[("query", "sum(")]).await.0, 400);
}

#[tokio::test]
async fn targets_are_the_daemons_and_ourselves() {
    let simulator = Simulator::start("documented", &[]).await;
    let server = Server::serve(&["--daemon-url", &simulator.named("sim"), "--scrape-interval", "1s"]).await;
    let target = eventually("a target that was scraped", async || {
        let targets = server.json("/api/v1/targets?state=active").await;
        let targets = targets["data"]["activeTargets"].as_array().unwrap().clone();
        targets.into_iter().find(|target| target["labels"]["daemon"] == "sim" && target["health"] == "up")
    })
    .await;
    assert!(target["scrapeUrl"].as_str().unwrap().starts_with(&simulator.url), "{target}");
    assert_eq!((&target["scrapePool"], &target["lastError"]), (&json!("hypersdk"), &json!("")));
    assert!(target["lastScrape"].as_str().unwrap().starts_with("20"), "{target}");
    let pools = server.json("/api/v1/scrape_pools").await;
    assert_eq!(pools["data"]["scrapePools"], json!(["hyperscope", "hypersdk"]));
    assert_eq!(server.json("/api/v1/targets?state=dropped").await["data"]["activeTargets"], json!([]));
    let config = server.json("/api/v1/status/config").await;
    assert!(config["data"]["yaml"].as_str().unwrap().contains("job_name: \"sim\""), "{config}");
}

#[tokio::test]
async fn a_query_is_laid_out_and_its_tree_told() {
    let server = Server::serve(&[]).await;
    let (status, answer) = get(&server, "/api/v1/format_query", &[("query", "sum(rate(x[5m]))by(a)")]).await;
    assert_eq!((status, &answer["data"]), (200, &json!("sum by (a) (rate(x[5m]))")));
    let (status, answer) = get(&server, "/api/v1/parse_query", &[("query", "-x > 1")]).await;
    assert_eq!(status, 200);
    assert_eq!(answer["data"]["type"], "binaryExpr");
    assert_eq!(answer["data"]["lhs"]["expr"]["matchers"], json!([{"name": "__name__", "value": "x", "type": "="}]));
    for path in ["/api/v1/format_query", "/api/v1/parse_query", "/api/v1/query"] {
        let (status, answer) = get(&server, path, &[("query", "foo/")]).await;
        assert_eq!((status, &answer["errorType"]), (400, &json!("bad_data")));
        let error = answer["error"].as_str().unwrap();
        assert!(error.starts_with("invalid parameter \"query\": 1:5: parse error: "), "{error}");
    }
}

#[tokio::test]
async fn a_request_says_how_it_is_evaluated() {
    let server = Server::serve(&[]).await;
    let all = (0..5).map(|n| series("x", &[("n.m", &n.to_string())], &[(0, 1.0)])).collect();
    assert_eq!(write(&server, all).await.status(), 204);
    let at = |parameters: &[(&'static str, &'static str)]| [&[("query", "x"), ("time", "200")], parameters].concat();
    let (_, plain) = get(&server, "/api/v1/query", &at(&[])).await;
    assert_eq!(plain["data"]["result"].as_array().unwrap().len(), 5);
    assert!(plain["data"].get("stats").is_none() && plain.get("warnings").is_none());
    let (_, cut) = get(&server, "/api/v1/query", &at(&[("limit", "2"), ("stats", "all")])).await;
    assert_eq!(cut["data"]["result"].as_array().unwrap().len(), 2);
    assert_eq!(cut["warnings"], json!(["results truncated due to limit"]));
    assert!(cut["data"]["stats"]["timings"]["evalTotalTime"].is_number(), "{cut}");
    assert!(cut["data"]["stats"]["samples"]["totalQueryableSamples"].as_u64() >= Some(5), "{cut}");
    let (_, short) = get(&server, "/api/v1/query", &at(&[("lookback_delta", "1m")])).await;
    assert_eq!(short["data"]["result"], json!([]));
    let (status, timed_out) = get(&server, "/api/v1/query", &at(&[("timeout", "1e-9")])).await;
    assert_eq!((status, &timed_out["errorType"]), (503, &json!("timeout")), "{timed_out}");
    assert_eq!(get(&server, "/api/v1/query", &at(&[("timeout", "0")])).await.0, 400);
    let (_, labels) = get(&server, "/api/v1/series", &[("match[]", "x"), ("limit", "1")]).await;
    assert_eq!((labels["data"].as_array().unwrap().len(), labels["warnings"].is_array()), (1, true));
    assert_eq!(get(&server, "/api/v1/label/U__n_2e_m/values", &[]).await.1["data"].as_array().unwrap().len(), 5);
    let off = Server::serve(&["--promql-experimental=false"]).await;
    let (status, answer) = get(&off, "/api/v1/query", &[("query", "limitk(1, x)")]).await;
    assert_eq!(status, 422);
    assert!(answer["error"].as_str().unwrap().contains("limitk"), "{answer}");
    assert_eq!(get(&server, "/api/v1/query", &[("query", "limitk(1, x)")]).await.0, 200);
    assert_eq!(get(&server, "/api/v1/nowhere", &[]).await.0, 404);
}

#[tokio::test]
async fn pages_of_metrics_are_for_scrapers_and_whole_readers() {
    let server = Server::serve(&[]).await;
    assert_eq!(write(&server, vec![series("a", &[("team", "x")], &[(now_ms(), 1.0)])]).await.status(), 204);
    let page = "/federate?match[]=a";
    for (name, role, more, allowed) in [
        ("scraper", "scrape", &[][..], [200, 200, 403, 403]),
        ("part", "scrape", &["--match", "team=\"y\""][..], [200, 200, 403, 403]),
        ("viewer", "viewer", &[][..], [200, 200, 200, 200]),
        ("sender", "ingest", &[][..], [403, 403, 403, 403]),
        ("wall", "kiosk", &["--dashboards", "hypersdk-jobs"][..], [403, 403, 403, 200]),
    ] {
        let args = [&["create", "--name", name, "--role", role], more].concat();
        let secret = token(server.data_dir.path(), &args).await;
        let mut answers = Vec::new();
        for path in ["/metrics", page, "/api/v1/query?query=a", "/d/hypersdk-jobs"] {
            let answer = server.get_as_nobody(path).bearer_auth(&secret).send().await.unwrap();
            answers.push((answer.status().as_u16(), answer.text().await.unwrap()));
        }
        assert_eq!(answers.iter().map(|(status, _)| *status).collect::<Vec<_>>(), allowed, "{name}");
        assert_eq!(
            answers[1].1.contains("team=\"x\""),
            allowed[1] == 200 && name != "part",
            "{name}: {}",
            answers[1].1
        );
    }
}
