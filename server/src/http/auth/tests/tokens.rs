//! Tokens that are created and revoked while a server runs.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use access::NewToken;
use axum::http::StatusCode;
use model::{clock::now_ms, role::Role};

use super::server::{Server, client};

/// Waits until the server refuses the token, at most 10 seconds.
async fn until_refused(server: &Server, secret: &str) {
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(10) {
        let response = client().get(server.url("/api/thing")).bearer_auth(secret).send().await.unwrap();
        if response.status() == StatusCode::UNAUTHORIZED {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the token is still good");
}

/// A script creates a token on the command line and uses it in the next command.
#[tokio::test]
async fn a_token_created_by_another_process_is_valid_at_once() {
    let server = Server::start().await;
    for number in 0..5 {
        let (_, secret) = server.token(Role::Viewer).await;
        let response = client().get(server.url("/api/thing")).bearer_auth(secret).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "token {number}");
    }
}

#[tokio::test]
async fn a_token_revoked_by_another_process_ends_here_too() {
    let server = Server::start().await;
    let (token, secret) = server.token(Role::Viewer).await;
    let (_, kept) = server.token(Role::Viewer).await;
    let session = server.log_in(&secret).await;
    server.tokens.revoke(&token.id).await.unwrap();
    until_refused(&server, &secret).await;
    let by_session = client().get(server.url("/api/thing")).header("cookie", session).send().await.unwrap();
    assert_eq!(by_session.status(), StatusCode::UNAUTHORIZED);
    let other = client().get(server.url("/api/thing")).bearer_auth(kept).send().await.unwrap();
    assert_eq!(other.status(), StatusCode::OK);
    assert!(server.tokens.revoke(&token.id).await.is_err());
}

#[tokio::test]
async fn a_pending_request_ends_with_its_token() {
    let server = Server::start().await;
    let (token, secret) = server.token(Role::Viewer).await;
    let waiting = client().get(server.url("/api/endless")).bearer_auth(&secret).timeout(Duration::from_secs(20)).send();
    let revoked = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        server.tokens.revoke(&token.id).await.unwrap();
    };
    let (answer, ()) = tokio::join!(waiting, revoked);
    assert_eq!(answer.expect("an answer once the token has ended").status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_expires_by_itself() {
    let server = Server::start().await;
    let end_ms = now_ms() + 1_500;
    let new = NewToken {
        name: "short".into(),
        role: Role::Viewer,
        expires_at: Some(end_ms),
        dashboards: Vec::new(),
        matchers: String::new(),
    };
    let (_, secret) = server.token_with(new).await;
    until_refused(&server, &secret).await;
    assert!(now_ms() >= end_ms);
}

#[tokio::test]
async fn an_invalid_token_is_not_created() {
    let server = Server::start().await;
    let new = |name: &str, role, dashboards: &[&str]| NewToken {
        name: name.into(),
        role,
        expires_at: None,
        dashboards: dashboards.iter().map(|uid| (*uid).to_owned()).collect(),
        matchers: String::new(),
    };
    for wrong in [
        new("", Role::Viewer, &[]),
        new("a\nb", Role::Viewer, &[]),
        new(&"a".repeat(101), Role::Viewer, &[]),
        new("a", Role::Viewer, &["a"]),
        new("a", Role::Kiosk, &["a/b"]),
        new("a", Role::Kiosk, &[""]),
        NewToken { expires_at: Some(1), ..new("a", Role::Viewer, &[]) },
    ] {
        assert!(server.tokens.create(wrong.clone()).await.is_err(), "{wrong:?}");
    }
    assert!(server.tokens.list(0).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_with_advice() {
    let server = Server::start().await;
    let data_dir = server.stop().await;
    let pool = database::open(data_dir.path()).await.unwrap();
    sqlx::query("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (999, 'future', 1, x'00', 0)")
        .execute(&pool)
        .await
        .unwrap();
    let error = database::open(data_dir.path()).await.unwrap_err().to_string();
    assert!(
        error.contains("newer hyperscope") && error.contains("999") && error.contains("another data directory"),
        "{error}"
    );
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let data_dir = tempfile::tempdir().unwrap();
    let file = data_dir.path().join("hyperscope.db");
    std::fs::write(&file, "these are my notes, not a database, and they are longer than a header".repeat(20)).unwrap();
    let before = std::fs::read(&file).unwrap();
    let error = database::open(data_dir.path()).await.unwrap_err().to_string();
    assert!(error.contains("hyperscope.db") && error.contains("not a database"), "{error}");
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[tokio::test]
async fn lists_have_all_valid_tokens_and_a_limited_number_of_others() {
    let server = Server::start().await;
    let (first, _) = server.token(Role::Admin).await;
    let (second, _) = server.token(Role::Viewer).await;
    let pool = database::open(server.data_dir.path()).await.unwrap();
    sqlx::query(
        "WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < 1200)
         INSERT INTO tokens (id, name, role, hash, created_at, revoked_at)
         SELECT 'old-' || number, 'old', 'viewer', randomblob(32), number, number FROM numbers",
    )
    .execute(&pool)
    .await
    .unwrap();
    let listed: Vec<String> = server.tokens.list(now_ms()).await.unwrap().into_iter().map(|token| token.id).collect();
    assert_eq!(listed.len(), 1_002);
    assert_eq!((&*listed[0], &*listed[999]), ("old-201", "old-1200"), "those that ended last");
    assert!(listed.contains(&first.id) && listed.contains(&second.id));

    let newest = async |now_ms: i64, most: u32| {
        let (tokens, count) = server.tokens.newest(now_ms, most).await.unwrap();
        (tokens.into_iter().map(|token| token.id).collect::<BTreeSet<_>>(), count)
    };
    assert_eq!(newest(now_ms(), 100).await, (BTreeSet::from([first.id, second.id]), 2));
    assert_eq!(newest(now_ms(), 1).await.1, 2);
}
