//! Compares our engine with Prometheus: the same samples, written to both, and the same queries, with equal results
//! digit for digit.
//!
//! `HYPERSCOPE_DIFFERENTIAL_QUERIES` is the number of random queries (default 500), `HYPERSCOPE_DIFFERENTIAL_SEED`
//! their seed; 10,000 take some minutes.

mod engine;
mod numbers;
mod random;
mod world;

use crate::common::{Peers, Program, Server, TOKEN, body, client, eventually, free_port, with_body};
use engine::{Answer, Engine, Leeway, When, difference};
use remote_write::TimeSeries;
use tempfile::TempDir;
use world::{Dice, world};

const CORPUS: &str = include_str!("corpus.promql");
/// The known differences from Debian's Prometheus, and from the current one.
const DIFFERENCES_2_42: &str = include_str!("differences-2.42.tsv");
const DIFFERENCES_3_16: &str = include_str!("differences-3.16.tsv");
const RANDOM_QUERIES: u64 = 500;

/// Number of random queries after which each known difference must have appeared.
const TRIED: u64 = 4_000;

/// A known difference.
struct Known {
    line: &'static str,
    /// Its size; `None` if the answers are unrelated.
    leeway: Option<Leeway>,
    queries: regex::Regex,
}

fn known() -> Vec<Known> {
    let list = match Peers::chosen() {
        Peers::Debian => DIFFERENCES_2_42,
        Peers::Current => DIFFERENCES_3_16,
    };
    let lines = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let [how, queries, reason] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line:?}") };
            assert!(!reason.is_empty(), "{line}");
            let leeway = match how {
                "zeros" => Some(Leeway::Zeros),
                "digits" => Some(Leeway::Digits),
                "all" => None,
                _ => panic!("{line}"),
            };
            Known { line, leeway, queries: regex::Regex::new(queries).unwrap() }
        })
        .collect()
}

/// How much the answers to a query may differ, by the lines that concern it and do not exclude it.
fn leeway_of(known: &[Known], query: &str) -> Leeway {
    let of_query = known.iter().filter(|known| known.queries.is_match(query));
    of_query.filter_map(|known| known.leeway).max().unwrap_or(Leeway::None)
}

struct Both {
    _server: Server,
    _prometheus: Program,
    _directory: TempDir,
    ours: Engine,
    theirs: Engine,
}

impl Both {
    /// Both with the series of the world, one per request.
    async fn start() -> Self {
        Self::with(world().into_iter().map(|series| vec![series])).await
    }

    /// Both with these series, in as few requests as possible.
    async fn with(requests: impl IntoIterator<Item = Vec<TimeSeries>>) -> Self {
        let server = Server::serve(&[]).await;
        let directory = TempDir::new().unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let file = directory.path().join("prometheus.yaml");
        std::fs::write(&file, "global: { evaluation_interval: 1m }\n").unwrap();
        let prometheus = Program::start(
            "prometheus",
            &[
                "--web.enable-remote-write-receiver",
                "--enable-feature=native-histograms",
                &format!("--config.file={}", file.display()),
                &format!("--storage.tsdb.path={}", directory.path().join("data").display()),
                &format!("--web.listen-address={address}"),
            ],
            &[],
        );
        let url = format!("http://{address}");
        eventually("a Prometheus that is ready", async || {
            let answer = client().get(format!("{url}/-/ready")).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
        for series in requests {
            let body = body(series);
            let ours = with_body(server.post("/api/v1/write"), body.clone()).send().await.unwrap();
            assert_eq!(ours.status(), 204);
            let theirs = with_body(client().post(format!("{url}/api/v1/write")), body).send().await.unwrap();
            assert_eq!(theirs.status(), 204, "{}", theirs.text().await.unwrap());
        }
        let ours = Engine::new(server.url(""), Some(TOKEN));
        let theirs = Engine::new(url, None);
        Both { _server: server, _prometheus: prometheus, _directory: directory, ours, theirs }
    }

    /// Differences that are not known.
    async fn differences(&self, queries: impl IntoIterator<Item = String>) -> (usize, Vec<String>) {
        let known = known();
        let (mut asked, mut found) = (0, Vec::new());
        for query in queries {
            if known.iter().any(|known| known.leeway.is_none() && known.queries.is_match(&query)) {
                continue;
            }
            let leeway = leeway_of(&known, &query);
            for when in [When::Instant, When::Range] {
                asked += 1;
                let (ours, our_order) = self.ours.ask(&query, when).await;
                let (theirs, their_order) = self.theirs.ask(&query, when).await;
                if let Some(difference) = difference(&ours, &theirs, leeway) {
                    found.push(format!("{query}\n    {when:?}: {difference}"));
                } else if query.starts_with("sort") && leeway == Leeway::None && our_order != their_order {
                    found.push(format!("{query}\n    the order is {our_order:?} and not {their_order:?}"));
                }
            }
        }
        (asked, found)
    }
}

#[tokio::test]
async fn the_corpus_is_answered_as_prometheus_does() {
    let both = Both::start().await;
    let queries = CORPUS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned);
    let (asked, found) = both.differences(queries).await;
    assert!(found.is_empty(), "{} of {asked} answers differ\n{}", found.len(), found.join("\n"));
    assert!(asked > 800, "only {asked} were asked");
}

/// An outdated entry would hide an error.
#[tokio::test]
async fn each_known_difference_still_shows() {
    let both = Both::start().await;
    let known = known();
    // The sign of a zero differs at random.
    let mut unseen: Vec<usize> = (0..known.len()).filter(|at| known[*at].leeway != Some(Leeway::Zeros)).collect();
    let mut dice = Dice(7);
    let corpus = CORPUS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned);
    let random = (0..TRIED).map(|_| random::expression(&mut dice));
    for query in corpus.chain(random) {
        let concerned: Vec<usize> = (0..known.len()).filter(|at| known[*at].queries.is_match(&query)).collect();
        // A query that two lines concern confirms neither.
        let [at] = concerned[..] else { continue };
        if !unseen.contains(&at) {
            continue;
        }
        for when in [When::Instant, When::Range] {
            let (ours, _) = both.ours.ask(&query, when).await;
            let (theirs, _) = both.theirs.ask(&query, when).await;
            if difference(&ours, &theirs, Leeway::None).is_some() {
                unseen.retain(|other| *other != at);
            }
        }
    }
    let unseen: Vec<&str> = unseen.into_iter().map(|at| known[at].line).collect();
    assert!(unseen.is_empty(), "no query shows these differences any more:\n{}", unseen.join("\n"));
}

/// Go's functions have different last digits.
#[tokio::test]
async fn functions_of_numbers_are_exact_to_the_last_digit() {
    let series = numbers::series_of_numbers();
    let both = Both::with(series.chunks(1_000).map(<[TimeSeries]>::to_vec)).await;
    let functions = [
        "exp", "ln", "log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh",
        "acosh", "atanh", "sqrt", "deg", "rad", "ceil", "floor", "round", "sgn", "abs",
    ];
    let of_one = functions.map(|function| format!("{function}(number)"));
    let of_two =
        ["^", "atan2", "%", "/", "*", "+", "-"].map(|operator| format!("(left * 1) {operator} on (are) right"));
    let (known, mut found) = (known(), Vec::new());
    for query in of_one.into_iter().chain(of_two) {
        let (ours, _) = both.ours.ask(&query, When::Instant).await;
        let (theirs, _) = both.theirs.ask(&query, When::Instant).await;
        assert!(matches!(&theirs, Answer::Values(_, values) if values.len() > 2_000), "{query}");
        let leeway = leeway_of(&known, &query);
        found.extend(difference(&ours, &theirs, leeway).map(|difference| format!("{query}: {difference}")));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Bucket bounds are printed, and quantiles are between them.
#[tokio::test]
async fn the_bounds_of_native_histograms_are_exact_to_the_last_digit() {
    let both = Both::with([numbers::histograms()]).await;
    let ours = both.ours.histograms("buckets").await;
    assert_eq!(ours.len(), 13);
    let theirs = both.theirs.histograms("buckets").await;
    for (series, histogram) in &theirs {
        assert_eq!(ours.get(series), Some(histogram), "{series}");
    }
}

#[tokio::test]
async fn random_queries_are_answered_as_prometheus_does() {
    let number = |name: &str, usual: u64| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let count = number("HYPERSCOPE_DIFFERENTIAL_QUERIES", RANDOM_QUERIES);
    let seed = number("HYPERSCOPE_DIFFERENTIAL_SEED", 1);
    let both = Both::start().await;
    let mut dice = Dice(seed);
    let (asked, found) = both.differences((0..count).map(|_| random::expression(&mut dice))).await;
    assert!(found.is_empty(), "seed {seed}: {} of {asked} answers differ\n{}", found.len(), found.join("\n"));
    // An expression without results from either engine compares nothing.
    let mut dice = Dice(seed);
    let mut answered = 0;
    for _ in 0..50 {
        let (answer, _) = both.ours.ask(&random::expression(&mut dice), When::Range).await;
        answered += usize::from(matches!(answer, Answer::Values(_, values) if !values.is_empty()));
    }
    assert!(answered > 20, "only {answered} of 50 random queries have a result");
}
