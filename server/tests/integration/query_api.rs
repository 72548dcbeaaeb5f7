//! Prometheus' HTTP API over the embedded store, tested with Prometheus' own promtool and by hand.

use std::collections::BTreeSet;

use crate::common::{Program, Server, TOKEN, now_ms};
use serde_json::{Value, json};

/// The output of promtool for these arguments.
async fn promtool(args: &[&str]) -> String {
    let mut program = Program::start("promtool", args, &[]);
    let status = program.ended().await;
    assert!(status.success(), "promtool {args:?}: {}{}", program.stdout(), program.stderr());
    program.stdout()
}

#[tokio::test]
async fn promtool_takes_it_for_a_prometheus() {
    // Only its range queries can send a token.
    let server = Server::demo(&["--insecure-no-auth"]).await;
    let url = server.url("");

    let instant = promtool(&["query", "instant", &url, "sum by (provider) (hypersdk_jobs_active)"]).await;
    assert!(instant.lines().any(|line| line.starts_with(r#"{provider="aws"} => "#)), "{instant}");
    let instant = promtool(&["query", "instant", &url, "1 + 1"]).await;
    assert!(instant.starts_with("scalar: 2 @["), "{instant}");
    let instant = promtool(&["query", "instant", &url, "up[20m]"]).await;
    assert!(instant.lines().count() > 10, "{instant}");
    let past = (now_ms() / 1000 - 600).to_string();
    let instant = promtool(&["query", "instant", "--time", &past, &url, "up"]).await;
    assert!(instant.contains(r#"job="hypersdk""#) && instant.contains("=> 1 @["), "{instant}");

    let series = promtool(&["query", "series", "--match", r#"hypersdk_jobs_active{provider=~"aws|kvm"}"#, &url]).await;
    let found: BTreeSet<&str> = series.lines().collect();
    assert_eq!(found.len(), 2, "{series}");
    assert!(found.iter().all(|line| line.starts_with(r#"{__name__="hypersdk_jobs_active""#)), "{series}");

    let labels = promtool(&["query", "labels", &url, "provider"]).await;
    assert_eq!(labels.lines().collect::<Vec<_>>(), ["aws", "azure", "gcp", "kvm", "openstack", "vsphere"]);
}

#[tokio::test]
async fn promtool_asks_for_ranges_with_a_token() {
    let server = Server::demo(&[]).await;
    let (url, header) = (server.url(""), format!("Authorization=Bearer {TOKEN}"));
    let end = now_ms() / 1000;
    let (start, end) = ((end - 600).to_string(), end.to_string());
    let range = ["query", "range", "--start", &start, "--end", &end, "--step", "60s"];
    let expr = "sum(hypersdk_jobs_active)";
    let answer = promtool(&[&range[..], &["--header", &header, &url, expr]].concat()).await;
    assert_eq!(answer.lines().next(), Some("{} =>"), "{answer}");
    assert_eq!(answer.lines().filter(|line| line.contains(" @[")).count(), 11, "{answer}");

    let mut refused = Program::start("promtool", &[&range[..], &[&url, expr]].concat(), &[]);
    assert!(!refused.ended().await.success());
}

#[tokio::test]
async fn promtool_finds_nothing_wrong_with_our_page_of_metrics() {
    let server = Server::demo(&[]).await;
    let page = crate::common::eventually("a page with what was scraped", async || {
        let page = server.text("/metrics").await;
        page.contains("\nup{").then_some(page)
    })
    .await;
    let file = server.data_dir.path().join("page");
    std::fs::write(&file, page).unwrap();
    let mut program = Program::start("sh", &["-c", r#"promtool check metrics < "$0""#, file.to_str().unwrap()], &[]);
    program.ended().await;
    let said = format!("{}{}", program.stdout(), program.stderr());
    // The names of the node exporter, which dashboards query.
    let wrong: Vec<&str> = said.lines().filter(|line| !line.starts_with("node_memory_")).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

async fn get(server: &Server, path: &str, parameters: &[(&str, &str)]) -> (u16, Value) {
    let answer = server.get(path).query(parameters).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn get_and_post_say_the_same() {
    let server = Server::demo(&[]).await;
    let now = now_ms() / 1000;
    let (time, start) = ((now - 60).to_string(), (now - 660).to_string());
    let instant = [("query", "hypersdk_jobs_active"), ("time", time.as_str())];
    let range = [("query", "hypersdk_jobs_active"), ("start", start.as_str()), ("end", time.as_str()), ("step", "1m")];
    for (path, parameters) in [
        ("/api/v1/query", &instant[..]),
        ("/api/v1/query_range", &range[..]),
        ("/api/v1/series", &[("match[]", "up"), ("match[]", "hypersdk_jobs_active")][..]),
        ("/api/v1/labels", &[("match[]", "hypersdk_jobs_active")][..]),
    ] {
        let (status, by_get) = get(&server, path, parameters).await;
        assert_eq!((status, &by_get["status"]), (200, &json!("success")), "{path}: {by_get}");
        let by_post: Value = server.post(path).form(parameters).send().await.unwrap().json().await.unwrap();
        assert_eq!(by_get, by_post, "{path}");
        // As a form, a part of which is in the URL.
        let split = server.post(path).query(&parameters[..1]).form(&parameters[1..]).send().await.unwrap();
        assert_eq!(by_get, split.json::<Value>().await.unwrap(), "{path}");
        match path {
            "/api/v1/query" => {
                assert_eq!(by_get["data"]["resultType"], "vector");
                let sample = &by_get["data"]["result"][0];
                assert_eq!(sample["metric"]["__name__"], "hypersdk_jobs_active");
                assert_eq!(sample["value"][0].as_f64(), Some((now - 60) as f64));
                assert!(sample["value"][1].as_str().is_some_and(|value| value.parse::<f64>().is_ok()), "{sample}");
            }
            "/api/v1/query_range" => {
                assert_eq!(by_get["data"]["resultType"], "matrix");
                assert_eq!(by_get["data"]["result"][0]["values"].as_array().unwrap().len(), 11);
            }
            "/api/v1/series" => assert_eq!(by_get["data"].as_array().unwrap().len(), 7),
            _ => assert_eq!(by_get["data"], json!(["__name__", "daemon", "instance", "job", "provider"])),
        }
    }
}

#[tokio::test]
async fn times_and_durations_are_read_in_all_spellings() {
    let server = Server::demo(&[]).await;
    let now = now_ms() / 1000 - 30;
    let iso = promtool_time(now);
    let parameters = |start: &str, end: &str, step: &str| {
        [("query", "vector(time())"), ("start", start), ("end", end), ("step", step)].map(|(n, v)| (n, v.to_owned()))
    };
    let mut answers = Vec::new();
    for (end, step) in [(now.to_string(), "60"), (format!("{now}.000"), "1m"), (iso, "60.0")] {
        let start = (now - 300).to_string();
        let parameters = parameters(&start, &end, step);
        let pairs: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        answers.push(get(&server, "/api/v1/query_range", &pairs).await);
    }
    assert_eq!(answers[0].0, 200, "{}", answers[0].1);
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    assert_eq!(answers[0].1["data"]["result"][0]["values"].as_array().unwrap().len(), 6);
}

/// Unix seconds as RFC 3339.
fn promtool_time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).unwrap().to_string()
}

#[tokio::test]
async fn a_form_over_the_limit_is_told_in_the_envelope() {
    let server = Server::demo(&[]).await;
    let form = format!("query={}", "a".repeat((1 << 20) + 1));
    let parts = form.as_bytes().chunks(1 << 16).map(|part| Ok::<_, std::io::Error>(part.to_vec())).collect::<Vec<_>>();
    let of_unknown_length = reqwest::Body::wrap_stream(futures_util::stream::iter(parts));
    for body in [reqwest::Body::from(form.clone()), of_unknown_length] {
        let request = reqwest::Client::new()
            .post(server.url("/api/v1/query"))
            .bearer_auth(TOKEN)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), 413);
        let answer: Value = response.json().await.unwrap();
        assert_eq!((&answer["status"], &answer["errorType"]), (&json!("error"), &json!("bad_data")), "{answer}");
        assert!(answer["error"].as_str().unwrap().contains("limit"), "{answer}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_told_in_the_envelope() {
    let server = Server::demo(&[]).await;
    let range = |start, end, step| vec![("query", "up"), ("start", start), ("end", end), ("step", step)];
    let two_right = "up + on() hypersdk_jobs_active";
    for (path, parameters, status, kind, words) in [
        ("query", vec![("query", "sum(")], 400, "bad_data", "invalid parameter \"query\": 1:5: parse error: unclosed"),
        ("format_query", vec![("query", "rate(x)")], 400, "bad_data", "1:6: parse error: expected type range vector"),
        ("parse_query", vec![("query", "x + foo(y)")], 400, "bad_data", "1:5: parse error: unknown function with name"),
        ("query", vec![("query", "median_of(up)")], 400, "bad_data", "median_of"),
        ("query", vec![("query", "up"), ("time", "yesterday")], 400, "bad_data", "yesterday"),
        ("query", vec![], 400, "bad_data", "query"),
        ("query", vec![("query", two_right)], 422, "execution", "duplicate series"),
        ("query_range", range("1000", "2000", "0"), 400, "bad_data", "step"),
        ("query_range", range("1000", "2000", "-5"), 400, "bad_data", "step"),
        ("query_range", range("1000", "2000", "soon"), 400, "bad_data", "soon"),
        ("query_range", range("2000", "1000", "10"), 400, "bad_data", "end"),
        ("query_range", range("1000", "", "10"), 400, "bad_data", "end"),
        ("query_range", range("0", "11001", "1"), 400, "bad_data", "11,000 points"),
        ("series", vec![], 400, "bad_data", "match[]"),
        ("series", vec![("match[]", "{")], 400, "bad_data", "match[]"),
        ("labels", vec![("match[]", "up +")], 400, "bad_data", "match[]"),
        ("labels", vec![("limit", "many")], 400, "bad_data", "many"),
    ] {
        let (found, answer) = get(&server, &format!("/api/v1/{path}"), &parameters).await;
        assert_eq!(found, status, "{path} {parameters:?}: {answer}");
        assert_eq!((&answer["status"], &answer["errorType"]), (&json!("error"), &json!(kind)), "{answer}");
        assert!(answer["error"].as_str().unwrap().contains(words), "{path} {parameters:?}: {answer}");
    }
    // The maximum number of points.
    assert_eq!(get(&server, "/api/v1/query_range", &range("0", "11000", "1")).await.0, 200);
    let nobody = server.get_as_nobody("/api/v1/query?query=up").send().await.unwrap();
    assert_eq!(nobody.status(), 401);
}

#[tokio::test]
async fn a_forms_parameter_counts_before_the_urls_and_only_posts_have_one() {
    let server = Server::demo(&[]).await;
    let url = "/api/v1/query?query=2&time=6";
    let posted: Value = server.post(url).form(&[("query", "1")]).send().await.unwrap().json().await.unwrap();
    assert_eq!(posted["data"]["result"], json!([6, "1"]));
    let got: Value = server.get(url).form(&[("query", "1")]).send().await.unwrap().json().await.unwrap();
    assert_eq!(got["data"]["result"], json!([6, "2"]));
}

#[tokio::test]
async fn limits_are_settings() {
    let server = Server::demo(&["--limit-points", "100", "--limit-series", "10", "--limit-response", "2KiB"]).await;
    let range = |end| [("query", "vector(1)"), ("start", "0"), ("end", end), ("step", "1")];
    let (status, answer) = get(&server, "/api/v1/query_range", &range("101")).await;
    assert_eq!(status, 400);
    assert!(answer["error"].as_str().unwrap().contains("100 points"), "{answer}");
    let (status, answer) = get(&server, "/api/v1/query", &[("query", r#"{__name__=~"hypersdk_.+"}"#)]).await;
    assert_eq!((status, &answer["errorType"]), (422, &json!("execution")), "{answer}");
    let long = r#"label_replace(vector(1), "long", "LONG", "", "")"#.replace("LONG", &"x".repeat(3_000));
    let (status, answer) = get(&server, "/api/v1/query", &[("query", &long)]).await;
    assert_eq!(status, 422, "{answer}");
    assert!(answer["error"].as_str().unwrap().contains("2048 bytes"), "{answer}");
    assert_eq!(get(&server, "/api/v1/query", &[("query", "up")]).await.0, 200);
}

#[tokio::test]
async fn names_values_and_descriptions_are_listed() {
    let server = Server::demo(&[]).await;
    let data = async |path: &str| server.json(path).await["data"].clone();
    let labels = data("/api/v1/labels").await;
    for label in ["__name__", "daemon", "instance", "job", "le", "provider"] {
        assert!(labels.as_array().unwrap().contains(&json!(label)), "{labels}");
    }
    let names = data("/api/v1/label/__name__/values").await;
    assert!(names.as_array().unwrap().contains(&json!("hypersdk_jobs_active")), "{names}");
    assert_eq!(
        data("/api/v1/label/provider/values?match[]=hypersdk_jobs_active&limit=2").await,
        json!(["aws", "azure"])
    );
    assert_eq!(data("/api/v1/label/nowhere/values").await, json!([]));
    assert_eq!(data("/api/v1/labels?match[]=up&start=1000&end=2000").await, json!([]));
    let metadata = crate::common::eventually("descriptions of a scrape", async || {
        let metadata = data("/api/v1/metadata?metric=hypersdk_job_duration_seconds").await;
        metadata["hypersdk_job_duration_seconds"].is_array().then_some(metadata)
    })
    .await;
    let family = &metadata["hypersdk_job_duration_seconds"][0];
    assert_eq!(family["type"], "histogram");
    assert!(family["help"].as_str().is_some_and(|help| !help.is_empty()) && family["unit"].is_string(), "{family}");
    assert_eq!(data("/api/v1/metadata?limit=3").await.as_object().unwrap().len(), 3);
    let build = data("/api/v1/status/buildinfo").await;
    // Grafana chooses its requests by the version.
    assert!(build["version"].as_str().unwrap().starts_with("3.") && build["application"] == "hyperscope", "{build}");
    assert!(data("/api/v1/alerts").await["alerts"].is_array());
    assert!(data("/api/v1/rules").await["groups"].is_array());
}

#[tokio::test]
async fn large_answers_are_compressed_for_those_who_accept_it() {
    let server = Server::demo(&[]).await;
    let path = r#"/api/v1/query?query={__name__=~"hypersdk_.%2B"}"#;
    let plain = server.get(path).header("accept-encoding", "identity").send().await.unwrap();
    assert!(plain.headers().get("content-encoding").is_none());
    assert_eq!(plain.headers()["content-type"], "application/json");
    let plain = plain.bytes().await.unwrap();
    let packed = server.get(path).header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    let packed = packed.bytes().await.unwrap();
    assert_eq!(packed[..2], [0x1f, 0x8b]);
    assert!(packed.len() < plain.len() / 3, "{} of {}", packed.len(), plain.len());
}
