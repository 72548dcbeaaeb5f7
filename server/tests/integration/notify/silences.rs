//! Silences and acknowledgements, by our API and by `amtool`.

use std::process::Command;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    common::{Peers, Server, client, eventually, token},
    notify::{alert, file, post, quick, receiver::Receiver, serve},
};

async fn known(server: &Server, count: usize) {
    eventually("alerts that are known", async || {
        (server.json("/api/v2/alerts").await.as_array().unwrap().len() == count).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_silence_mutes_what_its_preview_says_until_it_is_expired() {
    let receiver = Receiver::start().await;
    let (_directory, config) = file(&quick(&format!("  webhook_configs: [{{url: '{}/'}}]", receiver.url)));
    let server = serve(&config, &[]).await;
    let wanted = json!({ "matchers": "host=~\"a|b\",severity!=info", "duration": "1h", "comment": "maintenance" });
    let answer = server.post("/api/silences").json(&wanted).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    let silence: Value = answer.json().await.unwrap();
    assert_eq!((&silence["state"], &silence["text"]), (&json!("active"), &json!("{host=~\"a|b\",severity!=\"info\"}")));
    let length = silence["ends_at"].as_i64().unwrap() - silence["starts_at"].as_i64().unwrap();
    assert!((3_590_000..=3_600_000).contains(&length), "{length}");

    post(&server, &[alert("quiet", &[("host", "a")]), alert("loud", &[("host", "c")])]).await;
    known(&server, 2).await;
    assert_eq!(receiver.got_count(1).await[0].json()["groupLabels"]["alertname"], "loud");
    let preview = server.json("/api/silences/preview?matchers=host%3D~%22a%7Cb%22").await;
    assert_eq!((&preview["total"], &preview["alerts"][0]["name"]), (&json!(1), &json!("quiet")));
    assert_eq!(preview["alerts"][0]["status"]["silencedBy"][0], silence["id"]);

    // It survives a restart, can be extended and commented, and ended.
    let data_dir = server.kill().await;
    let args = ["--alertmanager-config", config.to_str().unwrap(), "--notify-allow-private"];
    let server = Server::start("serve", data_dir, &args).await;
    let path = format!("/api/silences/{}", silence["id"].as_str().unwrap());
    let answer = client()
        .patch(server.url(&path))
        .bearer_auth(crate::common::TOKEN)
        .json(&json!({ "duration": "2h", "comment": "takes longer" }))
        .send()
        .await
        .unwrap();
    let changed: Value = answer.json().await.unwrap();
    assert_eq!((&changed["comment"], &changed["id"]), (&json!("takes longer"), &silence["id"]));
    assert!(changed["ends_at"].as_i64() > silence["ends_at"].as_i64());
    let ended = client().delete(server.url(&path)).bearer_auth(crate::common::TOKEN).send().await.unwrap();
    assert_eq!(ended.json::<Value>().await.unwrap()["state"], "expired");
    eventually("what was muted", async || {
        receiver.got().iter().any(|got| got.json()["groupLabels"]["alertname"] == "quiet").then_some(())
    })
    .await;
    assert!(server.program.stderr().contains("silence.expire"), "an audit line");
}

#[tokio::test]
async fn silences_that_make_no_sense_are_refused() {
    let server = Server::serve(&[]).await;
    for (wanted, said) in [
        (json!({ "comment": "c" }), "needs matchers"),
        (json!({ "matchers": "", "comment": "c" }), "at least one matcher"),
        (json!({ "matchers": "a=~\".*\"", "comment": "c" }), "silence everything"),
        (json!({ "matchers": "a", "comment": "c" }), "not a matcher"),
        (json!({ "matchers": "a=b" }), "needs a comment"),
        (json!({ "matchers": "a=b", "comment": "c", "ends_at": 1 }), "ends before"),
        (json!({ "matchers": "a=b", "comment": "c", "duration": "5" }), "not a duration"),
    ] {
        let answer = server.post("/api/silences").json(&wanted).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{wanted}");
        let text = answer.text().await.unwrap();
        assert!(text.contains(said), "{wanted}: {text}");
    }
    assert_eq!(server.get("/api/silences/nope").send().await.unwrap().status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn for_ever_is_as_long_as_a_time_can_be_written() {
    let server = Server::serve(&[]).await;
    let long = json!({ "matchers": "a=b", "comment": "c", "duration": "9999999y" });
    assert_eq!(server.post("/api/silences").json(&long).send().await.unwrap().status(), StatusCode::CREATED);
    let matcher = json!({ "name": "a", "value": "c", "isRegex": false });
    let ever = json!({
        "matchers": [matcher], "comment": "c", "createdBy": "me",
        "startsAt": "2020-01-01T00:00:00Z", "endsAt": "9999-12-31T23:59:59Z",
    });
    assert_eq!(server.post("/api/v2/silences").json(&ever).send().await.unwrap().status(), StatusCode::OK);
    let silences = server.json("/api/v2/silences").await;
    let ends: Vec<_> = silences.as_array().unwrap().iter().map(|silence| &silence["endsAt"]).collect();
    assert_eq!(ends.len(), 2);
    assert!(ends.iter().all(|end| end.as_str().unwrap().starts_with("9999-12-30T")), "{ends:?}");
}

#[tokio::test]
async fn viewers_read_and_operators_write() {
    let server = Server::serve(&[]).await;
    post(&server, &[alert("a", &[])]).await;
    known(&server, 1).await;
    let fingerprint = server.json("/api/v2/alerts").await[0]["fingerprint"].as_str().unwrap().to_owned();
    let mut tokens = Vec::new();
    for role in ["viewer", "operator"] {
        tokens.push(token(server.data_dir.path(), &["create", "--name", role, "--role", role]).await);
    }
    let (viewer, operator) = (&tokens[0], &tokens[1]);
    let silence = json!({ "matchers": "a=b", "comment": "c" });
    let ack = format!("/api/alerts/{fingerprint}/ack");
    let as_who =
        |who: &str, path: &str, body: &Value| client().post(server.url(path)).bearer_auth(who).json(body).send();
    for (path, body) in [("/api/silences", &silence), (ack.as_str(), &json!({}))] {
        eventually("a token that is known", async || {
            (as_who(viewer, path, body).await.unwrap().status() == StatusCode::FORBIDDEN).then_some(())
        })
        .await;
        eventually("a token that is known", async || {
            as_who(operator, path, body).await.unwrap().status().is_success().then_some(())
        })
        .await;
    }
    let read = client().get(server.url("/api/silences")).bearer_auth(viewer).send().await.unwrap();
    assert_eq!(read.json::<Value>().await.unwrap()["silences"][0]["created_by"], "operator");
    let shown = server.json(&format!("/api/alerts/{fingerprint}")).await;
    assert_eq!(shown["acknowledged"]["who"], "operator");
    let all = server.json("/api/alerts/status").await;
    assert_eq!(all["alerts"][&fingerprint]["acknowledged"]["who"], "operator");
    let answer = client().delete(server.url(&ack)).bearer_auth(operator).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(server.json(&format!("/api/alerts/{fingerprint}")).await["acknowledged"], Value::Null);
}

#[tokio::test]
async fn amtool_adds_lists_and_expires_silences_and_shows_alerts() {
    let server = Server::serve(&[]).await;
    let directory = TempDir::new().unwrap();
    let http = directory.path().join("http.yml");
    std::fs::write(&http, format!("authorization: {{type: Bearer, credentials: {}}}\n", crate::common::TOKEN)).unwrap();
    let url = format!("--alertmanager.url={}", server.url(""));
    let config = format!("--http.config.file={}", http.display());
    let amtool = |args: &[&str]| {
        let output = Command::new("amtool").args([&url, &config]).args(args).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {text}{complaint}");
        // Ours is the API of Debian's Alertmanager, and a newer `amtool` warns at each command that it is newer.
        let is_newer = |line: &str| {
            Peers::chosen() == Peers::Current
                && line.starts_with("Warning: amtool version")
                && line.ends_with("are different.")
        };
        assert!(complaint.lines().all(is_newer), "{args:?}: {complaint}");
        text
    };
    post(&server, &[alert("DiskFull", &[("host", "a")])]).await;
    known(&server, 1).await;
    assert!(amtool(&["alert", "query", "host=a", "-o", "extended"]).contains("DiskFull"));
    let id =
        amtool(&["silence", "add", "alertname=DiskFull", "host=~a|b", "-c", "works", "-a", "me"]).trim().to_owned();
    assert!(amtool(&["silence", "query", "alertname=DiskFull"]).contains(&id));
    assert!(!amtool(&["alert", "query"]).contains("DiskFull"), "silenced ones are not listed");
    assert!(amtool(&["alert", "query", "-s"]).contains("DiskFull"));
    amtool(&["silence", "expire", &id]);
    let status = amtool(&["config", "show", "-o", "extended"]);
    assert!(status.contains("goVersion") && status.contains("uptime"), "{status}");
    assert!(amtool(&["alert", "query"]).contains("DiskFull"));
    let listed = server.json("/api/silences").await;
    assert_eq!((&listed["silences"][0]["state"], &listed["silences"][0]["id"]), (&json!("expired"), &json!(id)));
}
