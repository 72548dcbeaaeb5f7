//! A demo shows the messages that receivers would get, and has a silence; it sends nothing.

use crate::common::{Server, eventually};

#[tokio::test]
async fn a_demo_shows_what_receivers_would_get() {
    let server = Server::demo(&["--jobs-per-minute", "60"]).await;
    let messages = eventually("a message of the webhooks and one of the notifier", async || {
        let list = server.json("/api/demo/receivers").await;
        let messages = list["messages"].as_array().unwrap().clone();
        let has = |kind: &str| messages.iter().any(|message| message["kind"] == kind);
        (has("hook") && has("slack") && has("webhook")).then_some(messages)
    })
    .await;
    assert!(messages.iter().all(|message| message["message"].is_object()), "{messages:?}");
    let page = server.text("/demo/receivers").await;
    assert!(page.contains("<h2>[FIRING:") && !page.contains("<script"), "{page}");
    let silences = server.json("/api/silences?state=active").await;
    assert_eq!(silences["silences"][0]["created_by"], "demo");
}

#[tokio::test]
async fn what_is_no_demo_sends_and_shows_nothing() {
    let server = Server::serve(&[]).await;
    assert_eq!(server.get("/api/demo/receivers").send().await.unwrap().status(), 404);
}
