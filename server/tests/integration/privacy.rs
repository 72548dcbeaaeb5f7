//! Stored files are readable by the server's own user only, and the server warns about files that others can read.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc};

use crate::common::{Server, eventually};
use tempfile::TempDir;

/// Files and directories below a directory that others may read or enter.
fn open_to_others(directory: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        // The store renames and removes its own files meanwhile.
        let Ok(about) = entry.metadata() else { continue };
        if about.permissions().mode() & 0o077 != 0 {
            found.push(format!("{} {:o}", entry.path().display(), about.permissions().mode()));
        }
        if about.is_dir() {
            open_to_others(&entry.path(), found);
        }
    }
}

#[tokio::test]
async fn what_is_made_is_private_and_what_was_open_is_told() {
    let data_dir = Arc::new(TempDir::new().unwrap());
    let open = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    open(data_dir.path(), 0o755);
    let dashboards = data_dir.path().join("dashboards");
    fs::create_dir(&dashboards).unwrap();
    open(&dashboards, 0o700);
    let key = data_dir.path().join("daemon.key");
    fs::write(&key, "the-key-of-a-daemon").unwrap();
    open(&key, 0o604);
    let args = ["--daemon-url", "http://127.0.0.1:9", "--daemon-key-file", key.to_str().unwrap()];
    let server = Server::start("serve", Arc::clone(&data_dir), &args).await;
    server.text("/").await;
    let snapshot = server.post("/api/v1/admin/tsdb/snapshot").send().await.unwrap();
    assert!(snapshot.status().is_success(), "{}", snapshot.text().await.unwrap());
    eventually("the warnings", async || {
        let log = server.program.stderr();
        (log.contains("every user of this machine may read what is stored here")
            && log.contains("daemon.key")
            && log.contains("which holds secrets: chmod o= "))
        .then_some(())
    })
    .await;
    open(&key, 0o600);
    let mut found = Vec::new();
    open_to_others(data_dir.path(), &mut found);
    assert!(found.is_empty(), "{found:#?}");
}

#[tokio::test]
async fn a_line_of_the_log_is_not_forged_by_what_is_asked_for() {
    let server = Server::serve(&[]).await;
    let forged = "up{\n2026-01-01T00:00:00.000000Z  INFO audit: action=\"token.create\"\x1b[2K";
    let path: String = form_urlencoded::byte_serialize(forged.as_bytes()).collect();
    let mut live = crate::common::Live::open(&server).await;
    live.subscribe_query(1, forged, 60_000, 1_000).await;
    live.expect(1, "error").await;
    for path in [format!("/api/v1/query?query={path}"), format!("/login?token={path}"), format!("/d/{path}")] {
        let _ = server.get(&path).send().await.unwrap();
    }
    let wrong = [("token", forged)];
    for _ in 0..3 {
        let _ = server.post("/login").form(&wrong).send().await.unwrap();
    }
    server.text("/").await;
    let log = server.program.stderr();
    assert!(!log.lines().any(|line| line.starts_with("2026-01-01")) && !log.contains('\x1b'), "{log}");
}
