//! Series descriptions: `name{label="value"} 1 2+3x4 _ stale {{schema:0 sum:1 count:1}}`.

use std::sync::Arc;

use labels::{Labels, METRIC_NAME};
use timeseries::{
    STALE_NAN, Sample,
    histogram::{Histogram, ResetHint},
};

/// A series with at most one value per step.
#[derive(Debug, Clone)]
pub struct Described {
    /// The series.
    pub labels: Labels,
    /// The value of each step, if any.
    pub samples: Vec<Option<Sample>>,
}

/// A series and the interval of its samples.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The series.
    pub series: Described,
    /// Milliseconds from one sample to the next.
    pub step_ms: i64,
}

/// Parses a series; an error if the line is not a series.
pub(crate) fn parse(line: &str) -> Result<Described, String> {
    let line = line.trim();
    let name_end = line.find(|c: char| c == '{' || c.is_whitespace()).unwrap_or(line.len());
    let name = &line[..name_end];
    let mut rest = line[name_end..].trim_start();
    let mut pairs: Vec<(String, String)> = Vec::new();
    if !name.is_empty() {
        pairs.push((METRIC_NAME.to_owned(), name.to_owned()));
    }
    if let Some(inside) = rest.strip_prefix('{').filter(|_| !rest.starts_with("{{")) {
        rest = labels(inside, &mut pairs)?;
    }
    Ok(Described { labels: Labels::new(pairs), samples: values(rest)? })
}

/// Parses labels up to the closing brace; returns the rest.
fn labels<'a>(text: &'a str, pairs: &mut Vec<(String, String)>) -> Result<&'a str, String> {
    let mut rest = text.trim_start();
    loop {
        rest = rest.trim_start_matches([',', ' ', '\t']);
        if let Some(after) = rest.strip_prefix('}') {
            return Ok(after);
        }
        let (name, after) = if rest.starts_with('"') {
            quoted(rest)?
        } else {
            let end = rest.find(['=', '}', ',']).ok_or("label without a value")?;
            (rest[..end].trim().to_owned(), &rest[end..])
        };
        let after = after.trim_start();
        match after.strip_prefix('=') {
            Some(after) => {
                let (value, after) = quoted(after.trim_start())?;
                pairs.push((name, value));
                rest = after;
            }
            None => {
                pairs.push((METRIC_NAME.to_owned(), name));
                rest = after;
            }
        }
    }
}

/// Parses a quoted string.
pub(crate) fn quoted(text: &str) -> Result<(String, &str), String> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\'' | '`')).ok_or("string expected")?;
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((index, c)) = chars.next() {
        match c {
            c if c == quote => return Ok((value, &text[index + 1..])),
            '\\' if quote != '`' => match chars.next().map(|(_, c)| c) {
                Some('n') => value.push('\n'),
                Some('t') => value.push('\t'),
                Some(c) => value.push(c),
                None => break,
            },
            c => value.push(c),
        }
    }
    Err("string without an end".to_owned())
}

/// Parses values up to the end of the line.
pub(crate) fn values(text: &str) -> Result<Vec<Option<Sample>>, String> {
    let mut samples = Vec::new();
    for item in items(text) {
        if let Some(inner) = item.strip_prefix("{{") {
            histograms(inner, &mut samples)?;
            continue;
        }
        if let Some(times) = item.strip_prefix('_') {
            let times = times.strip_prefix('x').map_or(Ok(1), str::parse::<usize>).map_err(|e| e.to_string())?;
            samples.extend(std::iter::repeat_n(None, times));
            continue;
        }
        if item == "stale" {
            samples.push(Some(Sample::Float(STALE_NAN)));
            continue;
        }
        let (value, times) = match item.rsplit_once('x').filter(|(_, times)| times.parse::<usize>().is_ok()) {
            Some((value, times)) => (value, times.parse::<usize>().map_err(|e| e.to_string())? + 1),
            None => (item, 1),
        };
        let (start, increment) = split_increment(value);
        let mut current: f64 = number(start)?;
        let increment: f64 = increment.map_or(Ok(0.0), number)?;
        for _ in 0..times {
            samples.push(Some(Sample::Float(current)));
            current += increment;
        }
    }
    Ok(samples)
}

/// Splits at white space outside of `{{…}}`.
fn items(text: &str) -> Vec<&str> {
    let mut items = Vec::new();
    let (mut start, mut depth) = (None, 0);
    for (index, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if c.is_whitespace() && depth == 0 {
            items.extend(start.take().map(|start: usize| &text[start..index]));
        } else if start.is_none() {
            start = Some(index);
        }
    }
    items.extend(start.map(|start| &text[start..]));
    items
}

/// Splits `a+b` and `a-b`, but not at a sign at the start or in an exponent.
fn split_increment(text: &str) -> (&str, Option<&str>) {
    for (index, pair) in text.as_bytes().windows(2).enumerate() {
        if let [before, sign @ (b'+' | b'-')] = pair
            && !matches!(before, b'e' | b'E')
        {
            let from = if *sign == b'-' { index + 1 } else { index + 2 };
            return (&text[..index + 1], Some(&text[from..]));
        }
    }
    (text, None)
}

/// Parses a number in PromQL's syntax.
pub(crate) fn number(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("not a number: {text:?}"))
}

/// Parses `…}}`, `…}}x3` and `…}}+{{…}}x3`.
fn histograms(text: &str, samples: &mut Vec<Option<Sample>>) -> Result<(), String> {
    let (first, rest) = text.split_once("}}").ok_or("histogram without an end")?;
    let mut current = histogram(first)?;
    let mut times = rest;
    let mut increment = None;
    for (sign, factor) in [("+{{", 1.0), ("-{{", -1.0)] {
        if let Some(inner) = rest.strip_prefix(sign) {
            let (second, after) = inner.split_once("}}").ok_or("histogram without an end")?;
            increment = Some((histogram(second)?, factor));
            times = after;
        }
    }
    let repeats: usize = match times.strip_prefix('x') {
        Some(times) => times.parse::<usize>().map_err(|e| e.to_string())?,
        None if times.is_empty() => 0,
        None => return Err(format!("unexpected {times:?} after histogram")),
    };
    samples.push(Some(Sample::Histogram(Arc::new(current.clone()))));
    for _ in 0..repeats {
        if let Some((increment, factor)) = &increment {
            current = add(&current, increment, *factor);
        }
        samples.push(Some(Sample::Histogram(Arc::new(current.clone()))));
    }
    Ok(())
}

/// Adds bucket by bucket; both have the same layout.
fn add(left: &Histogram, right: &Histogram, factor: f64) -> Histogram {
    let mut sum = left.clone();
    sum.count += factor * right.count;
    sum.sum += factor * right.sum;
    sum.zero_count += factor * right.zero_count;
    for (buckets, added) in [(&mut sum.positive, &right.positive), (&mut sum.negative, &right.negative)] {
        for (index, count) in added {
            match buckets.binary_search_by_key(index, |(index, _)| *index) {
                Ok(place) => buckets.get_mut(place).into_iter().for_each(|bucket| bucket.1 += factor * count),
                Err(place) => buckets.insert(place, (*index, factor * count)),
            }
        }
        buckets.retain(|(_, count)| *count != 0.0);
    }
    sum
}

fn histogram(text: &str) -> Result<Histogram, String> {
    let mut histogram = Histogram::default();
    let (mut offset, mut negative_offset) = (0, 0);
    let (mut buckets, mut negative) = (Vec::new(), Vec::new());
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (key, after) = rest.split_once(':').ok_or_else(|| format!("histogram field without a value: {rest:?}"))?;
        let end = if after.starts_with('[') { after.find(']').map(|i| i + 1) } else { after.find(char::is_whitespace) };
        let (value, after) = after.split_at(end.unwrap_or(after.len()));
        rest = after.trim_start();
        let list = || value.trim_matches(['[', ']']).split_whitespace().map(number).collect::<Result<Vec<f64>, _>>();
        match key.trim() {
            "schema" => histogram.schema = value.parse().map_err(|_| "bad schema")?,
            "sum" => histogram.sum = number(value)?,
            "count" => histogram.count = number(value)?,
            "z_bucket" => histogram.zero_count = number(value)?,
            "z_bucket_w" => histogram.zero_threshold = number(value)?,
            "buckets" => buckets = list()?,
            "n_buckets" => negative = list()?,
            "offset" => offset = value.parse().map_err(|_| "bad offset")?,
            "n_offset" => negative_offset = value.parse().map_err(|_| "bad offset")?,
            "custom_values" => histogram.custom_bounds = list()?.into(),
            "counter_reset_hint" => {
                histogram.reset_hint = match value {
                    "gauge" => ResetHint::Gauge,
                    "reset" => ResetHint::Reset,
                    "not_reset" => ResetHint::NotReset,
                    _ => ResetHint::Unknown,
                };
            }
            other => return Err(format!("unknown histogram field {other:?}")),
        }
    }
    let indexed = |from: i32, counts: Vec<f64>| {
        (from..).zip(counts).filter(|(_, count)| *count != 0.0).collect::<Vec<(i32, f64)>>()
    };
    histogram.positive = indexed(offset, buckets);
    histogram.negative = indexed(negative_offset, negative);
    Ok(histogram)
}
