//! Compares our check of configuration files with Debian's `amtool check-config`: both accept a file, or both reject
//! it.

#![allow(clippy::unwrap_used, clippy::panic)] // A test fails by panicking.

use std::{path::Path, process::Command};

use alertmanager::config::file::ConfigFile;

/// Both accept these.
const GOOD: &[&str] = &[
    "route: {receiver: a}\nreceivers: [{name: a}]",
    "route: {receiver: a, group_by: ['...'], group_wait: 0s, group_interval: 1m30s, repeat_interval: 1d}\nreceivers: [{name: a}]",
    "route: {receiver: a, group_by: [b, c], routes: [{match: {b: c}, match_re: {d: e|f}, matchers: ['g=h', '{i!=\"j\",k=~\"l.*\"}'], continue: true}]}\nreceivers: [{name: a}]",
    "route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url: 'http://x.org/y', max_alerts: 3, send_resolved: false}]}]",
    "route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url: 'https://x.org', http_config: {basic_auth: {username: u, password: p}, tls_config: {insecure_skip_verify: true}}}]}]",
    "global: {slack_api_url: 'https://hooks.slack.com/services/x'}\nroute: {receiver: a}\nreceivers: [{name: a, slack_configs: [{channel: '#b', title: '{{ .Status }}', fields: [{title: a, value: b, short: true}], actions: [{type: button, text: t, url: 'http://x'}]}]}]",
    "route: {receiver: a}\nreceivers: [{name: a, slack_configs: [{api_url_file: /nowhere}]}]",
    "route: {receiver: a}\nreceivers: [{name: a, discord_configs: [{webhook_url: 'https://discord.com/api/webhooks/1/x'}]}]",
    "route: {receiver: a}\nreceivers: [{name: a, pagerduty_configs: [{routing_key: 0123, severity: critical, details: {a: b}, images: [{src: a}], links: [{href: b, text: c}]}]}]",
    "route: {receiver: a}\nreceivers: [{name: a, pagerduty_configs: [{service_key: abc}]}]",
    "global: {smtp_smarthost: 'mail:25', smtp_from: 'a@b.org', smtp_require_tls: false}\nroute: {receiver: a}\nreceivers: [{name: a, email_configs: [{to: 'c@d.org', headers: {Subject: '{{ .Status }}'}, html: '', text: 'x'}]}]",
    "route: {receiver: a, routes: [{matchers: [b=c], mute_time_intervals: [n], active_time_intervals: [d]}]}\nreceivers: [{name: a}]\nmute_time_intervals: [{name: n, time_intervals: [{times: [{start_time: '22:00', end_time: '24:00'}], weekdays: ['monday:friday', sunday], days_of_month: ['1:5', '-3:-1'], months: ['1:3', 'may:august', december], years: ['2026:2030', '2040']}]}]\ntime_intervals: [{name: d, time_intervals: [{location: 'Australia/Sydney', weekdays: [saturday]}]}]",
    "route: {receiver: a}\nreceivers: [{name: a}]\ninhibit_rules: [{source_match: {severity: critical}, target_match_re: {severity: warning|info}, equal: [alertname]}, {source_matchers: ['a=b'], target_matchers: ['c=~d']}]",
    "global: {resolve_timeout: 10m, opsgenie_api_url: 'https://x.org/', http_config: {bearer_token: x}}\nroute: {receiver: a}\nreceivers: [{name: a}]\ntemplates: ['/nowhere/*.tmpl']",
];

/// Both reject these.
const BAD: &[&str] = &[
    "receivers: [{name: a}]",
    "route: {receiver: b}\nreceivers: [{name: a}]",
    "route: {group_by: [a]}\nreceivers: [{name: a}]",
    "route: {receiver: a, matchers: ['a=b']}\nreceivers: [{name: a}]",
    "route: {receiver: a, match: {a: b}}\nreceivers: [{name: a}]",
    "route: {receiver: a, mute_time_intervals: [n]}\nreceivers: [{name: a}]\ntime_intervals: [{name: n}]",
    "route: {receiver: a, active_time_intervals: [n]}\nreceivers: [{name: a}]\ntime_intervals: [{name: n}]",
    "route: {receiver: a, continue: true}\nreceivers: [{name: a}]",
    "route: {receiver: a, routes: [{receiver: b}]}\nreceivers: [{name: a}]",
    "route: {receiver: a, routes: [{mute_time_intervals: [n]}]}\nreceivers: [{name: a}]",
    "route: {receiver: a, group_by: [b, b]}\nreceivers: [{name: a}]",
    "route: {receiver: a, group_by: ['...', b]}\nreceivers: [{name: a}]",
    "route: {receiver: a, group_interval: 0s}\nreceivers: [{name: a}]",
    "route: {receiver: a, repeat_interval: 0s}\nreceivers: [{name: a}]",
    "route: {receiver: a, group_wait: 5}\nreceivers: [{name: a}]",
    "route: {receiver: a, group_wait: 1m1h}\nreceivers: [{name: a}]",
    "route: {receiver: a, routes: [{matchers: ['a']}]}\nreceivers: [{name: a}]",
    "route: {receiver: a, routes: [{matchers: ['a=~[']}]}\nreceivers: [{name: a}]",
    "route: {receiver: a, routes: [{matchers: ['a=\"b']}]}\nreceivers: [{name: a}]",
    "route: {receiver: a, routes: [{match_re: {a: '('}}]}\nreceivers: [{name: a}]",
    "route: {receiver: a, groupby: [b]}\nreceivers: [{name: a}]",
    "route: {receiver: a}\nreceivers: [{name: a}, {name: a}]",
    "route: {receiver: a}\nreceivers: [{name: a}, {webhook_configs: [{url: 'http://x'}]}]",
    "route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{}]}]",
    "route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url: 'ftp://x'}]}]",
    "route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url: 'http://x', http_config: {bearer_token: a, basic_auth: {username: b}}}]}]",
    "route: {receiver: a}\nreceivers: [{name: a, slack_configs: [{channel: b}]}]",
    "route: {receiver: a}\nreceivers: [{name: a, slack_configs: [{api_url: 'http://x', api_url_file: y}]}]",
    "route: {receiver: a}\nreceivers: [{name: a, slack_configs: [{api_url: 'http://x', fields: [{title: y}]}]}]",
    "route: {receiver: a}\nreceivers: [{name: a, slack_configs: [{api_url: 'http://x', actions: [{type: button, text: y}]}]}]",
    "route: {receiver: a}\nreceivers: [{name: a, discord_configs: [{title: y}]}]",
    "route: {receiver: a}\nreceivers: [{name: a, pagerduty_configs: [{severity: y}]}]",
    "route: {receiver: a}\nreceivers: [{name: a, email_configs: [{to: 'a@b'}]}]",
    "global: {smtp_smarthost: 'mail:25'}\nroute: {receiver: a}\nreceivers: [{name: a, email_configs: [{to: 'a@b'}]}]",
    "global: {smtp_smarthost: 'mail:25', smtp_from: x}\nroute: {receiver: a}\nreceivers: [{name: a, email_configs: [{}]}]",
    "global: {smtp_smarthost: 'mail', smtp_from: x}\nroute: {receiver: a}\nreceivers: [{name: a}]",
    "global: {smtp_smarthost: 'mail:25', smtp_from: x}\nroute: {receiver: a}\nreceivers: [{name: a, email_configs: [{to: y, headers: {subject: a, Subject: b}}]}]",
    "global: {slack_api_url: 'http://x', slack_api_url_file: y}\nroute: {receiver: a}\nreceivers: [{name: a}]",
    "route: {receiver: a}\nreceivers: [{name: a}]\ntime_intervals: [{name: n}, {name: n}]",
    "route: {receiver: a}\nreceivers: [{name: a}]\ntime_intervals: [{time_intervals: []}]",
    "route: {receiver: a}\nreceivers: [{name: a}]\ntime_intervals: [{name: n, time_intervals: [{weekdays: [mon]}]}]",
    "route: {receiver: a}\nreceivers: [{name: a}]\ntime_intervals: [{name: n, time_intervals: [{times: [{start_time: '10:00', end_time: '09:00'}]}]}]",
    "route: {receiver: a}\nreceivers: [{name: a}]\ninhibit_rules: [{source_matchers: ['a']}]",
    "route: {receiver: a}\nreceivers: [{name: a}]\nrecievers: []",
    "route: [",
];

/// Accepted since 0.27, but not by Debian's 0.25: UTF-8 label names.
const NEWER: &[&str] = &[
    "route: {receiver: a, group_by: ['b-c']}\nreceivers: [{name: a}]",
    "route: {receiver: a, routes: [{match: {a-b: c}}]}\nreceivers: [{name: a}]",
    "route: {receiver: a}\nreceivers: [{name: a}]\ninhibit_rules: [{equal: ['a-b']}]",
    "route: {receiver: a, routes: [{matchers: ['\"service.name\"=\"x\"', '{caf\u{e9}=~\"a|b\"}', a.b=c]}]}\nreceivers: [{name: a}]",
    "route: {receiver: a, group_by: [service.name, 'a b']}\nreceivers: [{name: a}]",
];

fn amtool(file: &Path) -> (bool, String) {
    let output = Command::new("amtool").arg("check-config").arg(file).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn ours(text: &str) -> Result<(), String> {
    let file: ConfigFile = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    file.check(Path::new("/")).map(|_| ()).map_err(|problem| problem.to_string())
}

#[test]
fn ours_and_amtool_agree() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.yml");
    let mut disagreements = Vec::new();
    for (texts, wanted, theirs_wanted) in [(GOOD, true, true), (BAD, false, false), (NEWER, true, false)] {
        for text in texts {
            std::fs::write(&file, text).unwrap();
            let (theirs, said) = amtool(&file);
            let own = ours(text);
            if theirs != theirs_wanted || own.is_ok() != wanted {
                disagreements.push(format!("{text}\n  amtool: {theirs} {said}\n  ours: {own:?}"));
            }
        }
    }
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
}

#[test]
fn a_complaint_says_where() {
    let complaint =
        ours("route:\n  receiver: a\n  routes:\n  - matchers:\n    - a=b\n    - c\nreceivers:\n- name: a\n");
    assert!(complaint.clone().unwrap_err().starts_with("6:7: \"c\" is not a matcher"), "{complaint:?}");
    let complaint = ours("route:\n  receiver: a\nreceivers:\n- name: a\n  webhook_configs:\n  - max_alerts: 1\n");
    assert!(complaint.clone().unwrap_err().starts_with("6:5: a webhook needs a url"), "{complaint:?}");
}
