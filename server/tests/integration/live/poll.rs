//! `/api/live`, for clients that no socket reaches.

use serde_json::{Value, json};

use crate::{
    common::token,
    live::{Rig, times},
};

async fn poll(rig: &Rig, parameters: &[(&str, &str)]) -> Value {
    let answer = rig.server.get("/api/live").query(parameters).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

fn kinds(answer: &Value) -> Vec<(u64, &str)> {
    let messages = answer["messages"].as_array().unwrap().iter();
    messages.map(|message| (message["id"].as_u64().unwrap(), message["type"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn polls_tell_first_the_whole_and_then_what_is_new() {
    let rig = Rig::start().await;
    let first = poll(&rig, &[("topics", "jobs,upstreams"), ("timeout", "1")]).await;
    assert!(first["boot_id"].is_string() && first["seq"].is_u64(), "{first}");
    assert_eq!(kinds(&first)[..2], [(1, "snapshot"), (2, "snapshot")], "{first}");

    // Without events the wait ends, and the next poll continues from there.
    let since = first["since"].as_str().unwrap().to_owned();
    let quiet = poll(&rig, &[("topics", "jobs"), ("since", &since), ("timeout", "1")]).await;
    assert_eq!(quiet["messages"], json!([]));
    let since = quiet["since"].as_str().unwrap().to_owned();

    // One poll waits, the event ends its wait.
    let parameters = [("topics", "jobs"), ("since", &since), ("timeout", "50")];
    let waiting = poll(&rig, &parameters);
    let submitting = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        rig.simulator.submit("while polled").await
    };
    let (answer, job) = tokio::join!(waiting, submitting);
    assert_eq!(kinds(&answer)[0], (1, "event"), "{answer}");
    assert_eq!(answer["messages"][0]["data"]["job_id"], *job);

    // Events between two polls are not lost, and come once.
    rig.simulator.change(&job, "complete").await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let since = answer["since"].as_str().unwrap().to_owned();
    let mut parameters = [("topics", "jobs".to_owned()), ("since", since), ("timeout", "1".to_owned())];
    let mut ends = 0;
    for _ in 0..3 {
        let pairs: Vec<(&str, &str)> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = poll(&rig, &pairs).await;
        let messages = answer["messages"].as_array().unwrap();
        assert!(messages.iter().all(|message| message["type"] != "snapshot"), "{answer}");
        ends += messages.iter().filter(|message| message["data"]["status"] == "completed").count();
        parameters[1].1 = answer["since"].as_str().unwrap().to_owned();
    }
    assert_eq!(ends, 1);

    // A number of another run of the server.
    let other = poll(&rig, &[("topics", "jobs"), ("since", "0123456789abcdef:1"), ("timeout", "1")]).await;
    assert_eq!(kinds(&other)[0], (1, "snapshot"), "{other}");
}

#[tokio::test]
async fn polls_follow_queries() {
    let rig = Rig::start().await;
    let query = json!({"expr": "vector(time())", "window_ms": 20_000, "step_ms": 1_000}).to_string();
    let first = poll(&rig, &[("topics", "alerts"), ("query", &query), ("timeout", "5")]).await;
    let mut seen = Vec::new();
    let mut answer = first;
    while seen.len() < 25 {
        for message in answer["messages"].as_array().unwrap().iter().filter(|message| message["id"] == 2) {
            seen.extend(times(&message["data"]));
        }
        let since = answer["since"].as_str().unwrap().to_owned();
        answer = poll(&rig, &[("topics", "alerts"), ("query", &query), ("since", &since), ("timeout", "5")]).await;
    }
    assert!(seen.windows(2).all(|pair| pair[0] + 1_000 == pair[1]), "a gap or a point twice: {seen:?}");
}

/// A page's requests if its range is fixed, or if no socket gets through.
#[tokio::test]
async fn a_query_over_a_fixed_time_is_a_frame() {
    let rig = Rig::start().await;
    let ask = async |query: &str, start_ms: &str, step_ms: &str, instant: &str| {
        let parameters = [
            ("query", query),
            ("start_ms", start_ms),
            ("end_ms", "120500"),
            ("step_ms", step_ms),
            ("instant", instant),
        ];
        let answer = rig.server.get("/api/frame").query(&parameters).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, frame) = ask("vector(time())", "1", "60000", "false").await;
    assert_eq!((status, &frame["series"][0]["timestamps"]), (200, &json!([0, 60_000, 120_000])), "{frame}");
    assert_eq!(frame["series"][0]["values"], json!([0.0, 60.0, 120.0]), "{frame}");
    let (status, frame) = ask("vector(1) / 0", "0", "1000", "true").await;
    assert_eq!((status, &frame["series"][0]["values"]), (200, &json!(["+Inf"])), "{frame}");
    for (query, start_ms, step_ms, status, words) in [
        ("sum(", "0", "1000", 400, "parse error"),
        ("up", "0", "0", 400, "step_ms"),
        ("up", "0", "1", 400, "11,000 points"),
    ] {
        let (answered, error) = ask(query, start_ms, step_ms, "false").await;
        assert_eq!(answered, status, "{error}");
        assert!(error["error"]["message"].as_str().unwrap().contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_wrong_poll_is_told_what_is_wrong() {
    let rig = Rig::start().await;
    let bad_query = json!({"expr": "sum(", "window_ms": 20_000, "step_ms": 1_000}).to_string();
    for (name, value, words) in [
        ("topics", "jobs,weather", "weather"),
        ("query", "not json", "not json"),
        ("query", bad_query.as_str(), "parse error"),
        ("timeout", "soon", "soon"),
    ] {
        let answer = rig.server.get("/api/live").query(&[(name, value)]).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{name}={value}");
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["error"]["code"], "bad_request", "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(words), "{answer}");
    }
}

#[tokio::test]
async fn a_topic_that_is_named_often_is_told_once() {
    let rig = Rig::start().await;
    let many = vec!["jobs"; 250].join(",");
    let answer = poll(&rig, &[("topics", &many), ("topics", "jobs,system"), ("timeout", "1")]).await;
    assert_eq!(kinds(&answer), [(1, "snapshot"), (2, "snapshot")]);
}

#[tokio::test]
async fn a_poll_ends_with_the_token_of_who_asks() {
    let rig = Rig::start().await;
    let data_dir = rig.server.data_dir.path();
    let secret = token(data_dir, &["create", "--name", "gone", "--role", "viewer"]).await;
    // The newest is the last one.
    let id = token(data_dir, &["list"]).await.split(' ').next().unwrap().to_owned();
    let ask = |since: &str| {
        let query =
            [("topics", "jobs"), ("timeout", "50"), ("since", since)].map(|(name, value)| (name, value.to_owned()));
        rig.server.get_as_nobody("/api/live").bearer_auth(&secret).query(&query).send()
    };
    let first: Value = ask("").await.unwrap().json().await.unwrap();
    let since = first["since"].as_str().unwrap().to_owned();
    let revoke = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        token(data_dir, &["revoke", &id]).await
    };
    let (answer, _) = tokio::join!(ask(&since), revoke);
    assert_eq!(answer.unwrap().status(), 401);
}
