//! The program at a terminal: its output and its exit codes.

use std::{
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;

/// Runs the program with an empty environment.
fn run(directory: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hyperscope"));
    command.args(arguments).current_dir(directory).env("HOME", directory);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HYPERSCOPE_") || name == "RUST_LOG" || name == "XDG_DATA_HOME" {
            command.env_remove(name);
        }
    }
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

#[test]
fn help_is_complete_and_goes_to_stdout() {
    let home = TempDir::new().unwrap();
    let (code, stdout, stderr) = run(home.path(), &["--help"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    for command in ["demo", "serve", "daemon-sim", "token", "check", "render", "dashboard", "bundle", "healthcheck"] {
        assert!(stdout.contains(&format!("\n  {command} ")), "{command} is missing: {stdout}");
        let (code, stdout, _) = run(home.path(), &[command, "--help"]);
        assert_eq!(code, 0);
        assert!(stdout.contains("Usage: hyperscope") && stdout.len() > 200, "{command}: {stdout}");
    }
    assert!(run(home.path(), &["--version"]).1.starts_with("hyperscope "));
}

#[test]
fn wrong_use_ends_with_2_and_says_what_is_right() {
    let home = TempDir::new().unwrap();
    for (arguments, said) in [
        (&["tokne"][..], "'token'"),
        (&["token", "create", "--name", "a"], "--role"),
        (&["token", "create", "--name", "a", "--role", "root"], "use viewer, kiosk, operator, admin, ingest or scrape"),
        (&["token", "create", "--name", "a", "--role", "viewer", "--expires", "soon"], "\"soon\" is not a duration"),
        (&["healthcheck", "--listen", "3030"], "is not an address to listen on"),
        (&["render", "hypersdk-overview"], "--out"),
        (&["render", "hypersdk-overview", "--out", "a.gif"], ".png or .svg"),
        (&["render", "hypersdk-overview", "--out", "a.png", "--from", "then"], "now-6h"),
        (&["render", "hypersdk-overview", "--out", "a.png", "--theme", "pink"], "light, dark"),
        (&[], "Usage"),
    ] {
        let (code, stdout, stderr) = run(home.path(), arguments);
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(stderr.contains(said), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_token_is_made_listed_and_revoked() {
    let home = TempDir::new().unwrap();
    let data = ["--data-dir", "data"];
    let token = |arguments: &[&str]| run(home.path(), &[&["token"], arguments, &data].concat());
    let (code, stdout, stderr) =
        token(&["create", "--name", "hall", "--role", "kiosk", "--dashboards", "a,b", "--expires", "30d"]);
    assert_eq!(code, 0, "{stderr}");
    let secret = stdout.trim();
    assert_eq!((secret.len(), &secret[..3]), (52, "hs_"));
    assert!(!stderr.contains(secret) && stderr.contains("audit") && stderr.contains("hall"), "{stderr}");

    let (_, listed, _) = token(&["list"]);
    let line = listed.lines().nth(1).unwrap().to_owned();
    for part in ["hall", "kiosk", "valid", "in 29d23h59m", "a,b"] {
        assert!(line.contains(part), "{line} should have {part}");
    }
    assert!(!listed.contains(secret));

    let id = line.split_whitespace().next().unwrap();
    assert_eq!(token(&["revoke", id]).0, 0);
    assert!(token(&["list"]).1.lines().nth(1).unwrap().contains("revoked"));
    let (code, stdout, stderr) = token(&["revoke", id]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(stderr.starts_with("error: there is no token"), "{stderr}");
}

#[test]
fn a_token_that_could_not_be_enforced_is_refused() {
    let home = TempDir::new().unwrap();
    for (arguments, said) in [
        (&["--role", "ingest", "--match", "provider=\"aws\""][..], "match"),
        (&["--role", "viewer", "--match", "provider="], "match"),
        (&["--role", "viewer", "--dashboards", "a"], "only a token of role kiosk"),
    ] {
        let (code, stdout, stderr) = run(home.path(), &[&["token", "create", "--name", "a"], arguments].concat());
        assert_eq!((code, stdout.as_str()), (1, ""));
        assert!(stderr.starts_with("error: ") && stderr.contains(said) && stderr.lines().count() == 1, "{stderr}");
    }
}

#[test]
fn the_data_directory_is_named_by_flag_variable_or_file() {
    let home = TempDir::new().unwrap();
    let (code, _, stderr) = run(home.path(), &["token", "list", "--data-dir", "nowhere"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("there are no tokens in nowhere") && !home.path().join("nowhere").exists(), "{stderr}");

    std::fs::create_dir(home.path().join("etc")).unwrap();
    std::fs::write(home.path().join("etc/h.yaml"), "data_dir: data\n").unwrap();
    let create = ["token", "create", "--name", "a", "--role", "viewer"];
    assert_eq!(run(home.path(), &[&create[..], &["--config", "etc/h.yaml"]].concat()).0, 0);
    assert!(home.path().join("etc/data/hyperscope.db").exists());
    assert_eq!(run(home.path(), &create).0, 0);
    assert!(home.path().join(".local/share/hyperscope/hyperscope.db").exists());
}

#[test]
fn files_are_checked() {
    let home = TempDir::new().unwrap();
    let write = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    write("good.yaml", "listen: 127.0.0.1:0\nlimits: { points: 5 }\n");
    write("bad.yaml", "listen: 127.0.0.1:0\nretension: 5d\n");
    write("contradiction.yaml", "listen: 0.0.0.0:1\ninsecure_no_auth: true\n");
    write("rules.yaml", "groups:\n- name: a\n  rules:\n  - { alert: A, expr: up == 0, for: 5m }\n");
    write("bad-rules.yaml", "groups:\n- name: a\n  rules:\n  - alert: A\n    expr: sum(\n");
    std::fs::create_dir(home.path().join("mine")).unwrap();
    write("mine/mine.yaml", "uid: mine\ntitle: My own\npanels: []\n");
    let panel = "id: a\n  title: A\n  kind: stat\n  width: 4\n  height: 4\n  queries: [{ expr: 'sum(' }]\n";
    write("bad-dashboard.yaml", &format!("uid: x\ntitle: X\npanels:\n- {panel}"));
    for (what, file, code, said) in [
        ("config", "good.yaml", 0, "good.yaml: ok\n"),
        ("config", "bad.yaml", 1, "error: bad.yaml:2:1: unknown key `retension`: did you mean `retention`?\n"),
        ("config", "contradiction.yaml", 1, "error: contradiction.yaml: insecure_no_auth: refused"),
        ("config", "none.yaml", 1, "error: none.yaml: No such file"),
        ("rules", "rules.yaml", 0, "rules.yaml: ok, 1 rule"),
        ("dashboard", "mine/mine.yaml", 0, "mine/mine.yaml: ok\n"),
        ("dashboard", "bad-dashboard.yaml", 1, "error: bad-dashboard.yaml:4:3: panel \"a\": query \"sum(\""),
        ("dashboard", "bad.yaml", 1, "error: bad.yaml:1:1: unknown key `listen`"),
        ("rules", "bad-rules.yaml", 1, "error: bad-rules.yaml:5:11: "),
    ] {
        let (ended, stdout, stderr) = run(home.path(), &["check", what, file]);
        assert_eq!(ended, code, "{what} {file}: {stderr}");
        assert!(format!("{stdout}{stderr}").starts_with(said), "{what} {file}: {stdout}{stderr}");
    }
}

#[test]
fn dashboards_are_listed() {
    let home = TempDir::new().unwrap();
    std::fs::write(home.path().join("mine.yaml"), "uid: mine\ntitle: My own\npanels: []\n").unwrap();
    let (code, stdout, stderr) = run(home.path(), &["dashboard", "list", "--dashboards-dir", "."]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(
        stdout.contains("hypersdk-overview  ") && stdout.contains("mine ") && stdout.contains("  My own\n"),
        "{stdout}"
    );
}

#[test]
fn a_server_that_is_not_there_is_not_healthy() {
    let home = TempDir::new().unwrap();
    // A port that was bound, and on which nobody listens after the drop.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, stdout, stderr) = run(home.path(), &["healthcheck", "--listen", &address.to_string()]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(stderr.starts_with("error: http://127.0.0.1:") && stderr.contains("does not answer"), "{stderr}");
}
