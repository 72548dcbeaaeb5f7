//! A real Mimir behind the server: its tenants as engines, and its limits in its own words. `make test-peers` provides
//! one.

use crate::common::{Live, Program, Server, body, client, eventually, free_port, now_ms, series, token, with_body};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;

const TENANT: &str = "X-Scope-OrgID";
/// Limits of the tenant `small`.
const LIMITS: &str = "overrides:\n  small:\n    max_fetched_series_per_query: 5\n    max_total_query_length: 1h\n    \
     max_query_expression_size_bytes: 500\n";

/// A Mimir in one process.
struct Mimir {
    _program: Program,
    _directory: TempDir,
    url: String,
}

impl Mimir {
    async fn start() -> Self {
        let directory = TempDir::new().unwrap();
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(path("runtime.yaml"), LIMITS).unwrap();
        let (http, grpc) = (free_port(), free_port());
        let mut args = vec![
            "-target=all".to_owned(),
            "-usage-stats.enabled=false".to_owned(),
            "-log.level=warn".to_owned(),
            "-server.http-listen-address=127.0.0.1".to_owned(),
            format!("-server.http-listen-port={http}"),
            "-server.grpc-listen-address=127.0.0.1".to_owned(),
            format!("-server.grpc-listen-port={grpc}"),
            "-memberlist.bind-addr=127.0.0.1".to_owned(),
            "-memberlist.bind-port=0".to_owned(),
            "-query-frontend.instance-addr=127.0.0.1".to_owned(),
            "-ingester.ring.min-ready-duration=0s".to_owned(),
            "-ingester.ring.replication-factor=1".to_owned(),
            "-store-gateway.sharding-ring.replication-factor=1".to_owned(),
            format!("-runtime-config.file={}", path("runtime.yaml")),
            format!("-activity-tracker.filepath={}", path("activity")),
            format!("-blocks-storage.tsdb.dir={}", path("tsdb")),
            format!("-blocks-storage.bucket-store.sync-dir={}", path("sync")),
            format!("-compactor.data-dir={}", path("compactor")),
            format!("-ruler.rule-path={}", path("rules")),
            format!("-alertmanager.storage.path={}", path("alertmanager")),
        ];
        for storage in ["blocks-storage", "ruler-storage", "alertmanager-storage"] {
            args.push(format!("-{storage}.backend=filesystem"));
            args.push(format!("-{storage}.filesystem.dir={}", path(&format!("{storage}.d"))));
        }
        for ring in [
            "alertmanager.sharding-ring",
            "compactor.ring",
            "distributor.ring",
            "ingester.ring",
            "querier.ring",
            "query-scheduler.ring",
            "ruler.ring",
            "store-gateway.sharding-ring",
        ] {
            args.push(format!("-{ring}.store=inmemory"));
            args.push(format!("-{ring}.instance-addr=127.0.0.1"));
        }
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut program = Program::start("mimir", &args, &[]);
        let url = format!("http://127.0.0.1:{http}");
        eventually("a Mimir that is ready", async || {
            assert!(program.is_running(), "{}", program.stderr());
            let answer = client().get(format!("{url}/ready")).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
        Mimir { _program: program, _directory: directory, url }
    }

    /// Writes ten series `jobs` with this value to a tenant, up to `until_ms`.
    async fn fill(&self, tenant: &str, value: f64, until_ms: i64) {
        let samples: Vec<(i64, f64)> = (0..20).rev().map(|step| (until_ms - step * 15_000, value)).collect();
        let all = (0..10).map(|number| {
            let team = if number < 5 { "x" } else { "y" };
            series("jobs", &[("n", &number.to_string()), ("team", team)], &samples)
        });
        let request = client().post(format!("{}/api/v1/push", self.url)).header(TENANT, tenant);
        let written = with_body(request, body(all.collect())).send().await.unwrap();
        assert!(written.status().is_success(), "{}", written.text().await.unwrap());
        eventually("the samples", async || {
            let (_, answer) =
                self.ask(tenant, &format!("/api/v1/query?query=count(jobs)&time={}", until_ms / 1_000)).await;
            // A tenant that may not read all of them stores them too.
            (answer["data"]["result"][0]["value"][1] == "10" || answer["status"] == "error").then_some(())
        })
        .await;
    }

    /// Its answer to a tenant.
    async fn ask(&self, tenant: &str, path: &str) -> (StatusCode, Value) {
        let request = client().get(format!("{}/prometheus{path}", self.url)).header(TENANT, tenant);
        answered(request).await
    }
}

async fn answered(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.unwrap();
    (answer.status(), sorted(answer.json().await.unwrap()))
}

/// An answer without the order of its series, which Mimir chooses.
fn sorted(mut answer: Value) -> Value {
    for list in ["/data/result", "/data"] {
        if let Some(list) = answer.pointer_mut(list).and_then(Value::as_array_mut) {
            list.sort_by_key(Value::to_string);
        }
    }
    answer
}

/// A server with an engine for each tenant, and with the engine `nobody`, which has no tenant.
async fn in_front_of(mimir: &Mimir, tenants: &[&str]) -> (TempDir, Server) {
    let engine = |name: &str, tenant: &str| {
        format!("- name: {name}\n  url: {}\n  path_prefix: /prometheus\n  {tenant}\n", mimir.url)
    };
    let mut text = "engines:\n".to_owned();
    for tenant in tenants {
        text.push_str(&engine(tenant, &format!("org_id: {tenant}")));
    }
    text.push_str(&engine("nobody", "headers: {}"));
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("hyperscope.yaml");
    std::fs::write(&file, text).unwrap();
    let server = Server::serve(&["--config", file.to_str().unwrap()]).await;
    (directory, server)
}

/// Sends the same request to the server and to Mimir; the answers must be equal.
async fn same(server: &Server, mimir: &Mimir, tenant: &str, path: &str) -> (StatusCode, Value) {
    let ours = answered(server.get(&format!("{path}&engine={tenant}"))).await;
    let theirs = mimir.ask(tenant, path).await;
    assert_eq!(ours, theirs, "{tenant}: {path}");
    ours
}

#[tokio::test]
#[ignore = "needs Mimir: make test-peers"]
async fn tenants_are_engines_that_see_nothing_of_each_other() {
    let mimir = Mimir::start().await;
    let end = now_ms() / 60_000 * 60;
    mimir.fill("team-a", 3.0, end * 1_000).await;
    mimir.fill("team-b", 8.0, end * 1_000).await;
    let (_directory, server) = in_front_of(&mimir, &["team-a", "team-b"]).await;
    let start = end - 240;
    for (tenant, sum) in [("team-a", "30"), ("team-b", "80")] {
        let range = format!("start={start}&end={end}");
        let (status, answer) =
            same(&server, &mimir, tenant, &format!("/api/v1/query?query=sum(jobs)&time={end}")).await;
        assert_eq!((status, &answer["data"]["result"][0]["value"][1]), (StatusCode::OK, &json!(sum)));
        for path in [
            // The first combines cached and new steps, the second is passed on.
            format!("query_range?query=sum%20by%20(team)%20(jobs)&step=60&{range}"),
            format!("query_range?query=jobs&step=7&{range}"),
            format!("query?query=jobs&time={end}"),
            format!("labels?{range}"),
            format!("label/team/values?{range}"),
            format!("series?match[]=jobs&{range}"),
            "metadata?metric=jobs".to_owned(),
            "query?query=sum(&time=1".to_owned(),
            format!("query_range?query=jobs[5m]&step=60&{range}"),
            format!("query_range?query=jobs&step=0&{range}"),
            "query?query=1&time=soon".to_owned(),
            "series?match[]={".to_owned(),
        ] {
            same(&server, &mimir, tenant, &format!("/api/v1/{path}")).await;
        }
    }
    // A query without an engine uses the first one.
    assert_eq!(server.query("max(jobs)").await[0].1, 3.0);
    // A token's matchers apply here too.
    let part =
        token(server.data_dir.path(), &["create", "--name", "part", "--role", "viewer", "--match", "team=\"x\""]).await;
    let path = format!("/api/v1/query?query=count(jobs)&time={end}&engine=team-b");
    let count = eventually("the token", async || {
        let answer = server.get_as_nobody(&path).bearer_auth(&part).send().await.unwrap();
        if !answer.status().is_success() {
            return None;
        }
        answer.json::<Value>().await.ok()
    })
    .await;
    assert_eq!(count["data"]["result"][0]["value"][1], "5");
    // Without a tenant Mimir rejects requests, and the error says how to fix it.
    let (status, answer) = answered(server.get(&path.replace("team-b", "nobody"))).await;
    assert_eq!((status, &answer["errorType"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("unavailable")));
    let message = answer["error"].as_str().unwrap();
    assert!(message.contains("HTTP 401") && message.contains("org_id"), "{message}");
}

#[tokio::test]
#[ignore = "needs Mimir: make test-peers"]
async fn limits_of_a_tenant_are_answers_in_its_own_words() {
    let mimir = Mimir::start().await;
    let end = now_ms() / 60_000 * 60;
    mimir.fill("small", 1.0, end * 1_000).await;
    let (_directory, server) = in_front_of(&mimir, &["small"]).await;
    let start = end - 240;
    let long = "%20%2B%20vector(1)".repeat(60);
    for (path, status, kind, says) in [
        (format!("query?query=jobs&time={end}"), 422, "execution", "err-mimir-max-series-per-query"),
        (
            format!("query_range?query=jobs&step=60&start={start}&end={end}"),
            422,
            "execution",
            "err-mimir-max-series-per-query",
        ),
        (
            format!("query_range?query=vector(1)&step=60&start={}&end={end}", end - 7_200),
            400,
            "bad_data",
            "err-mimir-max-total-query-length",
        ),
        (
            format!("query_range?query=vector(1)&step=60.5&start={}&end={end}", end - 7_200),
            400,
            "bad_data",
            "err-mimir-max-total-query-length",
        ),
        (
            format!("query?query=vector(1){long}&time={end}"),
            400,
            "bad_data",
            "err-mimir-max-query-expression-size-bytes",
        ),
    ] {
        let (answered, answer) = same(&server, &mimir, "small", &format!("/api/v1/{path}")).await;
        assert_eq!((answered.as_u16(), &answer["errorType"]), (status, &json!(kind)), "{answer}");
        assert!(answer["error"].as_str().unwrap().contains(says), "{answer}");
    }
    // Within the limit there is an answer.
    same(&server, &mimir, "small", &format!("/api/v1/query?query=jobs%7Bteam=%22x%22%7D&time={end}")).await;
    // A limit is no failure of the engine: other requests are answered, and the server is ready.
    for number in 0..20 {
        let path = format!("/api/v1/query?query=jobs*{number}&time={end}");
        assert_eq!(server.get(&path).send().await.unwrap().status(), StatusCode::UNPROCESSABLE_ENTITY);
    }
    assert_eq!(server.query("vector(1)").await[0].1, 1.0);
    // A live query shows the limit in place of its values.
    let mut live = Live::open(&server).await;
    live.subscribe_query(1, "jobs", 60_000, 15_000).await;
    let told = live.until("a reason", |message| message["id"] == 1 && message["type"] != "snapshot").await;
    assert!(told.to_string().contains("max-series-per-query"), "{told}");
}
