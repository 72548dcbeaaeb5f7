use std::{path::Path, sync::Arc};

use serde_json::json;

use super::*;
use crate::{
    alert::{Alert, Labels, PostableAlert},
    config::{Config, file::ConfigFile},
};

/// Two hours, three minutes and four seconds after the alerts began.
const NOW_MS: i64 = 1_795_165_200_000 + 7_384_000;

fn labels(text: &str) -> Labels {
    text.split(';').filter_map(|pair| pair.split_once('=')).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
}

fn alert(names: &str, annotations: &str) -> Arc<Alert> {
    let posted = PostableAlert {
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
        route_labels: crate::alert::Labels::new(),
        group_alerts: Arc::default(),
        reason: crate::dispatch::Reason::NewAlerts,
        log: None,
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
fn labels_of_a_route_are_filled_in_before_the_texts_that_use_them() {
    let route_labels = [
        ("channel", "#{{ routeLabels \"team\" }}-alerts"),
        ("plain", "{ops}"),
        ("team", "{{ .CommonLabels.severity | toUpper }}{{ if .RouteLabels.none }}x{{ end }}"),
        ("why", "{{ .NotificationReason }} {{ len .Alerts }} {{ .RouteLabels.why | len }}"),
    ];
    let route_labels = route_labels.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
    let group_alerts =
        [usual().alerts, vec![(alert("alertname=HighMemoryUsage;severity=warning", ""), false)]].concat();
    let labelled = Notification { route_labels, group_alerts: group_alerts.into(), ..usual() };
    let body = json_of("webhook_configs: [{url: 'http://x'}]", &labelled);
    assert_eq!(
        body["routeLabels"],
        json!({ "channel": "#WARNING-alerts", "plain": "{ops}", "team": "WARNING", "why": "unknown 3 72" }),
        "of the group, muted ones too"
    );
    let slack = "slack_configs: [{channel: '{{ .RouteLabels.channel }}', title: '{{ routeLabels \"team\" }}: {{ .NotificationReason }}{{ routeLabels \"none\" }}'}]";
    let body = json_of(slack, &labelled);
    assert_eq!(
        (&body["channel"], &body["attachments"][0]["title"]),
        (&json!("#WARNING-alerts"), &json!("WARNING: new alerts added"))
    );
    // Labels that use each other endlessly are left out.
    let chain = (0..40).map(|at| (format!("c{at}"), format!("{{{{ routeLabels \"c{}\" }}}}", at + 1)));
    let circle = [("a", "x{{ routeLabels \"b\" }}"), ("b", "y{{ routeLabels \"a\" }}"), ("good", "{{ .Receiver }}")];
    let circle = circle.map(|(name, text)| (name.to_owned(), text.to_owned())).into_iter().chain(chain);
    let circled = Notification { route_labels: circle.collect(), ..usual() };
    let rendered = composed("webhook_configs: [{url: 'http://x'}]", &circled);
    let Outgoing::Json(body) = rendered.outgoing else { panic!("mail") };
    let labels = body["routeLabels"].as_object().unwrap();
    assert!(labels.contains_key("good") && !labels.contains_key("a") && !labels.contains_key("b"), "{labels:?}");
    assert!(rendered.problems[0].contains("route label cycle detected: a -> b -> a"), "{:?}", rendered.problems);
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
            "routeLabels": {},
            "externalURL": "https://hs.example",
            "notification_reason": "new alerts added",
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
fn what_an_alert_says_becomes_no_link_that_runs_anything() {
    let evil = "javascript:alert(1)";
    let mail =
        "email_configs: [{to: a@x.org, html: '<a href=\"EVIL\">runbook</a> {{ \"<b><a href=EVIL>\" | safeHtml }}'}]";
    let Outgoing::Mail(mail) = composed(&mail.replace("EVIL", evil), &usual()).outgoing else { panic!("no mail") };
    assert!(
        mail.html.contains("runbook") && mail.html.contains("<b>") && !mail.html.contains("javascript"),
        "{}",
        mail.html
    );
    let of = |receiver: &str| json_of(&receiver.replace("EVIL", evil), &usual());
    let paged = of(
        "pagerduty_configs: [{routing_key: k, links: [{href: 'EVIL', text: t}, {href: 'mailto:a@x.org'}], images: [{src: 'EVIL'}]}]",
    );
    assert_eq!((&paged["links"], &paged["images"]), (&json!([{ "href": "mailto:a@x.org" }]), &json!(null)));
    let slack = of("slack_configs: [{api_url: 'https://h/x', channel: c, title_link: 'EVIL'}]");
    assert_eq!(slack["attachments"][0]["title_link"], json!(null));
}

#[test]
fn headers_of_a_mail_are_shown_and_bring_it_to_nobody() {
    let rendered = composed(
        "email_configs: [{to: 'a@x.org, b@x.org', headers: {To: c@x.org, Cc: d@x.org, from: e@x.org, Empty: '{{ .CommonLabels.none }}'}}]",
        &usual(),
    );
    let Outgoing::Mail(mail) = rendered.outgoing else { panic!("no mail") };
    assert_eq!((mail.from.as_str(), mail.to.as_str()), ("hs@x.org", "a@x.org, b@x.org"));
    assert_eq!((mail.shown_from.as_deref(), mail.shown_to.as_deref()), (Some("e@x.org"), Some("c@x.org")));
    assert_eq!(mail.headers, [("Cc".to_owned(), "d@x.org".to_owned())]);
}

/// Services reject a message with an empty part, and it would be lost.
#[test]
fn what_comes_out_empty_is_left_out() {
    const NONE: &str = "{{ .CommonAnnotations.none }}";
    let of = |receiver: &str| json_of(&receiver.replace("NONE", NONE), &usual());
    let body = of("pagerduty_configs: [{routing_key: k, client: 'NONE', client_url: 'NONE', description: ' NONE', source: 'NONE', class: 'NONE', severity: 'NONE', details: {note: 'NONE'},
        images: [{src: 'NONE', alt: a}, {src: 'http://i', alt: 'NONE', href: 'NONE'}],
        links: [{href: 'NONE', text: a}, {href: 'http://l', text: 'NONE'}]}]");
    assert_eq!((&body["images"], &body["links"]), (&json!([{ "src": "http://i" }]), &json!([{ "href": "http://l" }])));
    let payload = &body["payload"];
    assert_eq!((&payload["source"], &payload["severity"]), (&json!("hyperscope"), &json!("error")));
    assert_eq!(payload["summary"], "[FIRING:1] HighMemoryUsage (severity=warning)");
    assert!(!body.to_string().contains("\"\""), "{body}");
    let body = of("pagerduty_configs: [{routing_key: k, links: [{href: 'NONE'}], images: [{src: 'NONE'}]}]");
    assert!(body.get("links").is_none() && body.get("images").is_none(), "{body}");
    let body = of("pagerduty_configs: [{service_key: k, client: 'NONE', client_url: 'NONE', details: {note: 'NONE'}}]");
    assert!(!body.to_string().contains("\"\""), "{body}");

    let body = of("slack_configs: [{title: 'NONE', text: 'NONE', fallback: 'NONE', color: 'NONE', image_url: 'NONE', footer: 'NONE',
        fields: [{title: 'NONE', value: 'NONE'}], actions: [{type: button, text: t, url: 'NONE'}, {type: button, text: 'NONE', url: 'http://x'}]}]");
    let attachment = &body["attachments"][0];
    assert!(attachment.get("fields").is_none() && attachment.get("actions").is_none(), "{body}");
    assert!(attachment["text"].as_str().unwrap().contains("HighMemoryUsage"), "{body}");
    assert!(!body.to_string().contains("\"\""), "{body}");

    let body = of(
        "discord_configs: [{webhook_url: 'http://x', title: 'NONE', message: 'NONE', username: 'NONE', avatar_url: 'NONE'}]",
    );
    assert_eq!(body["embeds"][0]["title"], "[FIRING:1] HighMemoryUsage (severity=warning)");
    assert!(!body.to_string().contains("\"\""), "{body}");
    let body = of("discord_configs: [{webhook_url: 'http://x', title: 'NONE', message: 'NONE', content: hello}]");
    assert_eq!((&body["content"], body.get("embeds")), (&json!("hello"), None));

    let rendered = composed(
        &"email_configs: [{to: a@x.org, html: 'NONE', text: 'NONE', headers: {Subject: 'NONE'}}]".replace("NONE", NONE),
        &usual(),
    );
    let Outgoing::Mail(mail) = rendered.outgoing else { panic!("no mail") };
    assert!(mail.html.is_empty() && mail.text.contains("Memory is <high>"), "{mail:?}");
    assert_eq!(mail.subject, "[FIRING:1] HighMemoryUsage (severity=warning)");
}

#[test]
fn what_is_too_long_is_cut_between_characters() {
    let long = notification(vec![(alert("alertname=a", &format!("summary={}", "\u{e4}".repeat(15_000))), false)]);
    const LONG: &str = "{{ .CommonAnnotations.summary }}{{ .CommonAnnotations.summary }}\
         {{ .CommonAnnotations.summary }}{{ .CommonAnnotations.summary }}";
    let of = |receiver: &str| json_of(&receiver.replace("LONG", LONG), &long);
    let check = |text: &serde_json::Value, most: usize| {
        let text = text.as_str().unwrap();
        assert_eq!(text.chars().count(), most);
        assert!(text.ends_with("\u{e4}\u{2026}"));
    };
    let body = of(
        "discord_configs: [{webhook_url: 'http://x', title: 'LONG', message: 'LONG', content: 'LONG', username: 'LONG'}]",
    );
    check(&body["embeds"][0]["title"], 256);
    check(&body["embeds"][0]["description"], 4_096);
    check(&body["content"], 2_000);
    check(&body["username"], 80);
    let body = of("slack_configs: [{title: 'LONG', text: 'LONG', footer: 'LONG'}]");
    check(&body["attachments"][0]["title"], 1_024);
    check(&body["attachments"][0]["text"], 40_000);
    check(&body["attachments"][0]["footer"], 300);
    let body = of("pagerduty_configs: [{routing_key: k, description: 'LONG', details: {a: 'LONG'}}]");
    check(&body["payload"]["summary"], 1_024);
    check(&body["payload"]["custom_details"]["a"], 20_000);

    // As in Alertmanager: an event that is too large is sent without its details.
    let details: Vec<String> = (0..30).map(|at| format!("d{at}: '{LONG}'")).collect();
    for key in ["routing_key", "service_key"] {
        let receiver =
            format!("pagerduty_configs: [{{{key}: k, severity: page, details: {{{}}}}}]", details.join(", "));
        let rendered = composed(&receiver, &long);
        let Outgoing::Json(body) = rendered.outgoing else { panic!("mail") };
        assert!(body.to_string().len() < 512_000);
        assert!(body.to_string().contains("The details are left out"), "{body}");
        assert_eq!(rendered.problems.len(), if key == "routing_key" { 2 } else { 1 }, "{:?}", rendered.problems);
    }
}

#[test]
fn labels_have_names_of_any_characters_in_every_kind() {
    let named = notification(vec![(alert("alertname=a;service.name=api;caf\u{e9} au lait=yes", "summary=s"), false)]);
    for receiver in [
        "webhook_configs: [{url: 'http://x'}]",
        "slack_configs: [{}]",
        "discord_configs: [{webhook_url: 'http://x'}]",
        "pagerduty_configs: [{routing_key: k}]",
    ] {
        let text = json_of(receiver, &named).to_string();
        assert!(text.contains("service.name") && text.contains("caf\u{e9} au lait"), "{text}");
    }
    let body = json_of(
        "slack_configs: [{title: '{{ index .CommonLabels \"service.name\" }} {{ (.CommonLabels.Remove (stringSlice \"service.name\")).Names | join \",\" }}'}]",
        &named,
    );
    assert_eq!(body["attachments"][0]["title"], "api alertname,caf\u{e9} au lait");
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
    let functions = functions::at(NOW_MS, |_| Ok(String::new()), &composer.functions);
    let notification = usual();
    let data = data::Data::of(&notification, crate::alert::Labels::new(), &composer.external_url).value();
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

/// The alerts of [`usual`] in amtool's format.
const AMTOOL_DATA: &str = r#"{"receiver":"team-a\\.b","status":"firing","externalURL":"http://h","groupLabels":{},"commonLabels":{"alertname":"HighMemoryUsage"},"commonAnnotations":{},
    "alerts":[{"status":"firing","labels":{"alertname":"HighMemoryUsage"},"annotations":{},"startsAt":"2026-11-20T09:00:00Z","endsAt":"0001-01-01T00:00:00Z"},
        {"status":"resolved","labels":{},"annotations":{},"startsAt":"2026-11-20T09:00:00Z","endsAt":"2026-11-20T09:01:00Z"}]}"#;

#[test]
fn times_have_the_methods_of_go_as_amtool_has_them() {
    let templates = [
        r#"{{ (.StartsAt.Add 28800e9).Format "2006-01-02 15:04" }}|{{ (.StartsAt.Add 1500000000) }}|{{ .StartsAt.Add -1 }}"#,
        r#"{{ .EndsAt.IsZero }}|{{ .EndsAt }}|{{ .StartsAt.IsZero }}|{{ .EndsAt.Year }}|{{ .EndsAt.Unix }}"#,
        r#"{{ .StartsAt.Unix }}|{{ .StartsAt.UnixMilli }}|{{ .StartsAt.UnixMicro }}|{{ .StartsAt.UnixNano }}|{{ .StartsAt.Nanosecond }}"#,
        r#"{{ .StartsAt.Year }} {{ .StartsAt.Month }} {{ .StartsAt.Day }} {{ .StartsAt.Weekday }} {{ .StartsAt.Hour }} {{ .StartsAt.Minute }} {{ .StartsAt.Second }} {{ .StartsAt.YearDay }}"#,
        r#"{{ printf "%d %02d %s %v" .StartsAt.Month .StartsAt.Weekday .StartsAt.Month .StartsAt.Weekday }} {{ .StartsAt.Month.String }} {{ eq .StartsAt.Weekday 5 }} {{ if ge .StartsAt.Hour 9 }}day{{ end }}"#,
        r#"{{ (.StartsAt.AddDate 0 0 -20).Format "Jan 2" }} {{ (.StartsAt.AddDate 1 3 11) }} {{ .StartsAt.AddDate -1 -11 0 }} {{ (.StartsAt.AddDate 0 -9 11) }}"#,
        r#"{{ .StartsAt.UTC }} {{ .StartsAt.UTC.Location }} {{ (.StartsAt.In .StartsAt.UTC.Location).Location.String }} {{ .StartsAt.IsDST }}"#,
        r#"{{ .StartsAt.Truncate 86400e9 }} {{ (.StartsAt.Add 45e9).Round 60e9 }} {{ (.StartsAt.Add 90061e9).Truncate 604800e9 }} {{ .StartsAt.Truncate 0 }}"#,
        r#"{{ .StartsAt.Before .EndsAt }} {{ .StartsAt.After .EndsAt }} {{ .StartsAt.Equal .StartsAt.UTC }} {{ (.StartsAt.Add 1).After .StartsAt }}"#,
        r#"{{ (.StartsAt.Add 5400e9).Sub .StartsAt }} {{ ((.StartsAt.Add 5400e9).Sub .StartsAt).Hours }} {{ (.StartsAt.Sub (.StartsAt.Add 1500e6)).Seconds }} {{ .StartsAt.Sub .EndsAt }}"#,
        r#"{{ $d := (.StartsAt.Add 5461234567891).Sub .StartsAt }}{{ $d }}|{{ $d.Minutes }}|{{ $d.Milliseconds }}|{{ $d.Microseconds }}|{{ $d.Nanoseconds }}|{{ $d.Round 60e9 }}|{{ $d.Truncate 1e9 }}|{{ $d.String }}|{{ printf "%d %s %v %.1f" $d $d $d $d.Hours }}|{{ gt $d 5000000000000 }}|{{ lt $d.Hours 2.0 }}"#,
        r#"{{ .StartsAt.Format "Monday, 02-Jan-06 15:04:05 MST" }}|{{ .StartsAt.Format "2006-01-02T15:04:05.999999999Z07:00" }}|{{ .StartsAt.Format "3:04PM __2 002 .000 ,99" }}|{{ .StartsAt.Format "Monk Janet _2006 Z070000" }}"#,
        r#"{{ .StartsAt.String }} {{ printf "%s" .StartsAt }} {{ print .StartsAt .Status }} {{ len (.StartsAt.Format "2006") }}"#,
    ];
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("none.tmpl"), "").unwrap();
    std::fs::write(path("data.json"), AMTOOL_DATA).unwrap();
    for template in templates {
        let template = format!(
            "{{{{ with index .Alerts 0 }}}}{template}{{{{ end }}}}{{{{ with index .Alerts 1 }}}} {{{{ .EndsAt.Sub .StartsAt }}}}{{{{ end }}}}"
        );
        let output = std::process::Command::new("amtool")
            .args(["template", "render", "--template.glob", &path("none.tmpl"), "--template.data", &path("data.json")])
            .args(["--template.text", &template])
            .env("TZ", "UTC")
            .output()
            .unwrap();
        assert!(output.status.success(), "{template}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(filled(&template), String::from_utf8_lossy(&output.stdout), "{template}");
        assert_eq!(faults(&template), Vec::<String>::new(), "{template}");
    }
    // A method that Debian's version does not have yet.
    let newer = "{{ with index .Alerts 0 }}{{ .StartsAt.Compare .StartsAt }} {{ (.StartsAt.Sub (.StartsAt.Add 5e9)).Abs }}{{ end }}";
    assert_eq!(filled(newer), "0 5s");
    // More days than Go's time can represent.
    let far = "{{ with index .Alerts 0 }}{{ (.StartsAt.AddDate 0 0 200000000000000).Equal .StartsAt }}{{ end }}";
    assert_eq!(filled(far), "true");
}

/// The problems that the check of a file reports for a template.
fn faults(text: &str) -> Vec<String> {
    let composer = Composer::new("http://h", []).unwrap();
    let receiver = serde_json::to_string(text).unwrap();
    composer.check(&integration(&format!("discord_configs: [{{webhook_url: 'http://x', message: {receiver}}}]")))
}

#[test]
fn a_text_that_cannot_be_filled_in_is_a_fault_of_the_file() {
    for (text, reason) in [
        (
            "{{ .Nope }}",
            "message: template: message:1:3: executing \"message\" at <.Nope>: can't evaluate field Nope in type *template.Data: it has Receiver, Status, Alerts",
        ),
        (
            "a\n  {{ range .Alerts }}{{ .StartAt }}{{ end }}",
            "message:2:24: executing \"message\" at <.StartAt>: can't evaluate field StartAt in type template.Alert: it has Status, Labels",
        ),
        (
            "{{ range .Alerts }}{{ .StartsAt.Date }}{{ end }}",
            "can't evaluate field Date in type time.Time: it has Add, AddDate",
        ),
        ("{{ range .Alerts }}{{ .StartsAt.Add }}{{ end }}", "wrong number of args for Add: want 1 got 0"),
        ("{{ range .Alerts }}{{ .StartsAt.Add 1.5 }}{{ end }}", "expected time.Duration; found 1.5"),
        ("{{ range .Alerts }}{{ .StartsAt.Add \"8h\" }}{{ end }}", "expected time.Duration; found \"8h\""),
        (
            "{{ $x := 5 }}{{ range .Alerts }}{{ .StartsAt.Add $x }}{{ end }}",
            "wrong type for value; expected time.Duration; got int",
        ),
        ("{{ range .Alerts }}{{ .StartsAt.Format 1 }}{{ end }}", "expected string; found 1"),
        ("{{ range .Alerts }}{{ .StartsAt.Sub .Status }}{{ end }}", "expected time.Time; got string"),
        ("{{ range .Alerts }}{{ .EndsAt | since | tz \"UTC\" }}{{ end }}", "expected time.Time; got time.Duration"),
        (
            "{{ range .Alerts }}{{ if eq .StartsAt .EndsAt }}x{{ end }}{{ end }}",
            "use its methods Equal, Before and After",
        ),
        ("{{ .CommonLabels.severity.name }}", "can't evaluate field name in type string"),
        ("{{ .CommonLabels.Remove \"a\" }}", "expected []string; found \"a\""),
        ("{{ .CommonLabels.SortedPairs.Keys }}", "it has Names, Values"),
        ("{{ range .CommonLabels.SortedPairs }}{{ .Key }}{{ end }}", "in type template.Pair: it has Name, Value"),
        ("{{ range .Status }}x{{ end }}", "range can't iterate over string"),
        ("{{ .Alerts.Firing.Length }}", "it has Firing, Resolved"),
        ("{{ (index .Alerts 0).Nope }}", "in type template.Alert"),
        ("{{ index .Alerts \"a\" }}", "cannot index slice/array with type string"),
        ("{{ if gt (len .Alerts) \"3\" }}x{{ end }}", "incompatible types for comparison"),
        ("{{ toUpper }}", "wrong number of args for toUpper: want 1 got 0"),
        ("{{ toUpper .Alerts }}", "expected string; got template.Alerts"),
        (
            "{{ .Alerts | join \",\" | toLower | reReplaceAll \"a\" }}",
            "wrong number of args for reReplaceAll: want 3 got 2",
        ),
        ("{{ template \"discord.default.tilte\" . }}", "template \"discord.default.tilte\" not defined"),
        (
            "{{ define \"own\" }}{{ .Labels.a }} {{ .Lables.b }}{{ end }}{{ range .Alerts }}{{ template \"own\" . }}{{ end }}",
            "executing \"own\" at <.Lables.b>: can't evaluate field Lables",
        ),
        ("{{ nosuch 1 }}", "message: template: message:1: function \"nosuch\" not defined"),
        ("{{ .Status", "unclosed action"),
    ] {
        let found = faults(text);
        assert!(found.len() == 1 && found[0].contains(reason), "{text}: {found:?}");
    }
    for text in [
        "{{ $first := index .Alerts 0 }}{{ $first.Labels.a | toUpper }}{{ $x := 1 }}{{ range .Alerts }}{{ $x = .Labels }}{{ end }}{{ $x.a }}",
        "{{ with .CommonLabels.team }}{{ . }}{{ else }}{{ .Status }}{{ end }}{{ dict \"a\" .Alerts | toJson }}{{ (dict \"a\" .).a.Status }}",
        "{{ .CommonLabels }} {{ .CommonLabels.SortedPairs }} {{ .CommonAnnotations.Values | join \",\" }} {{ or .CommonLabels.a .ExternalURL }}",
        "{{ (toDate \"2006-01-02\" \"2026-11-20\").Weekday }} {{ humanizeDuration 3 }} {{ range $name, $value := .GroupLabels }}{{ $name }}{{ $value | len }}{{ end }}",
        "{{ range .Alerts }}{{ since .StartsAt | humanizeDuration }} {{ (since .StartsAt).Hours | printf \"%.0f\" }} {{ .StartsAt | tz \"Europe/Berlin\" | date \"15:04\" }}{{ end }}",
        "{{ if eq .Status \"firing\" \"resolved\" }}{{ .Alerts.Firing | len }}{{ end }}{{ slice .Receiver 0 1 }}{{ len .CommonLabels }}",
    ] {
        assert_eq!(faults(text), Vec::<String>::new(), "{text}");
        assert!(!filled(text).contains("cannot be filled in"), "{text}: {}", filled(text));
    }
    // An unused definition may get any data; what fails with all data is an error.
    let file = |text| Composer::new("http://h", [("own.tmpl", text)]).map(|_| ()).map_err(|error| error.to_string());
    assert_eq!(file("{{ define \"x\" }}{{ .What.Ever 5 }}{{ end }}"), Ok(()));
    let wrong = file("\n{{ define \"x\" }}{{ toUpper 1 2 }}{{ end }}").unwrap_err();
    assert!(wrong.starts_with("own.tmpl: template: own.tmpl:2:19: executing \"x\""), "{wrong}");
}

/// Functions that Debian's amtool does not have yet.
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
        (
            "{{ $at := (index .Alerts 0).StartsAt }}{{ $paris := (tz \"Europe/Paris\" $at).Location }}{{ $at.In $paris }} {{ $paris }}",
            "2026-11-20 10:00:00 +0100 CET Europe/Paris",
        ),
        ("{{ now.Format \"15:04:05\" }}|{{ humanizeDuration 90 }}|{{ trimSpace \" a \" }}", "11:03:04|1m 30s|a"),
        ("{{ (list 1 2 | len) }}{{ append (list 1) 2 \"x\" }}{{ (dict \"a\" 1 \"b\" \"c\").b }}", "2[1 2 x]c"),
        (
            "{{ urlUnescape \"a+b%2Fc\" }}{{ safeUrl \"http://x/?a=b\" }}{{ base64encode \"a?>\" | base64decode }}",
            "a b/chttp://x/?a=ba?>",
        ),
        (
            "{{ toDate \"2006-01-02 15:04\" \"2026-11-20 10:30\" }}|{{ (toDate \"2006\" \"soon\").IsZero }}|{{ .CommonLabels }}",
            "2026-11-20 10:30:00 +0000 UTC|true|alertname=HighMemoryUsage, severity=warning",
        ),
        ("{{ .CommonLabels | toJson }}", r#"{"alertname":"HighMemoryUsage","severity":"warning"}"#),
    ];
    for (template, text) in expected {
        assert_eq!(filled(template), text, "{template}");
    }
    let alert: serde_json::Value = serde_json::from_str(&filled("{{ index .Alerts 0 | toJson }}")).unwrap();
    assert_eq!((&alert["status"], &alert["labels"]["daemon"]), (&json!("firing"), &json!("a")));
    assert_eq!(alert["startsAt"], "2026-11-20T09:00:00Z");
    assert!(filled("{{ mustToDate \"2006\" \"soon\" }}").contains("cannot parse \"soon\" as \"2006\""));
    assert!(filled("{{ tz \"Nowhere/At_All\" now }}").contains("unknown time zone Nowhere/At_All"));
}
