//! A queried engine, and its answers in a comparable form.

use std::collections::BTreeMap;

use serde_json::Value;

use super::world::START_MS;
use crate::common::client;

/// One time, or steps, in the API's notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Instant,
    Range,
}

/// The address of Prometheus' API.
pub struct Engine {
    url: String,
    token: Option<&'static str>,
    client: reqwest::Client,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Status and type of an error; each engine has its own texts.
    Refused(u16, String),
    /// Type of the result, and its values by series and time.
    Values(String, BTreeMap<String, BTreeMap<String, String>>),
}

impl Engine {
    /// The engine at `url`, with its token.
    pub fn new(url: String, token: Option<&'static str>) -> Self {
        Engine { url, token, client: client() }
    }

    /// Evaluates an expression. The second result is the order of the series, if there is one.
    pub async fn ask(&self, expr: &str, when: When) -> (Answer, Vec<String>) {
        match self.data(expr, when).await {
            Ok(data) => read(&data),
            Err(refusal) => (refusal, Vec::new()),
        }
    }

    /// The native histograms of an expression's result, by series.
    pub async fn histograms(&self, expr: &str) -> BTreeMap<String, Value> {
        let data = self.data(expr, When::Instant).await.unwrap();
        let series = data["result"].as_array().unwrap().iter();
        series.map(|series| (series["metric"].to_string(), series["histogram"][1].clone())).collect()
    }

    async fn data(&self, expr: &str, when: When) -> Result<Value, Answer> {
        let time = |seconds: f64| (START_MS as f64 / 1000.0 + seconds).to_string();
        let (path, parameters) = match when {
            When::Instant => ("query", vec![("time", time(3_007.0))]),
            When::Range => {
                ("query_range", vec![("start", time(907.5)), ("end", time(3_307.0)), ("step", "61".to_owned())])
            }
        };
        let mut request = self.client.post(format!("{}/api/v1/{path}", self.url));
        if let Some(token) = self.token {
            request = request.bearer_auth(token);
        }
        let parameters = [&[("query", expr.to_owned())], &parameters[..]].concat();
        let answer = request.form(&parameters).send().await.unwrap();
        let status = answer.status().as_u16();
        let mut answer: Value = answer.json().await.unwrap();
        if answer["status"] != "success" {
            return Err(Answer::Refused(status, answer["errorType"].as_str().unwrap_or_default().to_owned()));
        }
        Ok(answer["data"].take())
    }
}

fn read(data: &Value) -> (Answer, Vec<String>) {
    let kind = data["resultType"].as_str().unwrap().to_owned();
    let pair = |pair: &Value| (pair[0].to_string(), pair[1].as_str().unwrap().to_owned());
    let mut values = BTreeMap::new();
    let mut order = Vec::new();
    match kind.as_str() {
        "scalar" | "string" => drop(values.insert(String::new(), BTreeMap::from([pair(&data["result"])]))),
        _ => {
            for series in data["result"].as_array().unwrap() {
                let single = series["value"].is_array().then(|| pair(&series["value"]));
                let many = series["values"].as_array().into_iter().flatten().map(pair);
                order.push(single.as_ref().map(|(_, value)| value.clone()).unwrap_or_default());
                let known = values.insert(series["metric"].to_string(), single.into_iter().chain(many).collect());
                assert!(known.is_none(), "a series came twice: {data}");
            }
        }
    }
    (Answer::Values(kind, values), order)
}

/// How much two values may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leeway {
    /// Not at all.
    None,
    /// In the sign of a zero.
    Zeros,
    /// In their last digits.
    Digits,
}

/// The difference of two answers.
pub fn difference(ours: &Answer, theirs: &Answer, leeway: Leeway) -> Option<String> {
    match (ours, theirs) {
        (Answer::Values(kind, ours), Answer::Values(other, theirs)) if kind == other => {
            for (series, values) in theirs {
                let Some(found) = ours.get(series) else { return Some(format!("{series} is missing")) };
                for (time, value) in values {
                    match found.get(time) {
                        None => return Some(format!("{series} has nothing at {time}, and not {value}")),
                        Some(found) if found == value || is_close(found, value, leeway) => {}
                        Some(found) => return Some(format!("{series} is {found} at {time}, and not {value}")),
                    }
                }
                if let Some(time) = found.keys().find(|time| !values.contains_key(*time)) {
                    return Some(format!("{series} has {} at {time}, and not nothing", found[time]));
                }
            }
            ours.keys().find(|series| !theirs.contains_key(*series)).map(|series| format!("{series} is too much"))
        }
        (ours, theirs) if ours == theirs => None,
        (ours, theirs) => {
            let short = |answer: &Answer| format!("{answer:?}").chars().take(200).collect::<String>();
            Some(format!("{} and not {}", short(ours), short(theirs)))
        }
    }
}

fn is_close(left: &str, right: &str, leeway: Leeway) -> bool {
    if leeway < Leeway::Digits {
        return leeway == Leeway::Zeros && [left, right].iter().all(|value| matches!(*value, "0" | "-0"));
    }
    let (Ok(left), Ok(right)) = (left.parse::<f64>(), right.parse::<f64>()) else { return false };
    // Quotients whose divisor is zero except for rounding.
    let is_noise = left.abs() > 1e18 && right.abs() > 1e18;
    is_noise || (left - right).abs() <= 1e-8 * left.abs().max(right.abs()).max(1e-2)
}
