//! Every kind of receiver gets a message when an alert fires and when it resolves.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    common::eventually,
    notify::{
        alert, deliveries, file,
        mail_server::{MailServer, make_certificate},
        post, quick,
        receiver::Receiver,
        resolve, serve,
    },
};

#[tokio::test]
async fn each_kind_is_told_of_the_beginning_and_the_end() {
    let [webhook, slack, discord, pager, old_pager] = [
        Receiver::start().await,
        Receiver::start().await,
        Receiver::start().await,
        Receiver::start().await,
        Receiver::start().await,
    ];
    let certificates = TempDir::new().unwrap();
    make_certificate(certificates.path());
    let mail = MailServer::start(Some(certificates.path())).await;
    std::fs::write(certificates.path().join("password"), "pass word\n").unwrap();
    let text = quick(&format!(
        "  webhook_configs: [{{url: '{}/hook', http_config: {{basic_auth: {{username: me, password_file: '{directory}/password'}}}}}}]
  slack_configs: [{{api_url: '{}/slack', channel: '#ops', send_resolved: true, title: '{{{{ .CommonLabels.alertname | toUpper }}}}'}}]
  discord_configs: [{{webhook_url: '{}/discord'}}]
  pagerduty_configs: [{{routing_key: '${{PAGER_KEY}}', url: '{}/v2', severity: critical}}, {{service_key: oldkey, url: '{}/v1'}}]
  email_configs:
  - to: team@example.org, boss@example.org
    from: Hyperscope <hs@example.org>
    smarthost: {}
    auth_username: sender
    auth_password_file: {directory}/password
    send_resolved: true
    headers: {{X-Severity: '{{{{ .CommonLabels.severity }}}}'}}
    tls_config: {{ca_file: {directory}/cert.pem}}",
        webhook.url,
        slack.url,
        discord.url,
        pager.url,
        old_pager.url,
        mail.address,
        directory = certificates.path().display(),
    ));
    let (_directory, file) = file(&text);
    let data_dir = std::sync::Arc::new(TempDir::new().unwrap());
    let arguments = [
        "serve",
        "--data-dir",
        data_dir.path().to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
        "--alertmanager-config",
        file.to_str().unwrap(),
        "--notify-allow-private",
        "--public-url",
        "https://scope.example.org",
    ];
    let program = crate::common::Program::start(
        crate::common::HYPERSCOPE,
        &arguments,
        &[("HYPERSCOPE_ADMIN_TOKEN", crate::common::TOKEN), ("PAGER_KEY", "pagerkey")],
    );
    let server = crate::common::Server::ready(program, data_dir).await;
    let one = alert("DiskFull", &[("severity", "critical"), ("host", "a")]);
    post(&server, std::slice::from_ref(&one)).await;

    let got = webhook.got_count(1).await.remove(0);
    assert_eq!(got.path, "/hook");
    assert_eq!(got.headers["authorization"], "Basic bWU6cGFzcyB3b3Jk");
    assert_eq!(got.headers["content-type"], "application/json");
    let body = got.json();
    assert_eq!((&body["version"], &body["status"], &body["receiver"]), (&json!("4"), &json!("firing"), &json!("team")));
    assert_eq!(body["groupKey"], "{}:{alertname=\"DiskFull\"}");
    assert_eq!(body["externalURL"], "https://scope.example.org");
    assert_eq!(body["alerts"][0]["labels"], one["labels"]);
    assert_eq!(body["alerts"][0]["annotations"]["summary"], "DiskFull is on");

    let body = slack.got_count(1).await[0].json();
    assert_eq!((&body["channel"], &body["attachments"][0]["title"]), (&json!("#ops"), &json!("DISKFULL")));
    let body = discord.got_count(1).await[0].json();
    assert_eq!(body["embeds"][0]["title"], "[FIRING:1] DiskFull (host=a, severity=critical)");
    let body = pager.got_count(1).await[0].json();
    assert_eq!((&body["routing_key"], &body["event_action"]), (&json!("pagerkey"), &json!("trigger")));
    let incident = body["dedup_key"].clone();
    let body = old_pager.got_count(1).await[0].json();
    assert_eq!((&body["service_key"], &body["event_type"]), (&json!("oldkey"), &json!("trigger")));

    let letter = eventually("a mail", async || mail.letters().first().cloned()).await;
    assert!(letter.is_encrypted, "by STARTTLS");
    assert_eq!(letter.login.as_deref(), Some("AHNlbmRlcgBwYXNzIHdvcmQ="), "sender with its password");
    assert_eq!(letter.to.len(), 2);
    assert!(letter.from.contains("<hs@example.org>"));
    for part in [
        "Subject: [FIRING:1] DiskFull (host=a, severity=critical)",
        "X-Severity: critical",
        "text/html",
        "text/plain",
        "Message-ID: <",
    ] {
        assert!(letter.data.contains(part), "{part} in {}", letter.data);
    }

    // The receivers got the keys, and the database does not contain them.
    let kept = std::fs::read(server.data_dir.path().join("hyperscope.db")).unwrap();
    for secret in ["pagerkey", "oldkey", "pass word"] {
        assert!(!kept.windows(secret.len()).any(|part| part == secret.as_bytes()), "{secret}");
    }

    resolve(&server, one).await;
    let body: Value = webhook.got_count(2).await[1].json();
    assert_eq!((&body["status"], &body["alerts"][0]["status"]), (&json!("resolved"), &json!("resolved")));
    assert_eq!(slack.got_count(2).await[1].json()["attachments"][0]["color"], "good");
    assert_eq!(discord.got_count(2).await[1].json()["embeds"][0]["color"], 0x2e_cc71);
    let body = pager.got_count(2).await[1].json();
    assert_eq!((&body["event_action"], &body["dedup_key"]), (&json!("resolve"), &incident));
    eventually("a mail about the end", async || {
        mail.letters().get(1).filter(|letter| letter.data.contains("Subject: [RESOLVED] DiskFull")).cloned()
    })
    .await;

    let list = eventually("everything delivered", async || {
        Some(deliveries(&server, "delivered").await).filter(|list| list.len() == 12)
    })
    .await;
    assert!(list.iter().all(|one| one["alerts"].as_array().unwrap().len() == 1), "{list:?}");
}

#[tokio::test]
async fn a_rule_that_fires_is_told_of_and_its_end_too() {
    let receiver = Receiver::start().await;
    let (directory, config) = file(&quick(&format!("  webhook_configs: [{{url: '{}/'}}]", receiver.url)));
    let rules = |expr: &str| {
        format!(
            "groups:\n- name: g\n  interval: 1s\n  rules:\n  - {{alert: Always, expr: '{expr}', labels: {{severity: page}}, annotations: {{summary: 'it is {{{{ $value }}}}'}}}}\n"
        )
    };
    let rule_file = directory.path().join("rules.yml");
    std::fs::write(&rule_file, rules("vector(7) > 5")).unwrap();
    let server = serve(&config, &["--rules", rule_file.to_str().unwrap()]).await;
    let body = receiver.got_count(1).await[0].json();
    assert_eq!(body["commonLabels"], json!({ "alertname": "Always", "severity": "page" }));
    assert_eq!(body["alerts"][0]["annotations"]["summary"], "it is 7");
    assert!(body["alerts"][0]["generatorURL"].as_str().unwrap().starts_with(&server.url("")), "{body}");
    std::fs::write(&rule_file, rules("vector(3) > 5")).unwrap();
    eventually("its end", async || receiver.got().iter().any(|got| got.json()["status"] == "resolved").then_some(()))
        .await;
}

#[tokio::test]
async fn a_mail_server_without_tls_is_refused_unless_allowed() {
    let mail = MailServer::start(None).await;
    let config = |further: &str| {
        quick(&format!("  email_configs: [{{to: 'a@x.org', from: 'b@x.org', smarthost: '{}'{further}}}]", mail.address))
    };
    let (_directory, strict) = file(&config(""));
    let server = serve(&strict, &["--notify-give-up", "1ms"]).await;
    post(&server, &[alert("a", &[])]).await;
    let dead = eventually("a mail given up", async || deliveries(&server, "dead").await.first().cloned()).await;
    assert!(dead["error"].as_str().unwrap().to_lowercase().contains("tls"), "{dead}");
    assert_eq!(mail.letters().len(), 0);

    let (_directory, lenient) = file(&config(", require_tls: false, html: '', text: 'plain {{ .Status }}'"));
    let server = serve(&lenient, &[]).await;
    post(&server, &[alert("a", &[])]).await;
    let letter = eventually("a mail", async || mail.letters().first().cloned()).await;
    assert!(letter.data.contains("plain firing") && !letter.data.contains("text/html") && !letter.is_encrypted);
}

#[tokio::test]
async fn the_addressees_of_a_mail_are_those_of_to_and_headers_are_only_shown() {
    let mail = MailServer::start(None).await;
    let (_directory, config) = file(&quick(&format!(
        "  email_configs:
  - to: 'a@x.org, Boss <b@x.org>'
    from: hs@x.org
    smarthost: '{}'
    require_tls: false
    headers: {{To: c@x.org, Cc: d@x.org, Bcc: e@x.org, From: Shown <f@x.org>, Subject: '{{{{ reReplaceAll \".\" \"looooong ä \" .CommonLabels.long }}}}'}}
  - {{to: g@x.org, from: hs@x.org, smarthost: '{}', require_tls: false, headers: {{to: 'undisclosed-recipients:;', subject: second}}}}",
        mail.address, mail.address
    )));
    let server = serve(&config, &[]).await;
    post(&server, &[alert("a", &[("long", &"x".repeat(300))])]).await;
    let letters = eventually("two mails", async || Some(mail.letters()).filter(|letters| letters.len() == 2)).await;
    let (second, first) = {
        let (second, first): (Vec<_>, Vec<_>) =
            letters.into_iter().partition(|letter| letter.data.contains("Subject: second"));
        (second[0].clone(), first[0].clone())
    };
    assert_eq!(first.from, "MAIL FROM:<hs@x.org>");
    assert_eq!(first.to, ["RCPT TO:<a@x.org>", "RCPT TO:<b@x.org>"]);
    for header in ["\r\nTo: c@x.org\r\n", "\r\nCc: d@x.org\r\n", "\r\nBcc: e@x.org\r\n", "From: Shown <f@x.org>\r\n"] {
        assert!(format!("\r\n{}", first.data).contains(header), "{header:?} in {}", first.data);
    }
    let longest = first.data.lines().map(str::len).max().unwrap();
    assert!(longest <= 998, "a line of {longest} bytes");
    assert_eq!(second.to, ["RCPT TO:<g@x.org>"]);
    assert!(second.data.contains("To: undisclosed-recipients:;"), "{}", second.data);
}

/// A typical relay in the same network: STARTTLS with a self-signed certificate.
#[tokio::test]
async fn mail_that_needs_no_tls_goes_out_whatever_the_relays_certificate() {
    let certificates = TempDir::new().unwrap();
    make_certificate(certificates.path());
    let relay = MailServer::start(Some(certificates.path())).await;
    let broken = MailServer::start_broken(certificates.path()).await;
    std::fs::write(certificates.path().join("password"), "secret").unwrap();
    let config = |server: &MailServer, further: &str| {
        quick(&format!(
            "  email_configs: [{{to: 'a@x.org', from: 'b@x.org', smarthost: '{}'{further}}}]",
            server.address
        ))
    };
    let login = format!(", auth_username: me, auth_password_file: {}/password", certificates.path().display());
    let delivers = async |server: &MailServer, further: &str| {
        let before = server.letters().len();
        let (_directory, file) = file(&config(server, further));
        let running = serve(&file, &["--notify-give-up", "1ms"]).await;
        post(&running, &[alert("a", &[])]).await;
        let list = eventually("an outcome", async || {
            let done = [deliveries(&running, "delivered").await, deliveries(&running, "dead").await].concat();
            Some(done).filter(|done| !done.is_empty())
        })
        .await;
        match server.letters().get(before) {
            Some(letter) => Ok((letter.is_encrypted, letter.login.is_some())),
            None => Err(list[0]["error"].as_str().unwrap().to_owned()),
        }
    };
    assert_eq!(delivers(&relay, ", require_tls: false").await, Ok((true, false)), "encrypted for no matter whom");
    assert_eq!(delivers(&broken, ", require_tls: false").await, Ok((false, false)), "in plain text rather than not");
    let refused = delivers(&relay, "").await.unwrap_err();
    assert!(refused.to_lowercase().contains("certificate"), "TLS that is required is verified: {refused}");
    assert_eq!(delivers(&relay, ", tls_config: {insecure_skip_verify: true}").await, Ok((true, false)));
    // A password follows, so the certificate must be verified.
    let refused = delivers(&relay, &format!(", require_tls: false{login}")).await.unwrap_err();
    assert!(refused.to_lowercase().contains("certificate"), "{refused}");
    let known =
        format!(", require_tls: false{login}, tls_config: {{ca_file: {}/cert.pem}}", certificates.path().display());
    assert_eq!(delivers(&relay, &known).await, Ok((true, true)));
}
