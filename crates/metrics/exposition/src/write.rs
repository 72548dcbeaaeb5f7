//! Writes families as Prometheus text 0.0.4.

use std::fmt::Write as _;

use crate::page::Kind;

/// Writes an exposition, family by family.
#[derive(Debug, Default)]
pub struct Writer {
    page: String,
    name: String,
}

impl Writer {
    /// An empty exposition.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a family; the following samples belong to it. Each family may only be started once.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str) -> &mut Self {
        name.clone_into(&mut self.name);
        if !help.is_empty() {
            self.page.push_str("# HELP ");
            self.push_family_name();
            self.page.push(' ');
            push_escaped(&mut self.page, help, false);
            self.page.push('\n');
        }
        // The text format has fewer types than OpenMetrics.
        let kind = match kind {
            Kind::Info | Kind::StateSet => Kind::Gauge.name(),
            Kind::Unknown | Kind::GaugeHistogram => "untyped",
            kind => kind.name(),
        };
        self.page.push_str("# TYPE ");
        self.push_family_name();
        let _ = writeln!(self.page, " {kind}");
        self
    }

    /// A sample of the family.
    pub fn sample<'a>(&mut self, labels: impl IntoIterator<Item = (&'a str, &'a str)>, value: f64) -> &mut Self {
        self.suffixed("", labels, value)
    }

    /// A sample of the family with a timestamp, in milliseconds since the Unix epoch.
    pub fn sample_at<'a>(
        &mut self,
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
        value: f64,
        timestamp_ms: i64,
    ) -> &mut Self {
        self.suffixed("", labels, value);
        self.page.pop();
        let _ = writeln!(self.page, " {timestamp_ms}");
        self
    }

    /// A sample with a suffix after the family's name: `_bucket`, `_sum`, `_count`.
    pub fn suffixed<'a>(
        &mut self,
        suffix: &str,
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
        value: f64,
    ) -> &mut Self {
        let is_plain = is_plain_name(&self.name);
        let mut separator = '{';
        if is_plain {
            self.page.push_str(&self.name);
            self.page.push_str(suffix);
        } else {
            self.page.push_str("{\"");
            push_escaped(&mut self.page, &self.name, true);
            self.page.push_str(suffix);
            self.page.push('"');
            separator = ',';
        }
        for (name, value) in labels {
            self.page.push(separator);
            separator = ',';
            if is_plain_name(name) && !name.contains(':') {
                self.page.push_str(name);
            } else {
                self.page.push('"');
                push_escaped(&mut self.page, name, true);
                self.page.push('"');
            }
            self.page.push_str("=\"");
            push_escaped(&mut self.page, value, true);
            self.page.push('"');
        }
        if separator == ',' {
            self.page.push('}');
        }
        self.page.push(' ');
        push_value(&mut self.page, value);
        self.page.push('\n');
        self
    }

    /// A histogram of the family: cumulative counts by ascending upper bound, without `+Inf`.
    pub fn histogram(&mut self, labels: &[(&str, &str)], buckets: &[(f64, f64)], sum: f64, count: f64) -> &mut Self {
        for (bound, cumulative) in buckets.iter().copied().chain([(f64::INFINITY, count)]) {
            let mut bound_text = String::new();
            push_value(&mut bound_text, bound);
            let with_bound = labels.iter().copied().chain([("le", bound_text.as_str())]);
            self.suffixed("_bucket", with_bound, cumulative);
        }
        self.suffixed("_sum", labels.iter().copied(), sum);
        self.suffixed("_count", labels.iter().copied(), count)
    }

    /// The text.
    #[must_use]
    pub fn finish(self) -> String {
        self.page
    }

    fn push_family_name(&mut self) {
        if is_plain_name(&self.name) {
            self.page.push_str(&self.name);
        } else {
            self.page.push('"');
            push_escaped(&mut self.page, &self.name, true);
            self.page.push('"');
        }
    }
}

/// Whether a metric name needs no quotes.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':')
}

fn push_escaped(page: &mut String, text: &str, with_quotes: bool) {
    for character in text.chars() {
        match character {
            '\\' => page.push_str("\\\\"),
            '\n' => page.push_str("\\n"),
            '"' if with_quotes => page.push_str("\\\""),
            other => page.push(other),
        }
    }
}

/// A value in Prometheus' format.
fn push_value(page: &mut String, value: f64) {
    if value.is_nan() {
        page.push_str("NaN");
    } else if value.is_infinite() {
        page.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    } else {
        let _ = write!(page, "{value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        page::Format,
        parse::{Limits, parse},
    };

    #[test]
    fn what_is_written_reads_back() {
        let mut writer = Writer::new();
        writer.family("requests_total", Kind::Counter, "Requests,\nby \\path.");
        writer.sample([("path", "/a\"b\\c\nd"), ("code", "200")], 3.0).sample([], f64::NAN);
        writer.family("my.metric", Kind::Unknown, "").sample([("a.b", "c")], f64::NEG_INFINITY).sample([], 1.5e-9);
        writer.family("latency_seconds", Kind::Histogram, "Time.").histogram(
            &[("path", "/")],
            &[(0.5, 1.0), (1.0, 2.0)],
            1.9,
            3.0,
        );
        let page = writer.finish();
        let families = parse(&page, Format::Text, Limits::default()).unwrap();
        assert_eq!(families[0].help, "Requests,\nby \\path.");
        assert_eq!(families[0].samples[0].labels[0], ("path".into(), "/a\"b\\c\nd".into()));
        assert!(families[0].samples[1].value.is_nan());
        assert_eq!(families[1].samples[0].labels, [("a.b".into(), "c".into())]);
        assert_eq!(families[1].samples[1].value, 1.5e-9);
        assert_eq!((families[2].kind, families[2].samples.len()), (Kind::Histogram, 5));
        assert_eq!(families[2].samples[2].labels[1], ("le".into(), "+Inf".into()));
    }
}
