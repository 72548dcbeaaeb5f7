use std::{path::Path, sync::Arc};

use serde_json::json;

use super::*;
use crate::{
    alert::{Alert, Labels, Posted},
    config::{Config, file::ConfigFile},
};

/// Two hours, three minutes and four seconds after the alerts began.
const NOW_MS: i64 = 1_795_165_200_000 + 7_384_000;

fn labels(text: &str) -> Labels {
    text.split(';').filter_map(|pair| pair.split_once('=')).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
}

fn alert(names: &str, annotations: &str) -> Arc<Alert> {
    let posted = Posted {
        labels: labels(names),
        annotations: labels(annotations),
        starts_at_ms: Some(1_795_165_200_000),
        ends_at_ms: Some(1_795_165_260_000),
        generator_url: "http://h/graph?a=1&b=2".into(),
        value: None,
    };
    Arc::new(Alert::from_posted(posted, 1_795_165_200_000, 0).unwrap())
}

fn notification(alerts: Vec<(Arc<Alert>, bool)>) -> Notification {
    Notification {
        receiver: "team-a.b".into(),
        integration: 0,
        kind: crate::config::Kind::Webhook,
        group_key: "{}:{alertname=\"HighMemoryUsage\"}".into(),
        group_labels: labels("alertname=HighMemoryUsage"),
        alerts,
    }
}

fn usual() -> Notification {
    notification(vec![
        (
            alert(
                "alertname=HighMemoryUsage;daemon=a;severity=warning",
                "summary=Memory is <high>;runbook_url=http://r",
            ),
            false,
        ),
        (alert("alertname=HighMemoryUsage;daemon=b;severity=warning", "summary=Memory was high"), true),
    ])
}

fn integration(receiver: &str) -> Integration {
    let text = format!(
        "global: {{smtp_smarthost: 'm:25', smtp_from: 'hs@x.org', slack_api_url: 'http://s'}}\nroute: {{receiver: a}}\nreceivers:\n- name: a\n  {receiver}\n"
    );
    let file: ConfigFile = serde_saphyr::from_str(&text).unwrap();
    let config: Config = file.check(Path::new("/")).unwrap();
    config.receivers.get("a").unwrap().integrations.first().unwrap().clone()
}

fn composed(receiver: &str, notification: &Notification) -> Rendered {
    Composer::new("https://hs.example/", []).unwrap().compose(&integration(receiver), notification, NOW_MS)
}

fn json_of(receiver: &str, notification: &Notification) -> serde_json::Value {
    let rendered = composed(receiver, notification);
    assert_eq!(rendered.problems, Vec::<String>::new());
    match rendered.outgoing {
        Outgoing::Json(json) => json,
        Outgoing::Mail(_) => panic!("mail"),
    }
}

#[test]
fn the_webhook_is_version_4() {
    let body = json_of("webhook_configs: [{url: 'http://x', max_alerts: 1}]", &usual());
    assert_eq!(
        body,
        json!({
            "version": "4",
            "groupKey": "{}:{alertname=\"HighMemoryUsage\"}",
            "truncatedAlerts": 1,
            "status": "firing",
            "receiver": "team-a\\.b",
            "groupLabels": { "alertname": "HighMemoryUsage" },
            "commonLabels": { "alertname": "HighMemoryUsage", "severity": "warning" },
            "commonAnnotations": {},
            "externalURL": "https://hs.example",
            "alerts": [{
                "status": "firing",
                "labels": { "alertname": "HighMemoryUsage", "daemon": "a", "severity": "warning" },
                "annotations": { "summary": "Memory is <high>", "runbook_url": "http://r" },
                "startsAt": "2026-11-20T09:00:00Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "http://h/graph?a=1&b=2",
                "fingerprint": usual().alerts[0].0.fingerprint.to_string(),
            }],
        })
    );
}

#[test]
fn slack_gets_an_attachment_with_our_words_or_the_users() {
    let body = json_of("slack_configs: [{channel: '#ops'}]", &usual());
    let attachment = &body["attachments"][0];
    assert_eq!(attachment["title"], "[FIRING:1] HighMemoryUsage (severity=warning)");
    assert_eq!(attachment["title_link"], "https://hs.example/alerts");
    assert_eq!((&attachment["color"], &body["channel"]), (&json!("danger"), &json!("#ops")));
    let text = attachment["text"].as_str().unwrap();
    assert!(
        text.starts_with("- Memory is <high>\n  alertname=HighMemoryUsage, daemon=a, severity=warning\n"),
        "{text}"
    );
    assert!(text.contains("Resolved:\n- Memory was high") && text.contains("runbook: http://r"), "{text}");

    let own = r##"slack_configs: [{title: '{{ .CommonLabels.alertname | toLower }} {{ len .Alerts }}/{{ .Alerts.Firing | len }}',
    text: '{{ range .Alerts }}{{ .Labels.daemon }}:{{ .Status }}:{{ .Annotations.nothing }} {{ end }}{{ .GroupLabels.SortedPairs.Values | join "," }} {{ (.CommonLabels.Remove .GroupLabels.Names).SortedPairs.Names | join " " }}',
    fields: [{title: T, value: '{{ .Receiver }}', short: true}], short_fields: true, color: good,
    actions: [{type: button, text: Open, url: '{{ .ExternalURL }}', name: x}], link_names: true}]"##;
    let body = json_of(own, &usual());
    let attachment = &body["attachments"][0];
    assert_eq!(attachment["title"], "highmemoryusage 2/1");
    assert_eq!(attachment["text"], "a:firing: b:resolved: HighMemoryUsage severity");
    assert_eq!(attachment["fields"], json!([{ "title": "T", "value": "team-a\\.b", "short": true }]));
    assert_eq!(attachment["actions"], json!([{ "type": "button", "text": "Open", "url": "https://hs.example" }]));
    assert_eq!(body["link_names"], true);
}

#[test]
fn discord_has_colours_and_calls_nobody() {
    let color = |notification: &Notification| {
        let body = json_of("discord_configs: [{webhook_url: 'http://x'}]", notification);
        assert_eq!(body["allowed_mentions"]["parse"], json!([]));
        body["embeds"][0]["color"].as_u64().unwrap()
    };
    let one = |severity: &str, over| notification(vec![(alert(&format!("alertname=a;severity={severity}"), ""), over)]);
    assert_eq!(color(&one("critical", true)), u64::from(crate::color::GREEN));
    assert_eq!(color(&one("critical", false)), u64::from(crate::color::RED));
    assert_eq!(color(&one("warning", false)), u64::from(crate::color::ORANGE));
}

#[test]
fn pagerduty_triggers_and_resolves_the_same_incident_in_both_forms() {
    let body = json_of(
        "pagerduty_configs: [{routing_key: sekrit, severity: '{{ .CommonLabels.severity }}', class: c, links: [{href: 'http://l', text: t}]}]",
        &usual(),
    );
    assert_eq!((&body["event_action"], &body["payload"]["severity"]), (&json!("trigger"), &json!("warning")));
    assert_eq!(body["payload"]["custom_details"]["num_firing"], "1");
    assert_eq!(body["links"], json!([{ "href": "http://l", "text": "t" }]));
    assert!(!body.to_string().contains("sekrit"));
    let over = notification(vec![(alert("alertname=HighMemoryUsage", ""), true)]);
    let old = json_of("pagerduty_configs: [{service_key: k}]", &over);
    assert_eq!((&old["event_type"], &old["incident_key"]), (&json!("resolve"), &body["dedup_key"]));
    assert_eq!(old["description"], "[RESOLVED] HighMemoryUsage");
}

#[test]
fn mail_is_html_and_text_and_escapes_what_alerts_say() {
    let rendered = composed(
        "email_configs: [{to: 'a@x.org, b@x.org', headers: {X-Team: \"{{ .Status }}\\nBcc: evil@x.org\"}}]",
        &usual(),
    );
    let Outgoing::Mail(mail) = rendered.outgoing else { panic!("no mail") };
    assert_eq!(rendered.problems, Vec::<String>::new());
    assert_eq!((mail.from.as_str(), mail.to.as_str()), ("hs@x.org", "a@x.org, b@x.org"));
    assert_eq!(mail.subject, "[FIRING:1] HighMemoryUsage (severity=warning)");
    assert_eq!(mail.headers, [("X-Team".to_owned(), "firing Bcc: evil@x.org".to_owned())]);
    assert!(mail.html.contains("Memory is &lt;high&gt;") && !mail.html.contains("<high>"), "{}", mail.html);
    assert!(mail.text.contains("Memory is <high>"), "{}", mail.text);
}

#[test]
fn a_broken_template_is_told_and_the_message_goes_out() {
    let rendered =
        composed("slack_configs: [{title: '{{ .Nope.Nope }}', text: '{{ template \"gone\" . }}'}]", &usual());
    assert_eq!(rendered.problems.len(), 2, "{:?}", rendered.problems);
    let Outgoing::Json(body) = rendered.outgoing else { panic!("mail") };
    assert!(body["attachments"][0]["title"].as_str().unwrap().contains("cannot be filled in"));
    assert_eq!(body["attachments"][0]["color"], "danger");
}

#[test]
fn users_templates_replace_the_default_ones() {
    let own = r#"{{ define "slack.default.title" }}mine {{ template "who" . }}{{ end }}{{ define "who" }}{{ .Status }}{{ end }}"#;
    let composer = Composer::new("http://h", [("own.tmpl", own)]).unwrap();
    let rendered = composer.compose(&integration("slack_configs: [{}]"), &usual(), NOW_MS);
    let Outgoing::Json(body) = rendered.outgoing else { panic!("mail") };
    assert_eq!(body["attachments"][0]["title"], "mine firing");
    assert!(Composer::new("http://h", [("own.tmpl", "{{ if }}")]).unwrap_err().to_string().starts_with("own.tmpl: "));
}

#[test]
fn a_storm_makes_messages_of_bounded_size() {
    let alerts = (0..10_000).map(|i| (alert(&format!("alertname=a;i={i}"), "summary=s"), false)).collect();
    let storm = notification(alerts);
    for receiver in
        ["slack_configs: [{}]", "discord_configs: [{webhook_url: 'http://x'}]", "pagerduty_configs: [{routing_key: k}]"]
    {
        assert!(json_of(receiver, &storm).to_string().len() < 100_000, "{receiver}");
    }
}

fn filled(template: &str) -> String {
    let composer = Composer::new("http://h", []).unwrap();
    let functions = functions::at(NOW_MS, &composer.functions);
    let notification = usual();
    let data = data::Data::of(&notification, &composer.external_url).value();
    let mut pen = Pen { composer: &composer, functions, data, problems: Vec::new() };
    pen.text(template)
}

#[test]
fn functions_give_what_amtool_gives() {
    let templates = [
        r#"{{ title "HELLO wORLD o'neil x_y a-b 1st foo.bAR a:b 'QUOTED' ä" }}"#,
        r#"{{ toUpper "aä" }}{{ toLower "AÄ" }}{{ stringSlice "a" "b" | join ", " }}"#,
        r#"{{ reReplaceAll "(a)(b)" "$2$1" "abab" }}{{ match "^a" "abc" }}{{ safeHtml "<b>" }}"#,
        r#"{{ range stringSlice "a" "b" }}[{{ . }}]{{ end }}{{ len (stringSlice "a") }}{{ index (stringSlice "x" "y") 1 }}"#,
        r#"{{ define "x" }}<{{ . }}>{{ end }}{{ template "x" "y" }}{{ print 1 2 "a" }}{{ printf "%05.1f|%-4s|%q" 2.25 "a" "b" }}"#,
        r#"{{ if and true (eq "a" "a") (lt 1 2) }}yes{{ else }}no{{ end }}{{ urlquery "a b&c" }}{{ html "<&>" }}{{ js "it's" }}"#,
    ];
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("none.tmpl");
    std::fs::write(&file, "").unwrap();
    for template in templates {
        let output = std::process::Command::new("amtool")
            .args(["template", "render", "--template.glob", file.to_str().unwrap(), "--template.text", template])
            .output()
            .unwrap();
        assert!(output.status.success(), "{template}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(filled(template), String::from_utf8_lossy(&output.stdout), "{template}");
    }
}

/// What newer versions than Debian's amtool know.
#[test]
fn functions_of_newer_alertmanagers_are_there() {
    let expected = [
        (
            "{{ (index .Alerts 0).StartsAt | since }} {{ (index .Alerts 0).StartsAt | since | humanizeDuration }}",
            "2h3m4s 2h 3m 4s",
        ),
        (
            "{{ (index .Alerts 0).StartsAt | tz \"Europe/Paris\" | date \"2006-01-02 15:04 MST -0700\" }}",
            "2026-11-20 10:00 CET +0100",
        ),
        ("{{ now.Format \"15:04:05\" }}|{{ humanizeDuration 90 }}|{{ trimSpace \" a \" }}", "11:03:04|1m 30s|a"),
        ("{{ (list 1 2 | len) }}{{ append (list 1) 2 \"x\" }}{{ (dict \"a\" 1 \"b\" \"c\").b }}", "2[1 2 x]c"),
        (
            "{{ urlUnescape \"a+b%2Fc\" }}{{ safeUrl \"http://x/?a=b\" }}{{ base64encode \"a?>\" | base64decode }}",
            "a b/chttp://x/?a=ba?>",
        ),
        ("{{ .CommonLabels | toJson }}", r#"{"alertname":"HighMemoryUsage","severity":"warning"}"#),
    ];
    for (template, text) in expected {
        assert_eq!(filled(template), text, "{template}");
    }
    let alert: serde_json::Value = serde_json::from_str(&filled("{{ index .Alerts 0 | toJson }}")).unwrap();
    assert_eq!((&alert["status"], &alert["labels"]["daemon"]), (&json!("firing"), &json!("a")));
    assert_eq!(alert["startsAt"], "2026-11-20T09:00:00Z");
    assert!(filled("{{ tz \"Nowhere/At_All\" now }}").contains("unknown time zone Nowhere/At_All"));
}
