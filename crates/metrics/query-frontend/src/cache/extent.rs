//! Series over some steps of a range query, with operations to cut and join them.

use std::{collections::BTreeMap, sync::Arc};

use model::frame::{Labels, Series};

/// The points of the steps `start_ms..=end_ms`. A step without a point has none in the engine's response either.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Extent {
    /// The first step.
    pub start_ms: i64,
    /// The last step.
    pub end_ms: i64,
    /// Sorted by labels; none is empty.
    pub series: Vec<Series>,
    /// The engine's infos about the query.
    pub infos: Vec<String>,
}

/// Memory of a series and a label besides their text, in bytes.
const SERIES_BYTES: usize = 128;
const LABEL_BYTES: usize = 64;
const POINT_BYTES: usize = 16;
/// An extent that would be split into more parts is treated as not settled.
const MOST_PARTS: usize = 16;

impl Extent {
    /// The part with these steps.
    #[must_use]
    pub fn cut(&self, start_ms: i64, end_ms: i64) -> Self {
        let cut = |series: &Series| {
            let from = series.timestamps.partition_point(|timestamp| *timestamp < start_ms);
            let to = series.timestamps.partition_point(|timestamp| *timestamp <= end_ms);
            let (timestamps, values) = (series.timestamps.get(from..to)?, series.values.get(from..to)?);
            (!timestamps.is_empty()).then(|| Series {
                labels: series.labels.clone(),
                timestamps: timestamps.to_vec(),
                values: values.to_vec(),
            })
        };
        Extent { start_ms, end_ms, series: self.series.iter().filter_map(cut).collect(), infos: self.infos.clone() }
    }

    /// Splits the extent into settled parts, up to a time, and others: later steps, and steps at which a series, or
    /// every series, has no point.
    pub(super) fn parts(self, firm_until_ms: i64, step_ms: i64) -> Vec<(Extent, bool)> {
        let steps = usize::try_from((self.end_ms - self.start_ms) / step_ms).unwrap_or(0) + 1;
        let mut points = vec![0_usize; steps];
        for time in self.series.iter().flat_map(|series| &series.timestamps) {
            let step = usize::try_from((time - self.start_ms) / step_ms).ok();
            step.and_then(|step| points.get_mut(step)).into_iter().for_each(|count| *count += 1);
        }
        let is_firm =
            |(time, count): &(i64, usize)| *time <= firm_until_ms && *count > 0 && *count == self.series.len();
        let times = (0..).map(|step: i64| self.start_ms + step * step_ms);
        let steps: Vec<(i64, usize)> = times.zip(points).collect();
        let runs: Vec<(i64, i64, bool)> = steps
            .chunk_by(|one, other| is_firm(one) == is_firm(other))
            .filter_map(|run| Some((run.first()?.0, run.last()?.0, is_firm(run.first()?))))
            .collect();
        if runs.len() > MOST_PARTS {
            return vec![(self, false)];
        }
        runs.into_iter().map(|(start_ms, end_ms, is_firm)| (self.cut(start_ms, end_ms), is_firm)).collect()
    }

    /// Joins consecutive extents.
    #[must_use]
    pub fn join(start_ms: i64, end_ms: i64, extents: impl IntoIterator<Item = Extent>) -> Self {
        let mut by_labels: BTreeMap<Arc<Labels>, (Vec<i64>, Vec<f64>)> = BTreeMap::new();
        let mut infos: Vec<String> = Vec::new();
        for extent in extents {
            for series in extent.series {
                let (timestamps, values) = by_labels.entry(series.labels).or_default();
                timestamps.extend(series.timestamps);
                values.extend(series.values);
            }
            for info in extent.infos {
                if !infos.contains(&info) {
                    infos.push(info);
                }
            }
        }
        let series = by_labels.into_iter().map(|(labels, (timestamps, values))| Series { labels, timestamps, values });
        Extent { start_ms, end_ms, series: series.filter(|series| !series.timestamps.is_empty()).collect(), infos }
    }

    /// Approximate memory in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let label = |(name, value): (&String, &String)| name.len() + value.len() + LABEL_BYTES;
        let series = |series: &Series| {
            SERIES_BYTES + series.timestamps.len() * POINT_BYTES + series.labels.iter().map(label).sum::<usize>()
        };
        self.series.iter().map(series).sum::<usize>() + self.infos.iter().map(String::len).sum::<usize>()
    }
}
