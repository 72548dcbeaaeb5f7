//! `hyperscope check config` on Alertmanager's files and on our own with webhooks.

use tempfile::TempDir;

use crate::common::{HYPERSCOPE, Program};

async fn check(text: &str) -> (Option<i32>, String) {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("f.yml");
    std::fs::write(&file, text).unwrap();
    std::fs::write(directory.path().join("good.tmpl"), "{{ define \"a\" }}b{{ end }}").unwrap();
    std::fs::write(directory.path().join("bad.tmpl"), "{{ define }}").unwrap();
    let mut program = Program::start(HYPERSCOPE, &["check", "config", file.to_str().unwrap()], &[]);
    let status = program.ended().await;
    let said = format!("{}{}", program.stdout(), program.stderr());
    (status.code(), said.replace(directory.path().to_str().unwrap(), ""))
}

#[tokio::test]
async fn files_are_recognised_and_faults_are_told_with_their_line() {
    let good = "route:\n  receiver: a\nreceivers:\n- name: a\ntemplates: [good.tmpl]\n";
    let (code, said) = check(good).await;
    assert_eq!((code, said.as_str()), (Some(0), "/f.yml: ok, a configuration of Alertmanager\n"));
    for (text, start) in [
        (good.replace("receiver: a", "receiver: b"), "error: /f.yml:2:13: there is no receiver \"b\""),
        (
            good.replace("receiver: a", "reciever: a"),
            "error: /f.yml:2:3: unknown key `reciever`: did you mean `receiver`?",
        ),
        (good.replace("- name: a", "- name: a\n  slack_configs: [{}]"), "error: /f.yml:5:19: there is no Slack URL"),
        (good.replace("good.tmpl", "bad.tmpl"), "error: /bad.tmpl: template: "),
        (
            good.replace("- name: a", "- name: a\n  discord_configs:\n  - webhook_url: http://x\n    message: |\n      {{ range .Alerts }}\n      {{ .StartsAt.Plus 5 }}{{ end }}"),
            "error: /f.yml:6:5: receiver \"a\", discord, message: template: message:2:12: executing \"message\" at <.StartsAt.Plus>: can't evaluate field Plus in type time.Time: it has Add, ",
        ),
        (
            "webhooks: [{name: a, url: 'http://x', events: [job.done]}]".to_owned(),
            "error: /f.yml: webhooks: webhook \"a\": there is no event \"job.done\"",
        ),
    ] {
        let (code, said) = check(&text).await;
        assert_eq!(code, Some(1), "{text}");
        assert!(said.starts_with(start), "{said}");
    }
    let (code, said) = check("webhooks: [{name: a, url: 'http://x'}]\nalertmanager_url: http://am:9093\n").await;
    assert_eq!((code, said.as_str()), (Some(0), "/f.yml: ok\n"));
    let (code, _) = check("alertmanager_url: [http://a:1, http://b:1]\nnotify: {config: other.yml}\n").await;
    assert_eq!(code, Some(1), "one of the two tells people");
}
