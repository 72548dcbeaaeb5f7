//! `/api/v1/write`: samples are stored, and errors are reported.

use std::sync::Arc;

use crate::common::{Program, Server, body, client, eventually, free_port, now_ms, series, token, with_body, write};
use remote_write::{Family, FamilyKind, Request};
use serde_json::{Value, json};
use tempfile::TempDir;
use timeseries::STALE_NAN;

/// Values of an instant query at a time, in seconds.
async fn at(server: &Server, expr: &str, time: &str) -> Vec<String> {
    let answer = server.get("/api/v1/query").query(&[("query", expr), ("time", time)]).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["status"], "success", "{expr}: {answer}");
    let samples = answer["data"]["result"].as_array().unwrap();
    samples.iter().map(|sample| sample["value"][1].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn samples_of_any_time_are_stored_as_they_are() {
    let server = Server::serve(&[]).await;
    let now = now_ms();
    let old = series("old", &[("a", "1")], &[(0, 1.0), (1, 2.0), (300_000, STALE_NAN), (600_000, f64::NAN)]);
    let odd = series("odd.name/x", &[("label with spaces", "ä\"b")], &[(-60_000, -0.0), (1_000, f64::INFINITY)]);
    let new = series("new", &[], &[(now - 60_000, 1.5e-9), (now, 1e300)]);
    let answer = write(&server, vec![old, odd, new]).await;
    assert_eq!(answer.status(), 204);
    assert_eq!(at(&server, "old", "0").await, ["1"]);
    assert_eq!(at(&server, "old", "299.999").await, ["2"]);
    assert!(at(&server, "old", "300").await.is_empty(), "the series ended");
    assert_eq!(at(&server, "old", "600").await, ["NaN"]);
    assert_eq!(at(&server, r#"{"odd.name/x", "label with spaces"=~"ä.b"}"#, "-60").await, ["-0"]);
    assert_eq!(at(&server, r#"{"odd.name/x"}"#, "1").await, ["+Inf"]);
    assert_eq!(server.query("new").await[0].1, 1e300);
}

#[tokio::test]
async fn what_cannot_be_stored_is_told_and_keeps_nothing_else_out() {
    let server = Server::serve(&[]).await;
    let hour = 3_600_000;
    assert_eq!(write(&server, vec![series("a", &[("x", "1")], &[(hour, 1.0)])]).await.status(), 204);
    // Sending the same samples again is no error.
    assert_eq!(write(&server, vec![series("a", &[("x", "1")], &[(hour, 1.0)])]).await.status(), 204);
    let far = now_ms() + hour;
    for (number, sample, words) in [
        (1, (hour, 2.0), "duplicate sample for timestamp"),
        (2, (0, 2.0), "too old sample"),
        (3, (far, 2.0), "out of bounds"),
    ] {
        let good = format!("good_{number}");
        let bad = series("a", &[("x", "1")], &[sample]);
        let answer = write(&server, vec![bad, series(&good, &[], &[(hour, 5.0)])]).await;
        assert_eq!(answer.status(), 400);
        let answer: Value = answer.json().await.unwrap();
        assert_eq!((&answer["status"], &answer["errorType"]), (&json!("error"), &json!("bad_data")));
        let error = answer["error"].as_str().unwrap();
        assert!(error.contains(words) && error.contains(r#"{__name__="a", x="1"}"#), "{error}");
        assert_eq!(at(&server, &good, "3600").await, ["5"]);
    }
    assert_eq!(at(&server, "a", "3600").await, ["1"]);
    // Late, but within the out-of-order window.
    assert_eq!(write(&server, vec![series("a", &[("x", "1")], &[(hour - 300_000, 9.0)])]).await.status(), 204);
    assert_eq!(at(&server, "a", "3599").await, ["9"]);
    let nameless = series("", &[("x", "1")], &[(hour, 1.0)]);
    let answer = write(&server, vec![nameless, series("named", &[], &[(hour, 5.0)])]).await;
    assert_eq!(answer.status(), 400);
    assert!(answer.text().await.unwrap().contains("no metric name"));
    assert_eq!(at(&server, "named", "3600").await, ["5"]);
}

#[tokio::test]
async fn what_is_no_remote_write_is_refused() {
    let server = Server::serve(&["--limit-write-body", "100KiB", "--limit-write-unpacked", "1MiB"]).await;
    let good = || body(vec![series("a", &[], &[(0, 1.0)])]);
    let post = || client().post(server.url("/api/v1/write")).bearer_auth(crate::common::TOKEN);
    for (content_type, encoding, expected) in [
        ("application/x-protobuf", "snappy", 204),
        ("application/x-protobuf;proto=prometheus.WriteRequest", "snappy", 204),
        ("application/x-protobuf;proto=io.prometheus.write.v2.Request", "snappy", 415),
        ("application/json", "snappy", 415),
        ("application/x-protobuf", "gzip", 415),
    ] {
        let request = post().header("content-type", content_type).header("content-encoding", encoding);
        let answer = request.body(good()).send().await.unwrap();
        assert_eq!(answer.status(), expected, "{content_type} {encoding}");
        if expected == 415 {
            assert_eq!(answer.json::<Value>().await.unwrap()["status"], "error");
        }
    }
    let noise: Vec<u8> = (0_u32..200_000).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for (what, body, expected) in [
        ("no snappy", b"hello".to_vec(), 400),
        ("no message", remote_write::compress(b"hello").unwrap(), 400),
        ("too long", noise, 413),
        ("too long once unpacked", remote_write::compress(&vec![0; 2 << 20]).unwrap(), 413),
        ("empty", Vec::new(), 400),
        ("no series", body(Vec::new()), 204),
    ] {
        let answer = with_body(post(), body).send().await.unwrap();
        assert_eq!(answer.status(), expected, "{what}");
    }
    assert_eq!(server.get("/api/v1/write").send().await.unwrap().status(), 405);
}

#[tokio::test]
async fn only_those_who_ingest_may_write() {
    let server = Server::serve(&[]).await;
    for (role, expected) in [("ingest", 204), ("viewer", 403), ("operator", 403), ("admin", 204)] {
        let secret = token(server.data_dir.path(), &["create", "--name", role, "--role", role]).await;
        let secret = secret.as_str();
        let answer = eventually("a token that is known", async || {
            let request = client().post(server.url("/api/v1/write")).bearer_auth(secret);
            let answer = with_body(request, body(vec![series("a", &[], &[(0, 1.0)])])).send().await.unwrap();
            (answer.status() != 401).then_some(answer)
        })
        .await;
        assert_eq!(answer.status(), expected, "{role}");
    }
    let nobody = with_body(client().post(server.url("/api/v1/write")), body(Vec::new())).send().await.unwrap();
    assert_eq!(nobody.status(), 401);
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let data_dir = Arc::new(TempDir::new().unwrap());
    for round in 0..3_i64 {
        let server = Server::start("serve", Arc::clone(&data_dir), &[]).await;
        for before in 0..round {
            assert_eq!(at(&server, "count(kept)", &before.to_string()).await, ["500"], "round {round}");
        }
        let all = (0..500).map(|n| series("kept", &[("n", &n.to_string())], &[(round * 1_000, 1.0)])).collect();
        assert_eq!(write(&server, all).await.status(), 204);
        server.kill().await;
    }
}

#[tokio::test]
async fn descriptions_are_kept() {
    let server = Server::serve(&[]).await;
    let family = Family {
        name: "jobs_total".to_owned(),
        kind: FamilyKind::Counter,
        help: "Jobs so far.".to_owned(),
        unit: String::new(),
    };
    let request = Request { families: vec![family], ..Request::default() };
    let body = remote_write::compress(&remote_write::encode(&request)).unwrap();
    assert_eq!(with_body(server.post("/api/v1/write"), body).send().await.unwrap().status(), 204);
    let metadata = server.json("/api/v1/metadata?metric=jobs_total").await;
    let expected = json!({"jobs_total": [{"type": "counter", "help": "Jobs so far.", "unit": ""}]});
    assert_eq!(metadata["data"], expected);
}

#[tokio::test]
async fn a_real_prometheus_writes_to_us() {
    let server = Server::serve(&[]).await;
    let directory = TempDir::new().unwrap();
    let secret = token(server.data_dir.path(), &["create", "--name", "prometheus", "--role", "ingest"]).await;
    let address = format!("127.0.0.1:{}", free_port());
    let config = format!(
        "global: {{ scrape_interval: 1s }}\n\
         scrape_configs:\n- job_name: self\n  static_configs: [{{ targets: ['{address}'] }}]\n\
         remote_write:\n- url: {}\n  authorization: {{ credentials: {secret} }}\n  metadata_config: {{ send_interval: 1s }}\n",
        server.url("/api/v1/write")
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
    eventually("a scrape of Prometheus by itself", async || {
        let up = server.query(r#"up{job="self"}"#).await;
        (up.len() == 1 && up[0].1 == 1.0).then_some(())
    })
    .await;
    eventually("what it tells of its metrics", async || {
        let metadata = server.json("/api/v1/metadata?metric=go_goroutines").await;
        (metadata["data"]["go_goroutines"][0]["type"] == "gauge").then_some(())
    })
    .await;
}
