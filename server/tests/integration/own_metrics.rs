//! The server's own metrics: labels, histograms, on `/metrics` and in its store.

use crate::common::{Server, client, eventually};
use reqwest::StatusCode;

#[tokio::test]
async fn requests_rules_and_notifications_are_counted_and_timed() {
    let server = Server::demo(&[]).await;
    let query = server.url("/api/v1/query?query=up");
    for _ in 0..2 {
        server.text("/api/v1/query?query=up").await;
    }
    assert_eq!(client().get(&query).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    server.text("/d/hypersdk-jobs?from=now-1h").await;
    let page = eventually("an evaluation of rules", async || {
        let page = server.text("/metrics").await;
        page.contains("hyperscope_rule_group_duration_seconds_count").then_some(page)
    })
    .await;
    for line in [
        "# TYPE hyperscope_http_requests_total counter",
        r#"hyperscope_http_requests_total{handler="/api/v1/query",code="200"} 2"#,
        r#"hyperscope_http_requests_total{handler="/api/v1/query",code="401"} 1"#,
        // The template of a route, so that paths do not create series.
        r#"hyperscope_http_requests_total{handler="/d/{uid}",code="200"} 1"#,
        "# TYPE hyperscope_http_request_duration_seconds histogram",
        r#"hyperscope_http_request_duration_seconds_bucket{le="+Inf",handler="/api/v1/query"} 3"#,
    ] {
        assert!(page.lines().any(|shown| shown == line), "no {line} in {page}");
    }
    // They are in our own store too, like those of a target.
    eventually("our own histograms in the store", async || {
        let query = "histogram_quantile(0.9, sum by (le) (hyperscope_http_request_duration_seconds_bucket{job=\"hyperscope\"}))";
        let answer = server.get("/api/v1/query").query(&[("query", query)]).send().await.unwrap();
        let answer: serde_json::Value = answer.json().await.unwrap();
        answer["data"]["result"].as_array().is_some_and(|series| series.len() == 1).then_some(())
    })
    .await;
}
