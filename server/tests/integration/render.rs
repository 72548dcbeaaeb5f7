//! Images of panels and dashboards, as programs and messages fetch them.

use crate::common::{HYPERSCOPE, Program, Server, client, eventually, token};
use reqwest::{Response, StatusCode};
use resvg::tiny_skia::Pixmap;
use serde_json::Value;

async fn get(server: &Server, path: &str) -> Response {
    server.get(path).send().await.unwrap()
}

async fn pixels(server: &Server, path: &str) -> Pixmap {
    let answer = get(server, path).await;
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    assert_eq!(answer.headers()["content-type"], "image/png");
    Pixmap::decode_png(&answer.bytes().await.unwrap()).unwrap()
}

/// The number of pixels with exactly this colour.
fn count(pixmap: &Pixmap, (red, green, blue): (u8, u8, u8)) -> usize {
    pixmap.pixels().iter().filter(|pixel| (pixel.red(), pixel.green(), pixel.blue()) == (red, green, blue)).count()
}

/// From the style sheet: `--panel-bg` and `--series-1` of both themes.
const WHITE: (u8, u8, u8) = (0xff, 0xff, 0xff);
const BLACK: (u8, u8, u8) = (0x15, 0x1b, 0x23);
const GREEN: (u8, u8, u8) = (0x14, 0x78, 0x4a);

#[tokio::test]
async fn every_panel_and_dashboard_has_its_picture() {
    let server = Server::demo(&[]).await;
    for uid in ["hypersdk-overview", "hypersdk-jobs", "hypersdk-system"] {
        let dashboard: Value = server.json(&format!("/api/dashboards/{uid}")).await;
        let mut titles = vec![dashboard["title"].as_str().unwrap().to_owned()];
        for panel in dashboard["panels"].as_array().unwrap() {
            let (id, title) = (panel["id"].as_str().unwrap(), panel["title"].as_str().unwrap());
            let answer = get(&server, &format!("/render/d/{uid}/{id}.svg?width=700&height=300")).await;
            assert_eq!(answer.headers()["content-type"], "image/svg+xml", "{id}");
            let svg = answer.text().await.unwrap();
            assert!(svg.starts_with("<svg xmlns=") && svg.contains("width=\"700\" height=\"300\""), "{svg}");
            assert!(!svg.contains("NaN") && !svg.contains("var(") && !svg.contains("class="), "{uid}/{id}: {svg}");
            assert!(!svg.contains("Query failed") && !svg.contains("No answer yet"), "{uid}/{id}: {svg}");
            titles.push(title.to_owned());
        }
        let whole = get(&server, &format!("/render/d/{uid}.svg")).await.text().await.unwrap();
        for title in titles {
            let title = title.replace('&', "&amp;");
            assert!(whole.contains(&format!(">{title}</text>")), "{uid}: {title}");
        }
        assert!(whole.contains(" UTC"), "the time shown");
        let png = pixels(&server, &format!("/render/d/{uid}.png?width=900")).await;
        assert_eq!(png.width(), 900);
        assert!(png.height() > 400);
    }
}

#[tokio::test]
async fn a_picture_is_as_it_was_asked_for() {
    let server = Server::demo(&[]).await;
    let path = "/render/d/hypersdk-overview/job-completion-rate.png?from=now-3h&to=now&width=640&height=320";
    let light = pixels(&server, path).await;
    assert_eq!((light.width(), light.height()), (640, 320));
    assert!(count(&light, WHITE) > 640 * 320 / 2, "mostly paper");
    assert!(count(&light, GREEN) > 100, "the line of completed jobs");
    let dark = pixels(&server, &format!("{path}&theme=dark")).await;
    assert!(count(&dark, BLACK) > 640 * 320 / 2 && count(&dark, WHITE) == 0);
    let other = pixels(&server, &path.replace("now-3h", "now-15m")).await;
    assert_ne!(other.data(), light.data(), "another time");

    let answer = get(&server, path).await;
    assert!(answer.headers()["cache-control"].to_str().unwrap().starts_with("private, max-age="));
    assert!(answer.headers()["vary"].to_str().unwrap().contains("authorization"));
    let high = pixels(&server, "/render/d/hypersdk-system.png?width=500&height=3000").await;
    assert_eq!((high.width(), high.height()), (500, 3_000));
}

#[tokio::test]
async fn what_cannot_be_drawn_is_told_with_what_to_do() {
    let server = Server::demo(&["--limit-picture-pixels", "1000000"]).await;
    for (path, status, part) in [
        ("/render/d/none.png", 404, "use one of hypersdk-overview"),
        ("/render/d/hypersdk-overview/none.png", 404, "has no panel \"none\": use one of active-jobs"),
        ("/render/d/hypersdk-overview/active-jobs.gif", 404, ".png or .svg"),
        ("/render/d/hypersdk-overview.png?width=wide", 400, "width \"wide\": write a whole number of pixels"),
        ("/render/d/hypersdk-overview.png?width=5", 400, "from 100 to"),
        ("/render/d/hypersdk-overview.png?theme=pink", 400, "light or dark"),
        ("/render/d/hypersdk-overview.png?from=then", 400, "now-6h"),
        ("/render/d/hypersdk-overview.png?width=2000&height=2000", 400, "limits.picture_pixels"),
    ] {
        let answer = get(&server, path).await;
        assert_eq!(answer.status(), status, "{path}");
        let body: Value = answer.json().await.unwrap();
        let message = body["error"]["message"].as_str().unwrap();
        assert!(message.contains(part), "{path}: {message}");
    }
    let answer = server.get_as_nobody("/render/d/hypersdk-overview.png").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_sees_its_dashboards_and_its_series_only() {
    let server = Server::demo(&[]).await;
    let kiosk = ["create", "--name", "wall", "--role", "kiosk", "--dashboards", "hypersdk-jobs"];
    let kiosk = token(server.data_dir.path(), &kiosk).await;
    let aws = ["create", "--name", "aws", "--role", "viewer", "--match", "provider=\"aws\""];
    let aws = token(server.data_dir.path(), &aws).await;
    let ask = async |token: &str, path: &str| {
        let answer = client().get(server.url(path)).bearer_auth(token).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap_or_default())
    };
    eventually("the tokens to hold", async || {
        (ask(&aws, "/render/d/hypersdk-jobs.svg").await.0 == StatusCode::OK).then_some(())
    })
    .await;
    assert_eq!(ask(&kiosk, "/render/d/hypersdk-jobs.svg").await.0, StatusCode::OK);
    let (status, body) = ask(&kiosk, "/render/d/hypersdk-system/goroutines.svg").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(!body.contains("hypersdk-system\"") || body.contains("that you may see"), "{body}");

    let path = "/render/d/hypersdk-jobs/export-throughput.svg?width=1200";
    let whole = server.text(path).await;
    let (_, scoped) = ask(&aws, path).await;
    for other in ["vsphere", "azure", "gcp"] {
        assert!(whole.contains(other) && !scoped.contains(other), "{other}");
    }
    assert!(scoped.contains("aws"));
}

#[tokio::test]
async fn too_many_at_a_time_are_told_to_come_again() {
    let server = Server::demo(&["--limit-pictures", "1"]).await;
    let ask = async || get(&server, "/render/d/hypersdk-overview.png?width=1600").await;
    let answers = futures_util::future::join_all((0..40).map(|_| ask())).await;
    let busy: Vec<&Response> = answers.iter().filter(|answer| answer.status() != StatusCode::OK).collect();
    assert!(!busy.is_empty() && busy.len() < 40, "{} of 40", busy.len());
    for answer in busy {
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.headers().contains_key("retry-after"));
    }
    assert_eq!(ask().await.status(), StatusCode::OK, "and then it goes on");
}

/// Runs `hyperscope render`; returns its exit code and output.
async fn render(args: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut program = Program::start(HYPERSCOPE, &[&["render"], args].concat(), variables);
    let status = program.ended().await;
    (status.code(), format!("{}{}", program.stdout(), program.stderr()))
}

#[tokio::test]
async fn the_command_writes_the_picture_of_a_server() {
    let server = Server::demo(&[]).await;
    let directory = tempfile::TempDir::new().unwrap();
    let out = directory.path().join("memory.png");
    let (file, data_dir) = (out.to_str().unwrap(), server.data_dir.path().to_str().unwrap());
    let url = server.url("");
    let panel = "hypersdk-overview/memory-usage";
    let size = ["--out", file, "--width", "500", "--height", "250", "--theme", "dark", "--from", "now-3h"];

    // By its data directory, without a token.
    let (code, said) = render(&[&[panel, "--data-dir", data_dir], &size[..]].concat(), &[]).await;
    assert_eq!(code, Some(0), "{said}");
    let picture = Pixmap::decode_png(&std::fs::read(&out).unwrap()).unwrap();
    assert_eq!((picture.width(), picture.height()), (500, 250));
    assert!(count(&picture, BLACK) > 500 * 250 / 2);

    // By its address.
    let svg = directory.path().join("all.svg");
    let all = ["hypersdk-jobs", "--out", svg.to_str().unwrap(), "--url", &url];
    let (code, said) = render(&all, &[("HYPERSCOPE_TOKEN", crate::common::TOKEN)]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(std::fs::read_to_string(&svg).unwrap().contains(">Job Throughput</text>"));
    let (code, said) = render(&all, &[]).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("--token-file"), "{said}");
    let (code, said) = render(&["hypersdk-jobs/none", "--out", file, "--data-dir", data_dir], &[]).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("no panel \"none\""), "{said}");
}

#[tokio::test]
async fn the_command_draws_stored_series_where_no_server_runs() {
    let server = Server::serve(&[]).await;
    let now_ms = crate::common::now_ms();
    let samples: Vec<(i64, f64)> = (0..60).map(|minute| (now_ms - minute * 60_000, 20.0)).rev().collect();
    let series = crate::common::series("hypersdk_goroutines", &[("daemon", "d1")], &samples);
    let answer = crate::common::write(&server, vec![series]).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    let data_dir = server.data_dir.clone();
    server.stop().await;
    let out = data_dir.path().join("goroutines.svg");
    let (file, directory) = (out.to_str().unwrap(), data_dir.path().to_str().unwrap());
    let panel = ["hypersdk-system/goroutines", "--out", file, "--data-dir", directory];
    let (code, said) = render(&panel, &[]).await;
    assert_eq!(code, Some(0), "{said}");
    let svg = std::fs::read_to_string(&out).unwrap();
    assert!(svg.contains(">d1<") && svg.contains(">20<"), "{svg}");

    let empty = tempfile::TempDir::new().unwrap();
    let panel = ["hypersdk-system/goroutines", "--out", file, "--data-dir", empty.path().to_str().unwrap()];
    let (code, said) = render(&panel, &[]).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("no server runs on"), "{said}");
}
