//! How much is in the store, in Prometheus' words.

use axum::{
    extract::{RawQuery, State},
    response::Response,
};
use serde::Serialize;
use store::{Cardinality, Counted, Stats};

use super::Storage;
use crate::query::{ErrorKind, QueryError, envelope::success};

/// Lines of each list unless asked otherwise, as in Prometheus.
const USUAL_LIMIT: usize = 10;
/// Lines of each list at most.
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
                // As Prometheus tells that there is nothing.
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

/// `GET /api/v1/status/tsdb?limit=N`
pub(super) async fn tsdb(State(storage): State<Storage>, RawQuery(query): RawQuery) -> Result<Response, QueryError> {
    let query = query.unwrap_or_default();
    let limit = match form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "limit") {
        None => USUAL_LIMIT,
        Some((_, text)) => match text.parse::<usize>() {
            Ok(limit) if (1..=MAX_LIMIT).contains(&limit) => limit,
            _ => {
                let message = format!("limit must be a whole number from 1 to {MAX_LIMIT}");
                return Err(QueryError::new(ErrorKind::BadData, message));
            }
        },
    };
    let counted = tokio::task::spawn_blocking(move || (storage.store.stats(), storage.store.cardinality(limit)));
    let (stats, cardinality) =
        counted.await.map_err(|error| QueryError::new(ErrorKind::Internal, error.to_string()))?;
    Ok(success(&Status::new(&stats, &cardinality)))
}
