//! Settings from files and flags: effective values, and errors.

use std::{path::Path, time::Duration};

use super::{Config, ConfigError, Options};
use redact::Secret;

fn options(text: &str) -> Result<Options, String> {
    yaml::parse(Path::new("h.yaml"), text).map_err(|error| error.to_string())
}

fn resolve(options: Options) -> Result<Config, ConfigError> {
    Config::resolve(options, "/data".into())
}

/// The error about an invalid file.
fn complaint(text: &str) -> String {
    match options(text) {
        Ok(options) => resolve(options).unwrap_err().to_string(),
        Err(error) => error,
    }
}

#[test]
fn nothing_given_has_defaults() {
    for text in ["", "# only a comment\n", "\n\n"] {
        let config = resolve(options(text).unwrap()).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:3030");
        assert_eq!(config.data_dir, Path::new("/data"));
        assert_eq!(config.limits.sockets, 20_000);
        assert_eq!(config.retention, Duration::from_secs(15 * 86_400));
        assert_eq!(config.frame_ancestors, ["'self'"]);
        assert!(!config.is_https());
    }
}

#[test]
fn a_whole_file_is_read() {
    let text = r#"
listen: "[::1]:0"
log_format: json
public_url: https://scope.example.org
daemons:
  - name: dc1
    url: https://hv1.example.org:8443
    key: k1
  - url: http://10.0.0.2:8080
daemon_key: shared
prometheus_url: http://localhost:9090/prom
retention: 30d
trusted_proxies: [10.0.0.0/8]
frame_ancestors: ["'self'", "https://wiki.example.org"]
tls: { cert: c.pem, key: k.pem }
scrape: { interval: 5s }
metrics: { public: true }
redact: { user_names: true }
limits:
  query_time: 1m
  response: 128MiB
  token_sockets: 7
demo: { seed: 9, history: 1h, jobs_per_minute: 0.5 }
daemon_sim: { dialect: documented }
"#;
    let config = resolve(options(text).unwrap()).unwrap();
    let directive = options("frame_ancestors: \"'self' https://wiki.example.org\"\n").unwrap();
    assert_eq!(resolve(directive).unwrap().frame_ancestors, config.frame_ancestors, "as the directive is written");
    assert!(config.is_https());
    let daemons: Vec<_> =
        config.daemons.iter().map(|daemon| (daemon.name.as_str(), daemon.key.as_ref().unwrap().expose())).collect();
    assert_eq!(daemons, [("dc1", "k1"), ("10.0.0.2:8080", "shared")]);
    assert_eq!(config.scrape.timeout, Duration::from_secs(5));
    assert_eq!((config.limits.response_bytes, config.limits.token_sockets), (128 << 20, 7));
    assert_eq!(config.demo.history, Duration::from_secs(3600));
    assert!(!format!("{config:?}").contains("k1"), "a key is shown by Debug");
}

#[test]
fn a_misspelt_key_is_named_with_its_place_and_the_nearest() {
    assert_eq!(
        complaint("listen: 127.0.0.1:1\nretension: 15d\n"),
        "h.yaml:2:1: unknown key `retension`: did you mean `retention`?"
    );
    assert_eq!(
        complaint("limits:\n  qery_time: 15d\n"),
        "h.yaml:2:3: unknown key `qery_time`: did you mean `query_time`?"
    );
    assert_eq!(complaint("data-dir: /x\n"), "h.yaml:1:1: unknown key `data-dir`: did you mean `data_dir`?");
    assert_eq!(complaint("tls:\n  zzz: 1\n"), "h.yaml:2:3: unknown key `zzz`: use one of cert, key");
    assert_eq!(
        complaint("daemons:\n  - nmae: a\n    url: http://a\n"),
        "h.yaml:2:5: unknown key `nmae`: did you mean `name`?"
    );
}

#[test]
fn a_wrong_value_is_named_with_its_place() {
    for (text, said) in [
        ("retention: 15 days\n", "h.yaml:1:12: \"15 days\" is not a duration"),
        ("\nlisten: 3030\n", "h.yaml:2:9: \"3030\" is not an address to listen on"),
        ("limits: { body: 1MB }\n", "h.yaml:1:17: \"1MB\" is not a size"),
        ("log_format: xml\n", "h.yaml:1:13: "),
        ("limits: [1]\n", "h.yaml:1:9: "),
        ("listen: [\n", "h.yaml:"),
        ("metrics: { public: maybe }\n", "h.yaml:1:20: "),
        ("retention: 1d\nretention: 2d\n", "h.yaml:2:1: "),
    ] {
        let complaint = complaint(text);
        assert!(complaint.starts_with(said), "{text:?}: {complaint}");
        assert!(!complaint.contains('\n'), "{text:?}: {complaint}");
    }
}

#[test]
fn what_contradicts_is_refused() {
    for (text, said) in [
        ("listen: 0.0.0.0:3030\ninsecure_no_auth: true\n", "insecure_no_auth: refused"),
        ("database_url: postgres://u:p@h/d\n", "database_url: only"),
        ("prometheus_url: localhost:9090\n", "prometheus_url: \"localhost:9090\" is not a URL"),
        ("prometheus_url: http://me:hunter2@h\n", "prometheus_url: the URL of h carries"),
        ("prometheus_url: http://me:hunter2@\n", "prometheus_url: the URL of prometheus_url carries"),
        ("admin_token: short\n", "admin_token: needs 32 to 128"),
        ("frame_ancestors: [\"'self'; script-src *\"]\n", "frame_ancestors: "),
        ("daemons: [{url: 'http://a'}, {url: 'http://a/x'}]\n", "daemons: two daemons"),
        ("tls: { cert: a }\n", "tls.key: "),
        ("scrape: { interval: 5s, timeout: 10s }\n", "scrape.timeout: "),
        ("retention: 0s\n", "retention: must be longer"),
        ("daemon_key: a\ndaemon_key_file: /b\n", "daemon_key: given both"),
        ("demo: { jobs_per_minute: .inf }\n", "demo.jobs_per_minute: "),
    ] {
        let complaint = complaint(text);
        assert!(complaint.starts_with(said), "{text:?}: {complaint}");
        assert!(!complaint.contains("hunter2"), "{complaint}");
    }
}

#[test]
fn a_flag_lies_over_the_file_even_when_one_of_them_is_a_file_of_a_secret() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("key"), "from-file\n").unwrap();
    let file = directory.path().join("h.yaml");
    std::fs::write(&file, "daemon_key_file: key\nretention: 1d\nlimits: { points: 5 }\nrules: [a.yaml]\n").unwrap();
    let below = Options::from_file(&file).unwrap();
    assert_eq!(below.daemon_key.as_ref().unwrap().expose(), "from-file");
    assert_eq!(below.rules, Some(vec![directory.path().join("a.yaml")]));

    let above = Options {
        daemon_key: Some(Secret::new("from-flag")),
        daemon_url: Some(vec!["a=http://h:1".into(), "http://h:2/?x=y".into()]),
        ..Options::default()
    };
    let config = resolve(above.with_secrets().unwrap().or(below)).unwrap();
    assert_eq!((config.retention.as_secs(), config.limits.points), (86_400, 5));
    assert_eq!(config.daemons.iter().map(|daemon| daemon.name.as_str()).collect::<Vec<_>>(), ["a", "h:2"]);
    assert!(config.daemons.iter().all(|daemon| daemon.key == Some(Secret::new("from-flag"))));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Options::from_file(Path::new("/nowhere/h.yaml")).unwrap_err().to_string();
    assert!(error.starts_with("/nowhere/h.yaml: "), "{error}");
}

#[test]
fn wrong_engines_are_refused() {
    for (text, said) in [
        ("engines: [{ url: 'http://a', nmae: b }]\n", "did you mean `name`"),
        ("engines: [{ url: '' }]\n", "engines: "),
        ("engines: [{ name: embedded, url: 'http://a' }]\n", "choose another"),
        ("engines: [{ name: a, url: 'http://a' }, { name: a, url: 'http://b' }]\n", "two engines"),
        ("engines: [{ url: 'http://a', bearer_token: x, basic_auth: { username: y } }]\n", "leave one out"),
        ("engines: [{ url: 'http://a', bearer_token_env: HYPERSCOPE_NOT_THERE }]\n", "HYPERSCOPE_NOT_THERE is not set"),
        ("engines: [{ url: 'http://a', tls: { cert: x } }]\n", "both `cert` and `key`"),
        ("engine: { cert: x }\n", "engine.key: "),
        ("engine: { key: x }\n", "engine.cert: "),
        ("engine: { labels: [provider] }\n", "provider=vcenter"),
        ("engines: [{ url: 'http://a', labels: { a: x, b: x } }]\n", "engines.labels: "),
        ("engines: [{ url: 'http://a', headers: { 'a b': x } }]\n", "not the name of a header"),
        ("engine: { concurrency: 0 }\n", "engine.concurrency"),
    ] {
        let complaint = complaint(text);
        assert!(complaint.contains(said), "{text}: {complaint}");
    }
}
