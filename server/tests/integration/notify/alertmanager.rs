//! Debian's Alertmanager beside the server: it receives alerts and stores the silences.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    common::{Program, Server, client, eventually, free_port},
    notify::{alert, post, receiver::Receiver, resolve},
};

pub struct Alertmanager {
    pub url: String,
    program: Program,
    _directory: TempDir,
}

impl Alertmanager {
    pub async fn start(receiver: &Receiver, port: u16) -> Self {
        let directory = TempDir::new().unwrap();
        let config = format!(
            "route: {{receiver: team, group_by: [alertname], group_wait: 0s, group_interval: 1s}}\nreceivers: [{{name: team, webhook_configs: [{{url: '{}/'}}]}}]\ninhibit_rules: [{{source_matchers: ['severity=critical'], target_matchers: ['severity=warning'], equal: [host]}}]\n",
            receiver.url
        );
        let file = directory.path().join("alertmanager.yml");
        std::fs::write(&file, config).unwrap();
        let args = [
            format!("--config.file={}", file.display()),
            format!("--storage.path={}", directory.path().join("data").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
            "--cluster.listen-address=".to_owned(),
        ];
        let program = Program::start("prometheus-alertmanager", &args.each_ref().map(String::as_str), &[]);
        let mut alertmanager = Alertmanager { url: format!("http://127.0.0.1:{port}"), program, _directory: directory };
        eventually("an Alertmanager that is ready", async || {
            assert!(alertmanager.program.is_running(), "{}", alertmanager.program.stderr());
            client().get(format!("{}/-/ready", alertmanager.url)).send().await.ok()?.status().is_success().then_some(())
        })
        .await;
        alertmanager
    }

    pub async fn json(&self, path: &str) -> Value {
        client().get(format!("{}{path}", self.url)).send().await.unwrap().json().await.unwrap()
    }
}

#[tokio::test]
async fn alerts_go_to_every_alertmanager_and_silences_are_theirs() {
    let receiver = Receiver::start().await;
    let first = Alertmanager::start(&receiver, free_port()).await;
    let late_port = free_port();
    let late_url = format!("http://127.0.0.1:{late_port}");
    let server = Server::serve(&["--alertmanager-url", &first.url, "--alertmanager-url", &late_url]).await;
    let of = async |name: &str| {
        let sources = server.json("/api/upstreams").await;
        let found = sources["upstreams"].as_array().unwrap().iter().find(|source| source["name"] == name).cloned();
        found.expect("an Alertmanager among the sources")
    };
    eventually("one that answers and one that does not", async || {
        let (there, away) = (of("alertmanager").await, of("alertmanager-2").await);
        let version = there["detail"].as_str().is_some_and(|detail| detail.contains(", version 0."));
        (there["state"] == "live" && version && away["state"] == "down" && away["error"].is_string()).then_some(())
    })
    .await;
    let ready = server.get_as_nobody("/ready").send().await.unwrap();
    assert_eq!(ready.status(), 503);
    let reasons = ready.text().await.unwrap();
    assert!(reasons.contains("alertmanager-2 is down and has sent nothing yet"), "{reasons}");
    assert!(!reasons.contains("127.0.0.1"), "no address is for everybody: {reasons}");

    let silence = json!({ "matchers": "alertname=Quiet", "duration": "1h", "comment": "works" });
    let made = server.post("/api/silences").json(&silence).send().await.unwrap();
    assert_eq!(made.status(), 201, "{}", made.text().await.unwrap());
    let theirs = first.json("/api/v2/silences").await;
    assert_eq!(theirs[0]["comment"], "works");

    let bad = alert("Bad", &[("severity", "critical"), ("host", "a")]);
    post(&server, &[bad.clone(), alert("Quiet", &[])]).await;
    let told = receiver.got_count(1).await;
    assert_eq!(told[0].json()["groupLabels"]["alertname"], "Bad");
    post(&server, &[alert("Lesser", &[("severity", "warning"), ("host", "a")])]).await;
    let statuses = eventually("what they say of the alerts", async || {
        let alerts = server.json("/api/v2/alerts").await;
        let of = |name: &str| {
            alerts
                .as_array()
                .unwrap()
                .iter()
                .find(|alert| alert["labels"]["alertname"] == name)
                .map(|alert| alert["status"].clone())
        };
        let all = (of("Quiet")?, of("Lesser")?);
        (all.0["state"] == "suppressed" && all.1["state"] == "suppressed").then_some(all)
    })
    .await;
    assert_eq!(statuses.0["silencedBy"][0], theirs[0]["id"]);
    assert_eq!(statuses.1["inhibitedBy"].as_array().unwrap().len(), 1);
    assert!(server.json("/api/silences").await["silences"][0]["text"].as_str().unwrap().contains("Quiet"));

    // An Alertmanager that starts late gets the alerts that it missed.
    let late = Alertmanager::start(&receiver, late_port).await;
    eventually("alerts at the late one", async || {
        (late.json("/api/v2/alerts").await.as_array().unwrap().len() == 3).then_some(())
    })
    .await;

    // Alerts that a Prometheus sent to it are known here too, and can be acknowledged.
    let foreign =
        client().post(format!("{}/api/v2/alerts", first.url)).json(&[alert("Foreign", &[])]).send().await.unwrap();
    assert_eq!(foreign.status(), 200);
    let fingerprint = eventually("an alert of another's", async || {
        let alerts = server.json("/api/silences/preview?matchers=alertname%3DForeign").await;
        Some(alerts["alerts"][0]["fingerprint"].as_str()?.to_owned())
    })
    .await;
    assert_eq!(server.json("/api/alerts/status").await["alerts"][&fingerprint]["receivers"], json!(["team"]));
    assert_eq!(server.post(&format!("/api/alerts/{fingerprint}/ack")).send().await.unwrap().status(), 200);

    resolve(&server, bad).await;
    eventually("the end", async || receiver.got().iter().any(|got| got.json()["status"] == "resolved").then_some(()))
        .await;
    let path = format!("/api/silences/{}", theirs[0]["id"].as_str().unwrap());
    let ended = client().delete(server.url(&path)).bearer_auth(crate::common::TOKEN).send().await.unwrap();
    assert_eq!(ended.status(), 200);
    assert_eq!(first.json("/api/v2/silences").await[0]["status"]["state"], "expired");
}

#[tokio::test]
async fn one_that_asks_to_log_in_is_told_who_asks() {
    let (basic, bearer) = (Receiver::start().await, Receiver::start().await);
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("password"), "pass word\n").unwrap();
    let file = directory.path().join("hyperscope.yml");
    let text = format!(
        "alertmanagers:\n- {{url: '{}/am', username: me, password_file: password}}\n- {{url: '{}', bearer_token: secret-token}}\n",
        basic.url, bearer.url
    );
    std::fs::write(&file, text).unwrap();
    let server = Server::serve(&["--config", file.to_str().unwrap()]).await;
    post(&server, &[alert("a", &[])]).await;
    for (receiver, path, header) in
        [(&basic, "/am/api/v2/alerts", "Basic bWU6cGFzcyB3b3Jk"), (&bearer, "/api/v2/alerts", "Bearer secret-token")]
    {
        let got =
            eventually("a post", async || receiver.got().into_iter().find(|got| got.body.contains("labels"))).await;
        assert_eq!((got.path.as_str(), got.headers["authorization"].as_str()), (path, header));
        assert_eq!(got.json()[0]["labels"]["alertname"], "a");
    }
    assert!(!server.program.stderr().contains("secret-token"));
}
