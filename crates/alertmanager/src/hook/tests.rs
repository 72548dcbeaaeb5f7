use std::sync::Arc;

use model::live::JobTransition;
use serde_json::{Value, json};

use super::*;
use crate::{
    alert::{Alert, PostableAlert},
    color,
};

fn hooks(yaml: &str) -> Result<Vec<Hook>, String> {
    check(serde_saphyr::from_str(yaml).map_err(|error| error.to_string())?)
}

fn job_event(status: &str) -> HookEvent {
    let job = json!({
        "id": "j 1", "daemon": "site-a", "name": "export <web>", "vm": "/dc/web", "provider": "vsphere", "status": status,
        "percent": null, "bytes_transferred": 2_147_483_648_u64, "bytes_total": null, "rate_bytes_per_second": null, "eta_seconds": null,
        "created_at": null, "started_at": 1_000, "completed_at": 61_000, "updated_at": null, "error": "disk & co",
    });
    let transition: JobTransition = serde_json::from_value(json!({
        "job_id": "j 1", "daemon": "site-a", "name": "export <web>", "from": "running", "status": status, "timestamp": 61_000, "job": job,
    }))
    .unwrap();
    of_transition(&transition).unwrap()
}

fn alert_event(name: EventName, severity: &str) -> HookEvent {
    let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let posted = PostableAlert {
        labels: pairs(&[("alertname", "HighMemory"), ("daemon", "a"), ("severity", severity)]),
        annotations: pairs(&[("summary", "Memory is high")]),
        value: Some(0.93),
        ..PostableAlert::default()
    };
    HookEvent { name, at_ms: 0, subject: Subject::Alert(Arc::new(Alert::from_posted(posted, 0, 0).unwrap())) }
}

#[test]
fn the_documents_example_is_taken() {
    let hooks = hooks(
        r#"
- name: "slack-ops"
  url: "https://hooks.slack.com/services/T.../B.../xxx"
  events: ["job.completed", "job.failed"]
  retry_count: 3
  retry_delay: "5s"
- name: "pagerduty"
  url: "https://events.pagerduty.com/v2/enqueue"
  events: ["job.failed"]
  headers:
    Authorization: "Token token=YOUR_KEY"
- {name: off, url: 'http://x', enabled: false}
- {name: all, url: '${HOOK}', format: generic, secret: s}
"#,
    )
    .unwrap();
    assert_eq!(hooks.len(), 3);
    let ops = &hooks[0];
    assert_eq!((ops.retry_count, ops.retry_delay_ms, ops.timeout_ms), (3, 5_000, 10_000));
    assert!(ops.wants(EventName::JobFailed) && !ops.wants(EventName::JobStarted));
    assert_eq!(Format::Auto.resolve("https://hooks.slack.com/services/x"), Format::Slack);
    assert_eq!(Format::Auto.resolve("https://discord.com/api/webhooks/1/x"), Format::Discord);
    assert_eq!(Format::Auto.resolve("https://events.pagerduty.com/v2/enqueue"), Format::PagerDuty);
    assert_eq!(Format::Auto.resolve("https://evil.example/hooks.slack.com"), Format::Generic);
    assert!(EventName::ALL.into_iter().all(|event| hooks[2].wants(event)));
}

#[test]
fn what_is_wrong_is_told() {
    for (yaml, said) in [
        ("[{name: a}]", "webhook \"a\": it needs a url"),
        ("[{name: a, url: 'ftp://x'}]", "webhook \"a\": its url is not one of http or https"),
        ("[{name: a, url: 'http://x', events: [job.done]}]", "webhook \"a\": there is no event \"job.done\""),
        ("[{name: a, url: 'http://x', events: ['job*']}]", "webhook \"a\": there is no event"),
        ("[{name: a, url: 'http://x'}, {name: a, url: 'http://y'}]", "two webhooks are named \"a\""),
        ("[{name: a, url: 'http://x', headers: {'a b': c}}]", "webhook \"a\": \"a b\" is not a name of a header"),
        ("[{name: a, url: 'http://x', url_file: y}]", "webhook \"a\": give url or url_file"),
        ("[{name: a, url: 'http://x', retry_delay: 0s}]", "webhook \"a\": retry_delay"),
    ] {
        let complaint = hooks(yaml).unwrap_err();
        assert!(complaint.starts_with(said), "{complaint}");
    }
}

fn of(format: Format, event: &HookEvent) -> Value {
    body(format, event, "d1", "https://hs.example")
}

#[test]
fn slack_gets_blocks_with_details_and_a_link() {
    let body = of(Format::Slack, &job_event("failed"));
    assert_eq!(body["blocks"][0]["text"]["text"], "Job failed: export <web>");
    assert_eq!(body["text"], "Job failed: export &lt;web&gt;");
    let text = body.to_string();
    for part in ["*Provider*\\nvsphere", "*VM*\\n/dc/web", "disk &amp; co", "*Daemon*\\nsite-a"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let blocks = body["blocks"].as_array().unwrap();
    assert_eq!(blocks.last().unwrap()["elements"][0]["url"], "https://hs.example/jobs/site-a/j%201");
}

#[test]
fn discord_is_green_red_and_orange() {
    for (event, color) in [
        (job_event("completed"), color::GREEN),
        (job_event("failed"), color::RED),
        (job_event("cancelled"), color::ORANGE),
        (alert_event(EventName::AlertFired, "critical"), color::RED),
        (alert_event(EventName::AlertFired, "warning"), color::ORANGE),
        (alert_event(EventName::AlertResolved, "critical"), color::GREEN),
    ] {
        assert_eq!(of(Format::Discord, &event)["embeds"][0]["color"], color, "{:?}", event.name);
    }
}

#[test]
fn the_generic_body_holds_the_event() {
    let body = of(Format::Generic, &job_event("completed"));
    assert_eq!((&body["event"], &body["id"]), (&json!("job.completed"), &json!("d1")));
    assert_eq!(body["timestamp"], "1970-01-01T00:01:01Z");
    let data = &body["data"];
    assert_eq!(
        (&data["job_id"], &data["provider"], &data["duration_seconds"]),
        (&json!("j 1"), &json!("vsphere"), &json!(60.0))
    );
    let body = of(Format::Generic, &alert_event(EventName::AlertFired, "warning"));
    assert_eq!((&body["event"], &body["data"]["name"]), (&json!("alert.fired"), &json!("HighMemory")));
}

#[test]
fn pagerduty_ends_what_it_began() {
    let fired = of(Format::PagerDuty, &alert_event(EventName::AlertFired, "critical"));
    let over = of(Format::PagerDuty, &alert_event(EventName::AlertResolved, "critical"));
    assert_eq!((&fired["event_action"], &over["event_action"]), (&json!("trigger"), &json!("resolve")));
    assert_eq!(fired["dedup_key"], over["dedup_key"]);
}

#[test]
fn a_signature_is_the_hmac_of_time_and_body() {
    // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret
    assert_eq!(
        signature::sign("secret", "1700000000", br#"{"a":1}"#),
        "sha256=49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686"
    );
}

#[test]
fn texts_of_any_length_are_within_the_limits_of_each_service() {
    let mut event = job_event("failed");
    let Subject::Job(job) = &mut event.subject else { panic!("no job") };
    let long = "<&\u{e4}".repeat(3_000);
    (job.id, job.name, job.vm, job.daemon, job.provider) =
        (long.clone(), long.clone(), long.clone(), long.clone(), long.clone());
    (job.format, job.error) = (Some(long.clone()), Some(long));
    let count = |value: &Value| value.as_str().unwrap().chars().count();

    let slack = body(Format::Slack, &event, "d", "https://hs");
    for block in slack["blocks"].as_array().unwrap() {
        for field in block["fields"].as_array().into_iter().flatten() {
            assert!(count(&field["text"]) <= 2_000, "{field}");
            let text = field["text"].as_str().unwrap().replace("&lt;", "").replace("&amp;", "");
            assert!(!text.contains('&'), "no escape is cut in two: {text}");
        }
        if block["text"].is_object() {
            assert!(count(&block["text"]["text"]) <= 3_000);
        }
    }
    let discord = body(Format::Discord, &event, "d", "https://hs");
    let embed = &discord["embeds"][0];
    let fields = embed["fields"].as_array().unwrap();
    let total: usize = fields.iter().map(|field| count(&field["name"]) + count(&field["value"])).sum();
    assert!(total + count(&embed["title"]) + count(&embed["description"]) <= 6_000);
    let pager = body(Format::PagerDuty, &event, "d", "https://hs");
    assert!(count(&pager["dedup_key"]) <= 255 && count(&pager["payload"]["summary"]) <= 1_024);

    // Without an external URL there are no links: the services reject relative ones.
    for format in [Format::Slack, Format::Discord, Format::PagerDuty] {
        let text = body(format, &event, "d", "").to_string();
        assert!(!text.contains("\"/jobs/") && !text.contains("url"), "{text}");
    }
}
