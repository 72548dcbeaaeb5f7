//! Which alerts are accepted at every interface, and what happens to rejected ones.

use serde_json::{Value, json};

use crate::{
    common::{Peers, Server, client, eventually},
    notify::{alert, file, post, receiver::Receiver, serve},
};

/// The label names of an OpenTelemetry agent, and unusual names of users.
const NAMES: [(&str, &str); 3] = [("service.name", "api"), ("caf\u{e9}", "yes"), ("a b", "c")];

#[tokio::test]
async fn names_of_labels_are_utf8_from_the_rule_to_the_receiver() {
    let receiver = Receiver::start().await;
    let other = Receiver::start().await;
    let text = format!(
        r#"route:
  receiver: other
  group_wait: 0s
  group_interval: 1s
  routes:
  - receiver: team
    matchers: ['{{"service.name"="api", café!="no", "a b"=~"c|d"}}']
    group_by: [service.name, 'a b']
inhibit_rules:
- source_matchers: ['"service.name" = "api"', severity="critical"]
  target_matchers: ['"service.name" = "api"', severity="info"]
  equal: ['a b']
receivers:
- name: team
  webhook_configs: [{{url: '{}/'}}]
- name: other
  webhook_configs: [{{url: '{}/'}}]
"#,
        receiver.url, other.url
    );
    let (directory, config) = file(&text);
    let rules = directory.path().join("rules.yml");
    std::fs::write(
        &rules,
        r#"groups:
- name: g
  interval: 1s
  rules:
  - alert: Named
    expr: label_replace(label_replace(vector(1), "service.name", "api", "", ""), "a b", "c", "", "")
    labels: {café: yes, severity: critical, 'team name': '{{ index $labels "service.name" }}'}
    annotations: {summary.text: '{{ range $name, $value := $labels }}{{ $name }}={{ $value }};{{ end }}'}
  - record: recorded name
    expr: '{"service.name"="none"} or vector(1)'
"#,
    )
    .unwrap();
    let server = serve(&config, &["--rules", rules.to_str().unwrap()]).await;
    let got = receiver.got_count(1).await[0].json();
    assert_eq!(got["groupLabels"], json!({ "service.name": "api", "a b": "c" }));
    assert_eq!(got["commonLabels"]["café"], "yes");
    assert_eq!(got["commonLabels"]["team name"], "api");
    assert_eq!(got["commonAnnotations"]["summary.text"], "a b=c;service.name=api;");
    assert_eq!(
        got["groupKey"],
        "{}/{\"a b\"=~\"c|d\",café!=\"no\",service.name=\"api\"}:{a b=\"c\", service.name=\"api\"}"
    );
    eventually("the recorded series", async || {
        let found = server.json("/api/v1/query?query=%7B%22recorded%20name%22%7D").await;
        (found["data"]["result"].as_array()?.len() == 1).then_some(())
    })
    .await;
    eventually("the names in the store", async || {
        let names = server.json("/api/v1/labels").await["data"].clone();
        ["service.name", "a b", "team name"]
            .iter()
            .all(|name| names.as_array().unwrap().contains(&json!(name)))
            .then_some(())
    })
    .await;
    let selected = server.query("ALERTS{\"service.name\"=\"api\", \"a b\"=\"c\"}").await;
    assert_eq!(selected.len(), 1, "{selected:?}");

    // Inhibited by the alert above, because `a b` is equal.
    let mut lesser = vec![("severity", "info")];
    lesser.extend(NAMES);
    post(&server, &[alert("Lesser", &lesser)]).await;
    let listed = server.json("/api/v2/alerts?filter=alertname%3DLesser&filter=%22service.name%22%3D%22api%22").await;
    assert_eq!(listed[0]["status"]["state"], "suppressed", "{listed}");

    // Silences by Alertmanager's API, by our own, and by the form of the page.
    let matchers = json!([{ "name": "a b", "value": "c", "isRegex": false, "isEqual": true }]);
    let silence = json!({ "matchers": matchers, "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2096-01-01T00:00:00Z", "createdBy": "me", "comment": "x" });
    let made = server.post("/api/v2/silences").json(&silence).send().await.unwrap();
    assert_eq!(made.status(), 200, "{}", made.text().await.unwrap());
    let silence = json!({ "matchers": "service.name=api,\"a b\"=~\"c|d\"", "duration": "1h", "comment": "y" });
    let made = server.post("/api/silences").json(&silence).send().await.unwrap();
    assert_eq!(made.status(), 201, "{}", made.text().await.unwrap());
    let form = [("matchers", "café=\"yes\""), ("duration", "1h"), ("comment", "z")];
    let body: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let sent = server
        .post("/do/silence")
        .header("accept", "text/html")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status(), 303);
    assert_eq!(sent.headers()["location"], "/alerts");
    let silences = server.json("/api/silences?state=active").await["silences"].clone();
    assert_eq!(silences.as_array().unwrap().len(), 3, "{silences}");
    for silence in silences.as_array().unwrap() {
        assert_eq!(silence["alerts"], 2, "{silence}");
    }
    let unknown = server.get("/api/silences?state=active,over").send().await.unwrap();
    assert_eq!(unknown.status(), 400);
    assert!(unknown.text().await.unwrap().contains("use active, pending or expired"));
    let page = server.text("/alerts?filter=%22a%20b%22%3Dc").await;
    assert!(page.contains("Named") && !page.contains("cannot be read"), "{page}");

    // A restart reads everything back.
    let data_dir = server.kill().await;
    let server = Server::start("serve", data_dir, &["--alertmanager-config", config.to_str().unwrap()]).await;
    let again = server.json("/api/silences?state=active").await["silences"].clone();
    assert_eq!(again.as_array().unwrap().len(), 3, "{again}");
}

#[tokio::test]
async fn a_bad_alert_of_a_batch_does_not_keep_its_neighbours_back_and_is_named() {
    let receiver = Receiver::start().await;
    let (_directory, config) =
        file(&crate::notify::quick(&format!("  webhook_configs: [{{url: '{}/'}}]", receiver.url)));
    let server = serve(&config, &[]).await;
    let batch = json!([
        alert("First", &[]),
        { "labels": { "alertname": "Nameless", "": "x" } },
        { "labels": { "alertname": "Late" }, "startsAt": "2026-01-02T00:00:00Z", "endsAt": "2026-01-01T00:00:00Z" },
        { "labels": {} },
        { "labels": { "alertname": "Untimely" }, "startsAt": "yesterday" },
        { "annotations": {} },
        "no alert at all",
        alert("Last", &[]),
    ]);
    let answer = server.post("/api/v2/alerts").json(&batch).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    let said: String = answer.json().await.unwrap();
    assert!(said.starts_with("6 of 8 alerts refused, the others are taken: alerts[1] \"Nameless\": "), "{said}");
    for part in [
        "alerts[2] \"Late\": the alert ends before",
        "alerts[3] \"\": an alert needs",
        "alerts[4] \"Untimely\"",
        "alerts[6]",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let got = receiver.got_count(2).await;
    let mut names: Vec<Value> = got.iter().map(|got| got.json()["groupLabels"]["alertname"].clone()).collect();
    names.sort_by_key(ToString::to_string);
    assert_eq!(names, [json!("First"), json!("Last")]);

    // Rejected alerts are counted, and the page reports them to tokens without matchers; those without labels are one
    // alert for both.
    let metrics = server.text("/metrics").await;
    let page = server.text("/alerts").await;
    let said = page.split(" alerts were refused in the last hour").next().unwrap();
    let count = said.rsplit(|letter: char| !letter.is_ascii_digit()).next().unwrap();
    assert_eq!(count, "4", "{page}");
    assert!(metrics.contains("hyperscope_alerts_refused_total 4"), "{metrics}");
}

/// The same batch at Debian's Alertmanager: it accepts the valid ones, and the answer is 400.
#[tokio::test]
async fn an_alertmanager_takes_the_good_ones_of_a_batch_as_we_do_and_refusals_are_shown() {
    let receiver = Receiver::start().await;
    let alertmanager = crate::notify::alertmanager::Alertmanager::start(&receiver, crate::common::free_port()).await;
    let batch = json!([alert("Good", &[]), { "labels": { "alertname": "Late" }, "startsAt": "2026-01-02T00:00:00Z", "endsAt": "2026-01-01T00:00:00Z" }]);
    let server = Server::serve(&[]).await;
    let theirs = client().post(format!("{}/api/v2/alerts", alertmanager.url)).json(&batch).send().await.unwrap();
    let ours = server.post("/api/v2/alerts").json(&batch).send().await.unwrap();
    assert_eq!((theirs.status(), ours.status().as_u16()), (reqwest::StatusCode::BAD_REQUEST, 400));
    for alerts in [alertmanager.json("/api/v2/alerts").await, server.json("/api/v2/alerts").await] {
        assert_eq!(alerts.as_array().unwrap().len(), 1, "{alerts}");
        assert_eq!(alerts[0]["labels"]["alertname"], "Good");
    }

    let server = Server::serve(&["--alertmanager-url", &alertmanager.url]).await;
    post(&server, &[alert("Dotted", &NAMES), alert("Plain", &[])]).await;
    let arrives = async |name: &str| {
        eventually("an alert at the Alertmanager", async || {
            let alerts = alertmanager.json(&format!("/api/v2/alerts?filter=alertname%3D{name}")).await;
            (alerts.as_array()?.len() == 1).then_some(())
        })
        .await;
    };
    arrives("Plain").await;
    // UTF-8 names are valid since Alertmanager 0.27. Alerts that an older one rejects are shown here, and the others in
    // the batch arrive.
    if Peers::chosen() == Peers::Current {
        return arrives("Dotted").await;
    }
    eventually("the refusal on the page", async || {
        let page = server.text("/alerts").await;
        (page.contains("1 alert was refused in the last hour") && page.contains("Dotted: ")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn labels_of_routes_reach_receivers_and_lists_and_say_why_they_are_sent() {
    let receiver = Receiver::start().await;
    let text = format!(
        r#"route:
  receiver: team
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  labels: {{team: ops, page: '{{{{ .CommonLabels.severity }}}} of {{{{ routeLabels "team" }}}}'}}
  routes:
  - matchers: [area="db"]
    labels: {{team: dba}}
receivers:
- name: team
  webhook_configs: [{{url: '{}/'}}]
"#,
        receiver.url
    );
    let (directory, config) = file(&text);
    let server = serve(&config, &[]).await;
    let alerts = json!([alert("Slow", &[("severity", "info"), ("area", "db")]), alert("Up", &[("severity", "page")])]);
    assert!(server.post("/api/v2/alerts").json(&alerts).send().await.unwrap().status().is_success());
    let mut got: Vec<Value> = receiver.got_count(2).await.iter().map(|got| got.json()).collect();
    got.sort_by_key(|body| body["groupLabels"]["alertname"].to_string());
    assert_eq!(got[0]["routeLabels"], json!({ "team": "dba", "page": "info of dba" }), "its own over its parent's");
    assert_eq!(got[1]["routeLabels"], json!({ "team": "ops", "page": "page of ops" }));
    assert_eq!(got[0]["notification_reason"], "first notification");
    let groups = server.json("/api/v2/alerts/groups").await;
    assert_eq!(groups[0]["routeLabels"], json!({ "team": "dba", "page": "info of dba" }), "{groups}");
    assert_eq!((groups.as_array().unwrap().len(), &groups[1]["alerts"][0]["labels"]["alertname"]), (2, &json!("Up")));

    // A template that cannot be executed is rejected with its position.
    std::fs::write(directory.path().join("bad.yml"), text.replace(".CommonLabels.severity", ".Common")).unwrap();
    let bad = directory.path().join("bad.yml");
    let mut refused =
        crate::common::launch("serve", directory.path(), &["--alertmanager-config", bad.to_str().unwrap()]);
    assert!(!refused.ended().await.success());
    assert!(refused.stderr().contains("bad.yml:6:"), "{}", refused.stderr());
    assert!(refused.stderr().contains("label of a route, page: "), "{}", refused.stderr());
}
