//! Parameters of Prometheus' HTTP API, from the query string of a GET or the form of a POST.

use std::{
    error::Error,
    num::{IntErrorKind, ParseIntError},
    time::Duration,
};

use axum::{
    body::to_bytes,
    extract::{FromRequest, Request},
    http::{Method, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use budget::pairs;
use datasource::{ErrorKind, QueryError};
use http_body_util::LengthLimitError;

use super::envelope::{ErrorResponse, failure};

const NS_OF_MS: i64 = 1_000_000;
/// Durations are in nanoseconds, as in Go: this is 2^63.
const MAX_DURATION_NS: f64 = 9_223_372_036_854_775_808.0;
/// Maximum size of a form, in bytes.
const MAX_FORM_BYTES: usize = 1 << 20;

/// Names and values in order: the form first, then the query string, so that the form's value is used for a parameter
/// in both, as in Go's servers.
#[derive(Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Params {
    type Rejection = Response;

    async fn from_request(request: Request, _: &S) -> Result<Self, Response> {
        let of_url = read_pairs(request.uri().query().unwrap_or_default().as_bytes())
            .map_err(|error| ErrorResponse(error).into_response())?;
        // The body of other methods has no meaning, and permission checks of a GET only read its URL.
        let is_form = request.method() == Method::POST
            && request
                .headers()
                .get(CONTENT_TYPE)
                .is_some_and(|value| value.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
        if !is_form {
            return Ok(Params(of_url));
        }
        let body = to_bytes(request.into_body(), MAX_FORM_BYTES).await.map_err(|error| not_received(&error))?;
        let mut pairs = read_pairs(&body).map_err(|error| ErrorResponse(error).into_response())?;
        pairs.extend(of_url);
        Ok(Params(pairs))
    }
}

/// The response to a body above the limit.
pub(crate) fn too_long() -> Response {
    failure(StatusCode::PAYLOAD_TOO_LARGE, "bad_data", "the request's body is over the limit; ask for less at a time")
}

/// Parses a form or a query string.
fn read_pairs(text: &[u8]) -> Result<Vec<(String, String)>, QueryError> {
    let pairs = pairs::read(text).map_err(|error| bad_data(error.to_string()))?;
    Ok(pairs.into_owned().collect())
}

/// The response to a form that is too long, or was not received.
fn not_received(error: &axum::Error) -> Response {
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return too_long();
        }
        cause = error.source();
    }
    ErrorResponse(bad_data(format!("the form could not be read: {error}"))).into_response()
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

    /// These parameters.
    #[cfg(test)]
    pub(crate) fn of(pairs: &[(&str, &str)]) -> Self {
        Params(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    /// All parameters except those with these names.
    pub(crate) fn without(&self, names: &[&str]) -> Self {
        Params(self.0.iter().filter(|(name, _)| !names.contains(&name.as_str())).cloned().collect())
    }

    /// The first value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(candidate, _)| candidate == name).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter that may be repeated.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.0.iter().filter(move |(candidate, _)| candidate == name).map(|(_, value)| value.as_str())
    }

    /// All parameters, to pass them on.
    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// The query; an absent one is empty, which the parser reports.
    pub(crate) fn query(&self) -> &str {
        self.get("query").unwrap_or_default()
    }

    /// The value of a parameter; an empty one counts as absent.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|text| !text.is_empty())
    }

    /// An optional time: RFC 3339 or Unix seconds with a fraction, in milliseconds.
    pub(crate) fn time_ms(&self, name: &str) -> Result<Option<i64>, QueryError> {
        let parse = |text: &str| {
            let prefix = format!("invalid time value for '{name}': ");
            parse_time_ms(text).ok_or_else(|| unreadable(name, &prefix, text, "timestamp"))
        };
        self.given(name).map(parse).transpose()
    }

    /// A required time.
    pub(crate) fn required_time_ms(&self, name: &str) -> Result<i64, QueryError> {
        let text = self.get(name).unwrap_or_default();
        parse_time_ms(text).ok_or_else(|| unreadable(name, "", text, "timestamp"))
    }

    /// An optional duration: seconds with a fraction or a Prometheus duration, in nanoseconds; may be negative.
    pub(crate) fn duration_ns(&self, name: &str) -> Result<Option<i64>, QueryError> {
        self.given(name).map(|text| duration_ns(name, text)).transpose()
    }

    /// The query timeout, if given.
    pub(crate) fn timeout(&self) -> Result<Option<Duration>, QueryError> {
        let Some(ns) = self.duration_ns("timeout")? else { return Ok(None) };
        match u64::try_from(ns) {
            Ok(ns @ 1..) => Ok(Some(Duration::from_nanos(ns))),
            _ => {
                let given = go_duration(ns);
                Err(bad_data(format!("invalid parameter \"timeout\": timeout must be positive, got {given}")))
            }
        }
    }

    /// The step in whole milliseconds.
    pub(crate) fn step_ms(&self) -> Result<i64, QueryError> {
        let step_ms = duration_ns("step", self.get("step").unwrap_or_default())? / NS_OF_MS;
        if step_ms <= 0 {
            let message = "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer";
            return Err(bad_data(message.to_owned()));
        }
        Ok(step_ms)
    }

    /// The maximum number of results; 0 means no limit, as in Prometheus.
    pub(crate) fn limit(&self) -> Result<Option<usize>, QueryError> {
        let wrong = |reason: &str| bad_data(format!("invalid parameter \"limit\": {reason}"));
        let Some(text) = self.given("limit") else { return Ok(None) };
        match text.parse::<i64>() {
            Ok(limit) => {
                let limit = usize::try_from(limit).map_err(|_| wrong("limit must be non-negative"))?;
                Ok(Some(limit).filter(|limit| *limit != 0))
            }
            Err(error) => Err(wrong(&not_a_number(text, &error))),
        }
    }

    /// A count of the metadata endpoints; a negative one means no limit.
    pub(crate) fn count(&self, name: &str) -> Result<Option<usize>, QueryError> {
        let Some(text) = self.given(name) else { return Ok(None) };
        let count: i64 = text.parse().map_err(|_| bad_data(format!("{name} must be a number")))?;
        Ok(usize::try_from(count).ok())
    }
}

/// Why a text is not an integer, in the words of Go's standard library, which Prometheus' clients know.
pub(crate) fn not_a_number(text: &str, error: &ParseIntError) -> String {
    let reason = match error.kind() {
        IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
        _ => "invalid syntax",
    };
    format!("strconv.Atoi: parsing {text:?}: {reason}")
}

fn unreadable(name: &str, prefix: &str, text: &str, what: &str) -> QueryError {
    bad_data(format!("invalid parameter {name:?}: {prefix}cannot parse {text:?} to a valid {what}"))
}

/// Seconds with a fraction as milliseconds, if they fit.
#[allow(clippy::cast_possible_truncation)] // bounded by the comparison before it
fn seconds_to_ms(seconds: f64) -> Option<i64> {
    let ms = (seconds * 1000.0).round();
    (ms.abs() < 9.0e15).then_some(ms as i64)
}

/// Prometheus' minimum and maximum times, which its clients send for an open range, in both formats.
const FIRST: [&str; 2] = ["-292273086-05-16T16:47:06Z", "-9223372036854775.808"];
const LAST: [&str; 2] = ["292277025-08-18T07:12:54.999999999Z", "9223372036854775.807"];

/// Parses a time. Rejects numbers that are not finite or do not fit into milliseconds; Prometheus converts them to a
/// wrong time.
fn parse_time_ms(text: &str) -> Option<i64> {
    if FIRST.contains(&text) {
        return Some(i64::MIN / 2);
    }
    if LAST.contains(&text.trim_start_matches('+')) {
        return Some(i64::MAX / 2);
    }
    match text.parse::<f64>() {
        Ok(seconds) => seconds_to_ms(seconds),
        // The parser accepts more than RFC 3339: other separators, and time zone names.
        Err(_) if text.as_bytes().get(10) == Some(&b'T') && !text.contains('[') => {
            text.parse::<jiff::Timestamp>().ok().map(|time| time.as_millisecond())
        }
        Err(_) => None,
    }
}

#[allow(clippy::cast_possible_truncation)] // bounded by the comparison before it
fn duration_ns(name: &str, text: &str) -> Result<i64, QueryError> {
    let wrong = || unreadable(name, "", text, "duration");
    match text.parse::<f64>() {
        Ok(seconds) => {
            let ns = seconds * 1e9;
            if ns.is_nan() || ns.abs() >= MAX_DURATION_NS {
                let QueryError { kind, message } = wrong();
                return Err(QueryError::new(kind, format!("{message}. It overflows int64")));
            }
            Ok(ns as i64)
        }
        Err(_) => {
            let ms = text.parse::<model::range::DurationMs>().map_err(|_| wrong())?.0;
            ms.checked_mul(NS_OF_MS).ok_or_else(wrong)
        }
    }
}

/// A duration in nanoseconds as Go prints it: `-1h0m0.5s`, `-1ms`, `0s`.
fn go_duration(ns: i64) -> String {
    /// Inserts a point `places` digits from the right, and removes trailing zeros.
    fn decimal(value: u64, places: usize) -> String {
        let digits = format!("{value:0width$}", width = places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places);
        format!("{whole}.{fraction}").trim_end_matches('0').trim_end_matches('.').to_owned()
    }
    let sign = if ns < 0 { "-" } else { "" };
    let ns = ns.unsigned_abs();
    let (minutes, rest) = (ns / 60_000_000_000, decimal(ns % 60_000_000_000, 9));
    match (minutes / 60, minutes % 60, ns) {
        (_, _, 0) => "0s".to_owned(),
        (_, _, ..1_000) => format!("{sign}{ns}ns"),
        (_, _, ..1_000_000) => format!("{sign}{}µs", decimal(ns, 3)),
        (_, _, ..1_000_000_000) => format!("{sign}{}ms", decimal(ns, 6)),
        (0, 0, _) => format!("{sign}{rest}s"),
        (0, minutes, _) => format!("{sign}{minutes}m{rest}s"),
        (hours, minutes, _) => format!("{sign}{hours}h{minutes}m{rest}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Params {
        Params::one(name, value)
    }

    #[tokio::test]
    async fn a_form_of_very_many_parameters_is_refused_before_it_is_read() {
        let read = async |count: usize, in_url: bool| {
            let pairs = format!("query=up{}", "&a".repeat(count));
            let (uri, form) = if in_url { (format!("/?{pairs}"), String::new()) } else { ("/".to_owned(), pairs) };
            let request = Request::post(uri).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
            Params::from_request(request.body(form.into()).unwrap(), &()).await
        };
        assert_eq!(read(9_999, false).await.unwrap().query(), "up");
        for in_url in [false, true] {
            let refused = read(10_000, in_url).await.err().unwrap();
            assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
            let body = axum::body::to_bytes(refused.into_body(), 1 << 10).await.unwrap();
            let error: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(error["errorType"], "bad_data");
            assert!(error["error"].as_str().unwrap().contains("more than 10000 parameters"), "{error}");
        }
    }

    #[test]
    fn times_are_seconds_or_rfc_3339() {
        assert_eq!(parse_time_ms("1700000000.5"), Some(1_700_000_000_500));
        assert_eq!(parse_time_ms("2026-03-01T10:00:00+01:00"), Some(1_772_355_600_000));
        assert!(parse_time_ms("-292273086-05-16T16:47:06Z").is_some_and(|time| time < -9_000_000_000_000_000));
        assert!(parse_time_ms("+292277025-08-18T07:12:54.999999999Z").is_some_and(|time| time > 9_000_000_000_000_000));
        for wrong in ["", "NaN", "inf", "yesterday", "1e300", "2026-03-01 10:00:00Z", "2026-03-01T10:00:00Z[UTC]"] {
            assert_eq!(parse_time_ms(wrong), None, "{wrong}");
        }
        assert_eq!(with("time", "").time_ms("time"), Ok(None));
        assert!(with("start", "").required_time_ms("start").is_err());
    }

    #[test]
    fn durations_are_seconds_or_prometheus_durations() {
        let ns = |text: &str| with("timeout", text).duration_ns("timeout");
        assert_eq!(ns("0.5"), Ok(Some(500_000_000)));
        assert_eq!(ns("-1"), Ok(Some(-1_000_000_000)));
        assert_eq!(ns("1h30m"), Ok(Some(5_400_000_000_000)));
        assert_eq!(ns(""), Ok(None));
        for wrong in ["NaN", "1e300", "9223372037", "300y", "1.5m", "-5m"] {
            assert!(ns(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn timeouts_are_positive() {
        let timeout = |text: &str| with("timeout", text).timeout();
        assert_eq!((timeout(""), timeout("1ms")), (Ok(None), Ok(Some(Duration::from_millis(1)))));
        for (text, printed) in [
            ("0", "0s"),
            ("-1", "-1s"),
            ("-300", "-5m0s"),
            ("-3600.5", "-1h0m0.5s"),
            ("-0.0015", "-1.5ms"),
            ("-2e-6", "-2µs"),
            ("-2e-9", "-2ns"),
        ] {
            let message = timeout(text).unwrap_err().message;
            assert_eq!(message, format!("invalid parameter \"timeout\": timeout must be positive, got {printed}"));
        }
    }

    #[test]
    fn steps_are_whole_milliseconds_above_zero() {
        let step = |text: &str| with("step", text).step_ms();
        assert_eq!(step("60.0009"), Ok(60_000));
        assert_eq!(step("1m"), Ok(60_000));
        for wrong in ["", "0", "-1", "0.0001", "soon"] {
            assert!(step(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn limits_are_counts() {
        let limit = |text: &str| with("limit", text).limit();
        assert_eq!((limit("0"), limit("+3"), limit("")), (Ok(None), Ok(Some(3)), Ok(None)));
        let message = |text: &str| limit(text).unwrap_err().message;
        assert_eq!(message("-1"), r#"invalid parameter "limit": limit must be non-negative"#);
        assert_eq!(message("x"), r#"invalid parameter "limit": strconv.Atoi: parsing "x": invalid syntax"#);
        assert!(message("99999999999999999999").ends_with("value out of range"));
        assert_eq!(with("limit", "-1").count("limit"), Ok(None));
    }
}
