//! Checks and sorts received labels.

use std::fmt::Write as _;

use labels::{Labels, METRIC_NAME};

use crate::Rejected;

/// Labels in the order of the request.
pub(crate) type Pairs<'a> = Vec<(&'a str, &'a str)>;

/// The labels of a series. As in Prometheus, they need not be sorted, and labels with an empty value count as absent.
pub(crate) fn series_labels(pairs: &Pairs) -> Result<Labels, Rejected> {
    let reject = |reason: String| Rejected { series: shown(pairs), reason };
    if pairs.iter().any(|(name, _)| name.is_empty()) {
        return Err(reject("a label has no name".to_owned()));
    }
    if !pairs.iter().any(|(name, value)| *name == METRIC_NAME && !value.is_empty()) {
        return Err(reject("the series has no metric name".to_owned()));
    }
    let is_sorted = pairs.windows(2).all(|pair| matches!(pair, [before, after] if before.0 < after.0));
    if !is_sorted {
        let mut names: Vec<&str> = pairs.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        let twice = names.windows(2).find_map(|pair| match pair {
            [before, after] if before == after => Some(*before),
            _ => None,
        });
        if let Some(twice) = twice {
            return Err(reject(format!("the label {twice:?} is there twice")));
        }
    }
    Ok(Labels::new(pairs.iter().copied()))
}

/// A series in PromQL's notation, as far as its labels allow, limited to the length of a log line.
fn shown(pairs: &Pairs) -> String {
    const LONGEST: usize = 500;
    let mut text = String::from("{");
    for (index, (name, value)) in pairs.iter().enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(text, "{separator}{name}={value:?}");
        if text.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
            text.truncate(end);
            text.push('…');
            break;
        }
    }
    text.push('}');
    text
}
