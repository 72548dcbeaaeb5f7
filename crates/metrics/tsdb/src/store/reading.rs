//! Reads: series, samples, and label names and values.

use std::collections::BTreeSet;

use labels::{Labels, Matcher};
use timeseries::{SeriesSamples, SeriesSource, SourceError};

use super::Store;
use crate::{pieces::Pieces, read};

impl Store {
    /// Labels of the series that match all matchers and have a chunk in `start_ms..=end_ms`, sorted.
    #[must_use]
    pub fn series(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Vec<Labels> {
        let head = self.shared().head.read();
        let mut found: Vec<Labels> =
            head.matching(matchers, start_ms, end_ms).into_iter().map(|(_, series)| series.labels.clone()).collect();
        drop(head);
        found.sort_unstable();
        found
    }

    /// Approximate number of series and samples in `start_ms..=end_ms`. Reads no samples.
    #[must_use]
    pub fn volume(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Volume {
        let head = self.shared().head.read();
        head.matching(matchers, start_ms, end_ms).into_iter().fold(Volume::default(), |volume, (_, series)| Volume {
            series: volume.series + 1,
            samples: volume.samples.saturating_add(series.samples_within(start_ms, end_ms)),
        })
    }

    /// Folds over the series that match all matchers and have a chunk in `start_ms..=end_ms`: their labels, and the
    /// time of their first stored sample, in milliseconds since the Unix epoch. Appends are blocked meanwhile.
    pub fn fold_beginnings<T>(
        &self,
        matchers: &[Matcher],
        (start_ms, end_ms): (i64, i64),
        initial: T,
        mut fold: impl FnMut(T, &Labels, i64) -> T,
    ) -> T {
        let head = self.shared().head.read();
        head.matching(matchers, start_ms, end_ms).into_iter().fold(initial, |folded, (_, series)| match series.span() {
            Some((first_ms, _)) => fold(folded, &series.labels, first_ms),
            None => folded,
        })
    }

    /// Label names of these series, sorted.
    #[must_use]
    pub fn label_names(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Vec<String> {
        let head = self.shared().head.read();
        let mut names = BTreeSet::new();
        for (_, series) in head.matching(matchers, start_ms, end_ms) {
            for (name, _) in series.labels.iter() {
                if !names.contains(name) {
                    names.insert(name.to_owned());
                }
            }
        }
        names.into_iter().collect()
    }

    /// Values of a label of these series, sorted.
    #[must_use]
    pub fn label_values(&self, name: &str, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Vec<String> {
        let head = self.shared().head.read();
        if matchers.is_empty() {
            let in_range = |id: &u32| head.series(*id).is_some_and(|series| series.overlaps(start_ms, end_ms));
            let used = head.postings.values(name).filter(|(_, list)| list.iter().any(in_range));
            return used.map(|(value, _)| value.to_string()).collect();
        }
        let found = head.matching(matchers, start_ms, end_ms);
        let values: BTreeSet<&str> = found.iter().map(|(_, series)| series.labels.get(name)).collect();
        values.into_iter().filter(|value| !value.is_empty()).map(str::to_owned).collect()
    }
}

/// How much data a selector finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Volume {
    /// Number of series.
    pub series: usize,
    /// Number of samples.
    pub samples: u64,
}

impl SeriesSource for Store {
    fn select(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Result<Vec<SeriesSamples>, SourceError> {
        let (pieces, files) = {
            let head = self.shared().head.read();
            let found = head.matching(matchers, start_ms, end_ms);
            let pieces: Vec<Pieces> = found.into_iter().map(|(_, series)| series.pieces(start_ms, end_ms)).collect();
            (pieces, head.files.clone())
        };
        let limit = self.shared().options.max_select_samples;
        if pieces.iter().map(|series| series.estimate(start_ms, end_ms)).sum::<u64>() > limit {
            let message =
                format!("the query would read more than {limit} samples; narrow its label matchers or its time range");
            return Err(SourceError { message, source: None });
        }
        Ok(read::decode(pieces, &files, start_ms, end_ms, &|damage| self.shared().report(damage)))
    }
}
