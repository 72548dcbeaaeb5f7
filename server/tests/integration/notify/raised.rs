//! Alerts of a daemon are sent like alerts of rules.

use serde_json::json;

use crate::{
    common::{Live, Server, Simulator, eventually, now_ms},
    notify::{alert, file, post, quick, receiver::Receiver, resolve, serve},
};

#[tokio::test]
async fn an_alert_of_a_daemon_is_shown_told_and_remembered() {
    let receiver = Receiver::start().await;
    let (_directory, file) = file(&quick(&format!("  webhook_configs: [{{url: '{}'}}]", receiver.url)));
    let simulator = Simulator::start("documented", &["--jobs-per-minute", "0"]).await;
    let server = serve(&file, &["--rules-builtin=false", "--daemon-url", &simulator.named("dc1")]).await;
    let mut live = Live::open_at(&server, "/ws?topics=alerts").await;
    let say = async |kind: &str| {
        let data = json!({
            "name": "TapeFull", "severity": "critical", "labels": {"provider": "vsphere"}, "summary": "The tape is full",
            "value": 99.5, "active_at": "2026-03-01T10:00:00Z",
        });
        simulator.say(&json!({"type": kind, "timestamp": "2026-03-01T10:00:00Z", "data": data})).await;
    };
    // The connection may not be established yet: repeat until the message arrives.
    let shown = eventually("the alert", async || {
        say("alert.fired").await;
        let list = server.json("/api/alerts").await;
        list["alerts"].as_array()?.iter().find(|alert| alert["name"] == "TapeFull").cloned()
    })
    .await;
    assert_eq!((&shown["state"], &shown["source"], &shown["value"]), (&json!("firing"), &json!("dc1"), &json!(99.5)));
    assert_eq!(
        shown["labels"],
        json!({"alertname": "TapeFull", "severity": "critical", "provider": "vsphere", "daemon": "dc1", "source": "daemon"})
    );
    let event = live.until("the event", |message| message["event"] == "alert.fired").await;
    assert_eq!((&event["data"]["name"], &event["data"]["fingerprint"]), (&json!("TapeFull"), &shown["fingerprint"]));

    let alerts = server.json("/api/v1/alerts").await["data"]["alerts"].clone();
    assert_eq!((&alerts[0]["labels"]["alertname"], &alerts[0]["value"]), (&json!("TapeFull"), &json!("9.95e+01")));
    assert!(server.text("/alerts").await.contains("The tape is full"));
    let told = eventually("the message", async || receiver.got().first().cloned()).await.json();
    assert_eq!((&told["status"], &told["alerts"][0]["labels"]["source"]), (&json!("firing"), &json!("daemon")));
    assert_eq!(told["commonAnnotations"]["summary"], "The tape is full");

    say("alert.resolved").await;
    live.until("its end", |message| message["event"] == "alert.resolved").await;
    eventually("the message of its end", async || {
        receiver.got().iter().any(|got| got.json()["status"] == "resolved").then_some(())
    })
    .await;
    let history = eventually("the history", async || {
        let history = server.json("/api/alerts/history?name=TapeFull").await["transitions"].clone();
        (history.as_array()?.len() == 2).then_some(history)
    })
    .await;
    assert_eq!((&history[1]["to"], &history[0]["to"]), (&json!("firing"), &json!("inactive")), "once each: {history}");
    assert_eq!(server.json("/api/alerts").await["alerts"], json!([]));
}

#[tokio::test]
async fn an_alert_that_is_posted_is_shown_and_remembered() {
    let server = Server::serve(&[]).await;
    let posted = alert("Elsewhere", &[("severity", "critical"), ("host", "a")]);
    post(&server, std::slice::from_ref(&posted)).await;
    let list = server.json("/api/alerts").await["alerts"].clone();
    assert_eq!((&list[0]["name"], &list[0]["source"]), (&json!("Elsewhere"), &json!("posted")));
    assert!(server.text("/alerts").await.contains("Elsewhere is on"));
    resolve(&server, posted).await;
    assert_eq!(server.json("/api/alerts").await["alerts"], json!([]));
    eventually("the history", async || {
        let history = server.json("/api/alerts/history?name=Elsewhere").await["transitions"].clone();
        (history.as_array()?.len() == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_alert_that_is_posted_ends_when_it_was_to_end() {
    let server = Server::serve(&[]).await;
    let mut posted = alert("Short", &[]);
    posted["endsAt"] = json!(jiff::Timestamp::from_millisecond(now_ms() + 2_000).unwrap().to_string());
    post(&server, &[posted]).await;
    assert_eq!(server.json("/api/alerts").await["alerts"][0]["name"], "Short");
    eventually("its end", async || {
        let alerts = server.json("/api/alerts").await["alerts"].clone();
        let history = server.json("/api/alerts/history?name=Short").await["transitions"].clone();
        (alerts == json!([]) && history[0]["to"] == "inactive").then_some(())
    })
    .await;
}
