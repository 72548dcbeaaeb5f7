//! Displays: playlists, dashboards whose files change, single panels, and walls that the configuration names.

use std::path::Path;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::common::{Server, client, eventually, token};

/// Whether the page has this heading.
fn is_headed(html: &str, title: &str) -> bool {
    html.replace("<!>", "").contains(&format!(">{title}</h1>"))
}

/// Where a browser without scripts goes next, and after how many seconds.
fn refresh(html: &str) -> Option<&str> {
    html.split_once("http-equiv=\"refresh\" content=\"")?.1.split('"').next()
}

#[tokio::test]
async fn a_playlist_goes_round_without_scripts_below_any_path() {
    let server = Server::serve(&["--public-url", "http://127.0.0.1:1/scope"]).await;
    let html = server.text("/kiosk/hypersdk-jobs,nope,hypersdk-system?interval=1m&from=now-6h").await;
    assert!(is_headed(&html, "Job performance"));
    assert!(html.contains("There is no dashboard"), "it says what it leaves out");
    let next = refresh(&html).unwrap();
    assert_eq!(next, "60;url=/scope/kiosk/hypersdk-jobs,nope,hypersdk-system?interval=1m&amp;from=now-6h&amp;at=1");
    let next = next.split_once("url=/scope").unwrap().1.replace("&amp;", "&");
    let html = server.text(&next).await;
    assert!(is_headed(&html, "System resources"));
    assert!(refresh(&html).unwrap().ends_with("&amp;at=0"));
    assert_eq!(refresh(&server.text("/kiosk/hypersdk-jobs").await), Some("15"), "one alone is only renewed");
    assert_eq!(server.get("/kiosk/nope,neither").send().await.unwrap().status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_display_has_the_zone_the_size_and_the_theme_of_its_address() {
    let server = Server::serve(&[]).await;
    let html = server.text("/kiosk/hypersdk-jobs?distance=10m&zone=Asia%2FKolkata&theme=dark&alarm=takeover").await;
    let root = html.split_once("<html").unwrap().1.split('>').next().unwrap();
    for part in ["--distance:10", "data-zone=\"Asia/Kolkata\"", "data-theme=\"dark\"", "data-takeover"] {
        assert!(root.contains(part), "{part} is not in {root}");
    }
    let html = server.text("/d/hypersdk-jobs?chrome=none&zone=Mars&alarm=takeover").await;
    let root = html.split_once("<html").unwrap().1.split('>').next().unwrap();
    assert!(root.contains("data-bare") && !root.contains("data-zone") && !root.contains("data-takeover"), "{root}");
}

#[tokio::test]
async fn one_panel_is_a_page_for_whoever_sees_its_dashboard() {
    let server = Server::serve(&[]).await;
    let html = server.text("/d/hypersdk-system/goroutines").await;
    assert_eq!(html.matches("<section id=\"panel-").count(), 1);
    assert!(!html.contains("hypersdk_memory"), "of the others nothing is sent");
    for path in ["/d/hypersdk-system/nope", "/d/nope/goroutines"] {
        assert_eq!(server.get(path).send().await.unwrap().status(), StatusCode::NOT_FOUND, "{path}");
    }
    let args = ["create", "--name", "frame", "--role", "kiosk", "--dashboards", "hypersdk-jobs"];
    let secret = token(server.data_dir.path(), &args).await;
    let status = async |path: &str| client().get(server.url(path)).bearer_auth(&secret).send().await.unwrap().status();
    let seen = "/d/hypersdk-jobs/job-throughput";
    eventually("the token counts", async || (status(seen).await == StatusCode::OK).then_some(())).await;
    assert_eq!(status("/d/hypersdk-system/goroutines").await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn dashboards_follow_their_files_and_survive_broken_ones() {
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("hall.yaml");
    let write = |title: &str| std::fs::write(&file, format!("uid: hall\ntitle: {title}\npanels: []\n")).unwrap();
    write("First");
    let server = Server::serve(&["--dashboards-dir", files.path().to_str().unwrap()]).await;
    let has = async |uid: &str, part: &str| {
        eventually(part, async || {
            let answer = server.get(&format!("/d/{uid}")).send().await.unwrap();
            let html = answer.text().await.unwrap();
            (html.contains(part) || is_headed(&html, part)).then_some(())
        })
        .await;
    };
    has("hall", "First").await;
    write("Second");
    has("hall", "Second").await;
    std::fs::write(&file, "uid: hall\ntitle: Third\npannels: []\n").unwrap();
    has("hall", "hall.yaml:3:1").await;
    std::fs::write(files.path().join("new.yml"), "uid: new\ntitle: New\npanels: []\n").unwrap();
    has("new", "New").await;
    let page = server.text("/d/hall").await;
    assert!(is_headed(&page, "Second"), "what it was stays");
    std::fs::remove_file(&file).unwrap();
    has("hall", "There is no dashboard at this address.").await;
}

fn configuration(directory: &Path) -> String {
    let file = directory.join("config.yaml");
    let walls = "walls:\n  - { name: hall, dashboards: [hypersdk-jobs, hypersdk-system], seconds: 20, distance: 6m }\n";
    std::fs::write(&file, walls).unwrap();
    file.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_wall_reports_is_steered_and_is_measured() {
    let directory = tempfile::tempdir().unwrap();
    let config = configuration(directory.path());
    let server = Server::serve(&["--config", &config]).await;
    let address = "/kiosk/hypersdk-jobs,hypersdk-system?interval=20s&distance=6m&wall=hall";
    let opened = server.get("/wall/hall").send().await.unwrap();
    assert_eq!((opened.status(), opened.headers()["location"].to_str().unwrap()), (StatusCode::SEE_OTHER, address));
    assert_eq!(server.get("/wall/nope").send().await.unwrap().status(), StatusCode::NOT_FOUND);

    let report = async || -> Value {
        let path = "/api/walls/hall/report?shows=hypersdk-jobs&width=1920&height=1080";
        server.post(path).send().await.unwrap().json().await.unwrap()
    };
    assert_eq!(report().await, json!({ "address": address, "show": "", "steps": 0 }));
    let steer = async |body: Value| server.post("/api/walls/hall/steer").json(&body).send().await.unwrap().status();
    assert_eq!(steer(json!({ "action": "next" })).await, StatusCode::OK);
    assert_eq!(steer(json!({ "action": "pin", "dashboard": "hypersdk-system" })).await, StatusCode::OK);
    assert_eq!(report().await, json!({ "address": address, "show": "hypersdk-system", "steps": 1 }));
    for wrong in
        [json!({ "action": "jump" }), json!({ "action": "pin", "dashboard": "nope" }), json!({ "act": "next" })]
    {
        assert_eq!(steer(wrong.clone()).await, StatusCode::BAD_REQUEST, "{wrong}");
    }
    let walls = server.json("/api/walls").await;
    let hall = &walls["walls"][0];
    assert_eq!((&hall["shows"], &hall["pinned"]), (&json!("hypersdk-jobs"), &json!("hypersdk-system")));
    assert_eq!((&hall["is_late"], &hall["size"]), (&json!(false), &json!([1_920, 1_080])));
    let page = server.text("/walls").await;
    assert!(page.contains("Job performance") && page.contains("/do/steer-wall"), "{page}");

    eventually("the age of the report", async || {
        let metrics = server.text("/metrics").await;
        metrics.contains("hyperscope_wall_report_age_seconds{wall=\"hall\"}").then_some(())
    })
    .await;
}

#[tokio::test]
async fn walls_are_checked_when_the_server_starts() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.yaml");
    std::fs::write(&file, "walls:\n  - { name: hall, dashboards: [a], seconds: 1 }\n").unwrap();
    let arguments = ["check", "config", file.to_str().unwrap()];
    let mut program = crate::common::Program::start(crate::common::HYPERSCOPE, &arguments, &[]);
    assert!(!program.ended().await.success());
    assert!(program.stderr().contains("walls: hall: The interval \"1s\""), "{}", program.stderr());
}
