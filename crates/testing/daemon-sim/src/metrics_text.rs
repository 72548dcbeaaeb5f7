//! The canonical series in two text formats: Prometheus 0.0.4 and OpenMetrics 1.0.0.

use std::fmt::Write;

use crate::world::{Family, MetricKind, SeriesTable};

/// A text format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFormat {
    /// `text/plain; version=0.0.4`.
    Prometheus,
    /// `application/openmetrics-text; version=1.0.0`.
    OpenMetrics,
}

impl TextFormat {
    /// The format that an `Accept` header prefers: OpenMetrics if its weight is at least that of plain text.
    #[must_use]
    pub fn negotiate(accept: &str) -> Self {
        let (mut open, mut plain) = (0.0, 0.0_f64);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default();
            let weight =
                parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |q| q.parse::<f64>().unwrap_or(0.0));
            match kind {
                "application/openmetrics-text" => open = weight,
                "text/plain" | "text/*" | "*/*" => plain = plain.max(weight),
                _ => {}
            }
        }
        if open > 0.0 && open >= plain { TextFormat::OpenMetrics } else { TextFormat::Prometheus }
    }

    /// The value of `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            TextFormat::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            TextFormat::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Writes all series with their values. Bucket bounds are the same in both formats, so that a series has the same
/// labels in both.
#[must_use]
pub fn write_metrics(table: &SeriesTable, values: &[f64], format: TextFormat) -> String {
    let mut text = String::with_capacity(table.series.len() * 96);
    for family in &table.families {
        write_head(&mut text, family, format);
        let rows = table.series.iter().zip(values).skip(family.first).take(family.len);
        for (series, value) in rows {
            text.push_str(&series.name);
            write_labels(&mut text, series.labels.iter().map(|(name, value)| (*name, value.as_str())));
            text.push(' ');
            write_value(&mut text, *value);
            text.push('\n');
        }
    }
    if format == TextFormat::OpenMetrics {
        text.push_str("# EOF\n");
    }
    text
}

fn write_head(text: &mut String, family: &Family, format: TextFormat) {
    let (name, kind) = match (format, family.kind) {
        // OpenMetrics names a counter's family without the suffix `_total`, which its samples must have. Without the
        // suffix it is no counter.
        (TextFormat::OpenMetrics, MetricKind::Counter) => match family.name.strip_suffix("_total") {
            Some(stem) => (stem, "counter"),
            None => (family.name, "unknown"),
        },
        (_, MetricKind::Counter) => (family.name, "counter"),
        (_, MetricKind::Gauge) => (family.name, "gauge"),
        (_, MetricKind::Histogram) => (family.name, "histogram"),
    };
    // Writing to a string cannot fail.
    let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {kind}", family.help);
}

/// Writes `{a="b",c="d"}`, or nothing without labels.
pub(crate) fn write_labels<'a>(text: &mut String, labels: impl Iterator<Item = (&'a str, &'a str)>) {
    let mut separator = '{';
    for (name, value) in labels {
        text.push(separator);
        separator = ',';
        text.push_str(name);
        text.push_str("=\"");
        for letter in value.chars() {
            match letter {
                '\\' => text.push_str("\\\\"),
                '"' => text.push_str("\\\""),
                '\n' => text.push_str("\\n"),
                other => text.push(other),
            }
        }
        text.push('"');
    }
    if separator == ',' {
        text.push('}');
    }
}

/// Writes a value as the format requires.
pub(crate) fn write_value(text: &mut String, value: f64) {
    if value.is_nan() {
        text.push_str("NaN");
    } else if value.is_infinite() {
        text.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    } else {
        let _ = write!(text, "{value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{World, WorldOptions};

    #[test]
    fn accept_decides() {
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(TextFormat::negotiate(prometheus), TextFormat::OpenMetrics);
        assert_eq!(TextFormat::negotiate("*/*"), TextFormat::Prometheus);
        assert_eq!(TextFormat::negotiate(""), TextFormat::Prometheus);
        assert_eq!(TextFormat::negotiate("application/openmetrics-text;q=0.2, text/plain"), TextFormat::Prometheus);
    }

    #[test]
    fn both_forms_are_well_formed() {
        let mut world = World::new(WorldOptions::default());
        world.advance_to(1_800_000);
        let table = world.table();
        let plain = write_metrics(&table, world.sample(), TextFormat::Prometheus);
        let open = write_metrics(&table, world.sample(), TextFormat::OpenMetrics);
        assert!(plain.contains("# TYPE hypersdk_jobs_completed_total counter\n"));
        assert!(plain.contains("hypersdk_job_duration_seconds_bucket{le=\"+Inf\",provider=\"vsphere\"} "));
        assert!(
            plain.contains("\nhypersdk_memory_bytes ") && plain.contains("\nhypersdk_memory_bytes{type=\"heap\"} ")
        );
        assert!(open.contains("# TYPE hypersdk_jobs_completed counter\nhypersdk_jobs_completed_total{"));
        assert!(open.contains("# TYPE hypersdk_provider_jobs_failed unknown\n") && open.ends_with("# EOF\n"));
        assert!(
            plain
                .lines()
                .all(|line| line.starts_with('#')
                    || line.rsplit_once(' ').is_some_and(|(_, v)| v.parse::<f64>().is_ok()))
        );
    }

    #[test]
    fn label_values_are_escaped() {
        let mut text = String::new();
        write_labels(&mut text, [("a", "x\"y\\z\n")].into_iter());
        assert_eq!(text, r#"{a="x\"y\\z\n"}"#);
        write_value(&mut text, f64::INFINITY);
        assert!(text.ends_with("+Inf"));
    }
}
