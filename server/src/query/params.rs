//! Parameters of Prometheus' HTTP API, from the query string of a GET and the form of a POST alike.

use axum::{
    body::to_bytes,
    extract::{FromRequest, Request},
    http::header::CONTENT_TYPE,
};

use super::{ErrorKind, QueryError};

/// Names the engine that answers; ours, and not passed on.
pub(super) const ENGINE: &str = "engine";
/// Largest form accepted.
const MAX_FORM_BYTES: usize = 1 << 20;

/// Names and values in the order of the request, query string first.
#[derive(Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Params {
    type Rejection = QueryError;

    async fn from_request(request: Request, _: &S) -> Result<Self, QueryError> {
        let mut pairs: Vec<(String, String)> =
            form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).into_owned().collect();
        let is_form = request
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
        if is_form {
            let body = to_bytes(request.into_body(), MAX_FORM_BYTES)
                .await
                .map_err(|error| bad_data(format!("the form could not be read: {error}")))?;
            pairs.extend(form_urlencoded::parse(&body).into_owned());
        }
        Ok(Params(pairs))
    }
}

fn bad_data(message: String) -> QueryError {
    QueryError::new(ErrorKind::BadData, message)
}

impl Params {
    /// No parameters.
    pub(crate) fn none() -> Self {
        Params(Vec::new())
    }

    /// One parameter.
    pub(crate) fn one(name: &str, value: &str) -> Self {
        Params(vec![(name.to_owned(), value.to_owned())])
    }

    /// The first value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(candidate, _)| candidate == name).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter that may be repeated.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.0.iter().filter(move |(candidate, _)| candidate == name).map(|(_, value)| value.as_str())
    }

    /// Everything, for passing it on.
    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// A parameter that must be there.
    pub(crate) fn required(&self, name: &str) -> Result<&str, QueryError> {
        self.get(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| bad_data(format!("invalid parameter {name:?}: it is missing")))
    }

    /// A time: RFC 3339 or Unix seconds with a fraction, as milliseconds.
    pub(crate) fn time_ms(&self, name: &str) -> Result<Option<i64>, QueryError> {
        self.get(name).map(|text| parse_time_ms(name, text)).transpose()
    }

    /// A duration: seconds with a fraction or a Prometheus duration, as milliseconds.
    pub(crate) fn duration_ms(&self, name: &str) -> Result<Option<i64>, QueryError> {
        self.get(name).map(|text| parse_duration_ms(name, text)).transpose()
    }

    /// A count; 0 means no limit, as in Prometheus.
    pub(crate) fn limit(&self) -> Result<Option<usize>, QueryError> {
        self.get("limit")
            .map(|text| {
                text.parse().map_err(|_| bad_data(format!("invalid parameter \"limit\": {text:?} is not a number")))
            })
            .transpose()
            .map(|limit| limit.filter(|limit| *limit != 0))
    }
}

/// Seconds with a fraction as milliseconds, if they fit.
#[allow(clippy::cast_possible_truncation)] // bounded by the comparison before it
fn seconds_to_ms(seconds: f64) -> Option<i64> {
    let ms = (seconds * 1000.0).round();
    (ms.abs() < 9.0e15).then_some(ms as i64)
}

/// The first and the last time of Prometheus, which its clients send where they mean any time, in both spellings.
const FIRST: [&str; 2] = ["-292273086-05-16T16:47:06Z", "-9223372036854775.808"];
const LAST: [&str; 2] = ["292277025-08-18T07:12:54.999999999Z", "9223372036854775.807"];

fn parse_time_ms(name: &str, text: &str) -> Result<i64, QueryError> {
    if FIRST.contains(&text) {
        return Ok(i64::MIN / 2);
    }
    if LAST.contains(&text.trim_start_matches('+')) {
        return Ok(i64::MAX / 2);
    }
    let wrong = || bad_data(format!("invalid parameter {name:?}: cannot parse {text:?} to a valid timestamp"));
    match text.parse::<f64>() {
        Ok(seconds) => seconds_to_ms(seconds).ok_or_else(wrong),
        Err(_) => text.parse::<jiff::Timestamp>().map(|time| time.as_millisecond()).map_err(|_| wrong()),
    }
}

fn parse_duration_ms(name: &str, text: &str) -> Result<i64, QueryError> {
    let wrong = || bad_data(format!("invalid parameter {name:?}: cannot parse {text:?} to a valid duration"));
    let ms = match text.parse::<f64>() {
        Ok(seconds) => seconds_to_ms(seconds).ok_or_else(wrong)?,
        Err(_) => text.parse::<model::range::DurationMs>().map_err(|_| wrong())?.0,
    };
    if ms < 0 { Err(wrong()) } else { Ok(ms) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_rfc_3339() {
        assert_eq!(parse_time_ms("time", "1700000000.5"), Ok(1_700_000_000_500));
        assert_eq!(parse_time_ms("time", "2026-03-01T10:00:00+01:00"), Ok(1_772_355_600_000));
        assert!(parse_time_ms("start", "-292273086-05-16T16:47:06Z").is_ok_and(|time| time < -9_000_000_000_000_000));
        assert!(
            parse_time_ms("end", "+292277025-08-18T07:12:54.999999999Z").is_ok_and(|time| time > 9_000_000_000_000_000)
        );
        for wrong in ["", "NaN", "inf", "yesterday", "1e300"] {
            assert!(parse_time_ms("time", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_are_seconds_or_prometheus_durations() {
        assert_eq!(parse_duration_ms("step", "0.5"), Ok(500));
        assert_eq!(parse_duration_ms("step", "1h30m"), Ok(5_400_000));
        assert!(parse_duration_ms("step", "-1").is_err());
    }
}
