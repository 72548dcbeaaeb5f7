//! A token with matchers sees the matching series, and no others on any path.

use crate::common::{Live, Prometheus, Server, Simulator, client, eventually, now_ms, token};
use reqwest::StatusCode;
use serde_json::{Value, json};

const RULES: &str = r#"[{ alert: Everywhere, expr: 'sum(hypersdk_jobs_active) >= 0' }, { alert: PerProvider, expr: 'hypersdk_jobs_active >= 0' }, { alert: OnlyElsewhere, expr: 'hypersdk_jobs_active{provider="gcp"} >= 0' }]"#;

/// Other providers than the token's, which must not appear anywhere.
const OTHERS: [&str; 5] = ["vsphere", "azure", "gcp", "openstack", "kvm"];

/// A viewer that sees `provider="aws"`.
struct Viewer<'a> {
    server: &'a Server,
    token: String,
}

impl<'a> Viewer<'a> {
    async fn of(server: &'a Server, matcher: &str) -> Self {
        let args = ["create", "--name", "part", "--role", "operator", "--match", matcher];
        let token = token(server.data_dir.path(), &args).await;
        let viewer = Viewer { server, token };
        eventually("the token to hold", async || {
            let answer = client().get(server.url("/api/session")).bearer_auth(&viewer.token).send().await.unwrap();
            (answer.status() == StatusCode::OK).then_some(())
        })
        .await;
        viewer
    }

    async fn get(&self, path: &str, pairs: &[(&str, &str)]) -> (StatusCode, String) {
        let request = client().get(self.server.url(path)).bearer_auth(&self.token).query(pairs);
        let answer = request.send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    async fn json(&self, path: &str, pairs: &[(&str, &str)]) -> Value {
        let (status, text) = self.get(path, pairs).await;
        assert_eq!(status, StatusCode::OK, "{path} {pairs:?}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    async fn query(&self, expr: &str) -> Vec<Value> {
        let answer = self.json("/api/v1/query", &[("query", expr)]).await;
        answer["data"]["result"].as_array().unwrap().clone()
    }
}

fn names_no_other(text: &str) {
    for other in OTHERS {
        assert!(!text.contains(other), "{other} shows in {text}");
    }
}

/// Queries that try to see more; each returns series with a provider. The flag says whether there must be some.
fn attempts() -> Vec<(String, bool)> {
    let at = now_ms() / 1000 - 5;
    [
        (r#"hypersdk_jobs_active"#.to_owned(), true),
        (r#"hypersdk_jobs_active{provider="gcp"}"#.into(), false),
        (r#"hypersdk_jobs_active{provider!="aws"}"#.into(), false),
        (r#"hypersdk_jobs_active{provider=~"gcp|aws"}"#.into(), true),
        (r#"hypersdk_jobs_active{provider="gcp"} or hypersdk_jobs_active"#.into(), true),
        (r#"absent(nothing_at_all) or on () hypersdk_jobs_active{provider="gcp"}"#.into(), true),
        (r#"{__name__=~".+"}"#.into(), true),
        (r#"{__name__=~"hypersdk_.*", provider!=""}"#.into(), true),
        (r#"{"hypersdk_jobs_active"}"#.into(), true),
        (r#"{"hypersdk_jobs_active", "provider"=~".*"}"#.into(), true),
        (r#"label_replace(hypersdk_jobs_active, "was", "$1", "provider", "(.*)")"#.into(), true),
        (r#"label_replace(sum by (provider) (hypersdk_jobs_active), "provider", "aws", "", "") + 0"#.into(), true),
        (r#"count by (provider) (last_over_time({__name__=~".+"}[10m:5s]))"#.into(), true),
        (r#"max_over_time(sum by (provider) (hypersdk_jobs_active)[10m:5s])"#.into(), true),
        (format!("hypersdk_jobs_active @ {at}"), true),
        (r#"hypersdk_jobs_active offset 10s"#.into(), true),
        (r#"topk(100, hypersdk_jobs_active)"#.into(), true),
        (r#"count_values by (provider) ("v", hypersdk_jobs_active)"#.into(), true),
        (r#"hypersdk_jobs_active unless hypersdk_jobs_active{provider="aws"}"#.into(), false),
        (r#"hypersdk_jobs_active and on () vector(1)"#.into(), true),
        ("hypersdk_jobs_active # }\n".into(), true),
        ("hypersdk_jobs_active{provider=\"gcp\"} # \"}".into(), false),
        ("up".into(), false),
    ]
    .into_iter()
    .collect()
}

/// The same in syntax that Prometheus 2.42 does not know yet.
fn newest_attempts() -> Vec<(&'static str, bool)> {
    vec![
        (r#"limitk(100, hypersdk_jobs_active)"#, true),
        (r#"limit_ratio(1, {"hypersdk_jobs_active"})"#, true),
        (r#"sort_by_label(hypersdk_jobs_active, "provider")"#, true),
        (r#"hypersdk_jobs_active + on (provider) fill (0) hypersdk_jobs_active{provider="gcp"}"#, true),
        (r#"hypersdk_jobs_active{provider="gcp"} + on (provider) fill_left (1) hypersdk_jobs_active"#, true),
        (r#"last_over_time({"hypersdk_jobs_active", "provider"!="aws"}[5m])"#, false),
        (r#"increase(hypersdk_jobs_active[5m] smoothed)"#, true),
        (r#"hypersdk_jobs_active </ 1e9"#, false),
        (r#"{"hypersdk_jobs_active", __name__=~".*"} offset step()"#, true),
        (r#"first_over_time(hypersdk_jobs_active{provider=~"gcp|aws"}[10m:max(step(), 5s)])"#, true),
        (r#"count_values by (provider) ("v", {__name__=~"hypersdk_jobs.*"})"#, true),
        (r#"label_join(hypersdk_jobs_active, "provider", "-", "provider", "daemon")"#, true),
    ]
}

/// A query for the absence of a series finds it absent, even if it exists outside the scope.
async fn sees_nothing_of_others(viewer: &Viewer<'_>) {
    for other in OTHERS {
        let absent = viewer.query(&format!(r#"absent(hypersdk_jobs_active{{provider="{other}"}})"#)).await;
        assert_eq!(absent.len(), 1, "{other}: {absent:?}");
        let nowhere =
            viewer.query(&format!(r#"count(hypersdk_jobs_active{{provider="{other}"}}) or vector(-1)"#)).await;
        assert_eq!(nowhere[0]["value"][1], "-1", "{other}");
        let pairs = [("match[]", format!(r#"{{provider="{other}"}}"#))];
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(viewer.json("/api/v1/label/daemon/values", &pairs).await["data"], json!([]));
        assert_eq!(viewer.json("/api/v1/series", &pairs).await["data"], json!([]));
    }
    for path in ["/api/v1/targets/metadata", "/api/v1/alertmanagers", "/api/v1/scrape_pools"] {
        let answer = viewer.json(path, &[]).await;
        names_no_other(&answer.to_string());
        assert!(!answer.to_string().contains("http"), "{path}: {answer}");
    }
}

async fn sees_only_its_part(viewer: &Viewer<'_>) {
    for (expr, some) in attempts() {
        let found = viewer.query(&expr).await;
        assert_eq!(!found.is_empty(), some, "{expr}: {found:?}");
        names_no_other(&serde_json::to_string(&found).unwrap());
        let now = (now_ms() / 1000).to_string();
        let start = (now_ms() / 1000 - 300).to_string();
        let range = [("query", expr.as_str()), ("start", &start), ("end", &now), ("step", "30")];
        names_no_other(&viewer.get("/api/v1/query_range", &range).await.1);
        let (start_ms, end_ms) = (format!("{start}000"), format!("{now}000"));
        let fixed = [("query", expr.as_str()), ("start_ms", &start_ms), ("end_ms", &end_ms), ("step_ms", "30000")];
        let (status, frame) = viewer.get("/api/frame", &fixed).await;
        assert_eq!(status, StatusCode::OK, "{frame}");
        names_no_other(&frame);
        let (status, exemplars) = viewer.get("/api/v1/query_exemplars", &range).await;
        assert_eq!(status, StatusCode::OK, "{exemplars}");
        names_no_other(&exemplars);
        // Explore repeats the query, which may name others.
        if OTHERS.iter().any(|other| expr.contains(other)) {
            continue;
        }
        for kind in ["range", "instant"] {
            let (status, page) = viewer.get("/fragments/explore", &[("expr", &expr), ("type", kind)]).await;
            assert_eq!(status, StatusCode::OK, "{page}");
            names_no_other(&page);
            assert!(!page.contains("value=\"up\"></option>"), "a metric of others is offered in {page}");
        }
    }
    sees_nothing_of_others(viewer).await;
    // A sum over everything is a sum over the visible part.
    let rest = viewer.query("sum(hypersdk_jobs_active) - on () hypersdk_jobs_active").await;
    assert_eq!(rest[0]["value"][1], "0", "{rest:?}");
    assert_eq!(viewer.query("count(count by (provider) (hypersdk_jobs_active))").await[0]["value"][1], "1");
    // Invalid queries, and those without a selector to restrict, are rejected.
    for expr in ["info(hypersdk_jobs_active)", "hypersdk_jobs_active{", r#"x{a="b" or c="d"}"#] {
        assert_eq!(viewer.get("/api/v1/query", &[("query", expr)]).await.0, StatusCode::BAD_REQUEST, "{expr}");
    }
    // Of two queries only one is used, and it is restricted.
    let twice =
        [("query", "sum by (provider) (hypersdk_jobs_active)"), ("query", "sum by (provider) (hypersdk_jobs_active)")];
    names_no_other(&viewer.get("/api/v1/query", &twice).await.1);

    for selector in [None, Some(r#"{__name__=~".+"}"#), Some("hypersdk_jobs_active"), Some(r#"{provider="gcp"}"#)] {
        let pairs: Vec<(&str, &str)> = selector.map(|selector| ("match[]", selector)).into_iter().collect();
        for path in [
            "/api/v1/labels",
            "/api/v1/label/provider/values",
            "/api/v1/label/__name__/values",
            "/api/v1/label/daemon/values",
        ] {
            let answer = viewer.json(path, &pairs).await.to_string();
            names_no_other(&answer);
            assert!(!answer.contains("\"up\""), "{path}: {answer}");
        }
        if selector.is_some() {
            names_no_other(&viewer.json("/api/v1/series", &pairs).await.to_string());
        }
    }
    assert_eq!(viewer.json("/api/v1/label/provider/values", &[]).await["data"], json!(["aws"]));
    let smuggled = [("match", r#"{provider="gcp"}"#), ("extra_filters[]", r#"{provider="gcp"}"#)];
    assert_eq!(viewer.json("/api/v1/label/provider/values", &smuggled).await["data"], json!(["aws"]));
    assert_eq!(viewer.get("/api/v1/series", &[]).await.0, StatusCode::BAD_REQUEST);

    let everything = [("match[]", r#"{__name__=~".+"}"#), ("match[]", r#"hypersdk_jobs_active{provider="gcp"}"#)];
    let (status, page) = viewer.get("/federate", &everything).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    assert!(page.contains("provider=\"aws\"") && !page.contains("\nup{"), "{page}");
    names_no_other(&page);
    assert_eq!(viewer.get("/federate", &[]).await.0, StatusCode::BAD_REQUEST);
    for path in ["config", "tsdb", "runtimeinfo", "flags"].map(|one| format!("/api/v1/status/{one}")) {
        let path = path.as_str();
        assert_eq!(viewer.get(path, &[]).await.0, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(viewer.json("/api/v1/targets", &[]).await["data"]["activeTargets"], json!([]));

    let metadata = viewer.json("/api/v1/metadata", &[]).await["data"].clone();
    assert!(metadata.get("hypersdk_jobs_active").is_some(), "{metadata}");
    assert!(metadata.get("hypersdk_goroutines").is_none() && metadata.get("up").is_none(), "{metadata}");
}

#[tokio::test]
async fn nothing_of_the_embedded_store_gets_around_a_tokens_matchers() {
    let server = Server::demo(&[]).await;
    let viewer = Viewer::of(&server, r#"provider="aws""#).await;
    sees_only_its_part(&viewer).await;
    for (expr, some) in newest_attempts() {
        let found = viewer.query(expr).await;
        assert_eq!(!found.is_empty(), some, "{expr}: {found:?}");
        names_no_other(&serde_json::to_string(&found).unwrap());
    }
    for refused in
        [r#"info(hypersdk_jobs_active, {provider="gcp"})"#, r#"sum(info({"hypersdk_jobs_active"} offset 1m))"#]
    {
        assert_eq!(viewer.get("/api/v1/query", &[("query", refused)]).await.0, StatusCode::BAD_REQUEST, "{refused}");
    }

    // Jobs, by the label that their series have.
    let all = server.json("/api/jobs").await;
    let jobs = viewer.json("/api/jobs", &[]).await;
    let of_aws = all["jobs"].as_array().unwrap().iter().filter(|job| job["provider"] == "aws").count();
    assert!(of_aws > 0 && all["jobs"].as_array().unwrap().len() > of_aws, "the demo has too few jobs");
    assert!(jobs["jobs"].as_array().unwrap().iter().all(|job| job["provider"] == "aws"), "{jobs}");
    let hidden = all["jobs"].as_array().unwrap().iter().find(|job| job["provider"] != "aws").unwrap();
    let path = format!("/api/jobs/{}/{}", hidden["daemon"].as_str().unwrap(), hidden["id"].as_str().unwrap());
    assert_eq!(viewer.get(&path, &[]).await.0, StatusCode::NOT_FOUND);
    assert_eq!(viewer.get(path.strip_prefix("/api").unwrap(), &[]).await.0, StatusCode::NOT_FOUND);
    let cancel = client().post(server.url(&format!("{path}/cancel"))).bearer_auth(&viewer.token).send().await.unwrap();
    assert_eq!(cancel.status(), StatusCode::NOT_FOUND);
    assert_eq!(viewer.json("/api/upstreams", &[]).await, json!({"upstreams": []}));

    // Our own `/metrics`, and the pages.
    let metrics = viewer.get("/metrics", &[]).await.1;
    assert!(metrics.contains("provider=\"aws\""), "{metrics}");
    assert!(
        metrics.lines().filter(|line| !line.starts_with('#')).all(|line| line.contains("provider=\"aws\"")),
        "{metrics}"
    );
    for path in ["/", "/jobs", "/system"] {
        names_no_other(&viewer.get(path, &[]).await.1);
    }
    assert!(viewer.get("/jobs", &[]).await.1.contains("aws"));
    let past = [("from", "now-20m"), ("to", "now-1m")];
    names_no_other(&viewer.get("/jobs", &past).await.1);

    // Live: the same query of an admin and of the viewer are two queries.
    let expr = "sum by (provider) (hypersdk_jobs_active)";
    let mut whole = Live::open(&server).await;
    whole.subscribe_query(1, expr, 60_000, 1_000).await;
    assert!(whole.expect(1, "snapshot").await["data"]["series"].as_array().unwrap().len() > 1);
    let mut part =
        Live::try_open(&server, "/ws?topics=jobs,system,upstreams,alerts", Some("hyperscope.v1.json"), &viewer.token)
            .await
            .unwrap();
    part.subscribe_query(5, expr, 60_000, 1_000).await;
    part.subscribe_query(6, "info(up)", 60_000, 1_000).await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..40 {
        let message = part.next().await;
        names_no_other(&message.to_string());
        seen.insert((message["id"].as_u64().unwrap(), message["type"].as_str().unwrap().to_owned()));
        match message["id"].as_u64().unwrap() {
            2 => assert_eq!(message["data"]["system"], json!([]), "{message}"),
            3 => assert_eq!(message["data"]["upstreams"], json!([]), "{message}"),
            _ => {}
        }
        if seen.contains(&(5, "delta".to_owned())) && seen.contains(&(1, "event".to_owned())) {
            break;
        }
    }
    assert!(seen.contains(&(5, "snapshot".into())) && seen.contains(&(6, "error".into())), "{seen:?}");
    let live = json!({"expr": expr, "window_ms": 60_000, "step_ms": 1_000}).to_string();
    let poll = [("topics", "jobs,system,upstreams,alerts"), ("query", live.as_str()), ("timeout", "1")];
    let polled = viewer.get("/api/live", &poll).await.1;
    assert!(polled.contains("aws"));
    names_no_other(&polled);
}

#[tokio::test]
async fn nothing_of_an_engine_gets_around_a_tokens_matchers() {
    let simulator = Simulator::start("documented", &["--jobs-per-minute", "600"]).await;
    let prometheus = Prometheus::start(&simulator.url, RULES).await;
    eventually("series of two providers and an alert", async || {
        let answer = prometheus.ask("/api/v1/query?query=count(hypersdk_jobs_active)%3E1").await;
        let alerts = prometheus.ask("/api/v1/alerts").await;
        let aws = alerts.to_string().contains("aws");
        (answer["data"]["result"][0].is_object() && aws).then_some(())
    })
    .await;
    // So that queries of the past find something.
    tokio::time::sleep(std::time::Duration::from_secs(12)).await;
    let server = Server::serve(&["--prometheus-url", &prometheus.url]).await;
    let viewer = Viewer::of(&server, r#"provider="aws""#).await;
    sees_only_its_part(&viewer).await;

    for path in ["/api/v1/alerts", "/api/v1/rules"] {
        let answer = viewer.json(path, &[]).await.to_string();
        names_no_other(&answer);
        assert!(answer.contains("aws") && !answer.contains(r#""alertname":"Everywhere""#), "{answer}");
    }
    let form = [("query", "sum by (provider) (hypersdk_jobs_active)")];
    let posted =
        client().post(server.url("/api/v1/query")).bearer_auth(&viewer.token).form(&form).send().await.unwrap();
    let posted = posted.text().await.unwrap();
    assert!(posted.contains("aws"), "{posted}");
    names_no_other(&posted);
}

#[tokio::test]
async fn matchers_are_told_and_wrong_ones_refused() {
    let server = Server::serve(&[]).await;
    let matcher = r#"provider="aws",region=~"eu-.*""#;
    let viewer = Viewer::of(&server, matcher).await;
    assert_eq!(viewer.json("/api/session", &[]).await["match"], matcher);
    let listed = server.json("/api/tokens").await;
    assert!(listed.as_array().unwrap().iter().any(|token| token["match"] == matcher), "{listed}");
    let mut list = crate::common::Program::start(
        crate::common::HYPERSCOPE,
        &["token", "list", "--data-dir", server.data_dir.path().to_str().unwrap()],
        &[],
    );
    assert!(list.ended().await.success());
    assert!(list.stdout().contains(matcher), "{}", list.stdout());

    let make = async |body: Value| server.post("/api/tokens").json(&body).send().await.unwrap();
    let good = make(json!({"name": "n", "role": "viewer", "match": [r#"a="b""#, r#"c!="d""#]})).await;
    assert_eq!(good.status(), StatusCode::CREATED);
    assert_eq!(good.json::<Value>().await.unwrap()["match"], r#"a="b",c!="d""#);
    for (role, matcher) in
        [("viewer", "provider"), ("viewer", r#"a="b"} or up{"#), ("admin", r#"a="b""#), ("ingest", r#"a="b""#)]
    {
        let wrong = make(json!({"name": "n", "role": role, "match": matcher})).await;
        assert_eq!(wrong.status(), StatusCode::BAD_REQUEST, "{role} {matcher}");
    }
    for wrong in ["", "provider", "provider=aws"] {
        let args = ["token", "create", "--name", "n", "--role", "viewer", "--match", wrong, "--data-dir"];
        let args = [&args[..], &[server.data_dir.path().to_str().unwrap()]].concat();
        let mut program = crate::common::Program::start(crate::common::HYPERSCOPE, &args, &[]);
        assert_eq!(program.ended().await.code(), Some(1), "{wrong}");
        assert!(program.stderr().contains("provider=\"aws\""), "{}", program.stderr());
    }
}

#[tokio::test]
async fn no_route_that_reads_shows_anything_of_others() {
    let server = Server::demo(&[]).await;
    let viewer = Viewer::of(&server, r#"provider="aws""#).await;
    let hidden = eventually("a job of another provider", async || {
        let jobs = server.json("/api/jobs").await;
        jobs["jobs"].as_array()?.iter().find(|job| OTHERS.iter().any(|other| job["provider"] == *other)).cloned()
    })
    .await;
    let fingerprint = eventually("an alert", async || {
        let alerts = server.json("/api/alerts").await;
        Some(alerts["alerts"].as_array()?.first()?["fingerprint"].as_str()?.to_owned())
    })
    .await;
    let filled = |part: &str| match part {
        "{daemon}" => hidden["daemon"].as_str().unwrap().to_owned(),
        "{id}" => hidden["id"].as_str().unwrap().to_owned(),
        "{fingerprint}" => fingerprint.clone(),
        "{uid}" => "hypersdk-jobs".to_owned(),
        "{name}" => "provider".to_owned(),
        "{part}" => "alerts".to_owned(),
        "{file}" => "hypersdk-jobs.svg".to_owned(),
        literal => literal.to_owned(),
    };
    let now_ms = now_ms();
    let (start, end) = ((now_ms / 1000 - 300).to_string(), (now_ms / 1000).to_string());
    let (start_ms, end_ms) = ((now_ms - 300_000).to_string(), now_ms.to_string());
    let parameters = [
        ("query", "hypersdk_jobs_active"),
        ("match[]", r#"{__name__=~".+"}"#),
        ("start", &start),
        ("end", &end),
        ("step", "15"),
        ("topics", "jobs,system,alerts,upstreams"),
        ("start_ms", &start_ms),
        ("end_ms", &end_ms),
        ("step_ms", "15000"),
        ("at", &end_ms),
        ("matchers", "alertname!=none"),
    ];
    let shows = |text: &str| OTHERS.iter().any(|other| text.contains(&format!("\"{other}\"")));
    let routes = server.json("/api/routes").await;
    let (mut walked, mut showing) = (0, 0);
    for route in routes["routes"].as_array().unwrap() {
        let path = route["path"].as_str().unwrap();
        let reads = route["methods"].as_array().unwrap().contains(&json!("GET"));
        // A socket is no answer, and the description of the API contains no data.
        if !reads || ["/ws", "/logout", "/api/openapi.json"].contains(&path) {
            continue;
        }
        let address = path.split('/').map(filled).collect::<Vec<_>>().join("/");
        let (status, text) = viewer.get(&address, &parameters).await;
        assert!(!status.is_server_error() || status == StatusCode::SERVICE_UNAVAILABLE, "{path}: {status} {text}");
        assert!(!shows(&text), "{path} shows what is of others: {text}");
        let all = server.get(&address).query(&parameters).send().await.unwrap().text().await.unwrap_or_default();
        walked += 1;
        showing += usize::from(shows(&all));
    }
    // The same requests show the others to a token without matchers.
    assert!(showing > 10, "only {showing} of {walked} routes show anything of others to an admin");
    assert!(walked > 40, "only {walked} routes were walked");
}
