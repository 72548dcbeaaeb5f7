//! Queries.

use std::time::{Duration, Instant};

use access::{Principal, Reads, Scope, ScopedQuery};
use datasource::{Backend, Embedded, ErrorKind, EvalTime, Evaluated, Prometheus, QueryError, QuerySettings, Steps};
use model::{clock::now_ms, frame::ESTIMATED};
use promql::{Outcome, Value};
use serde::Serialize;

use super::{Answer, bad_data, envelope::annotated_raw, in_query, json, params::Params, pass_on};

/// Parameters of range queries that can use the cache: other parameters request more than points.
const KEPT_BY: [&str; 5] = ["query", "start", "end", "step", "timeout"];
/// Approximate size of a series in a response.
const SERIES_BYTES: usize = 192;
/// Points that are about as large as a series' labels.
const POINTS_OF_LABELS: usize = 8;

/// The warning about a response that was truncated by the parameter `limit`.
pub(super) const TRUNCATED: &str = "results truncated due to limit";

pub(super) async fn instant(backend: Backend, principal: Principal, params: Params) -> Answer {
    let scope = principal.scope();
    let engine = match &backend {
        Backend::Embedded(engine) => engine,
        Backend::Prometheus(engine) => {
            let mut request = scope.request("query", Reads::Query, params.pairs())?;
            if let Some((query, remark)) = sent(engine, scope, &params).await? {
                request = request.asking(&query, remark);
            }
            return pass_on(engine, &request).await;
        }
    };
    let started = Instant::now();
    let limit = params.limit()?;
    let when = EvalTime::At(params.time_ms("time")?.unwrap_or_else(now_ms));
    let settings = settings(&params)?;
    let query = scope.query(params.query()).map_err(in_query)?;
    query.parsed().map_err(in_query)?;
    let query = engine.as_sent(&query).await.unwrap_or(query);
    let evaluated = engine.evaluate_with(&query, when, &settings).await?;
    answer(engine, evaluated, limit, &params, started)
}

pub(super) async fn range(backend: Backend, principal: Principal, params: Params) -> Answer {
    let scope = principal.scope();
    let engine = match &backend {
        Backend::Embedded(engine) => engine,
        Backend::Prometheus(engine) => return range_elsewhere(engine, scope, &params).await,
    };
    let started = Instant::now();
    let limit = params.limit()?;
    let start_ms = params.required_time_ms("start")?;
    let end_ms = params.required_time_ms("end")?;
    if end_ms < start_ms {
        return Err(bad_data("invalid parameter \"end\": end timestamp must not be before start time").into());
    }
    let step_ms = params.step_ms()?;
    engine.check_steps(start_ms, end_ms, step_ms)?;
    let settings = settings(&params)?;
    let query = scope.query(params.query()).map_err(in_query)?;
    let parsed = query.parsed().map_err(in_query)?;
    let kind = match parsed.value_type() {
        promql::ValueType::String => Some("string"),
        promql::ValueType::Matrix => Some("range vector"),
        promql::ValueType::Scalar | promql::ValueType::Vector => None,
    };
    if let Some(kind) = kind {
        return Err(bad_data(format!(
            "invalid parameter \"query\": invalid expression type {kind:?} for range query, must be Scalar or instant Vector"
        )).into());
    }
    let query = engine.as_sent(&query).await.unwrap_or(query);
    let evaluated = engine.evaluate_with(&query, EvalTime::Range { start_ms, end_ms, step_ms }, &settings).await?;
    answer(engine, evaluated, limit, &params, started)
}

/// The rewritten query for an engine if it differs, and a remark about that.
async fn sent(
    engine: &Prometheus,
    scope: &Scope,
    params: &Params,
) -> Result<Option<(ScopedQuery, Option<&'static str>)>, QueryError> {
    let Some(expr) = params.get("query") else { return Ok(None) };
    let written = scope.query(expr)?;
    let sent = engine.as_sent(&written).await;
    Ok(sent.map(|sent| {
        let remark = sent.estimates(&written).then_some(ESTIMATED);
        (sent, remark)
    }))
}

/// A range query for a remote engine: evaluated with the cache if possible, otherwise passed on.
async fn range_elsewhere(engine: &Prometheus, scope: &Scope, params: &Params) -> Answer {
    let mut request = scope.request("query_range", Reads::Query, params.pairs())?;
    let renamed = sent(engine, scope, params).await?;
    if let Some((query, remark)) = &renamed {
        request = request.asking(query, *remark);
    }
    let plain = request.pairs().iter().all(|(name, _)| KEPT_BY.contains(&name.as_str()));
    let steps = (params.required_time_ms("start"), params.required_time_ms("end"), params.step_ms());
    // The engine itself reports errors of the parameters.
    if let (true, (Ok(start_ms), Ok(end_ms), Ok(step_ms)), Some(expr)) = (plain, steps, params.get("query")) {
        let query = renamed.map_or_else(|| scope.query(expr), |(query, _)| Ok(query))?;
        if let Some(mut ranged) = engine.kept_range(&query, Steps { start_ms, end_ms, step_ms }).await? {
            ranged.infos.extend(request.remark().map(str::to_owned));
            let mut data = String::with_capacity(1024);
            json::write_series(&mut data, &ranged.series);
            return Ok(annotated_raw(&data, &ranged.warnings, &ranged.infos));
        }
    }
    pass_on(engine, &request).await
}

/// The evaluation settings in a request.
fn settings(params: &Params) -> Result<QuerySettings, QueryError> {
    let timeout = params.timeout()?;
    let look_back = params.duration_ns("lookback_delta").map_err(|error| {
        let reason = error.message.trim_start_matches("invalid parameter \"lookback_delta\": ");
        bad_data(format!("error parsing lookback delta duration: {reason}"))
    })?;
    let look_back = look_back.map(|ns| Duration::from_nanos(u64::try_from(ns).unwrap_or(0)));
    let look_back_ms = look_back.map(|time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
    Ok(QuerySettings { timeout, look_back_ms: look_back_ms.filter(|ms| *ms > 0) })
}

/// The result in Prometheus' format.
fn answer(engine: &Embedded, evaluated: Evaluated, limit: Option<usize>, params: &Params, started: Instant) -> Answer {
    // Charged until the response is encoded.
    let Evaluated { mut outcome, permit: _permit, queued, evaluation } = evaluated;
    if limit.is_some_and(|limit| truncate(&mut outcome.value, limit)) {
        outcome.warnings.push(TRUNCATED.to_owned());
    }
    let most = engine.limits().max_response_bytes;
    let series = match &outcome.value {
        Value::Vector(samples) => samples.len(),
        Value::Matrix(matrix) => matrix.iter().map(|series| 1 + series.timestamps.len() / POINTS_OF_LABELS).sum(),
        Value::Scalar { .. } | Value::String { .. } => 1,
    };
    let mut data = String::with_capacity(series.saturating_mul(SERIES_BYTES).min(most));
    if !json::write_value(&mut data, &outcome.value, most) {
        return Err(QueryError::new(
            ErrorKind::Execution,
            format!("the answer is larger than {most} bytes: ask for fewer series or a larger step"),
        )
        .into());
    }
    if let Some(wanted) = params.given("stats") {
        if !["true", "all"].contains(&wanted) {
            outcome.warnings.push(deprecated_stats(wanted));
        }
        let stats = Stats::of(&outcome, queued, evaluation, started.elapsed());
        if let (Ok(stats), Some('}')) = (serde_json::to_string(&stats), data.pop()) {
            data.push_str(",\"stats\":");
            data.push_str(&stats);
            data.push('}');
        }
    }
    Ok(annotated_raw(&data, &outcome.warnings, &outcome.infos))
}

/// The warning about a value of the parameter `stats` that only older versions of Prometheus have.
fn deprecated_stats(value: &str) -> String {
    format!(
        "value {value:?} for parameter \"stats\" is deprecated and will be rejected in the next major release, use \"true\" or \"all\""
    )
}

/// Truncates to `limit` series; true if some were removed.
fn truncate(value: &mut Value, limit: usize) -> bool {
    let (before, after) = match value {
        Value::Vector(samples) => {
            let before = samples.len();
            samples.truncate(limit);
            (before, samples.len())
        }
        Value::Matrix(matrix) => {
            let before = matrix.len();
            matrix.truncate(limit);
            (before, matrix.len())
        }
        Value::Scalar { .. } | Value::String { .. } => (0, 0),
    };
    after < before
}

/// Statistics of an evaluation, with Prometheus' names.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stats {
    timings: Timings,
    samples: Samples,
}

/// Seconds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Timings {
    eval_total_time: f64,
    result_sort_time: f64,
    query_preparation_time: f64,
    inner_eval_time: f64,
    exec_queue_time: f64,
    exec_total_time: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Samples {
    total_queryable_samples: usize,
    peak_samples: usize,
}

impl Stats {
    fn of(outcome: &Outcome, queued: Duration, evaluation: Duration, total: Duration) -> Self {
        let preparation = total.saturating_sub(queued).saturating_sub(evaluation);
        Stats {
            timings: Timings {
                eval_total_time: evaluation.as_secs_f64(),
                // The engine sorts during the evaluation.
                result_sort_time: 0.0,
                query_preparation_time: preparation.as_secs_f64(),
                inner_eval_time: evaluation.as_secs_f64(),
                exec_queue_time: queued.as_secs_f64(),
                exec_total_time: total.as_secs_f64(),
            },
            // Counted samples stay in memory until the end.
            samples: Samples { total_queryable_samples: outcome.samples, peak_samples: outcome.samples },
        }
    }
}
