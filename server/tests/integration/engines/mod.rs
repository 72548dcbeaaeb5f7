//! Other engines: how they are reached, how few requests they get, and what happens when they do not answer.

mod labels;
mod tls;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::common::{Live, Program, Server, client, eventually, now_ms, token, viewer};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A request to an engine.
#[derive(Debug, Clone)]
struct Asked {
    path: String,
    pairs: Vec<(String, String)>,
    headers: HeaderMap,
}

impl Asked {
    fn get(&self, name: &str) -> &str {
        self.pairs.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value)
    }

    /// The server sends it by itself, in addition to viewers' requests.
    fn is_by_itself(&self) -> bool {
        ["buildinfo", "alerts", "rules"].iter().any(|path| self.path.ends_with(path))
    }
}

/// The behaviour of an engine.
#[derive(Debug, Clone, Default)]
enum Mood {
    #[default]
    Well,
    /// Delay of each answer.
    Slow(Duration),
    /// This many answers have this status and text; the next ones are successful.
    Failing(usize, StatusCode, &'static str, &'static str),
}

#[derive(Default)]
struct Engine {
    asked: Mutex<Vec<Asked>>,
    mood: Mutex<Mood>,
    /// Names of its series.
    names: Mutex<Vec<&'static str>>,
    /// Concurrent requests, apart from those that the server makes by itself.
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
}

/// An engine in this process. The value of its only series is the time of each step.
struct Stub {
    url: String,
    engine: Arc<Engine>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stub {
    async fn start() -> Self {
        let engine = Arc::<Engine>::default();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&engine));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Stub { url, engine, task }
    }

    fn mood(&self, mood: Mood) {
        *self.engine.mood.lock().unwrap() = mood;
    }

    /// The requests since the last call, apart from probes, alerts and rules.
    fn asked(&self) -> Vec<Asked> {
        let asked = std::mem::take(&mut *self.engine.asked.lock().unwrap());
        asked.into_iter().filter(|one| !one.is_by_itself()).collect()
    }
}

async fn answer(State(engine): State<Arc<Engine>>, uri: Uri, headers: HeaderMap, form: Bytes) -> Response {
    let mut pairs: Vec<(String, String)> =
        form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    pairs.extend(form_urlencoded::parse(&form).into_owned());
    let asked = Asked { path: uri.path().to_owned(), pairs, headers };
    engine.asked.lock().unwrap().push(asked.clone());
    let counts = usize::from(!asked.is_by_itself());
    let now = engine.at_once.fetch_add(counts, Ordering::SeqCst) + counts;
    engine.most_at_once.fetch_max(now, Ordering::SeqCst);
    let mood = engine.mood.lock().unwrap().clone();
    if let Mood::Slow(pause) = mood {
        tokio::time::sleep(pause).await;
    }
    engine.at_once.fetch_sub(counts, Ordering::SeqCst);
    if let Mood::Failing(left, status, kind, text) = mood {
        *engine.mood.lock().unwrap() = if left > 1 { Mood::Failing(left - 1, status, kind, text) } else { Mood::Well };
        return (status, [("content-type", kind)], text).into_response();
    }
    let number = |name: &str| -> f64 { asked.get(name).parse().unwrap_or_default() };
    let data = match asked.path.rsplit('/').next().unwrap() {
        "query_range" => {
            let (start, end, step) = (number("start"), number("end"), number("step"));
            let steps = (0..).map(|index| start + f64::from(index) * step).take_while(|time| *time <= end);
            let values: Vec<Value> = steps.map(|time| json!([time, format!("{time}")])).collect();
            json!({"resultType": "matrix", "result": [{"metric": {"stub": "yes"}, "values": values}]})
        }
        "query" => json!({"resultType": "vector", "result": [{"metric": {}, "value": [number("time"), "1"]}]}),
        "alerts" => json!({"alerts": []}),
        "rules" => json!({"groups": []}),
        "values" => json!(*engine.names.lock().unwrap()),
        _ => json!({"version": "0.0.0-stub"}),
    };
    axum::Json(json!({"status": "success", "data": data})).into_response()
}

/// The points of a range query.
#[allow(clippy::cast_possible_truncation)]
async fn range(server: &Server, expr: &str, start: i64, end: i64, step: i64) -> Vec<(i64, String)> {
    let (start, end, step) = (start.to_string(), end.to_string(), step.to_string());
    let pairs = [("query", expr), ("start", &start), ("end", &end), ("step", &step)];
    let answer: Value = server.get("/api/v1/query_range").query(&pairs).send().await.unwrap().json().await.unwrap();
    let values = answer["data"]["result"][0]["values"].as_array().unwrap_or_else(|| panic!("{answer}"));
    values.iter().map(|point| (point[0].as_f64().unwrap() as i64, point[1].as_str().unwrap().to_owned())).collect()
}

#[tokio::test]
async fn only_what_is_new_of_a_range_is_asked_for() {
    let stub = Stub::start().await;
    let server = Server::serve(&["--prometheus-url", &stub.url, "--engine-hold", "0s"]).await;
    let end = now_ms() / 60_000 * 60;
    let start = end - 3_600;
    let whole: Vec<(i64, String)> = (start..=end).step_by(60).map(|time| (time, time.to_string())).collect();
    for _ in 0..3 {
        assert_eq!(range(&server, "a", start, end, 60).await, whole);
    }
    let asked = stub.asked();
    assert_eq!(
        (asked[0].get("start"), asked[0].get("end")),
        (format!("{start}.000").as_str(), format!("{end}.000").as_str())
    );
    assert_eq!(asked.len(), 3);
    for tail in &asked[1..] {
        let from: f64 = tail.get("start").parse().unwrap();
        assert!(from >= (end - 120) as f64 && tail.get("end") == asked[0].get("end"), "{tail:?}");
    }
    // Completely in the past: no request, then only for the earlier part.
    assert_eq!(range(&server, "a", start, end - 600, 60).await.len(), 51);
    assert_eq!(stub.asked().len(), 0);
    assert_eq!(range(&server, "a", start - 600, end - 600, 60).await.len(), 61);
    let asked = stub.asked();
    assert_eq!((asked.len(), asked[0].get("end")), (1, format!("{}.000", start - 60).as_str()));
    // A query that cannot be combined from parts is requested each time, unchanged.
    for (expr, start) in
        [("a @ end()", start), ("a @ start()", start), ("a", start + 1), ("a{", start), ("WITH (x = a) x", start)]
    {
        for _ in 0..2 {
            range(&server, expr, start, end - 600, 60).await;
        }
        let asked = stub.asked();
        assert_eq!(asked.len(), 2, "{expr}");
        assert_eq!((asked[0].get("query"), asked[0].get("start")), (expr, start.to_string().as_str()));
    }
    // Errors are not cached, nor answers with a warning.
    stub.mood(Mood::Failing(
        1,
        StatusCode::OK,
        "application/json",
        r#"{"status":"success","warnings":["a store is down"],"data":{"resultType":"matrix","result":[]}}"#,
    ));
    let pairs = [
        ("query", "b".to_owned()),
        ("start", start.to_string()),
        ("end", (end - 600).to_string()),
        ("step", "60".into()),
    ];
    let partial: Value = server.get("/api/v1/query_range").query(&pairs).send().await.unwrap().json().await.unwrap();
    assert_eq!(partial["warnings"], json!(["a store is down"]));
    assert_eq!(range(&server, "b", start, end - 600, 60).await.len(), 51);
    assert_eq!(stub.asked().len(), 2);
    // A token with matchers has its own answer.
    let part =
        token(server.data_dir.path(), &["create", "--name", "p", "--role", "viewer", "--match", "x=\"y\""]).await;
    eventually("the token", async || {
        let answer = client()
            .get(server.url("/api/v1/query_range"))
            .bearer_auth(&part)
            .query(&[("query", "a"), ("start", &start.to_string()), ("end", &(end - 600).to_string()), ("step", "60")])
            .send()
            .await
            .unwrap();
        (answer.status() == StatusCode::OK).then_some(())
    })
    .await;
    assert_eq!(stub.asked().last().unwrap().get("query"), "a{x=\"y\"}");
}

#[tokio::test]
async fn an_answer_for_given_times_is_given_again_for_a_moment() {
    let stub = Stub::start().await;
    let server = Server::serve(&["--prometheus-url", &stub.url, "--engine-hold", "1h"]).await;
    let now = now_ms() / 60_000 * 60;
    for path in [
        format!("/api/v1/query?query=a&time={now}"),
        format!("/api/v1/query_range?query=a&start={}&end={now}&step=60", now - 600),
        format!("/api/v1/query_range?query=a&start={}&end={now}&step=60", now - 601),
    ] {
        for _ in 0..3 {
            server.json(&path).await;
        }
        // For a range that is combined from parts, the first request covers everything, the next only steps that can
        // still change.
        assert!(stub.asked().len() <= 2, "{path}");
        server.json(&path).await;
        assert_eq!(stub.asked().len(), 0, "{path}");
    }
    for _ in 0..2 {
        server.json("/api/v1/query?query=a").await;
    }
    assert_eq!(stub.asked().len(), 2, "what means another time is asked again");
}

#[tokio::test]
async fn what_many_ask_at_once_is_asked_once_and_few_at_a_time() {
    let stub = Stub::start().await;
    let server = Server::serve(&["--prometheus-url", &stub.url, "--engine-concurrency", "3"]).await;
    stub.mood(Mood::Slow(Duration::from_millis(500)));
    let same = join_all((0..30).map(|_| server.get("/api/v1/query?query=a&time=5").send()));
    assert!(same.await.into_iter().all(|answer| answer.unwrap().status() == StatusCode::OK));
    assert_eq!(stub.asked().len(), 1);
    let different = (0..12).map(|number| server.get(&format!("/api/v1/query?query=a{number}&time=5")).send());
    assert!(join_all(different).await.into_iter().all(|answer| answer.unwrap().status() == StatusCode::OK));
    assert_eq!(stub.asked().len(), 12);
    assert!(stub.engine.most_at_once.load(Ordering::SeqCst) <= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_asks_for_much_leaves_places_of_the_engine_to_others() {
    const ASKED: usize = 40;
    let stub = Stub::start().await;
    let server = Arc::new(Server::serve(&["--prometheus-url", &stub.url, "--engine-concurrency", "4"]).await);
    let (greedy, honest) = (viewer(&server, "greedy").await, viewer(&server, "honest").await);
    let ask = |secret: &str, number: usize| {
        let path = format!("/api/v1/query?query=a{number}&time=5");
        let asked = server.get_as_nobody(&path).bearer_auth(secret).send();
        async move { assert_eq!(asked.await.unwrap().status(), StatusCode::OK) }
    };
    stub.mood(Mood::Slow(Duration::from_millis(500)));
    stub.asked();
    let answered = Arc::new(AtomicUsize::new(0));
    let asking: Vec<_> = (0..ASKED)
        .map(|number| {
            let (asked, answered) = (ask(&greedy, number), Arc::clone(&answered));
            tokio::spawn(async move {
                asked.await;
                answered.fetch_add(1, Ordering::SeqCst);
            })
        })
        .collect();
    eventually("its share is in use", async || (stub.engine.asked.lock().unwrap().len() >= 3).then_some(())).await;
    // One place is its own, others are in the queue of the other token too: no token waits for all of that.
    join_all((ASKED - 6..=ASKED).map(|number| ask(&honest, number))).await;
    let before = answered.load(Ordering::SeqCst);
    assert!(before < ASKED / 2, "{before} of {ASKED} came first");
    for one in asking {
        one.await.unwrap();
    }
    assert!(stub.engine.most_at_once.load(Ordering::SeqCst) <= 4);
}

#[tokio::test]
async fn a_passing_failure_is_tried_again_and_a_lasting_one_left_alone() {
    let stub = Stub::start().await;
    let server = Server::serve(&["--prometheus-url", &stub.url]).await;
    let query = async |expr: &str| {
        let answer = server.get("/api/v1/query").query(&[("query", expr)]).send().await.unwrap();
        (answer.status(), answer.json::<Value>().await.unwrap())
    };
    for status in [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT] {
        stub.mood(Mood::Failing(1, status, "text/plain", "a moment"));
        assert_eq!(query("a").await.0, StatusCode::OK);
    }
    assert_eq!(stub.asked().len(), 6);
    // The engine's own error is no failure.
    let word = r#"{"status":"error","errorType":"timeout","error":"query timed out in expression evaluation"}"#;
    stub.mood(Mood::Failing(1, StatusCode::SERVICE_UNAVAILABLE, "application/json", word));
    let (status, answer) = query("a").await;
    assert_eq!((status, &answer["errorType"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("timeout")));
    assert_eq!(stub.asked().len(), 1);

    stub.mood(Mood::Failing(1_000_000, StatusCode::SERVICE_UNAVAILABLE, "text/plain", "down for good"));
    for number in 0..100 {
        let (status, answer) = query(&format!("a{number}")).await;
        assert_eq!((status, &answer["errorType"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("unavailable")));
        assert!(answer["error"].as_str().unwrap().contains("down for good"), "{answer}");
    }
    assert!(stub.asked().len() <= 20, "an engine that is down is asked again and again");
    let ready = server.get_as_nobody("/ready").send().await.unwrap();
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    stub.mood(Mood::Well);
    eventually("the engine to be asked again", async || (query("a").await.0 == StatusCode::OK).then_some(())).await;
}

#[tokio::test]
async fn an_engines_own_errors_keep_their_kind() {
    let stub = Stub::start().await;
    let server = Server::serve(&["--prometheus-url", &stub.url]).await;
    let end = now_ms() / 60_000 * 60;
    for (status, kind) in [
        (400, "bad_data"),
        (404, "not_found"),
        (422, "execution"),
        (429, "too_many_requests"),
        (500, "internal"),
        (503, "timeout"),
    ] {
        let word = format!(r#"{{"status":"error","errorType":"{kind}","error":"the engine's {kind}"}}"#);
        let word: &'static str = word.leak();
        for path in [
            format!("query?query={kind}&time={status}"),
            // Combined from parts, and unchanged.
            format!("query_range?query={kind}&start={}&end={end}&step=60", end - 600),
            format!("query_range?query={kind}&start={}&end={end}&step=60", end - 601),
        ] {
            let answered = StatusCode::from_u16(status).unwrap();
            stub.mood(Mood::Failing(usize::MAX, answered, "application/json", word));
            let answer = server.get(&format!("/api/v1/{path}")).send().await.unwrap();
            assert_eq!(answer.status(), answered, "{path}");
            let answer: Value = answer.json().await.unwrap();
            assert_eq!(
                (&answer["errorType"], &answer["error"]),
                (&json!(kind), &json!(format!("the engine's {kind}")))
            );
        }
    }
}

#[tokio::test]
async fn viewers_are_shown_that_an_engine_refuses_more_requests() {
    let stub = Stub::start().await;
    let server = Server::serve(&["--prometheus-url", &stub.url]).await;
    let mut live = Live::open(&server).await;
    live.subscribe_query(1, "known", 60_000, 1_000).await;
    live.until("a snapshot", |message| message["type"] == "snapshot").await;
    let word = r#"{"status":"error","errorType":"too_many_requests","error":"the tenant asks too often"}"#;
    stub.mood(Mood::Failing(usize::MAX, StatusCode::TOO_MANY_REQUESTS, "application/json", word));
    let status = live.until("a status", |message| message["id"] == 1 && message["type"] == "status").await;
    assert_eq!((&status["fresh"], &status["reason"]), (&json!(false), &json!("the tenant asks too often")));
    live.subscribe_query(2, "new", 60_000, 1_000).await;
    let error = live.until("an error", |message| message["id"] == 2 && message["type"] == "error").await;
    assert_eq!((&error["code"], &error["message"]), (&json!("limit"), &json!("the tenant asks too often")));
}

#[tokio::test]
async fn what_is_no_engine_is_told_with_what_to_do() {
    let stub = Stub::start().await;
    for (status, kind, text, said) in [
        (StatusCode::OK, "text/html", "<!doctype html><title>Log in</title>", "web page"),
        (StatusCode::UNAUTHORIZED, "text/plain", "who are you", "bearer_token"),
        (StatusCode::NOT_FOUND, "text/plain", "404 page not found", "check the path"),
        (StatusCode::FOUND, "text/plain", "", "redirects"),
    ] {
        stub.mood(Mood::Failing(usize::MAX, status, kind, text));
        let server = Server::serve(&["--prometheus-url", &stub.url]).await;
        let answer = server.get("/api/v1/query?query=a").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        let answer: Value = answer.json().await.unwrap();
        let message = answer["error"].as_str().unwrap();
        assert!(message.contains(said) && message.contains(&stub.url), "{message}");
        let shown = server.json("/api/upstreams").await;
        assert_eq!(
            (&shown["upstreams"][0]["state"], shown["upstreams"][0]["error"].as_str().unwrap().contains(said)),
            (&json!("down"), true),
            "{shown}"
        );
    }
}

/// A configuration file in its own directory.
fn configured(text: &str, files: &[(&str, &str)]) -> (TempDir, String) {
    let directory = TempDir::new().unwrap();
    for (name, content) in files {
        std::fs::write(directory.path().join(name), content).unwrap();
    }
    let file = directory.path().join("h.yaml");
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap().to_owned();
    (directory, file)
}

#[tokio::test]
async fn engines_have_names_credentials_and_headers() {
    let (main, other) = (Stub::start().await, Stub::start().await);
    let (_directory, file) = configured(
        &format!(
            "engines:\n- name: main\n  url: {}/api\n  path_prefix: /prom/\n  basic_auth: {{ username: me, password_file: pw }}\n  org_id: team-a\n  headers: {{ X-Extra: hunter3 }}\n- name: other\n  url: {}\n  bearer_token_file: bt\n",
            main.url, other.url
        ),
        &[("pw", "hunter1\n"), ("bt", "hunter2\n")],
    );
    let dashboards = TempDir::new().unwrap();
    let panel = |id: &str, engine: &str| {
        format!(
            "  - {{ id: {id}, title: T, kind: stat, width: 6, height: 4, queries: [{{ expr: 'a', instant: true{engine} }}] }}\n"
        )
    };
    let dashboard = format!("uid: two\ntitle: Two\npanels:\n{}{}", panel("one", ""), panel("two", ", engine: other"));
    std::fs::write(dashboards.path().join("two.yaml"), dashboard).unwrap();
    let server = Server::serve(&["--config", &file, "--dashboards-dir", dashboards.path().to_str().unwrap()]).await;

    server.json("/api/v1/query?query=a&time=5").await;
    let asked = main.asked().pop().unwrap();
    assert_eq!(asked.path, "/api/prom/api/v1/query");
    let header = |asked: &Asked, name: &str| asked.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(header(&asked, "authorization").unwrap(), "Basic bWU6aHVudGVyMQ==");
    assert_eq!(
        (header(&asked, "x-scope-orgid"), header(&asked, "x-extra")),
        (Some("team-a".into()), Some("hunter3".into()))
    );
    assert_eq!(other.asked().len(), 0);
    server.json("/api/v1/query?query=a&time=5&engine=other").await;
    let asked = other.asked().pop().unwrap();
    assert_eq!((asked.get("engine"), header(&asked, "authorization").unwrap()), ("", "Bearer hunter2".to_owned()));
    assert_eq!(
        server.json("/api/v1/query?query=vector(7)&engine=embedded").await["data"]["result"][0]["value"][1],
        "7"
    );
    let unknown = server.get("/api/v1/query?query=a&engine=nobody").send().await.unwrap();
    assert_eq!(unknown.status(), StatusCode::BAD_REQUEST);
    let message = unknown.text().await.unwrap();
    assert!(message.contains("nobody") && message.contains("main, other, embedded"), "{message}");

    // One is down: its panel says so, the other continues.
    let mut live = Live::open(&server).await;
    let query = |id: u64, engine: &str| json!({"type": "subscribe", "id": id, "topic": "query", "expr": "a", "step_ms": 1000, "instant": true, "engine": engine});
    live.send(&query(1, "main")).await;
    live.send(&query(2, "other")).await;
    live.send(&query(3, "nobody")).await;
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 3 {
        let message = live.next().await;
        seen.insert((message["id"].as_u64().unwrap(), message["type"].as_str().unwrap().to_owned()));
    }
    assert!(
        seen.contains(&(1, "snapshot".into()))
            && seen.contains(&(2, "snapshot".into()))
            && seen.contains(&(3, "error".into())),
        "{seen:?}"
    );
    server.text("/d/two").await;
    other.mood(Mood::Failing(usize::MAX, StatusCode::SERVICE_UNAVAILABLE, "text/plain", "on strike"));
    let status = live.until("a status", |message| message["type"] == "status").await;
    assert_eq!((&status["id"], &status["fresh"]), (&json!(2), &json!(false)));
    assert!(
        status["reason"].as_str().unwrap().contains("on strike")
            && status["since"].as_i64().unwrap() > 1_700_000_000_000,
        "{status}"
    );
    let delta = live.until("more of the other", |message| message["id"] == 1 && message["type"] == "delta").await;
    assert!(delta["data"]["end_ms"].is_i64());
    let page = eventually("a panel that says so", async || {
        let page = server.text("/d/two").await;
        page.contains("on strike").then_some(page)
    })
    .await;
    let two = &page[page.find("id=\"panel-two\"").unwrap()..];
    let one = &page[page.find("id=\"panel-one\"").unwrap()..page.find("id=\"panel-two\"").unwrap()];
    assert!(two.contains("on strike") && !one.contains("on strike"));
    let ready: Value = server.get_as_nobody("/ready").send().await.unwrap().json().await.unwrap();
    assert_eq!(ready["ready"], false);
    assert!(
        ready["reasons"].to_string().contains("other is down") && !ready["reasons"].to_string().contains("main is"),
        "{ready}"
    );

    for text in [page, server.text("/api/upstreams").await, server.program.stderr()] {
        for secret in ["hunter1", "hunter2", "hunter3", "aHVudGVy"] {
            assert!(!text.contains(secret), "{secret} shows in {text}");
        }
    }
}

#[tokio::test]
async fn many_sockets_cost_an_engine_what_one_does() {
    const SOCKETS: usize = 30;
    const STEPS: usize = 6;
    let stub = Stub::start().await;
    let server = Server::serve(&["--prometheus-url", &stub.url]).await;
    let queries: Vec<String> = (0..8).map(|number| format!("sum(a{number})")).collect();
    let open = async || {
        let mut live = Live::open(&server).await;
        for (id, query) in (1..).zip(&queries) {
            live.subscribe_query(id, query, 60_000, 1_000).await;
        }
        live
    };
    let count = async |lives: &mut Vec<Live>| {
        for live in lives.iter_mut() {
            live.expect(1, "snapshot").await;
        }
        stub.asked();
        let first = lives.first_mut().unwrap();
        for _ in 0..STEPS {
            first.until("a delta", |message| message["id"] == 1 && message["type"] == "delta").await;
        }
        stub.asked().len()
    };
    let one = count(&mut vec![open().await]).await;
    let mut lives = Vec::new();
    for _ in 0..SOCKETS {
        lives.push(open().await);
    }
    let many = count(&mut lives).await;
    // The time of six steps may contain one step more or less.
    assert!(many <= one + 2 * queries.len(), "{many} requests for {SOCKETS} sockets, {one} for one");
}

#[tokio::test]
async fn a_series_is_asked_for_by_the_name_that_the_engine_has() {
    let stub = Stub::start().await;
    *stub.engine.names.lock().unwrap() =
        vec!["hypersdk_active_jobs", "hypersdk_jobs_total", "site_queue", "hypersdk_jobs_completed_total"];
    let dashboards = TempDir::new().unwrap();
    let own = "aliases: [{ canonical: hypersdk_queue_length, also: [site_queue] }]\n";
    std::fs::write(dashboards.path().join("aliases.yaml"), own).unwrap();
    let server =
        Server::serve(&["--prometheus-url", &stub.url, "--dashboards-dir", dashboards.path().to_str().unwrap()]).await;
    for (written, sent) in [
        ("sum(hypersdk_jobs_active)", "sum(hypersdk_active_jobs)"),
        ("hypersdk_jobs_running{provider=\"aws\"}", "hypersdk_active_jobs{provider=\"aws\"}"),
        ("rate(hypersdk_jobs_failed_total[5m])", "rate(hypersdk_jobs_total{status=\"failed\"}[5m])"),
        ("hypersdk_queue_length", "site_queue"),
        // Unchanged if the engine has the name or there is no other name.
        ("hypersdk_jobs_total{status=\"completed\"} ", "hypersdk_jobs_total{status=\"completed\"} "),
        ("hypersdk_goroutines", "hypersdk_goroutines"),
    ] {
        server.get("/api/v1/query").query(&[("query", written), ("time", "5")]).send().await.unwrap();
        server
            .get("/api/v1/query_range")
            .query(&[("query", written), ("start", "0"), ("end", "60"), ("step", "60")])
            .send()
            .await
            .unwrap();
        let asked: Vec<Asked> = stub.asked().into_iter().filter(|asked| !asked.path.ends_with("values")).collect();
        assert_eq!(asked.iter().map(|asked| asked.get("query")).collect::<Vec<_>>(), [sent, sent], "{written}");
    }
    let mut live = Live::open(&server).await;
    live.subscribe_query(1, "sum(hypersdk_jobs_active)", 60_000, 1_000).await;
    live.subscribe_query(2, "sum(hypersdk_goroutines)", 60_000, 1_000).await;
    let snapshot = live.until("a snapshot", |message| message["id"] == 1 && message["type"] == "snapshot").await;
    assert_eq!(snapshot["data"]["sent"], "sum(hypersdk_active_jobs)");
    let delta = live.until("a delta", |message| message["id"] == 2 && message["type"] == "delta").await;
    assert_eq!(delta["data"].get("sent"), None);

    // Another name does not remove a token's matcher.
    let part =
        token(server.data_dir.path(), &["create", "--name", "p", "--role", "viewer", "--match", "status=\"failed\""])
            .await;
    *stub.engine.names.lock().unwrap() = Vec::new();
    eventually("the token", async || {
        let query = [("query", "hypersdk_jobs_failed_total{status=\"failed\"}"), ("time", "5")];
        let answer = client().get(server.url("/api/v1/query")).bearer_auth(&part).query(&query).send().await.unwrap();
        (answer.status() == StatusCode::OK).then_some(())
    })
    .await;
    assert!(stub.asked().last().unwrap().get("query").matches("status=\"failed\"").count() >= 2);
}

#[tokio::test]
async fn victoria_metrics_is_an_engine_too() {
    let directory = TempDir::new().unwrap();
    let url = format!("127.0.0.1:{}", crate::common::free_port());
    let storage = format!("-storageDataPath={}", directory.path().display());
    let _engine = Program::start(
        "victoria-metrics",
        &[&storage, &format!("-httpListenAddr={url}"), "-retentionPeriod=1y", "-memory.allowedPercent=10"],
        &[],
    );
    let url = format!("http://{url}");
    eventually("VictoriaMetrics", async || {
        client()
            .get(format!("{url}/health"))
            .send()
            .await
            .ok()
            .filter(|answer| answer.status() == StatusCode::OK)
            .map(|_| ())
    })
    .await;
    let now = now_ms() / 60_000 * 60_000;
    let mut lines = String::new();
    for minute in 0..60 {
        for (place, provider) in ["aws", "gcp"].into_iter().enumerate() {
            lines += &format!(
                "hypersdk_active_jobs{{provider=\"{provider}\"}} {} {}\n",
                minute * (place + 1),
                now - 3_600_000 + i64::try_from(minute).unwrap() * 60_000
            );
        }
    }
    let written = client().post(format!("{url}/api/v1/import/prometheus")).body(lines).send().await.unwrap();
    assert!(written.status().is_success());
    eventually("what was written", async || {
        let flushed: Value = client()
            .get(format!("{url}/api/v1/series?match[]=hypersdk_active_jobs&start={}", now / 1000 - 7_200))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        (flushed["data"].as_array()?.len() == 2).then_some(())
    })
    .await;
    write_hours(&url, 6).await;
    eventually("the other samples", async || {
        let at = (now / 1000).to_string();
        let pairs = [("query", "count(count_over_time(failures_total[30m]))"), ("time", &at)];
        let answer = client().get(format!("{url}/api/v1/query")).query(&pairs).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        answer["data"]["result"][0].is_object().then_some(())
    })
    .await;
    say_how_much_is_stored(&url).await;
    let server = Server::serve(&["--prometheus-url", &url]).await;
    let (start, end) = ((now / 1000 - 3_000).to_string(), (now / 1000 - 600).to_string());
    let pairs = [
        ("query", "sum by (provider) (hypersdk_active_jobs)"),
        ("start", start.as_str()),
        ("end", &end),
        ("step", "60"),
    ];
    let theirs: Value =
        client().get(format!("{url}/api/v1/query_range")).query(&pairs).send().await.unwrap().json().await.unwrap();
    let mut theirs = theirs["data"]["result"].as_array().unwrap().clone();
    theirs.sort_by_key(|series| series["metric"].to_string());
    assert_eq!(theirs.len(), 2);
    for _ in 0..2 {
        let ours: Value = server.get("/api/v1/query_range").query(&pairs).send().await.unwrap().json().await.unwrap();
        assert_eq!(ours["data"]["result"], json!(theirs), "{ours}");
    }
    // By the dashboards' name.
    let canonical = [("query", "sum(hypersdk_jobs_active)"), ("time", end.as_str())];
    let value: Value = server.get("/api/v1/query").query(&canonical).send().await.unwrap().json().await.unwrap();
    assert_eq!(value["data"]["result"][0]["value"][1], "150", "{value}");
    let part =
        token(server.data_dir.path(), &["create", "--name", "p", "--role", "viewer", "--match", "provider=\"aws\""])
            .await;
    eventually("the token's part", async || {
        let answer =
            client().get(server.url("/api/v1/query_range")).bearer_auth(&part).query(&pairs).send().await.unwrap();
        let text = answer.text().await.unwrap();
        assert!(!text.contains("gcp"), "{text}");
        text.contains("aws").then_some(())
    })
    .await;
    let ready = eventually("readiness", async || {
        let ready = server.get_as_nobody("/ready").send().await.unwrap();
        (ready.status() == StatusCode::OK).then_some(ready.status())
    })
    .await;
    assert_eq!(ready, StatusCode::OK);
}

/// Sends remote writes with a sample per minute of a counter and of `up` for these last hours, and of a failure counter
/// for the last hour, like those of one target.
async fn write_hours(url: &str, hours: i64) {
    let now = now_ms();
    let target = [("job", "hypersdk"), ("instance", "a:1")];
    for begin in (0..=hours * 60).collect::<Vec<_>>().chunks(60) {
        let samples = |minutes: &[i64]| -> Vec<(i64, f64)> {
            minutes.iter().map(|minute| (now - (hours * 60 - minute) * 60_000, 1.0)).collect()
        };
        let late: Vec<i64> = begin.iter().copied().filter(|minute| *minute > (hours - 1) * 60).collect();
        let mut all = vec![
            crate::common::series("exports_total", &target, &samples(begin)),
            crate::common::series("up", &target, &samples(begin)),
        ];
        if !late.is_empty() {
            all.push(crate::common::series("failures_total", &target, &samples(&late)));
        }
        let request = client().post(format!("{url}/api/v1/write"));
        let answer = crate::common::with_body(request, crate::common::body(all)).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }
}

/// The results of a live query, a page on a fixed time and an image for an engine with six hours of data.
async fn say_how_much_is_stored(url: &str) {
    let server = Server::serve(&["--prometheus-url", url]).await;
    let at = now_ms() / 1000 * 1000;
    let remarks = async |expr: &str| {
        let (start, end) = ((at - 60_000).to_string(), at.to_string());
        let pairs = [("query", expr), ("start_ms", &start), ("end_ms", &end), ("step_ms", "15000")];
        let frame: Value = server.get("/api/frame").query(&pairs).send().await.unwrap().json().await.unwrap();
        assert!(frame["series"][0]["values"].is_array(), "{expr}: {frame}");
        frame["remarks"].clone()
    };
    let short = json!(["6 h of 24 h stored"]);
    for expr in ["sum(increase(exports_total[24h]))", "max_over_time(sum(exports_total)[24h:5m])"] {
        assert_eq!(remarks(expr).await, short, "{expr}");
    }
    assert_eq!(remarks("increase(failures_total[24h])").await, short, "its target was seen before it failed");
    for expr in ["exports_total", "increase(exports_total[5h])", "increase(failures_total[5h])", "rate(up[5m])"] {
        assert_eq!(remarks(expr).await, Value::Null, "{expr}");
    }
    let mut live = Live::open(&server).await;
    let query = json!({"type": "subscribe", "id": 1, "topic": "query", "expr": "sum(increase(exports_total[24h]))",
        "step_ms": 5_000, "window_ms": 0, "instant": true});
    live.send(&query).await;
    assert_eq!(live.expect(1, "snapshot").await["data"]["remarks"], short);
    let part =
        token(server.data_dir.path(), &["create", "--name", "p", "--role", "viewer", "--match", "job=\"hypersdk\""])
            .await;
    let explored = "/explore?expr=sum(increase(exports_total[24h]))";
    eventually("the remark on a page of a viewer of a part", async || {
        let page = client().get(server.url(explored)).bearer_auth(&part).send().await.unwrap().text().await.unwrap();
        page.contains("6 h of 24 h stored").then_some(())
    })
    .await;
}

#[tokio::test]
async fn how_much_of_a_window_a_prometheus_has_is_said() {
    let prometheus = crate::common::Prometheus::with_config("global: {}\n").await;
    write_hours(&prometheus.url, 6).await;
    say_how_much_is_stored(&prometheus.url).await;
}

#[tokio::test]
async fn an_engine_without_rules_is_not_quiet() {
    let stub = Stub::start().await;
    let server = Server::serve(&["--prometheus-url", &stub.url]).await;
    eventually("what there is to say", async || {
        (server.json("/api/alerts").await["without_rules"] == true).then_some(())
    })
    .await;
    for path in ["/", "/alerts"] {
        let page = server.text(path).await;
        assert!(
            page.contains("No alerts to show") && !page.contains("All quiet"),
            "{path}: nothing is known to be well"
        );
    }
}

const EMPTY: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;

#[tokio::test]
async fn an_empty_answer_counts_for_a_moment_only() {
    let stub = Stub::start().await;
    let server = Server::serve(&["--prometheus-url", &stub.url]).await;
    let end = now_ms() / 60_000 * 60 - 7_200;
    let path = format!("/api/v1/query_range?query=a&start={}&end={end}&step=60", end - 600);
    // Without a limit, because the server's own requests count too.
    stub.mood(Mood::Failing(usize::MAX, StatusCode::OK, "application/json", EMPTY));
    assert_eq!(server.json(&path).await["data"]["result"], json!([]));
    stub.mood(Mood::Well);
    eventually("what the engine has by now", async || {
        (server.json(&path).await["data"]["result"] != json!([])).then_some(())
    })
    .await;
    // Results with data are cached for longer.
    stub.asked();
    assert_ne!(server.json(&path).await["data"]["result"], json!([]));
    assert_eq!(stub.asked().len(), 0);
}

#[tokio::test]
async fn what_an_engine_repeats_of_its_credentials_is_taken_out() {
    let stub = Stub::start().await;
    let config = format!(
        "engines:\n- name: e\n  url: {}\n  basic_auth: {{ username: u, password: 'p4ss/w0rd+9' }}\n  headers: {{ X-Api-Key: other-53cr3t, X-Scope-OrgID: production }}\n",
        stub.url
    );
    let (directory, file) = configured(&config, &[]);
    let server = Server::serve(&["--config", &file]).await;
    for (status, kind, said) in [
        // base64 of `u:p4ss/w0rd+9`, as it was sent.
        (
            422,
            "application/json",
            r#"{"status":"error","errorType":"execution","error":"bad dTpwNHNzL3cwcmQrOQ== by p4ss\\/w0rd+9"}"#,
        ),
        (500, "text/plain", "production http://x:y@h said other-53cr3t and p4ss%2Fw0rd%2B9"),
    ] {
        stub.mood(Mood::Failing(usize::MAX, StatusCode::from_u16(status).unwrap(), kind, said));
        let answer = server.get("/api/v1/query?query=up").send().await.unwrap().text().await.unwrap();
        assert!(answer.contains("***"), "{answer}");
        let page = server.text("/jobs").await;
        let upstreams = server.text("/api/upstreams").await;
        for text in [answer, page, upstreams, server.program.stderr()] {
            for secret in ["p4ss", "w0rd", "dTpwNHNz", "other-53cr3t", "x:y@"] {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
        }
    }
    drop(directory);
}

#[tokio::test]
async fn fresh_answers_that_are_wanted_at_the_same_time_are_asked_for_once() {
    let stub = Stub::start().await;
    let server = Server::serve(&["--prometheus-url", &stub.url, "--engine-hold", "1h"]).await;
    stub.mood(Mood::Slow(Duration::from_millis(500)));
    let get = async || {
        let answer =
            server.get("/api/v1/query?query=a&time=5").header("cache-control", "no-cache").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    };
    let (_, ()) = tokio::join!(join_all((0..30).map(|_| get())), async {
        tokio::time::sleep(Duration::from_millis(250)).await;
        // A request in flight began before this one, so it cannot answer this one.
        get().await;
    });
    let asked = stub.asked().iter().filter(|asked| asked.path.ends_with("/query")).count();
    assert_eq!(asked, 2);
}

#[tokio::test]
async fn who_wants_no_fresh_answer_gets_the_one_that_is_on_its_way() {
    let stub = Stub::start().await;
    let server = Server::serve(&["--prometheus-url", &stub.url]).await;
    stub.mood(Mood::Slow(Duration::from_secs(2)));
    let request = || server.get("/api/v1/query?query=a&time=5");
    let get = async |request: reqwest::RequestBuilder| {
        assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    };
    let fresh = || get(request().header("cache-control", "no-cache"));
    let later = async |millis, what: reqwest::RequestBuilder| {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        get(what).await;
    };
    let queued = later(400, request().header("cache-control", "no-cache"));
    let plain = later(800, request());
    let first = fresh();
    tokio::pin!(queued, plain);
    let both = async {
        tokio::select! {
            biased;
            () = &mut queued => panic!("a plain request waited for a fresh one"),
            () = &mut plain => {}
        }
        queued.await;
    };
    tokio::join!(first, both);
    assert_eq!(stub.asked().iter().filter(|asked| asked.path.ends_with("/query")).count(), 2);
}

#[tokio::test]
async fn a_page_that_is_loaded_again_asks_an_engine_for_nothing_new() {
    let stub = Stub::start().await;
    let server = Server::serve(&["--prometheus-url", &stub.url, "--engine-hold", "1h"]).await;
    let end = now_ms() / 60_000 * 60 - 7_200;
    let path = format!("/api/v1/query_range?query=a&start={}&end={end}&step=60", end - 600);
    let load = async |header: (&str, &str)| {
        let request = server.get(&path).header("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");
        assert_eq!(request.header(header.0, header.1).send().await.unwrap().status(), StatusCode::OK);
    };
    load(("x-first", "1")).await;
    stub.asked();
    for header in [("cache-control", "max-age=0"), ("cache-control", "no-cache"), ("pragma", "no-cache")] {
        load(header).await;
        assert_eq!(stub.asked().len(), 0, "{header:?}");
    }
    server.get(&path).header("cache-control", "no-cache").send().await.unwrap();
    assert_eq!(stub.asked().len(), 1);
}

#[tokio::test]
async fn who_asks_for_a_fresh_answer_gets_one() {
    let stub = Stub::start().await;
    stub.engine.names.lock().unwrap().push("hypersdk_jobs_active");
    let server = Server::serve(&["--prometheus-url", &stub.url, "--engine-hold", "1h"]).await;
    let end = now_ms() / 60_000 * 60 - 7_200;
    let aligned = format!("/api/v1/query_range?query=a&start={}&end={end}&step=60", end - 600);
    let get = async |path: &str, header: Option<(&str, &str)>| -> Value {
        let request = server.get(path);
        let request = header.map_or(request.try_clone().unwrap(), |(name, value)| request.header(name, value));
        request.send().await.unwrap().json().await.unwrap()
    };
    let headers = [("cache-control", "no-cache"), ("cache-control", "no-store"), ("pragma", "no-cache")];
    for (number, header) in headers.into_iter().enumerate() {
        // A new query each time, so that nothing is cached.
        let path = aligned.replace("query=a", &format!("query=a{number}"));
        stub.mood(Mood::Failing(usize::MAX, StatusCode::OK, "application/json", EMPTY));
        assert_eq!(get(&path, None).await["data"]["result"], json!([]));
        stub.mood(Mood::Well);
        assert_eq!(get(&path, None).await["data"]["result"], json!([]), "from the cache");
        assert_ne!(get(&path, Some(header)).await["data"]["result"], json!([]), "{header:?}");
        assert_ne!(get(&path, None).await["data"]["result"], json!([]), "and so has whoever asks next");
    }
    stub.asked();
    for path in [
        aligned.clone(),
        format!("/api/v1/query?query=b&time={end}"),
        "/api/v1/labels".to_owned(),
        "/api/v1/series?match[]=a".to_owned(),
        "/api/v1/label/x/values".to_owned(),
        "/api/v1/metadata".to_owned(),
        format!("/api/frame?query=c&start_ms={}&end_ms={}&step_ms=60000", (end - 600) * 1000, end * 1000),
    ] {
        for _ in 0..3 {
            let answer = server.get(&path).header("cache-control", "no-cache").send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK, "{path}: {}", answer.text().await.unwrap());
            assert!(!stub.asked().is_empty(), "{path}");
        }
    }
    // The engine's names are requested again too.
    for header in [None, None, Some(("cache-control", "no-cache"))] {
        get(&format!("/api/v1/query?query=hypersdk_jobs_active&time={end}"), header).await;
        let asked = stub.asked();
        let names = asked.iter().filter(|asked| asked.path.ends_with("values")).count();
        assert!(header.is_none() || names == 1, "{asked:?}");
    }
}
