//! Attacks on whole servers by holders of tokens, for `make attack`: memory stays below its limit, rules are evaluated
//! in time, and other viewers are served. They need minutes and gigabytes of traffic, so the ordinary tests do not run
//! them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::common::{Live, Server, eventually, in_memory, now_ms, series, token, with_body, write};
use futures_util::future::join_all;
use serde_json::{Value, json};

/// Series of the metric that all requests read.
const SERIES: usize = 24_000;
/// Memory limit of the server in bytes. It also contains a million samples and an unoptimised binary.
const LIMIT: u64 = 1 << 30;
/// Evaluation interval of the rules in seconds.
const RULE_INTERVAL: f64 = 5.0;
/// Duration of each attack.
const ATTACK: Duration = Duration::from_secs(40);

/// A server under attack, and its measurements.
struct Rig {
    server: Server,
    greedy: String,
    honest: String,
    peak: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    watch: tokio::task::JoinHandle<()>,
}

/// Resident memory of a process, in bytes.
fn resident(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

impl Rig {
    async fn start() -> Self {
        let directory = Arc::new(in_memory());
        let rules = directory.path().join("rules.yml");
        std::fs::write(
            &rules,
            "groups:\n- name: watched\n  interval: 5s\n  rules:\n  - record: watched:count\n    expr: count(wide)\n  - alert: Never\n    expr: count(wide) < 1\n",
        )
        .unwrap();
        let args = ["--memory-limit", "1GiB", "--rules", rules.to_str().unwrap()];
        let server = Server::start("serve", Arc::clone(&directory), &args).await;
        let (start_ms, texts) = (now_ms() - 240_000, ["one label of some length", "another label of some length"]);
        for batch in (0..SERIES).collect::<Vec<_>>().chunks(4_000) {
            let one = |number: &usize| {
                let number = number.to_string();
                let labels = [("number", number.as_str()), ("first", texts[0]), ("second", texts[1])];
                let samples: Vec<_> = (0..40).map(|step| (start_ms + step * 6_000, step as f64)).collect();
                series("wide", &labels, &samples)
            };
            assert!(write(&server, batch.iter().map(one).collect()).await.status().is_success());
        }
        let secret = async |name: &str| {
            let secret = token(directory.path(), &["create", "--name", name, "--role", "viewer"]).await;
            eventually("the token counts", async || {
                let answer = server.get_as_nobody("/api/session").bearer_auth(&secret).send().await.unwrap();
                answer.status().is_success().then_some(())
            })
            .await;
            secret
        };
        let (greedy, honest) = (secret("greedy").await, secret("honest").await);
        let (peak, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (watched, until, pid) = (Arc::clone(&peak), Arc::clone(&is_over), server.program.pid());
        let watch = tokio::spawn(async move {
            while !until.load(Ordering::Relaxed) {
                watched.fetch_max(resident(pid).unwrap_or(0), Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        Rig { server, greedy, honest, peak, is_over, watch }
    }

    async fn missed(&self) -> f64 {
        let page = self.server.text("/metrics").await;
        let missed = page.lines().find_map(|line| line.strip_prefix("hyperscope_rule_group_iterations_missed_total "));
        missed.unwrap_or_else(|| panic!("nothing of missed evaluations in {page}")).parse().unwrap()
    }

    /// Subscribes to a small query as another viewer during an attack; returns the longest wait for an update.
    async fn beside<T>(&self, attack: impl Future<Output = T>) -> T {
        let mut live = Live::try_open(&self.server, "/ws", Some("hyperscope.v1.json"), &self.honest).await.unwrap();
        live.subscribe_query(1, "vector(time())", 60_000, 1_000).await;
        live.expect(1, "snapshot").await;
        let honest = async {
            let (mut longest, mut last) = (Duration::ZERO, Instant::now());
            loop {
                let _ = live.expect(1, "delta").await;
                if last.elapsed() > longest + Duration::from_secs(1) {
                    longest = last.elapsed();
                    println!("  an honest viewer has news after {:.1} s", longest.as_secs_f64());
                }
                last = Instant::now();
            }
        };
        tokio::select! {
            result = attack => result,
            () = honest => unreachable!(),
        }
    }

    /// Checks the measurements, and stops the server.
    async fn survives(self, attack: &str) {
        let page = self.server.text("/metrics").await;
        for line in page.lines().filter(|line| line.contains("refused") && !line.starts_with('#')) {
            println!("  {line}");
        }
        let (missed, peak) = (self.missed().await, self.peak.load(Ordering::Relaxed));
        println!("{attack}: {} MiB of {} at most, {missed} evaluations of rules missed", peak >> 20, LIMIT >> 20);
        assert!(peak < LIMIT, "{attack}: resident {} MiB", peak >> 20);
        assert!(missed <= 1.0, "{attack}: {missed} evaluations of {RULE_INTERVAL} s missed");
        // The memory of the attack was freed.
        let pid = self.server.program.pid();
        eventually("memory is given back", async || {
            tokio::time::sleep(Duration::from_secs(1)).await;
            (resident(pid).unwrap_or(0) < LIMIT / 2).then_some(())
        })
        .await;
        self.is_over.store(true, Ordering::Relaxed);
        self.watch.await.unwrap();
        let _ = self.server.stop().await;
    }

    /// Requests a path repeatedly, with this many concurrent requests, and reads the whole answers.
    async fn storm(&self, path: &str, at_once: usize) {
        let until = Instant::now() + ATTACK;
        let one = async || {
            while Instant::now() < until {
                match self.server.get_as_nobody(path).bearer_auth(&self.greedy).send().await {
                    Ok(answer) => {
                        let status = answer.status().as_u16();
                        assert!(matches!(status, 200 | 422 | 429 | 503), "{path}: {status}");
                        if status != 200 {
                            tokio::time::sleep(Duration::from_millis(100)).await;
                        }
                        let _ = answer.bytes().await;
                    }
                    // A busy server may let a client wait longer than the client's timeout.
                    Err(error) => assert!(error.is_timeout(), "{path}: {error}"),
                }
            }
        };
        join_all((0..at_once).map(|_| one())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "an attack: make attack"]
async fn live_queries_of_one_socket() {
    let rig = Rig::start().await;
    rig.beside(async {
        let mut live = Live::try_open(&rig.server, "/ws", Some("hyperscope.v1.json"), &rig.greedy).await.unwrap();
        for id in 1..=5 {
            live.subscribe_query(id, &format!("wide + {id}"), 60_000, 1_000).await;
        }
        tokio::time::timeout(ATTACK, async { while live.next().await["type"] != "never" {} }).await.unwrap_err();
    })
    .await;
    rig.survives("five live queries").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "an attack: make attack"]
async fn two_thousand_live_queries_that_nobody_reads() {
    let rig = Rig::start().await;
    rig.beside(async {
        let mut sockets = Vec::new();
        for socket in 0..8 {
            let mut live = Live::try_open(&rig.server, "/ws", Some("hyperscope.v1.json"), &rig.greedy).await.unwrap();
            for id in 1..=256 {
                live.subscribe_query(id, &format!("wide + {}", socket * 256 + id), 60_000, 1_000).await;
            }
            sockets.push(live);
        }
        tokio::time::sleep(ATTACK).await;
    })
    .await;
    rig.survives("2,048 live queries").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "an attack: make attack"]
async fn reads_of_every_kind_at_once() {
    let rig = Rig::start().await;
    let range =
        format!("/api/v1/query_range?query=wide&start={}&end={}&step=5", now_ms() / 1000 - 240, now_ms() / 1000);
    rig.beside(async {
        tokio::join!(
            rig.storm("/federate?match[]=wide", 30),
            rig.storm("/explore?q=wide", 10),
            rig.storm("/api/v1/series?match[]=wide", 20),
            rig.storm(&range, 20),
            rig.storm("/render/d/hypersdk-system.png?width=4000&height=4000", 40),
        );
    })
    .await;
    rig.survives("reads of every kind").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "an attack: make attack"]
async fn polls_of_all_there_is() {
    let rig = Rig::start().await;
    let query = json!({"expr": "wide", "window_ms": 60_000, "step_ms": 1_000}).to_string();
    let mut url = reqwest::Url::parse(&rig.server.url("/api/live")).unwrap();
    url.query_pairs_mut().append_pair("timeout", "1").append_pair("query", &query);
    let path = format!("/api/live?{}", url.query().unwrap());
    rig.beside(rig.storm(&path, 40)).await;
    rig.survives("polls").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "an attack: make attack"]
async fn writes_of_nothing() {
    let rig = Rig::start().await;
    let ingest = token(rig.server.data_dir.path(), &["create", "--name", "writer", "--role", "ingest"]).await;
    let body = remote_write::compress(&[3 << 3 | 2, 0].repeat(30 << 20)).unwrap();
    let until = Instant::now() + ATTACK;
    let one = async || {
        while Instant::now() < until {
            let request = crate::common::client().post(rig.server.url("/api/v1/write")).bearer_auth(&ingest);
            let answer = with_body(request, body.clone()).send().await.unwrap();
            assert!(matches!(answer.status().as_u16(), 401 | 413 | 503), "{}", answer.status());
            let _: Result<Value, _> = answer.json().await;
        }
    };
    rig.beside(join_all((0..8).map(|_| one()))).await;
    rig.survives("writes").await;
}
