//! The line of a sample.

use std::borrow::Cow;

use super::Parser;
use crate::{
    cursor::Cursor,
    error::{ParseError, Problem},
    page::{Exemplar, Format, Label, Sample},
};

impl<'page> Parser<'page> {
    /// A line `name{labels} value timestamp # {labels} value timestamp`.
    pub(super) fn sample(&mut self, mut cursor: Cursor<'page>) -> Result<(), ParseError> {
        if self.samples >= self.limits.samples {
            return Err(cursor.error(Problem::Limit { what: "samples", limit: self.limits.samples }));
        }
        let start = cursor;
        let plain_name = cursor.metric_name();
        let mut name = (!plain_name.is_empty()).then_some(Cow::Borrowed(plain_name));
        cursor.skip_blanks();
        let labels = if cursor.take(b'{') {
            self.labels(&mut cursor, Some(&mut name))?
        } else if name.is_none() {
            return Err(cursor.expected("a metric name"));
        } else {
            Vec::new()
        };
        let name = name.ok_or_else(|| cursor.error(Problem::NoName))?;
        let series = cursor.since(start).trim_end();
        let value = self.value(&mut cursor)?;
        let timestamp_ms = self.timestamp(&mut cursor)?;
        let exemplar = self.exemplar(&mut cursor)?;
        cursor.skip_blanks();
        if !cursor.is_at_end() {
            return Err(cursor.expected("the end of the line"));
        }
        let index = match self.family_of_sample(&name) {
            Some(index) => index,
            None => self.family(name.clone(), &cursor)?,
        };
        self.current = Some(index);
        if let Some(family) = self.families.get_mut(index) {
            family.samples.push(Sample { series, name, labels, value, timestamp_ms, exemplar });
            self.samples += 1;
        }
        Ok(())
    }

    /// Labels up to and including the closing brace. `name` is set if a quoted metric name may be among them.
    fn labels(
        &self,
        cursor: &mut Cursor<'page>,
        mut name: Option<&mut Option<Cow<'page, str>>>,
    ) -> Result<Vec<Label<'page>>, ParseError> {
        let mut labels: Vec<Label<'page>> = Vec::new();
        loop {
            cursor.skip_blanks();
            if cursor.take(b'}') {
                return Ok(labels);
            }
            let is_quoted = cursor.peek() == Some(b'"');
            let label = if is_quoted { cursor.quoted()? } else { Cow::Borrowed(cursor.label_name()) };
            if label.is_empty() && !is_quoted {
                return Err(cursor.expected("a label name or }"));
            }
            cursor.skip_blanks();
            match &mut name {
                Some(name) if is_quoted && cursor.peek() != Some(b'=') => {
                    if name.is_some() {
                        return Err(cursor.error(Problem::TwoNames));
                    }
                    **name = Some(label);
                }
                _ => {
                    cursor.require(b'=', "= after the label name")?;
                    cursor.skip_blanks();
                    let value = cursor.quoted()?;
                    if labels.iter().any(|(known, _)| *known == label) {
                        return Err(cursor.error(Problem::RepeatedLabel(label.into_owned())));
                    }
                    if labels.len() >= self.limits.labels {
                        return Err(
                            cursor.error(Problem::Limit { what: "labels of one sample", limit: self.limits.labels })
                        );
                    }
                    labels.push((label, value));
                }
            }
            cursor.skip_blanks();
            if !cursor.take(b',') {
                cursor.require(b'}', ", or } after a label")?;
                return Ok(labels);
            }
        }
    }

    fn value(&self, cursor: &mut Cursor<'page>) -> Result<f64, ParseError> {
        cursor.skip_blanks();
        let start = *cursor;
        parse_float(cursor.word()).ok_or_else(|| start.expected("a number"))
    }

    /// The timestamp in milliseconds, if there is one.
    fn timestamp(&self, cursor: &mut Cursor<'page>) -> Result<Option<i64>, ParseError> {
        cursor.skip_blanks();
        if cursor.is_at_end() || cursor.peek() == Some(b'#') {
            return Ok(None);
        }
        let start = *cursor;
        let word = cursor.word();
        match self.format {
            Format::Text => word.parse::<i64>().map(Some).map_err(|_| start.expected("a timestamp")),
            Format::OpenMetrics => {
                let seconds = parse_float(word).ok_or_else(|| start.expected("a timestamp"))?;
                milliseconds(seconds).map(Some).ok_or_else(|| start.error(Problem::Timestamp))
            }
        }
    }

    fn exemplar(&self, cursor: &mut Cursor<'page>) -> Result<Option<Exemplar<'page>>, ParseError> {
        cursor.skip_blanks();
        if self.format == Format::Text || !cursor.take(b'#') {
            return Ok(None);
        }
        cursor.skip_blanks();
        cursor.require(b'{', "{ of an exemplar")?;
        let labels = self.labels(cursor, None)?;
        let value = self.value(cursor)?;
        let timestamp_ms = self.timestamp(cursor)?;
        Ok(Some(Exemplar { labels, value, timestamp_ms }))
    }
}

/// A number in Go's syntax. Rust parses the same words (`NaN`, `Inf`, `+Inf`), ignoring case.
fn parse_float(word: &str) -> Option<f64> {
    word.parse().ok()
}

/// Seconds since the epoch in whole milliseconds.
fn milliseconds(seconds: f64) -> Option<i64> {
    /// Maximum that both types represent exactly.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let milliseconds = (seconds * 1000.0).round();
    #[allow(clippy::cast_possible_truncation, reason = "checked against the range just before")]
    (milliseconds.abs() <= EXACT).then_some(milliseconds as i64)
}
