//! How much memory and work a viewer may use, and that other viewers get their share.

use std::collections::BTreeSet;

use crate::common::{Live, Server, TOKEN, client, eventually, now_ms, series, viewer, write};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};

/// A server with a metric `wide` with this many series.
async fn wide(count: usize, args: &[&str]) -> Server {
    let server = Server::serve(args).await;
    let now_ms = now_ms();
    let one = |number: usize| {
        let number = number.to_string();
        series("wide", &[("number", &number), ("more", "a label that is somewhat longer")], &[(now_ms - 90_000, 1.0)])
    };
    let written = write(&server, (0..count).map(one).collect()).await;
    assert_eq!(written.status(), StatusCode::NO_CONTENT);
    server
}

async fn open(server: &Server, secret: &str) -> Live {
    Live::try_open(server, "/ws", Some("hyperscope.v1.json"), secret).await.unwrap()
}

/// The value of one of our own metrics.
async fn metric(server: &Server, name: &str) -> f64 {
    let page = server.text("/metrics").await;
    let line = page.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name} in {page}"));
    line.trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_query_over_its_share_is_refused_and_others_go_on() {
    let server = wide(12_000, &["--memory-limit", "256MiB"]).await;
    let (greedy, honest) = (viewer(&server, "greedy").await, viewer(&server, "honest").await);
    let mut beside = open(&server, &honest).await;
    beside.subscribe_query(1, "count(wide)", 20_000, 1_000).await;
    beside.expect(1, "snapshot").await;
    let mut live = open(&server, &greedy).await;
    for id in 1..=5 {
        live.subscribe_query(id, &format!("wide + {id}"), 60_000, 1_000).await;
    }
    let mut refused = BTreeSet::new();
    while refused.len() < 5 {
        let refusal = live.until("a refusal", |message| message["type"] == "error").await;
        assert_eq!(refusal["code"], "limit", "{refusal}");
        assert!(refusal["message"].as_str().unwrap().contains("memory"), "{refusal}");
        refused.insert(refusal["id"].as_u64().unwrap());
    }
    assert!(metric(&server, "hyperscope_live_memory_refused_total").await >= 5.0);
    // A subscriber to the same query gets the same error.
    let mut late = open(&server, &greedy).await;
    late.subscribe_query(1, "wide + 1", 60_000, 1_000).await;
    assert_eq!(late.expect(1, "error").await["code"], "limit");
    // Smaller queries are served, to the same token and to others.
    live.subscribe_query(9, "count(wide)", 20_000, 1_000).await;
    live.expect(9, "snapshot").await;
    beside.expect(1, "delta").await;
    drop((live, late));
    beside.expect(1, "delta").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_query_took_is_given_back_when_nobody_follows_it() {
    let server = wide(3_000, &["--memory-limit", "1GiB"]).await;
    let mut live = Live::open(&server).await;
    live.subscribe_query(1, "wide", 60_000, 1_000).await;
    live.expect(1, "snapshot").await;
    live.expect(1, "delta").await;
    assert!(metric(&server, "hyperscope_live_memory_used_bytes").await > 3_000_000.0);
    drop(live);
    eventually("the memory is given back", async || {
        (metric(&server, "hyperscope_live_memory_used_bytes").await < 100_000.0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_starts_so_many_live_queries_a_minute() {
    let server = Server::serve(&["--limit-query-starts", "3"]).await;
    let (greedy, honest) = (viewer(&server, "greedy").await, viewer(&server, "honest").await);
    let mut live = open(&server, &greedy).await;
    for id in 1..=3 {
        live.subscribe_query(id, &format!("vector({id})"), 20_000, 1_000).await;
        live.expect(id, "snapshot").await;
    }
    live.subscribe_query(4, "vector(4)", 20_000, 1_000).await;
    let refusal = live.expect(4, "error").await;
    assert_eq!(refusal["code"], "limit", "{refusal}");
    assert!(refusal["message"].as_str().unwrap().contains("within a minute"), "{refusal}");
    // Running queries cost nothing.
    live.subscribe_query(5, "vector(1)", 20_000, 1_000).await;
    live.expect(5, "snapshot").await;
    let mut other = open(&server, &honest).await;
    other.subscribe_query(1, "vector(4)", 20_000, 1_000).await;
    other.expect(1, "snapshot").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_count_as_sockets_and_their_answers_are_bounded() {
    let server = wide(3_000, &["--limit-token-sockets", "1", "--limit-response", "64KiB"]).await;
    let secret = viewer(&server, "poller").await;
    let query = json!({"expr": "wide", "window_ms": 60_000, "step_ms": 1_000}).to_string();
    let ask =
        |parameters: &[(&str, &str)]| server.get_as_nobody("/api/live").bearer_auth(&secret).query(parameters).send();
    let long = ask(&[("query", &query), ("timeout", "20")]).await.unwrap();
    assert_eq!(long.status(), StatusCode::BAD_REQUEST);
    let error: Value = long.json().await.unwrap();
    assert!(error["error"]["message"].as_str().unwrap().contains("longer than 65536 bytes"), "{error}");
    let socket = open(&server, &secret).await;
    let beside = ask(&[("topics", "alerts"), ("timeout", "0")]).await.unwrap();
    assert_eq!(beside.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(beside.headers().contains_key("retry-after"));
    drop(socket);
    eventually("the socket is gone", async || {
        ask(&[("topics", "alerts"), ("timeout", "0")]).await.unwrap().status().is_success().then_some(())
    })
    .await;
}

/// Sends the same request many times concurrently; returns the answers by status.
async fn storm(server: &Server, secret: &str, path: &str, count: usize) -> Vec<(StatusCode, Option<String>, String)> {
    let asked = (0..count).map(async |_| {
        let answer = server.get_as_nobody(path).bearer_auth(secret).send().await.unwrap();
        let retry = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        (answer.status(), retry, answer.text().await.unwrap())
    });
    futures_util::future::join_all(asked).await
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_beyond_the_budget_wait_or_are_refused_in_the_words_of_their_path() {
    let server = wide(20_000, &["--memory-limit", "256MiB", "--limit-read-wait", "1s", "--limit-reads", "2"]).await;
    let greedy = viewer(&server, "greedy").await;
    let mut refused = 0;
    for path in ["/federate?match[]=wide", "/api/v1/series?match[]=wide", "/api/v1/query?query=wide", "/explore?q=wide"]
    {
        for (status, retry, text) in storm(&server, &greedy, path, 24).await {
            match status {
                StatusCode::OK => {}
                StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                    refused += 1;
                    assert!(retry.is_some(), "{path}: {text}");
                    if !path.starts_with("/explore") {
                        let error: Value = serde_json::from_str(&text).unwrap();
                        assert_eq!(error["status"], "error", "{path}: {text}");
                    }
                }
                other => panic!("{path}: {other} {text}"),
            }
        }
        // The queue is free again for every token.
        let count = server.query("count(wide)").await;
        assert_eq!(count[0].1, 20_000.0);
    }
    assert!(refused > 0, "no storm was too large");
    assert!(metric(&server, "hyperscope_reads_refused_total").await > 0.0);
    eventually("nothing is charged", async || {
        (metric(&server, "hyperscope_answers_memory_used_bytes").await == 0.0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_takes_more_than_one_may_says_so_before_it_runs() {
    let server = wide(20_000, &["--memory-limit", "256MiB"]).await;
    let end = now_ms() / 1_000;
    let path = format!("/api/v1/query_range?query=wide&start={}&end={end}&step=1", end - 10_000);
    let answer = server.get(&path).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let error: Value = answer.json().await.unwrap();
    assert!(error["error"].as_str().unwrap().contains("of memory"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_share_of_a_token_alone_refuses_while_there_is_room_for_others() {
    let server = wide(4_000, &["--memory-limit", "256MiB"]).await;
    let (greedy, honest) = (viewer(&server, "greedy").await, viewer(&server, "honest").await);
    let mut live = open(&server, &greedy).await;
    let mut followed = 0;
    // Each is far below the limit of one query.
    let refusal = loop {
        live.subscribe_query(followed + 1, &format!("wide + {followed}"), 20_000, 1_000).await;
        let message =
            live.until("an answer", |message| message["id"] == followed + 1 && message["type"] != "status").await;
        if message["type"] == "error" {
            break message;
        }
        assert_eq!(message["type"], "snapshot", "{message}");
        followed += 1;
        assert!(followed < 40, "nothing is ever refused");
    };
    assert_eq!(refusal["code"], "limit", "{refusal}");
    assert!(refusal["message"].as_str().unwrap().starts_with("this token is at its limit"), "{refusal}");
    assert!(followed >= 2, "the first ones have room");
    let (used, limit) = (
        metric(&server, "hyperscope_live_memory_used_bytes ").await,
        metric(&server, "hyperscope_live_memory_limit_bytes ").await,
    );
    assert!(used <= limit / 2.0, "{used} of {limit}");
    // The same query fits into the memory of another token.
    let mut other = open(&server, &honest).await;
    other.subscribe_query(1, "wide + 1000", 20_000, 1_000).await;
    other.expect(1, "snapshot").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_in_one_hand_have_no_more_than_all_may_and_rules_and_daemons_go_on() {
    const TOKENS: usize = 6;
    let args = ["--memory-limit", "256MiB", "--limit-reads", "2", "--limit-read-wait", "5s"];
    let server = Server::demo(&args).await;
    let now_ms = now_ms();
    let one = |number: usize| series("wide", &[("number", &number.to_string())], &[(now_ms - 30_000, 1.0)]);
    for from in (0..20_000).step_by(5_000) {
        assert_eq!(write(&server, (from..from + 5_000).map(one).collect()).await.status(), StatusCode::NO_CONTENT);
    }
    let mut tokens = Vec::new();
    for number in 0..TOKENS {
        tokens.push(viewer(&server, &format!("hand-{number}")).await);
    }
    let honest = viewer(&server, "honest").await;
    let evaluated = metric(&server, "hyperscope_rule_evaluations_total ").await;
    let paths = ["/federate?match[]=wide", "/api/v1/series?match[]=wide", "/explore?q=wide", "/alerts?tab=rules", "/"];
    let storms = futures_util::future::join_all(
        tokens.iter().flat_map(|token| paths.map(|path| storm(&server, token, path, 20))),
    );
    let beside = async {
        let mut live = open(&server, &honest).await;
        live.subscribe_query(1, "vector(time())", 20_000, 1_000).await;
        let mut most = [0.0_f64; 3];
        for _ in 0..8 {
            live.until("news", |message| message["type"] == "delta" || message["type"] == "snapshot").await;
            for (most, name) in most.iter_mut().zip(["live", "reads", "answers"]) {
                let page = own_metrics(&server).await;
                let used = value(&page, &format!("hyperscope_{name}_memory_used_bytes "));
                let limit = value(&page, &format!("hyperscope_{name}_memory_limit_bytes "));
                assert!(used <= limit, "{name}: {used} of {limit}");
                *most = most.max(used / limit);
            }
        }
        most
    };
    let (answers, most) = tokio::join!(storms, beside);
    let statuses: BTreeSet<u16> = answers.iter().flatten().map(|(status, ..)| status.as_u16()).collect();
    assert!(statuses.is_subset(&BTreeSet::from([200, 429, 503])), "{statuses:?}");
    assert!(most[1] > 0.0, "nothing was read: {most:?}");
    let upstreams = server.json("/api/upstreams").await;
    for upstream in upstreams["upstreams"].as_array().unwrap() {
        assert_eq!((&upstream["state"], &upstream["reconnects"]), (&json!("live"), &json!(0)), "{upstream}");
    }
    eventually("rules are evaluated", async || {
        (metric(&server, "hyperscope_rule_evaluations_total ").await > evaluated).then_some(())
    })
    .await;
    assert_eq!(metric(&server, "hyperscope_rule_group_iterations_missed_total ").await, 0.0);
}

/// Our own metrics, requested as an admin whose reads are queued like all others.
async fn own_metrics(server: &Server) -> String {
    eventually("the metrics", async || {
        let answer = server.get("/metrics").send().await.unwrap();
        if answer.status().is_success() { answer.text().await.ok() } else { None }
    })
    .await
}

fn value(page: &str, name: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name} in {page}"));
    line.trim().parse().unwrap()
}

/// Number of requests for a path.
const TIMES: u32 = 8;

#[tokio::test(flavor = "multi_thread")]
async fn lists_and_pages_wait_for_their_turn_like_queries() {
    let server = Server::serve(&[]).await;
    let viewer = viewer(&server, "viewer").await;
    // Each request for the metrics uses two turns itself, after it has counted.
    let turns = async || metric(&server, "hyperscope_reads_total ").await;
    for path in [
        "/api/alerts",
        "/api/alerts/status",
        "/api/alerts/history",
        "/api/alerts/past?at=1700000000000",
        "/api/silences",
        "/api/silences/preview?matchers=a%3Db",
        "/api/v2/alerts",
        "/api/v2/alerts/groups",
        "/api/v2/silences",
        "/api/v1/alerts",
        "/api/v1/rules",
        "/api/v1/metadata",
        "/api/v1/targets",
        "/api/v1/targets/metadata",
        "/api/v1/query_exemplars?query=up",
        "/api/jobs",
        "/api/dashboards/hypersdk-overview/marks",
        "/alerts",
        "/settings",
        "/fragments/alerts",
        "/no-such-page",
    ] {
        let is_there = if path.starts_with("/no") { StatusCode::NOT_FOUND } else { StatusCode::OK };
        let before = turns().await;
        // More than the server's own reads.
        for _ in 0..TIMES {
            let answer = server.get_as_nobody(path).bearer_auth(&viewer).send().await.unwrap();
            assert_eq!(answer.status(), is_there, "{path}");
        }
        let taken = turns().await - before;
        assert!(taken >= 2.0 + f64::from(TIMES), "{path} passes by the queue: {taken} turns");
    }
}

/// Begins a POST of this size, and sends all but the last byte.
async fn all_but_the_end(server: &Server, path: &str, secret: &str, kind: &str, bytes: usize) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {secret}\r\nContent-Type: {kind}\r\nContent-Length: {bytes}\r\n\r\n",
        server.address
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The body of a rejected request is not read to its end.
    let _ = stream.write_all(&vec![b'a'; bytes - 1]).await;
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_never_end_take_no_more_than_their_budget() {
    let server = Server::serve(&["--memory-limit", "256MiB"]).await;
    let (greedy, honest) = (viewer(&server, "greedy").await, viewer(&server, "honest").await);
    let form = "application/x-www-form-urlencoded";
    let mut slow = Vec::new();
    // Of 32 MiB for writes, and of 24 MiB for the bodies and answers of one token.
    for _ in 0..2 {
        slow.push(all_but_the_end(&server, "/api/v1/write", TOKEN, "application/x-protobuf", 15 << 20).await);
    }
    for _ in 0..25 {
        slow.push(all_but_the_end(&server, "/api/v1/query", greedy.as_str(), form, 1_000_000).await);
    }
    eventually("all have arrived", async || {
        let writes = metric(&server, "hyperscope_writes_memory_used_bytes").await;
        let answers = metric(&server, "hyperscope_answers_memory_used_bytes").await;
        (writes >= f64::from(29 << 20) && answers >= 24_900_000.0).then_some(())
    })
    .await;
    let post = |path: &str, secret: &str, kind: &str, bytes: usize| {
        let request = client().post(server.url(path)).bearer_auth(secret);
        request.header("content-type", kind).body(vec![b'a'; bytes]).send()
    };
    for (path, secret, kind, bytes, status, said) in [
        (
            "/api/v1/write",
            TOKEN,
            "application/x-protobuf",
            4 << 20,
            StatusCode::SERVICE_UNAVAILABLE,
            "bodies of writes",
        ),
        (
            "/api/v1/query",
            greedy.as_str(),
            form,
            1_000_000,
            StatusCode::TOO_MANY_REQUESTS,
            "this token is at its limit",
        ),
        ("/api/v1/query", greedy.as_str(), form, 1_000, StatusCode::BAD_REQUEST, "no expression"),
    ] {
        let answer = post(path, secret, kind, bytes).await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.headers().contains_key("retry-after"), status != StatusCode::BAD_REQUEST);
        let error: Value = answer.json().await.unwrap();
        assert!(error["error"].as_str().unwrap().contains(said), "{error}");
    }
    let others = post("/api/v1/query", &honest, form, 1_000_000).await.unwrap();
    assert_eq!(others.status(), StatusCode::BAD_REQUEST, "it is read, and no query");
    drop(slow);
    eventually("what they took is given back", async || {
        let used = ["hyperscope_writes_memory_used_bytes", "hyperscope_answers_memory_used_bytes"];
        let [writes, answers] = [metric(&server, used[0]).await, metric(&server, used[1]).await];
        (writes == 0.0 && answers == 0.0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_has_so_many_selectors_whatever_it_reads() {
    let server = Server::serve(&[]).await;
    let form =
        |pairs: Vec<(&str, String)>| form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let selectors = |count: usize| form((0..count).map(|number| ("match[]", format!("m{number}"))).collect());
    let query = (0..1_001).map(|number| format!("m{number}")).collect::<Vec<_>>().join(" or ");
    for (path, form, status) in [
        ("/api/v1/series", selectors(1_000), StatusCode::OK),
        ("/api/v1/series", selectors(1_001), StatusCode::BAD_REQUEST),
        ("/api/v1/labels", selectors(1_001), StatusCode::BAD_REQUEST),
        ("/api/v1/series", "match[]=m&".repeat(100_000), StatusCode::BAD_REQUEST),
        ("/api/v1/query_exemplars", form(vec![("query", query)]), StatusCode::BAD_REQUEST),
        ("/api/v1/query_exemplars", form(vec![("query", ["m"; 1_001].join(" or "))]), StatusCode::OK),
    ] {
        let request = server.post(path).header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(form).send().await.unwrap();
        let (answered, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(answered, status, "{path}: {text}");
        let said = text.contains("at most 1000 selectors") || text.contains("more than 10000 parameters");
        assert_eq!(said, status != StatusCode::OK, "{path}: {text}");
    }
}
