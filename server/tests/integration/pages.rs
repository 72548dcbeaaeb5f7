//! The pages as HTML, as browsers without scripts show them, and their headers.

use std::path::Path;

use crate::common::{Server, Simulator, client, eventually, now_ms, series, token, write};
use model::dashboard::{Dashboard, PanelKind};
use reqwest::{Response, header::HeaderMap};

/// Path and dashboard file of each page.
const PAGES: [(&str, &str); 3] =
    [("/", "hypersdk-overview"), ("/jobs", "hypersdk-jobs"), ("/system", "hypersdk-system")];

fn dashboard(uid: &str) -> Dashboard {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../dashboards/{uid}.yaml"));
    serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// The texts between two marks, for each occurrence.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Vec<&'a str> {
    text.split(start).skip(1).map(|rest| rest.split(end).next().unwrap()).collect()
}

/// The page without its scripts' contents, and without the marks between its pieces.
fn without_scripts(html: &str) -> String {
    let mut rest = html;
    let mut kept = String::new();
    while let Some((before, script)) = rest.split_once("<script") {
        kept.push_str(before);
        rest = script.split_once("</script>").expect("a script that ends").1;
    }
    (kept + rest).replace("<!>", "")
}

/// The HTML of a panel.
fn panel<'a>(html: &'a str, id: &str) -> &'a str {
    let start = html.find(&format!("<section id=\"panel-{id}\"")).unwrap_or_else(|| panic!("no panel {id}"));
    html[start..].split("</section>").next().unwrap()
}

/// The visible text.
fn words(html: &str) -> String {
    html.split('<').filter_map(|piece| piece.split_once('>')).map(|(_, text)| text).collect::<Vec<_>>().join(" ")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[tokio::test]
async fn every_panel_is_in_the_page_with_its_picture() {
    let server = Server::demo(&[]).await;
    for (path, uid) in PAGES {
        for path in [path.to_owned(), format!("/d/{uid}"), format!("/kiosk/{uid}")] {
            let html = without_scripts(&server.text(&path).await);
            assert!(html.contains("<meta http-equiv=\"refresh\" content=\"15\">"), "{path} stands still");
            for of_file in dashboard(uid).panels {
                let panel = panel(&html, &of_file.id);
                let read = words(panel);
                let name = format!("{path}: {}", of_file.title);
                assert!(panel.contains(&format!(">{}</h2>", escaped(&of_file.title))), "{name}");
                assert!(!read.contains("NaN") && !read.contains("undefined"), "{name}: {read}");
                if matches!(
                    of_file.kind,
                    PanelKind::Timeseries | PanelKind::Pie | PanelKind::Heatmap | PanelKind::Gauge
                ) {
                    let pictures = between(panel, "<svg", "</svg>");
                    assert!(pictures.iter().any(|svg| svg.contains("<p")), "{name} has no picture");
                }
                if of_file.kind == PanelKind::Stat {
                    assert!(read.chars().any(|letter| letter.is_ascii_digit()), "{name} has no value: {read}");
                }
            }
        }
    }
}

#[tokio::test]
async fn values_of_a_page_are_those_of_its_queries() {
    let simulator = Simulator::start("documented", &["--jobs-per-minute", "0"]).await;
    for number in 0..3 {
        let job = simulator.submit(&format!("job {number}")).await;
        simulator.change(&job, "progress?percent=10").await;
    }
    let daemon = simulator.named("sim");
    let server = Server::serve(&["--daemon-url", &daemon, "--scrape-interval", "1s"]).await;
    crate::common::eventually("a scrape", async || {
        let active = server.query("sum(hypersdk_jobs_active)").await;
        active.first().is_some_and(|(_, value)| *value == 3.0).then_some(())
    })
    .await;
    let html = crate::common::eventually("the value on the page", async || {
        let html = server.text("/").await;
        let read = words(panel(&html, "active-jobs"));
        read.split_whitespace().any(|word| word == "3").then_some(html)
    })
    .await;
    // No job has ended: the rate is then neither 0 nor 100 %.
    let rate = words(panel(&html, "job-success-rate"));
    assert!(!rate.contains("0 %") && !rate.contains("NaN"), "{rate}");
    let sources = words(panel(&server.text("/system").await, "sources"));
    assert!(sources.contains("sim") && sources.contains("live"), "{sources}");
}

#[tokio::test]
async fn a_page_drawn_before_shows_what_is_known_now_and_to_each_what_is_theirs() {
    let dashboards = tempfile::tempdir().unwrap();
    let text = "uid: levels\ntitle: Levels\npanels:\n  - {id: level, title: Level, kind: stat, width: 6, height: 4, \
                queries: [{expr: max(level), instant: true}]}\n";
    std::fs::write(dashboards.path().join("levels.yaml"), text).unwrap();
    let server = Server::serve(&["--dashboards-dir", dashboards.path().to_str().unwrap()]).await;
    let limited =
        token(server.data_dir.path(), &["create", "--name", "b", "--role", "viewer", "--match", r#"site="b""#]).await;
    let shown = async |token: &str| {
        let page = client().get(server.url("/d/levels")).bearer_auth(token).send().await.unwrap();
        words(panel(&without_scripts(&page.text().await.unwrap()), "level"))
    };
    for (of_a, of_b) in [(411, 77), (422, 88)] {
        let sites = [("a", of_a), ("b", of_b)];
        let now_ms = now_ms();
        let samples = sites.map(|(site, value)| series("level", &[("site", site)], &[(now_ms, f64::from(value))]));
        assert_eq!(write(&server, samples.to_vec()).await.status(), 204);
        for (token, value) in [(crate::common::TOKEN, of_a), (&limited, of_b)] {
            let first = eventually("the newest value", async || {
                Some(shown(token).await).filter(|shown| shown.contains(&value.to_string()))
            })
            .await;
            assert_eq!(shown(token).await, first, "and again");
        }
    }
}

#[tokio::test]
async fn ranges_relative_and_absolute_are_shown() {
    let server = Server::demo(&[]).await;
    let now = now_ms();
    let absolute = format!("/jobs?from={}&to={}", now - 20 * 60_000, now - 5 * 60_000);
    for path in ["/jobs?from=now-15m&to=now", "/jobs?from=now-30m&to=now-10m", &absolute, "/jobs?from=now-2d&to=now"] {
        // A busy machine may answer with a panel that is still loading.
        crate::common::eventually(&format!("a line on {path}"), async || {
            let html = without_scripts(&server.text(path).await);
            let pictures = between(panel(&html, "export-throughput"), "<svg", "</svg>");
            pictures.iter().any(|svg| svg.contains("<polyline") || svg.contains("<path")).then_some(())
        })
        .await;
    }
    // A time before any data.
    let empty = server.text("/jobs?from=1000000000000&to=1000000900000").await;
    let read = words(panel(&empty, "job-throughput"));
    assert!(!read.contains("NaN") && !read.contains(" 0 jobs"), "absent is not zero: {read}");
    // An invalid range shows the default one.
    let html = server.text("/jobs?from=later&to=sooner").await;
    assert!(words(&without_scripts(&html)).contains("Last 1 hour"));
}

#[tokio::test]
async fn times_that_a_browser_sends_by_itself_are_those_that_its_form_showed() {
    let server = Server::serve(&["--rules-builtin=false"]).await;
    let get = async |path: &str| server.get(path).header("cookie", "hyperscope_tz=Europe/Berlin").send().await.unwrap();
    let page = get("/jobs?from=2026-07-01T06:00&to=2026-07-01T07:00&refresh=1m").await.text().await.unwrap();
    let form = between(&page, "class=\"custom-range\"", "</form>")[0];
    let fields = between(form, "<input ", ">").into_iter().map(|field| {
        let value = |name: &str| between(field, &format!("{name}=\""), "\"").first().copied().unwrap_or_default();
        (value("name"), value("value"))
    });
    let sent: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let answer = get(&format!("/jobs?{sent}")).await;
    let address = header(answer.headers(), "location").to_owned();
    assert_eq!(address, "?from=1782885600000&to=1782889200000&refresh=1m", "{sent}");
    let shown = get(&format!("/jobs{address}")).await.text().await.unwrap();
    assert!(words(&shown).contains("2026-07-01 08:00 to 2026-07-01 09:00"), "{sent}");
    // A path that looks like another host redirects nowhere else.
    let answer = get("//other.test/?from=now-1h&tz=UTC").await;
    assert_eq!((answer.status().as_u16(), header(answer.headers(), "location")), (303, "?from=now-1h"));
}

#[tokio::test]
async fn pages_are_of_a_sane_size() {
    let server = Server::demo(&["--history", "6h"]).await;
    for (path, _) in PAGES {
        for path in [path.to_owned(), format!("{path}?from=now-6h&to=now")] {
            let len = server.text(&path).await.len();
            assert!((8 << 10..300 << 10).contains(&len), "{path}: {len} bytes");
        }
    }
}

#[tokio::test]
async fn what_is_not_there_says_so_and_leads_back() {
    let server = Server::demo(&[]).await;
    for path in ["/d/no-such-dashboard", "/jobs/demo/no-such-job", "/kiosk/no-such-dashboard", "/no/such/page"] {
        let answer = server.get(path).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
        let text = answer.text().await.unwrap();
        assert!(text.contains("href=\"/\""), "{path}: {text}");
    }
    let answer = server.get("/api/no-such-endpoint").send().await.unwrap();
    assert_eq!(answer.status(), 404);
    let answer: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(answer["error"]["code"], "not_found");
}

#[tokio::test]
async fn explore_answers_in_the_page() {
    let server = Server::demo(&[]).await;
    let table = without_scripts(&server.text("/explore?expr=1%2B1&type=instant").await);
    assert!(table.contains("<td class=\"explore-value\">2</td>"), "{table}");
    assert!(words(&table).contains("1 series at "), "{table}");
    let chart = without_scripts(&server.text("/explore?expr=vector(3)&window=15m&step=30s").await);
    assert!(chart.contains("<svg class=\"plot\"") && words(&chart).contains("every 30s"), "{chart}");
    eventually("metrics to choose from", async || {
        let form = server.text("/fragments/explore").await;
        form.contains("<option value=\"hypersdk_jobs_active\">").then_some(())
    })
    .await;
    let wrong = without_scripts(&server.text("/explore?expr=sum(up").await);
    assert!(words(&wrong).contains("1:7: parse error: unclosed left parenthesis"), "{wrong}");
    let nothing = words(&server.text("/explore?expr=no_such_metric").await);
    assert!(nothing.contains("Nothing found") && nothing.contains("0 series"), "{nothing}");
    let unknown = words(&server.text("/explore?expr=up&engine=far").await);
    assert!(unknown.contains("there is no engine"), "{unknown}");
    let empty = words(&server.text("/explore").await);
    assert!(empty.contains("Queries to begin with"), "{empty}");
}

#[tokio::test]
async fn nobody_is_led_to_the_login_and_back() {
    let server = Server::demo(&[]).await;
    for (path, next) in [
        ("/", "/login?next=%2F"),
        ("/jobs?from=now-15m&to=now", "/login?next=%2Fjobs%3Ffrom%3Dnow-15m%26to%3Dnow"),
        ("/d/hypersdk-system", "/login?next=%2Fd%2Fhypersdk-system"),
        ("/settings", "/login?next=%2Fsettings"),
    ] {
        let answer = server.get_as_nobody(path).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), &answer.headers()["location"].to_str().unwrap()), (303, &next));
        assert!(answer.text().await.unwrap().is_empty());
    }
    let login = server.get_as_nobody("/login?next=%2Fjobs").send().await.unwrap();
    assert_eq!(login.status(), 200);
    assert!(login.text().await.unwrap().contains("<form"));
    for api in ["/api/jobs", "/api/v1/query?query=up", "/metrics"] {
        assert_eq!(server.get_as_nobody(api).send().await.unwrap().status(), 401, "{api}");
    }
    for open in ["/health", "/ready", "/-/healthy", "/-/ready"] {
        assert_eq!(server.get_as_nobody(open).send().await.unwrap().status(), 200, "{open}");
    }
}

#[tokio::test]
async fn a_kiosk_sees_its_dashboard_and_nothing_else() {
    let server = Server::demo(&[]).await;
    let args = ["create", "--name", "wall", "--role", "kiosk", "--dashboards", "hypersdk-jobs"];
    let secret = token(server.data_dir.path(), &args).await;
    let as_kiosk =
        async |path: &str| crate::common::client().get(server.url(path)).bearer_auth(&secret).send().await.unwrap();
    let html = crate::common::eventually("the server knows the token", async || {
        let answer = as_kiosk("/kiosk/hypersdk-jobs").await;
        if answer.status() == 200 { Some(answer.text().await.unwrap()) } else { None }
    })
    .await;
    assert!(html.contains("data-kiosk") && html.contains("Job Throughput"));
    assert!(!html.contains("href=\"/system\""), "it leads to what it may not see");
    for path in ["/kiosk/hypersdk-system", "/system", "/d/hypersdk-overview"] {
        let answer = as_kiosk(path).await;
        assert_eq!(answer.status(), 404, "{path}");
        let html = answer.text().await.unwrap();
        assert!(!html.contains("System resources") && !html.contains("hypersdk_cpu_usage"), "{path}");
    }
    assert_eq!(as_kiosk("/api/jobs").await.status(), 403);
    assert_eq!(as_kiosk("/api/v1/query?query=hypersdk_cpu_usage").await.status(), 403);
}

#[tokio::test]
async fn a_limited_kiosk_has_links_only_to_what_it_may_open() {
    let server = Server::demo(&[]).await;
    let args = ["create", "--name", "wall", "--role", "kiosk", "--dashboards", "hypersdk-overview"];
    let secret = token(server.data_dir.path(), &args).await;
    let as_kiosk = async |path: &str| client().get(server.url(path)).bearer_auth(&secret).send().await.unwrap();
    eventually("the server knows the token", async || (as_kiosk("/").await.status() == 200).then_some(())).await;
    for path in ["/kiosk/hypersdk-overview", "/", "/d/hypersdk-overview", "/settings", "/jobs"] {
        // An admin's picture of the same address.
        let of_admin = server.text(path).await;
        assert!(path == "/settings" || path == "/jobs" || of_admin.contains("href=\"/jobs/"), "{path}: no job to link");
        let html = as_kiosk(path).await.text().await.unwrap();
        let links = between(&html, "<a ", ">").into_iter().filter_map(|tag| between(tag, "href=\"", "\"").pop());
        let links: Vec<String> =
            links.filter(|link| link.starts_with('/')).map(|link| link.replace("&amp;", "&")).collect();
        assert!(!links.is_empty(), "{path}");
        for link in links {
            assert_eq!(as_kiosk(&link).await.status(), 200, "{link} on {path}");
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

async fn page(server: &Server, path: &str) -> (HeaderMap, String) {
    // A logged-in user needs no login.
    let request = if path == "/login" { server.get_as_nobody(path) } else { server.get(path) };
    let answer: Response = request.send().await.unwrap();
    (answer.headers().clone(), answer.text().await.unwrap())
}

#[tokio::test]
async fn pages_carry_headers_that_keep_them_safe() {
    let server = Server::demo(&[]).await;
    let mut nonces = Vec::new();
    for path in ["/", "/jobs", "/system", "/kiosk/hypersdk-overview", "/settings", "/d/none", "/login"] {
        let (headers, html) = page(&server, path).await;
        assert_eq!(header(&headers, "x-content-type-options"), "nosniff", "{path}");
        let referrer = if path == "/login" { "strict-origin" } else { "same-origin" };
        assert_eq!(header(&headers, "referrer-policy"), referrer, "{path}");
        let policy = header(&headers, "content-security-policy");
        let directives: Vec<Vec<&str>> = policy
            .split(';')
            .map(|words| words.split_whitespace().collect())
            .filter(|words: &Vec<_>| !words.is_empty())
            .collect();
        let directive = |name: &str| directives.iter().find(|words| words[0] == name).expect(name)[1..].to_vec();
        assert_eq!(directive("default-src"), ["'none'"], "{path}");
        assert_eq!(directive("frame-ancestors"), ["'self'"], "{path}");
        assert_eq!(directive("object-src"), ["'none'"], "{path}");
        let scripts = directive("script-src");
        assert!(!scripts.contains(&"'unsafe-inline'") && !scripts.contains(&"'unsafe-eval'"), "{path}: {policy}");
        assert!(scripts.contains(&"'wasm-unsafe-eval'"), "{path}: {policy}");
        let nonce =
            scripts.iter().find_map(|word| word.strip_prefix("'nonce-")).expect("a nonce").trim_end_matches('\'');
        for script in between(&html, "<script", ">") {
            assert!(script.contains(&format!("nonce=\"{nonce}\"")), "{path}: <script{script}>");
        }
        for handler in [" onclick=", " onload=", " onerror=", "javascript:"] {
            assert!(!html.contains(handler), "{path}: {handler}");
        }
        assert!(nonce.len() >= 16 && !nonces.contains(&nonce.to_owned()), "{path}: a nonce twice");
        nonces.push(nonce.to_owned());
        if path != "/login" {
            assert_eq!(header(&headers, "cache-control"), "no-store", "{path}");
        }
    }
    let (headers, _) = page(&server, "/api/jobs").await;
    assert_eq!(header(&headers, "x-content-type-options"), "nosniff");
    assert_eq!(header(&headers, "referrer-policy"), "same-origin");
    assert!(!header(&headers, "cache-control").contains("public"));
}

#[tokio::test]
async fn others_may_frame_pages_where_that_is_set() {
    let server = Server::demo(&["--frame-ancestors", "'self',https://wiki.example.org"]).await;
    let (headers, _) = page(&server, "/").await;
    let policy = header(&headers, "content-security-policy");
    assert!(policy.contains("frame-ancestors 'self' https://wiki.example.org"), "{policy}");
    assert!(headers.get("x-frame-options").is_none(), "it would forbid what the policy allows");
}
