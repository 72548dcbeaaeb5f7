//! Webhooks of the short form: jobs and alerts, signed.

use std::{path::PathBuf, process::Command};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    common::{Server, Simulator, TOKEN, client, eventually, free_port},
    notify::{
        alert,
        alertmanager::Alertmanager,
        post,
        receiver::{Answer, Receiver},
        resolve,
    },
};

fn config(text: &str) -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("hyperscope.yml");
    std::fs::write(&file, format!("notify: {{ allow_private: true }}\nwebhooks:\n{text}")).unwrap();
    (directory, file)
}

/// A new simulated job that ends with this status.
async fn run_job(simulator: &Simulator, name: &str, end: &str) -> String {
    let job = simulator.submit(name).await;
    simulator.change(&job, end).await;
    job
}

#[tokio::test]
async fn jobs_are_told_of_in_every_format() {
    let (generic, slack, discord) = (Receiver::start().await, Receiver::start().await, Receiver::start().await);
    let simulator = Simulator::start("documented", &["--jobs-per-minute", "0"]).await;
    let old = run_job(&simulator, "before the server", "complete").await;
    let (_directory, file) = config(&format!(
        "- {{name: all, url: '{}/x', secret: s3cret, headers: {{X-Own: '7'}}}}
- {{name: chat, url: '{}', format: slack, events: [job.failed]}}
- {{name: game, url: '{}', format: discord, events: ['job.*']}}
- {{name: off, url: '{}/off', enabled: false}}
",
        generic.url, slack.url, discord.url, generic.url
    ));
    let server = Server::serve(&["--config", file.to_str().unwrap(), "--daemon-url", &simulator.named("sim")]).await;
    eventually("the old job", async || server.text("/api/jobs").await.contains(&old).then_some(())).await;
    let good = run_job(&simulator, "good one", "complete").await;
    let bad = run_job(&simulator, "bad one", "fail").await;

    let of = |event: &'static str, job: String| {
        let generic = &generic;
        eventually("an event", async move || {
            generic.got().into_iter().find(|got| {
                let body = got.json();
                body["event"] == event && body["data"]["job_id"] == json!(job)
            })
        })
    };
    let got = of("job.completed", good.clone()).await;
    assert_eq!((got.path.as_str(), got.headers["x-own"].as_str()), ("/x", "7"));
    assert_eq!(got.json()["id"], json!(got.headers["x-hyperscope-delivery"]));
    assert_eq!(got.json()["data"]["name"], "good one");
    verify(&got.headers["x-hyperscope-signature"], &got.headers["x-hyperscope-timestamp"], &got.body);
    of("job.failed", bad.clone()).await;

    let body = slack.got_count(1).await[0].json();
    assert_eq!(body["blocks"][0]["text"]["text"], "Job failed: bad one");
    assert!(body.to_string().contains(&format!("/jobs/sim/{bad}")), "{body}");
    let colors = eventually("both ends in colour", async || {
        let bodies: Vec<Value> = discord.got().iter().map(|got| got.json()["embeds"][0].clone()).collect();
        let color = |title: &str| bodies.iter().find(|body| body["title"] == title)?["color"].as_u64();
        Some((color("Job completed: good one")?, color("Job failed: bad one")?))
    })
    .await;
    assert_eq!(colors, (0x2e_cc71, 0xe7_4c3c));

    let sent: Vec<String> = generic.got().iter().map(|got| got.body.clone()).collect();
    assert!(!sent.iter().any(|body| body.contains(&old)), "what was over before the server came is no news");
    assert!(!generic.got().iter().any(|got| got.path == "/off"));
    assert_eq!(slack.got().len(), 1);
}

/// The documentation's example accepts a message of ours.
fn verify(signature: &str, timestamp: &str, body: &str) {
    let described = include_str!("../../../../docs/notifications.md");
    let example = described.split("```python").nth(1).unwrap().split("```").next().unwrap();
    let check = |body: &str, now: &str| {
        let program = format!(
            "{example}\nimport sys\nsys.exit(0 if is_ours(b's3cret', {signature:?}, {timestamp:?}, sys.argv[1].encode(), now=float(sys.argv[2])) else 1)"
        );
        Command::new("python3").args(["-c", &program, body, now]).status().unwrap().success()
    };
    assert!(check(body, timestamp), "a message of ours");
    assert!(!check(&body.replace("good one", "other"), timestamp), "another body");
    assert!(!check(body, "9999999999"), "an old one");
}

#[tokio::test]
async fn alerts_are_told_of_once_and_retries_end() {
    let receiver = Receiver::scripted(&[Answer::Status(500), Answer::Status(500)]).await;
    let (_directory, file) = config(&format!(
        "- {{name: ops, url: '{}', events: [alert.fired, alert.resolved], retry_count: 1, retry_delay: 10ms}}\n",
        receiver.url
    ));
    let server = Server::serve(&["--config", file.to_str().unwrap()]).await;
    post(&server, &[alert("a", &[("severity", "warning")])]).await;
    let dead =
        eventually("a delivery given up", async || crate::notify::deliveries(&server, "dead").await.first().cloned())
            .await;
    assert_eq!(
        (&dead["kind"], &dead["attempts"], &dead["subject"]),
        (&json!("hook"), &json!(2), &json!("alert.fired: a"))
    );
    post(&server, &[alert("a", &[("severity", "warning")])]).await;
    resolve(&server, alert("a", &[("severity", "warning")])).await;
    let got = receiver.got_count(3).await;
    let events: Vec<Value> = got.iter().map(|got| got.json()["event"].clone()).collect();
    assert_eq!(events, ["alert.fired", "alert.fired", "alert.resolved"]);
    assert_eq!(got[2].json()["data"]["severity"], "warning");
}

/// A silenced alert, here or in an Alertmanager, is sent if it outlives its silence, and not before.
#[tokio::test]
async fn an_alert_is_told_of_when_it_is_silenced_no_more() {
    let of_manager = Receiver::start().await;
    let manager = Alertmanager::start(&of_manager, free_port()).await;
    for further in [vec![], vec!["--alertmanager-url", manager.url.as_str()]] {
        let receiver = Receiver::start().await;
        let (_directory, file) = config(&format!("- {{name: ops, url: '{}'}}\n", receiver.url));
        let server = Server::serve(&[vec!["--config", file.to_str().unwrap()], further].concat()).await;
        let silence = json!({ "matchers": "alertname=~\"kept|ended\"", "comment": "works" });
        let made: Value = server.post("/api/silences").json(&silence).send().await.unwrap().json().await.unwrap();
        post(&server, &[alert("kept", &[]), alert("ended", &[]), alert("loud", &[])]).await;
        let sent = |receiver: &Receiver| -> Vec<String> {
            let sent = receiver.got().into_iter().map(|got| got.json());
            sent.map(|body| format!("{} {}", body["event"], body["data"]["name"]).replace('"', "")).collect()
        };
        receiver.got_count(1).await;
        resolve(&server, alert("ended", &[])).await;
        let path = format!("/api/silences/{}", made["id"].as_str().unwrap());
        client().delete(server.url(&path)).bearer_auth(TOKEN).send().await.unwrap();
        receiver.got_count(2).await;
        resolve(&server, alert("kept", &[])).await;
        receiver.got_count(3).await;
        assert_eq!(sent(&receiver), ["alert.fired loud", "alert.fired kept", "alert.resolved kept"]);
    }
}

/// Silences there are unknown before the first read.
#[tokio::test]
async fn a_silence_of_an_alertmanager_holds_from_the_start() {
    let of_manager = Receiver::start().await;
    let manager = Alertmanager::start(&of_manager, free_port()).await;
    let theirs = json!({
        "matchers": [{ "name": "alertname", "value": "quiet", "isRegex": false }],
        "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z", "createdBy": "them", "comment": "works",
    });
    let made = client().post(format!("{}/api/v2/silences", manager.url)).json(&theirs).send().await.unwrap();
    assert_eq!(made.status(), 200);
    let receiver = Receiver::start().await;
    let (_directory, file) = config(&format!("- {{name: ops, url: '{}'}}\n", receiver.url));
    let server = Server::serve(&["--config", file.to_str().unwrap(), "--alertmanager-url", &manager.url]).await;
    post(&server, &[alert("quiet", &[]), alert("loud", &[])]).await;
    post(&server, &[alert("later", &[])]).await;
    let mut names: Vec<String> =
        receiver.got_count(2).await.iter().map(|got| got.json()["data"]["name"].to_string()).collect();
    names.sort();
    assert_eq!(names, ["\"later\"", "\"loud\""]);
}

#[tokio::test]
async fn a_job_that_ends_while_the_server_is_away_is_told_of() {
    let receiver = Receiver::start().await;
    let simulator = Simulator::start("documented", &["--jobs-per-minute", "0"]).await;
    let (_directory, file) = config(&format!("- {{name: ops, url: '{}', events: ['job.*']}}\n", receiver.url));
    let named = simulator.named("sim");
    let args = ["--config", file.to_str().unwrap(), "--daemon-url", &named];
    let server = Server::serve(&args).await;
    eventually("a link", async || server.text("/api/upstreams").await.contains("live").then_some(())).await;
    let job = simulator.submit("long").await;
    simulator.change(&job, "progress?percent=10").await;
    let has = |event: &str| receiver.got().iter().filter(|got| got.json()["event"] == event).count();
    eventually("its start", async || (has("job.started") == 1).then_some(())).await;
    let data_dir = server.kill().await;
    simulator.change(&job, "complete").await;
    let _server = Server::start("serve", data_dir, &args).await;
    eventually("its end", async || (has("job.completed") == 1).then_some(())).await;
    assert_eq!(has("job.started"), 1, "and its start once");
}
