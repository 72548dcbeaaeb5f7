//! Statistics of the store, in Prometheus' format.

use datasource::{ErrorKind, QueryError, ReadScheduler};
use serde::Serialize;
use tsdb::{Cardinality, Counted, Stats, Store};

use super::{Answer, envelope::success};

/// Default length of each list, as in Prometheus.
const USUAL_LIMIT: usize = 10;
/// Maximum length of each list.
const MAX_LIMIT: usize = 10_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    head_stats: HeadStats,
    series_count_by_metric_name: Vec<Line<'a>>,
    label_value_count_by_label_name: Vec<Line<'a>>,
    memory_in_bytes_by_label_name: Vec<Line<'a>>,
    series_count_by_label_value_pair: Vec<Line<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HeadStats {
    num_series: usize,
    num_label_pairs: u64,
    chunk_count: u64,
    min_time: i64,
    max_time: i64,
}

#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    value: u64,
}

fn lines(list: &[Counted]) -> Vec<Line<'_>> {
    list.iter().map(|counted| Line { name: &counted.name, value: counted.count }).collect()
}

impl<'a> Status<'a> {
    fn new(stats: &Stats, cardinality: &'a Cardinality) -> Self {
        Status {
            head_stats: HeadStats {
                num_series: stats.series,
                num_label_pairs: cardinality.label_pairs,
                chunk_count: stats.chunks,
                // Prometheus' values for an empty store.
                min_time: stats.oldest_ms.unwrap_or(i64::MAX),
                max_time: stats.newest_ms.unwrap_or(i64::MIN),
            },
            series_count_by_metric_name: lines(&cardinality.series_by_metric),
            label_value_count_by_label_name: lines(&cardinality.values_by_label),
            memory_in_bytes_by_label_name: lines(&cardinality.bytes_by_label),
            series_count_by_label_value_pair: lines(&cardinality.series_by_pair),
        }
    }
}

/// Approximate memory for counting, in bytes: a count per label name and value.
const COUNTING_BYTES: u64 = 8 << 20;

/// The response to `GET /api/v1/status/tsdb?limit=N`.
///
/// # Errors
///
/// The limit is invalid.
pub(super) async fn status(store: Store, limit: Option<&str>, reads: &ReadScheduler) -> Answer {
    let limit = match limit.map(str::parse::<usize>) {
        None => USUAL_LIMIT,
        Some(Ok(limit)) if (1..=MAX_LIMIT).contains(&limit) => limit,
        Some(Ok(limit)) if limit > MAX_LIMIT => {
            let message = format!("limit must not exceed {MAX_LIMIT}");
            return Err(QueryError::new(ErrorKind::BadData, message).into());
        }
        Some(_) => return Err(QueryError::new(ErrorKind::BadData, "limit must be a positive number").into()),
    };
    let (stats, cardinality) = reads.read(COUNTING_BYTES, move || (store.stats(), store.cardinality(limit))).await?;
    Ok(success(&Status::new(&stats, &cardinality)))
}
