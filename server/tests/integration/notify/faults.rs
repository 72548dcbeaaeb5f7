//! Receivers that are slow, fail, ask to wait, close the connection or never answer; and a server that is killed.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use crate::{
    common::{Server, eventually},
    notify::{
        alert, deliveries, file, post, quick,
        receiver::{Answer, Receiver},
        resolve, serve,
    },
};

fn webhook(receiver: &Receiver) -> String {
    quick(&format!("  webhook_configs: [{{url: '{}/'}}]", receiver.url))
}

#[tokio::test]
async fn a_failure_is_tried_again_until_it_is_delivered() {
    for answer in [
        Answer::Status(500),
        Answer::Status(503),
        Answer::Cut,
        Answer::Silence,
        Answer::With(429, "retry-after", "1".to_owned()),
    ] {
        let receiver = Receiver::scripted(std::slice::from_ref(&answer)).await;
        let (_directory, file) = file(&webhook(&receiver));
        let server = serve(&file, &["--notify-timeout", "500ms"]).await;
        post(&server, &[alert("a", &[])]).await;
        let got = receiver.got_count(2).await;
        let id = |at: usize| got[at].headers["x-hyperscope-delivery"].clone();
        assert_eq!(id(0), id(1), "{answer:?}: the same delivery");
        if matches!(answer, Answer::With(..)) {
            assert!(got[1].at_ms - got[0].at_ms >= 1_000, "{answer:?}: as long as it was asked to wait");
        }
        let done = eventually("a delivery", async || deliveries(&server, "delivered").await.first().cloned()).await;
        assert_eq!((&done["attempts"], &done["status"]), (&json!(2), &json!(200)), "{answer:?}");
        assert_eq!(receiver.got().len(), 2, "{answer:?}: no more");
    }
}

#[tokio::test]
async fn what_is_refused_is_listed_and_can_be_sent_again() {
    let receiver = Receiver::scripted(&[Answer::Status(400)]).await;
    let (_directory, file) = file(&webhook(&receiver).replace("group_interval: 1s", "group_interval: 1h"));
    let server = serve(&file, &[]).await;
    post(&server, &[alert("a", &[])]).await;
    let dead = eventually("a delivery given up", async || deliveries(&server, "dead").await.first().cloned()).await;
    assert_eq!((&dead["status"], &dead["attempts"]), (&json!(400), &json!(1)));
    assert!(dead["error"].as_str().unwrap().starts_with("HTTP 400"), "{dead}");
    let path = format!("/api/notifications/{}/resend", dead["id"].as_str().unwrap());
    assert_eq!(server.post(&path).send().await.unwrap().status(), 200);
    let got = receiver.got_count(2).await;
    assert_eq!(got[0].json(), got[1].json());
    eventually("nothing given up any more", async || deliveries(&server, "dead").await.is_empty().then_some(())).await;
    assert_eq!(server.post(&path).send().await.unwrap().status(), 404, "once");
}

#[tokio::test]
async fn what_is_refused_is_told_again_by_its_group_and_named_on_the_page() {
    let receiver = Receiver::scripted(&[Answer::Status(401)]).await;
    let (_directory, file) = file(&webhook(&receiver));
    let server = serve(&file, &[]).await;
    post(&server, &[alert("a", &[])]).await;
    let got = receiver.got_count(2).await;
    assert_eq!(got[0].json()["alerts"], got[1].json()["alerts"]);
    eventually("a delivery", async || deliveries(&server, "delivered").await.first().cloned()).await;
    let page = server.text("/alerts").await;
    assert!(page.contains("1 message was given up in the last hour, to team."), "{page}");
    assert!(page.contains("HTTP 401"), "{page}");
}

#[tokio::test]
async fn what_a_receiver_repeats_of_its_secrets_is_taken_out() {
    // base64 of `u:p4ss-w0rd`, as it was sent; the path of the address, as in URLs of chat systems.
    let words = "bad dTpwNHNzLXcwcmQ= (p4ss-w0rd) for /hooks/T0123456789ABCDEF/x";
    let receiver = Receiver::scripted(&[Answer::Saying(400, words)]).await;
    let url = format!("{}/hooks/T0123456789ABCDEF/x", receiver.url);
    let basic = "http_config: {basic_auth: {username: u, password: p4ss-w0rd}}";
    let (_directory, file) = file(&quick(&format!("  webhook_configs: [{{url: '{url}', {basic}}}]")));
    let server = serve(&file, &[]).await;
    post(&server, &[alert("a", &[])]).await;
    let dead = eventually("a delivery given up", async || deliveries(&server, "dead").await.first().cloned()).await;
    assert_eq!(dead["error"], "HTTP 400 Bad Request: bad *** (***) for /hooks/***/x", "{dead}");
    assert!(receiver.got()[0].headers["authorization"].contains("dTpwNHNzLXcwcmQ="), "it was sent");
    for secret in ["p4ss-w0rd", "dTpwNHNz", "T0123456789ABCDEF"] {
        assert!(!server.program.stderr().contains(secret), "{secret} in the log");
    }
}

#[tokio::test]
async fn what_is_cut_of_an_answer_leaves_no_half_of_a_secret() {
    // The shown part of an answer ends within the password.
    let words = format!("{} p4ss-w0rd", "no".repeat(76));
    let receiver = Receiver::scripted(&[Answer::Saying(400, words.leak())]).await;
    let basic = "http_config: {basic_auth: {username: u, password: p4ss-w0rd}}";
    let (_directory, file) = file(&quick(&format!("  webhook_configs: [{{url: '{}', {basic}}}]", receiver.url)));
    let server = serve(&file, &[]).await;
    post(&server, &[alert("a", &[])]).await;
    let dead = eventually("a delivery given up", async || deliveries(&server, "dead").await.first().cloned()).await;
    assert!(dead["error"].as_str().unwrap().ends_with("nono ***"), "{dead}");
}

#[tokio::test]
async fn a_slow_receiver_delays_no_other_and_keeps_its_order() {
    let slow = Receiver::scripted(&[Answer::Slow(Duration::from_secs(5))]).await;
    let quick_one = Receiver::start().await;
    let (_directory, file) =
        file(&quick(&format!("  webhook_configs: [{{url: '{}/'}}, {{url: '{}/'}}]", slow.url, quick_one.url)));
    let server = serve(&file, &[]).await;
    post(&server, &[alert("a", &[("i", "1")])]).await;
    slow.got_count(1).await;
    post(&server, &[alert("a", &[("i", "2")])]).await;
    quick_one.got_count(2).await;
    assert_eq!(slow.got().len(), 1, "the second waits for the first");
    let got = slow.got_count(2).await;
    let alerts = |body: Value| body["alerts"].as_array().unwrap().len();
    assert_eq!((alerts(got[0].json()), alerts(got[1].json())), (1, 2), "in order");
}

#[tokio::test]
async fn nothing_goes_to_private_addresses_unless_allowed_and_no_redirect_is_followed() {
    let receiver = Receiver::start().await;
    let (_directory, direct) = file(&webhook(&receiver));
    for url in [receiver.url.clone(), receiver.url.replace("127.0.0.1", "localhost")] {
        std::fs::write(&direct, quick(&format!("  webhook_configs: [{{url: '{url}/'}}]"))).unwrap();
        let server = Server::serve(&["--alertmanager-config", direct.to_str().unwrap()]).await;
        post(&server, &[alert("a", &[])]).await;
        let dead = eventually("a delivery given up", async || deliveries(&server, "dead").await.first().cloned()).await;
        assert!(dead["error"].as_str().unwrap().contains("notify.allow_private"), "{dead}");
    }
    assert_eq!(receiver.got().len(), 0);

    let elsewhere = Receiver::start().await;
    receiver.then(&[Answer::With(307, "location", format!("{}/stolen", elsewhere.url))]);
    std::fs::write(&direct, webhook(&receiver)).unwrap();
    let server = serve(&direct, &[]).await;
    post(&server, &[alert("a", &[])]).await;
    let dead = eventually("a delivery given up", async || deliveries(&server, "dead").await.first().cloned()).await;
    assert!(dead["error"].as_str().unwrap().contains("redirects are not followed"), "{dead}");
    assert_eq!(elsewhere.got().len(), 0);
}

#[tokio::test]
async fn a_kill_at_any_moment_loses_nothing() {
    let receiver = Receiver::scripted(&vec![Answer::Status(503); 1_000]).await;
    let (_directory, config) = file(&webhook(&receiver));
    let config = config.to_str().unwrap();
    let args = ["--alertmanager-config", config, "--notify-allow-private"];
    let server = Server::serve(&args).await;

    // Notified, but not delivered.
    post(&server, &[alert("tried", &[])]).await;
    receiver.got_count(1).await;
    let data_dir = server.kill().await;

    // Accepted, but not notified yet.
    let waiting = std::fs::read_to_string(config).unwrap().replace("group_wait: 0s", "group_wait: 1h");
    std::fs::write(config, waiting).unwrap();
    let server = Server::start("serve", data_dir, &args).await;
    post(&server, &[alert("waits", &[])]).await;
    let known = server.json("/api/v2/alerts").await.to_string();
    assert!(known.contains("tried") && known.contains("waits"), "alerts are known after a restart: {known}");
    let data_dir = server.kill().await;

    let text = std::fs::read_to_string(config).unwrap().replace("group_wait: 1h", "group_wait: 0s");
    std::fs::write(config, text).unwrap();
    receiver.then(&[]);
    let server = Server::start("serve", Arc::clone(&data_dir), &args).await;
    eventually("both messages", async || (deliveries(&server, "delivered").await.len() == 2).then_some(())).await;
    let mut names: Vec<String> =
        receiver.got().iter().map(|got| got.json()["groupLabels"]["alertname"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names, ["tried", "waits"]);

    // Nobody posts its resolution, which is not lost either.
    resolve(&server, alert("tried", &[])).await;
    eventually("the end of one", async || {
        receiver.got().iter().any(|got| got.json()["status"] == "resolved").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_file_is_read_again_on_hangup_and_a_wrong_one_changes_nothing() {
    let (first, second) = (Receiver::start().await, Receiver::start().await);
    let (_directory, config) = file(&webhook(&first));
    let server = serve(&config, &[]).await;
    std::fs::write(&config, "route: {receiver: nobody}\nreceivers: [{name: team}]\n").unwrap();
    hang_up(&server);
    eventually("a complaint", async || server.program.stderr().contains("there is no receiver").then_some(())).await;
    post(&server, &[alert("a", &[])]).await;
    first.got_count(1).await;
    std::fs::write(&config, webhook(&second)).unwrap();
    hang_up(&server);
    eventually("the new file", async || {
        server.program.stderr().contains("reloaded the receiver configuration").then_some(())
    })
    .await;
    post(&server, &[alert("b", &[])]).await;
    let got = second.got_count(1).await;
    assert_eq!(got[0].json()["groupLabels"]["alertname"], "b", "and nothing again of what was told");
}

fn hang_up(server: &Server) {
    let pid = server.program.pid().to_string();
    assert!(std::process::Command::new("kill").args(["-s", "HUP", &pid]).status().unwrap().success());
}

#[tokio::test]
async fn ten_thousand_alerts_of_a_group_are_one_message() {
    let receiver = Receiver::start().await;
    let waits = webhook(&receiver).replace("group_wait: 0s", "group_wait: 2s").replace("interval: 1s", "interval: 1h");
    let (_directory, config) = file(&waits);
    let server = serve(&config, &[]).await;
    let batches: Vec<Vec<Value>> =
        (0..20).map(|batch| (0..500).map(|i| alert("storm", &[("i", &format!("{batch}-{i}"))])).collect()).collect();
    futures_util::future::join_all(batches.iter().map(|batch| post(&server, batch))).await;
    let got = receiver.got_count(1).await;
    let alerts = got[0].json()["alerts"].as_array().unwrap().len();
    assert!(got.len() == 1 && alerts >= 500, "{} messages, {alerts} alerts", got.len());
}
