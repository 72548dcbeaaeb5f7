//! The stored series from an operator's view: copies, checks, a directory in use, a full disk, late and duplicate
//! samples.

use std::{path::Path, process::Command, sync::Arc};

use crate::common::{HYPERSCOPE, Program, Server, TOKEN, arguments, eventually, now_ms, series, write};
use reqwest::{Response, StatusCode};
use serde_json::Value;
use tempfile::TempDir;

const MINUTE_MS: i64 = 60_000;

/// Samples of a series: time in milliseconds and value.
async fn samples(server: &Server, selector: &str, at_ms: i64) -> Vec<(i64, f64)> {
    let at = format!("{:.3}", (at_ms as f64) / 1_000.0);
    let query = [("query", format!("{selector}[1d]")), ("time", at)];
    let answer: Value = server.get("/api/v1/query").query(&query).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["status"], "success", "{answer}");
    let Some(found) = answer["data"]["result"].get(0) else { return Vec::new() };
    let point = |pair: &Value| {
        let ms = format!("{:.3}", pair[0].as_f64().unwrap()).replace('.', "").parse().unwrap();
        (ms, pair[1].as_str().unwrap().parse().unwrap())
    };
    found["values"].as_array().unwrap().iter().map(point).collect()
}

/// Status and message of a rejected write.
async fn refusal(answer: Response) -> (StatusCode, String) {
    let status = answer.status();
    let body: Value = answer.json().await.unwrap();
    (status, body["error"].as_str().unwrap().to_owned())
}

fn check_store(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(HYPERSCOPE).args(["check", "store"]).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn what_comes_late_or_twice_or_from_1970_is_taken_as_by_prometheus() {
    let server = Server::serve(&[]).await;
    let now = now_ms();
    let one = |time, value| vec![series("late", &[("x", "1")], &[(time, value)])];
    for (time, value) in [(now, 1.0), (now - 5 * MINUTE_MS, 2.0), (now - 9 * MINUTE_MS, 3.0), (now, 1.0)] {
        assert_eq!(write(&server, one(time, value)).await.status(), 204, "{time}");
    }
    let (status, message) = refusal(write(&server, one(now - 11 * MINUTE_MS, 4.0)).await).await;
    assert!(status == 400 && message.contains("too old sample"), "{status} {message}");
    let (status, message) = refusal(write(&server, one(now - 5 * MINUTE_MS, 5.0)).await).await;
    assert!(status == 400 && message.contains("duplicate sample for timestamp"), "{status} {message}");
    let expected = [(now - 9 * MINUTE_MS, 3.0), (now - 5 * MINUTE_MS, 2.0), (now, 1.0)];
    assert_eq!(samples(&server, "late", now).await, expected, "in order, each once");
    let metrics = server.text("/metrics").await;
    assert!(metrics.contains("\nhyperscope_store_too_old_samples_total 1\n"), "{metrics}");
    assert!(metrics.contains("\nhyperscope_store_duplicate_samples_total 1\n"), "{metrics}");

    // A test suite writes samples from the beginning of time, while our own series are current.
    let steps: Vec<(i64, f64)> = (0_i32..20).map(|at| (i64::from(at) * 5 * MINUTE_MS, f64::from(at))).collect();
    assert_eq!(write(&server, vec![series("loaded", &[], &steps)]).await.status(), 204);
    assert_eq!(samples(&server, "loaded", 100 * MINUTE_MS).await, steps);
    let data_dir = server.kill().await;
    let server = Server::start("serve", data_dir, &["--out-of-order-window", "0s"]).await;
    assert_eq!(samples(&server, "loaded", 100 * MINUTE_MS).await, steps);
    assert_eq!(samples(&server, "late", now).await, expected, "another window changes nothing of what is there");
    let (status, message) = refusal(write(&server, one(now - 6 * MINUTE_MS, 2.0)).await).await;
    assert!(status == 400 && message.contains("out of order sample"), "{status} {message}");
}

#[tokio::test]
async fn a_snapshot_is_a_data_directory() {
    let server = Server::serve(&[]).await;
    let hour = now_ms() - 60 * MINUTE_MS;
    let first: Vec<(i64, f64)> = (0_i32..500).map(|at| (hour + i64::from(at) * 1_000, f64::from(at))).collect();
    assert_eq!(write(&server, vec![series("kept", &[], &first)]).await.status(), 204);
    let answer = server.post("/api/v1/admin/tsdb/snapshot").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["status"], "success", "{answer}");
    let name = answer["data"]["name"].as_str().unwrap();
    assert!(name.len() == 33 && name.contains("Z-"), "{name}");
    // Later samples are not in it.
    assert_eq!(write(&server, vec![series("later", &[], &[(hour, 1.0)])]).await.status(), 204);

    let copy = server.data_dir.path().join("snapshots").join(name);
    let (code, stdout, stderr) = check_store(&[copy.to_str().unwrap()]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    let taken = TempDir::new().unwrap();
    assert!(Command::new("cp").arg("-a").arg(copy.join(".")).arg(taken.path()).status().unwrap().success());
    let restored = Server::start("serve", Arc::new(taken), &[]).await;
    assert_eq!(samples(&restored, "kept", hour + 500_000).await, first);
    assert_eq!(samples(&restored, "later", hour).await, []);

    // Without samples that are only in the log: whole chunks, without the newest samples.
    let answer = server.post("/api/v1/admin/tsdb/snapshot?skip_head=true").send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    let copy = server.data_dir.path().join("snapshots").join(answer["data"]["name"].as_str().unwrap());
    let (code, stdout, stderr) = check_store(&[copy.to_str().unwrap()]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    let taken = TempDir::new().unwrap();
    assert!(Command::new("cp").arg("-a").arg(copy.join(".")).arg(taken.path()).status().unwrap().success());
    let restored = Server::start("serve", Arc::new(taken), &[]).await;
    assert_eq!(samples(&restored, "kept", hour + 500_000).await, first[..480]);
    assert_eq!(samples(&restored, "later", hour).await, []);
    assert_eq!(samples(&server, "later", hour).await, [(hour, 1.0)], "nothing is lost where it was taken");

    let viewer = crate::common::token(server.data_dir.path(), &["create", "--name", "v", "--role", "viewer"]).await;
    let as_viewer = |path: &str| crate::common::client().post(server.url(path)).bearer_auth(&viewer);
    assert_eq!(as_viewer("/api/v1/admin/tsdb/snapshot").send().await.unwrap().status(), 403);
    let refused = server.post("/api/v1/admin/tsdb/snapshot?skip_head=maybe").send().await.unwrap();
    assert_eq!(refused.status(), 400);
    let left = std::fs::read_dir(server.data_dir.path().join("snapshots")).unwrap().count();
    assert_eq!(left, 2, "nothing half done is left");
}

#[tokio::test]
async fn how_much_there_is_is_told_to_those_who_may_see_all() {
    let server = Server::serve(&[]).await;
    // More than the number of our own metrics, which are in the store too.
    let many = (0..400).map(|number| series("counted", &[("number", &number.to_string())], &[(now_ms(), 1.0)]));
    assert_eq!(write(&server, many.collect()).await.status(), 204);
    let status = server.json("/api/v1/status/tsdb?limit=1").await;
    let lists = &status["data"];
    assert_eq!(lists["seriesCountByMetricName"], serde_json::json!([{"name": "counted", "value": 400}]));
    assert_eq!(lists["labelValueCountByLabelName"], serde_json::json!([{"name": "number", "value": 400}]));
    assert!(lists["headStats"]["numSeries"].as_u64().unwrap() >= 400, "{status}");
    assert_eq!(server.get("/api/v1/status/tsdb?limit=0").send().await.unwrap().status(), 400);
    let args = ["create", "--name", "some", "--role", "viewer", "--match", r#"number="1""#];
    let some = crate::common::token(server.data_dir.path(), &args).await;
    let answer =
        crate::common::client().get(server.url("/api/v1/status/tsdb")).bearer_auth(&some).send().await.unwrap();
    assert_eq!(answer.status(), 403);
}

#[tokio::test]
async fn a_check_finds_what_is_damaged_and_changes_nothing() {
    let server = Server::serve(&[]).await;
    let hour = now_ms() - 60 * MINUTE_MS;
    let values: Vec<(i64, f64)> = (0_i32..400).map(|at| (hour + i64::from(at) * 1_000, f64::from(at) / 7.0)).collect();
    assert_eq!(write(&server, vec![series("checked", &[], &values)]).await.status(), 204);
    let data_dir = server.data_dir.path().to_str().unwrap().to_owned();
    let chunks = server.data_dir.path().join("store/chunks");
    eventually("chunks in a file", async || std::fs::read_dir(&chunks).unwrap().next()).await.unwrap();
    let (code, stdout, stderr) = check_store(&["--data-dir", &data_dir]);
    assert_eq!((code, stderr.as_str()), (0, ""), "a server that runs is no damage: {stdout}");
    assert!(stdout.contains(": ok; ") && stdout.contains("in use by a server"), "{stdout}");
    let data_dir = server.kill().await;
    let path = data_dir.path().to_str().unwrap();
    assert_eq!(check_store(&[path]).0, 0);

    let file = std::fs::read_dir(&chunks).unwrap().next().unwrap().unwrap().path();
    let mut content = std::fs::read(&file).unwrap();
    *content.last_mut().unwrap() ^= 1;
    std::fs::write(&file, &content).unwrap();
    for _ in 0..2 {
        let (code, stdout, stderr) = check_store(&[path]);
        assert_eq!(code, 1);
        assert!(stdout.contains(file.to_str().unwrap()) && stdout.contains("from byte"), "{stdout}");
        assert!(stderr.starts_with("error: ") && stderr.contains("1 place is damaged"), "{stderr}");
    }
    // The server continues with everything else, and then there is nothing more to find.
    let server = Server::start("serve", data_dir, &[]).await;
    let left = samples(&server, "checked", hour + 400_000).await;
    assert!(left.len() >= 400 - 120 && left.iter().all(|sample| values.contains(sample)), "{}", left.len());
    let (code, stdout, _) = check_store(&[server.data_dir.path().to_str().unwrap()]);
    assert!(code == 0 && stdout.contains("have set aside"), "{stdout}");
    let nothing = TempDir::new().unwrap();
    let (code, _, stderr) = check_store(&[nothing.path().to_str().unwrap()]);
    assert!(code == 1 && stderr.contains("there is no store in"), "{stderr}");
}

#[tokio::test]
async fn a_second_server_is_told_which_directory_is_in_use_by_whom() {
    for command in ["serve", "demo"] {
        let args: &[&str] = if command == "demo" { &["--history", "10m"] } else { &[] };
        let server = Server::start(command, Arc::new(TempDir::new().unwrap()), args).await;
        let mut second = crate::common::launch(command, server.data_dir.path(), args);
        assert_eq!(second.ended().await.code(), Some(1));
        let printed = second.stderr();
        let pid = format!("(pid {})", server.program.pid());
        let directory = server.data_dir.path().to_str().unwrap();
        assert!(
            printed.contains("in use by another process") && printed.contains(directory) && printed.contains(&pid),
            "{printed}"
        );
        // The first one has lost nothing.
        assert!(!server.query("up or hyperscope_pages_total or vector(1)").await.is_empty());
        let answer = server.get("/api/v1/label/__name__/values").send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
}

/// A server that gets an error from a full disk instead of being killed: a limit of the file size simulates the disk.
async fn limitable(data_dir: Arc<TempDir>) -> Server {
    let script = r#"trap "" XFSZ; exec "$0" "$@""#;
    let all = arguments("serve", data_dir.path(), &[]);
    let args: Vec<&str> = ["-c", script, HYPERSCOPE].into_iter().chain(all).collect();
    Server::ready(Program::start("bash", &args, &[("HYPERSCOPE_ADMIN_TOKEN", TOKEN)]), Arc::clone(&data_dir)).await
}

fn limit_files(server: &Server, limit: &str) {
    let pid = server.program.pid().to_string();
    let status = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={limit}")]).status().unwrap();
    assert!(status.success());
}

fn largest_log(data_dir: &Path) -> u64 {
    let logs = std::fs::read_dir(data_dir.join("store/log")).unwrap();
    logs.map(|log| log.unwrap().metadata().unwrap().len()).max().unwrap()
}

async fn store_as_a_source(server: &Server) -> Value {
    let sources = server.json("/api/upstreams").await;
    let store = sources["upstreams"].as_array().unwrap().iter().find(|source| source["kind"] == "store");
    store.expect("the store among the sources").clone()
}

#[tokio::test]
async fn a_full_disk_stops_writes_alone_and_no_longer_than_it_is_full() {
    let server = limitable(Arc::new(TempDir::new().unwrap())).await;
    let start = now_ms() - 60 * MINUTE_MS;
    let batch =
        |at: i64| (0..200).map(move |number| series("full", &[("n", &number.to_string())], &[(start + at, 1.0)]));
    assert_eq!(write(&server, batch(0).collect()).await.status(), 204);
    limit_files(&server, &format!("{}:", largest_log(server.data_dir.path()) + 4_000));
    let mut stored = 1;
    let refused = loop {
        let answer = write(&server, batch(stored).collect()).await;
        if answer.status() != 204 {
            break answer;
        }
        stored += 1;
        assert!(stored < 1_000, "it is never full");
    };
    assert_eq!(refused.status(), 503);
    let wait: u32 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
    let (_, message) = refusal(refused).await;
    assert!(message.contains("no room on the disk"), "{message}");
    // Rejected samples wait for space and may be visible; they are not acknowledged, and count once when they are sent
    // again.
    let count = format!("count(count_over_time(full[1h] @ {}) >= {stored})", (start + 2_000) / 1_000);
    assert_eq!(server.query(&count).await[0].1, 200.0, "reads go on");
    assert_eq!(server.get_as_nobody("/health").send().await.unwrap().status(), 200);
    let store = store_as_a_source(&server).await;
    assert_eq!(store["state"], "down", "{store}");
    assert!(store["error"].as_str().unwrap().starts_with("new samples are not kept: "), "{store}");
    let ready = server.get_as_nobody("/ready").send().await.unwrap();
    assert_eq!(ready.status(), 503);
    assert!(ready.text().await.unwrap().contains("store is down"));

    limit_files(&server, "unlimited:");
    let answer = eventually("room again", async || {
        let answer = write(&server, batch(stored).collect()).await;
        (answer.status() == 204).then_some(answer)
    })
    .await;
    assert_eq!(answer.status(), 204);
    eventually("a store that is well", async || {
        let is_ready = server.get_as_nobody("/ready").send().await.unwrap().status() == 200;
        (is_ready && store_as_a_source(&server).await["state"] == "live").then_some(())
    })
    .await;
    let data_dir = server.kill().await;
    let server = Server::start("serve", data_dir, &[]).await;
    let count = format!("count(count_over_time(full[1h] @ {}) == {})", (start + 2_000) / 1_000, stored + 1);
    assert_eq!(server.query(&count).await[0].1, 200.0, "what was acknowledged is there, and nothing else");
}
