//! What mutes an alert, as live clients and pages show it: immediately, and wherever the silence is stored.

use serde_json::{Value, json};

use crate::{
    common::{EngineStub, Live, Server, client, eventually, free_port, now_ms},
    notify::{alert, alertmanager::Alertmanager, file, post, quick, receiver::Receiver, resolve, serve},
};

/// The alert of that name in a list, an event or a snapshot.
fn named<'a>(data: &'a Value, name: &str) -> Option<&'a Value> {
    match data["alerts"].as_array() {
        Some(alerts) => alerts.iter().find(|alert| alert["name"] == name),
        None => (data["name"] == name).then_some(data),
    }
}

/// Subscribes to the alerts.
async fn follow(server: &Server) -> Live {
    let mut live = Live::open(server).await;
    live.subscribe(1, "alerts").await;
    live.expect(1, "snapshot").await;
    live
}

/// Waits for a message with the alert in the wanted state, and returns the alert.
async fn received(live: &mut Live, what: &str, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let is_it = |message: &Value| named(&message["data"], name).is_some_and(&wanted);
    let message = live.until(what, is_it).await;
    named(&message["data"], name).unwrap().clone()
}

fn is_active(alert: &Value) -> bool {
    alert["silenced_by"] == json!([]) && alert["inhibited_by"] == json!([]) && alert["acknowledged_by"].is_null()
}

async fn silence(server: &Server, wanted: &Value) -> Value {
    let made = server.post("/api/silences").json(wanted).send().await.unwrap();
    assert_eq!(made.status(), 201);
    made.json().await.unwrap()
}

#[tokio::test]
async fn a_silence_reaches_live_clients_when_it_is_made_ended_and_over() {
    let server = Server::serve(&[]).await;
    let mut live = follow(&server).await;
    post(&server, &[alert("Bad", &[("severity", "critical")])]).await;
    let fired = received(&mut live, "the alert", "Bad", |_| true).await;
    assert!(is_active(&fired), "{fired}");
    assert!(server.text("/").await.contains("<title>(1) "));

    let made = silence(&server, &json!({ "matchers": "alertname=Bad", "duration": "1h", "comment": "works" })).await;
    let muted = received(&mut live, "the silence", "Bad", |alert| !is_active(alert)).await;
    assert_eq!(muted["silenced_by"], json!([made["id"]]));
    assert_eq!(muted["silenced_until"], made["ends_at"]);
    assert_eq!(server.json("/api/alerts").await["alerts"][0]["silenced_by"], json!([made["id"]]));
    let then = now_ms();
    let page = server.text("/").await;
    assert!(page.contains("<title>Overview"), "a muted alert is not in the title");
    assert!(page.contains("count-muted\">1<"), "it is counted separately");

    let path = format!("/api/silences/{}", made["id"].as_str().unwrap());
    client().delete(server.url(&path)).bearer_auth(crate::common::TOKEN).send().await.unwrap();
    received(&mut live, "the end of the silence", "Bad", is_active).await;

    // A silence that ends by itself, without any request.
    silence(&server, &json!({ "matchers": "alertname=Bad", "ends_at": now_ms() + 2_000, "comment": "short" })).await;
    received(&mut live, "the short silence", "Bad", |alert| !is_active(alert)).await;
    received(&mut live, "its end", "Bad", is_active).await;

    // An alert for which a silence exists is muted from the first message on.
    silence(&server, &json!({ "matchers": "alertname=Later", "comment": "works" })).await;
    post(&server, &[alert("Later", &[])]).await;
    let later = received(&mut live, "a silenced alert", "Later", |_| true).await;
    assert!(!is_active(&later), "{later}");

    // The past is shown as it was, whatever applies now.
    let past = server.json(&format!("/api/alerts/past?at={then}")).await;
    assert_eq!(named(&past, "Bad").map(|alert| &alert["silenced_by"]), Some(&json!([made["id"]])), "{past}");
    let before = made["starts_at"].as_i64().unwrap() - 1;
    let past = server.json(&format!("/api/alerts/past?at={before}")).await;
    assert!(named(&past, "Bad").is_none_or(is_active), "{past}");

    // The time before the first start is unknown, which does not mean that nothing fired.
    let past = server.json(&format!("/api/alerts/past?at={}", then - 3_600_000)).await;
    assert!(past["unavailable"].as_str().unwrap().starts_with("The history of alerts begins 20"), "{past}");
    let page = server.text("/?from=now-3h&to=now-1h").await;
    assert!(page.contains("Alerts are unknown") && !page.contains("All quiet"));
}

#[tokio::test]
async fn an_acknowledgement_is_of_one_firing() {
    let server = Server::serve(&[]).await;
    let mut live = follow(&server).await;
    let bad = alert("Bad", &[("severity", "critical")]);
    post(&server, std::slice::from_ref(&bad)).await;
    let fired = received(&mut live, "the alert", "Bad", is_active).await;
    let ack = format!("/api/alerts/{}/ack", fired["fingerprint"].as_str().unwrap());
    assert_eq!(server.post(&ack).send().await.unwrap().status(), 200);
    let taken = received(&mut live, "the acknowledgement", "Bad", |alert| !is_active(alert)).await;
    assert_eq!(taken["acknowledged_by"], "first token, chosen by the operator");
    client().delete(server.url(&ack)).bearer_auth(crate::common::TOKEN).send().await.unwrap();
    received(&mut live, "that it was taken back", "Bad", is_active).await;
    assert_eq!(server.post(&ack).send().await.unwrap().status(), 200);
    received(&mut live, "the second acknowledgement", "Bad", |alert| !is_active(alert)).await;

    resolve(&server, bad.clone()).await;
    live.until("the end", |message| message["event"] == "alert.resolved").await;
    post(&server, &[bad]).await;
    let again = live.until("the next firing", |message| message["event"] == "alert.fired").await;
    assert!(is_active(&again["data"]), "{again}");
}

#[tokio::test]
async fn what_inhibits_an_alert_is_told_with_it_and_when_it_ends() {
    let receiver = Receiver::start().await;
    let rule =
        "inhibit_rules: [{source_matchers: [severity=critical], target_matchers: [severity=warning], equal: [host]}]";
    let (_directory, config) =
        file(&format!("{}{rule}\n", quick(&format!("  webhook_configs: [{{url: '{}/'}}]", receiver.url))));
    let server = serve(&config, &[]).await;
    let mut live = follow(&server).await;
    let host_down = alert("HostDown", &[("severity", "critical"), ("host", "a")]);
    post(&server, &[host_down.clone(), alert("Slow", &[("severity", "warning"), ("host", "a")])]).await;
    // From the first message on: it never appears active in between.
    let slow = received(&mut live, "the lesser alert", "Slow", |_| true).await;
    let source = server.json("/api/alerts").await["alerts"][0].clone();
    assert_eq!(slow["inhibited_by"], json!([source["fingerprint"]]), "{slow}");
    post(&server, &[alert("Slower", &[("severity", "warning"), ("host", "b")])]).await;
    let slower = received(&mut live, "one of another host", "Slower", |_| true).await;
    assert!(is_active(&slower), "{slower}");
    resolve(&server, host_down).await;
    received(&mut live, "that nothing inhibits it", "Slow", is_active).await;
}

#[tokio::test]
async fn a_restart_is_no_new_firing_of_what_goes_on() {
    let server = Server::serve(&[]).await;
    let bad = alert("Bad", &[("severity", "critical")]);
    post(&server, std::slice::from_ref(&bad)).await;
    let before = server.json("/api/alerts").await["alerts"][0].clone();
    let ack = format!("/api/alerts/{}/ack", before["fingerprint"].as_str().unwrap());
    assert_eq!(server.post(&ack).send().await.unwrap().status(), 200);
    // Both are stored before the server stops.
    eventually("the history", async || {
        let history = server.json("/api/alerts/history?name=Bad").await["transitions"].clone();
        (history.as_array()?.len() == 1).then_some(())
    })
    .await;
    let server = Server::start("serve", server.kill().await, &[]).await;
    let shown = async || server.json("/api/alerts").await["alerts"][0].clone();
    eventually("what receivers count as firing", async || shown().await.is_object().then_some(())).await;
    post(&server, &[bad]).await;
    let after = shown().await;
    assert_eq!(after["fired_at"], before["fired_at"]);
    assert_eq!(after["acknowledged_by"], "first token, chosen by the operator");
    let history = server.json("/api/alerts/history?name=Bad").await["transitions"].clone();
    assert_eq!(history.as_array().map(Vec::len), Some(1), "nothing changed: {history}");
}

#[tokio::test]
async fn an_alertmanagers_silences_and_inhibition_reach_live_clients() {
    let receiver = Receiver::start().await;
    let manager = Alertmanager::start(&receiver, free_port()).await;
    let server = Server::serve(&["--alertmanager-url", &manager.url]).await;
    let mut live = follow(&server).await;
    let loud = alert("HostDown", &[("severity", "critical"), ("host", "a")]);
    post(&server, &[loud, alert("Slow", &[("severity", "warning"), ("host", "a")])]).await;
    received(&mut live, "its inhibition", "Slow", |alert| alert["inhibited_by"] != json!([])).await;
    let list = server.json("/api/alerts").await;
    assert!(named(&list, "HostDown").is_some_and(is_active), "{list}");

    // Created there, by another user.
    let theirs = json!({
        "matchers": [{ "name": "alertname", "value": "HostDown", "isRegex": false }],
        "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z", "createdBy": "them", "comment": "works",
    });
    let made = client().post(format!("{}/api/v2/silences", manager.url)).json(&theirs).send().await.unwrap();
    let made: Value = made.json().await.unwrap();
    let muted = received(&mut live, "their silence", "HostDown", |alert| !is_active(alert)).await;
    assert_eq!(muted["silenced_by"], json!([made["silenceID"]]));
    assert!(muted["silenced_until"].as_i64() > Some(now_ms()));

    // Created here, it is known immediately, and so is its end.
    let made = silence(&server, &json!({ "matchers": "alertname=Other", "comment": "works" })).await;
    post(&server, &[alert("Other", &[])]).await;
    let other = received(&mut live, "a silenced alert", "Other", |_| true).await;
    assert_eq!(other["silenced_by"], json!([made["id"]]));
    let path = format!("/api/silences/{}", made["id"].as_str().unwrap());
    client().delete(server.url(&path)).bearer_auth(crate::common::TOKEN).send().await.unwrap();
    received(&mut live, "the end of the silence", "Other", is_active).await;
}

#[tokio::test]
async fn what_an_engine_that_is_away_told_is_marked_with_its_age() {
    let engine = EngineStub::with_alert("Theirs").await;
    let server = Server::serve(&["--prometheus-url", &engine.url]).await;
    let mut live = follow(&server).await;
    let fired = received(&mut live, "the engine's alert", "Theirs", |_| true).await;
    assert!(fired["stale_since"].is_null(), "{fired}");
    engine.lose_alerts();
    let stale = received(&mut live, "its age", "Theirs", |alert| alert["stale_since"].is_i64()).await;
    assert_eq!(stale["state"], "firing", "what could not be asked for is not over");
    let list = server.json("/api/alerts").await;
    assert!(list["unavailable"].is_string(), "{list}");
}
