//! `/metrics`: our own series and those of the daemons, so that a Prometheus can scrape what a daemon itself does not
//! expose.

use std::{collections::BTreeMap, sync::Arc};

use access::{Principal, Scope};
use axum::{Extension, extract::State, http::header::CONTENT_TYPE, response::Response};
use datasource::{Embedded, ErrorKind, QueryError};
use exposition::{
    page::{Family, Format, Kind},
    parse::{Limits, parse},
    write::Writer,
};
use labels::METRIC_NAME;
use model::clock::now_ms;
use promql::{InstantSample, Value};
use telemetry::Telemetry;
use timeseries::Sample;
use tsdb::Store;

use super::{
    api::listed::{Listed, Lists},
    prometheus::envelope::ErrorResponse,
};
use crate::storage::Storage;

/// Media type of the text format, version 0.0.4.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Selects all scraped and derived series of daemons.
const DAEMONS_SERIES: &str = r#"{__name__=~"hypersdk_.+|up", daemon!=""}"#;
/// Suffixes of a histogram's or summary's series.
const SUFFIXES: [&str; 4] = ["_bucket", "_sum", "_count", ""];
/// `up` has no metadata in a scrape; this is its help text.
const SCRAPED: (&str, &str) = ("up", "Whether the last scrape of the target succeeded.");

pub(super) async fn own(
    State(storage): State<Storage>,
    State(telemetry): State<Telemetry>,
    State(embedded): State<Arc<Embedded>>,
    State(lists): State<Lists>,
    principal: Option<Extension<Principal>>,
) -> Result<Response, ErrorResponse> {
    // If the page is public, there is no principal.
    let scope = principal.map_or_else(Scope::all, |Extension(principal)| principal.scope().clone());
    let mut page = Writer::new();
    let stored = tokio::task::spawn_blocking(move || storage.metrics()).await;
    let stored = stored.map_err(|error| QueryError::new(ErrorKind::Internal, error.to_string()))?;
    let ours = telemetry.gather().into_iter().chain(stored);
    for metric in ours.filter(|metric| scope.proves(|name| (name == METRIC_NAME).then_some(metric.name))) {
        let kind = match metric.kind {
            telemetry::Kind::Gauge => Kind::Gauge,
            telemetry::Kind::Counter => Kind::Counter,
        };
        page.family(metric.name, kind, metric.help).sample([], metric.value);
    }
    let labelled = telemetry.labelled_page();
    let labelled = parse(&labelled, Format::OpenMetrics, Limits::default())
        .map_err(|error| QueryError::new(ErrorKind::Internal, error.to_string()))?;
    write_labelled(&mut page, &labelled, &scope);
    let when = datasource::EvalTime::At(now_ms());
    let found = embedded.evaluate(&scope.query(DAEMONS_SERIES)?, when).await?;
    let families = embedded.store().family_count();
    let write = move || {
        if let Value::Vector(samples) = &found.value {
            write_daemons(&mut page, embedded.store(), samples);
        }
        ([(CONTENT_TYPE, TEXT_FORMAT)], page.finish())
    };
    Ok(lists.answer(Listed::Families(families), write).await?)
}

/// Writes our labelled metrics, which are OpenMetrics families, in the older text format.
fn write_labelled(page: &mut Writer, families: &[Family<'_>], scope: &Scope) {
    for family in families {
        // In OpenMetrics a counter's family has no suffix; in the text format it has that of its samples.
        let suffix = if family.kind == Kind::Counter { "_total" } else { "" };
        let name = format!("{}{suffix}", family.name);
        let seen = family.samples.iter().filter(|sample| {
            let label = |wanted: &str| sample.labels.iter().find(|(name, _)| name == wanted).map(|(_, value)| &**value);
            scope.proves(|name| if name == METRIC_NAME { Some(&*sample.name) } else { label(name) })
        });
        let mut seen = seen.peekable();
        if seen.peek().is_some() {
            page.family(&name, family.kind, &family.help);
        }
        for sample in seen {
            let labels = sample.labels.iter().map(|(name, value)| (&**name, &**value));
            page.suffixed(sample.name.strip_prefix(&*name).unwrap_or_default(), labels, sample.value);
        }
    }
}

fn write_daemons(page: &mut Writer, store: &Store, samples: &[InstantSample]) {
    let described: BTreeMap<String, tsdb::Metadata> = store.metadata().into_iter().collect();
    let mut families: BTreeMap<&str, Vec<(&str, &InstantSample)>> = BTreeMap::new();
    for sample in samples {
        let name = sample.labels.metric_name();
        let split = SUFFIXES.iter().find_map(|suffix| {
            let family = name.strip_suffix(suffix)?;
            (suffix.is_empty() || described.get(family).is_some_and(|about| about.kind == "histogram"))
                .then_some((family, *suffix))
        });
        let (family, suffix) = split.unwrap_or((name, ""));
        families.entry(family).or_default().push((suffix, sample));
    }
    for (family, samples) in families {
        let about = described.get(family);
        let kind = match about.map(|about| about.kind.as_str()) {
            Some("counter") => Kind::Counter,
            Some("gauge") => Kind::Gauge,
            Some("histogram") => Kind::Histogram,
            None if family == SCRAPED.0 => Kind::Gauge,
            _ => Kind::Unknown,
        };
        let help = about.map_or(if family == SCRAPED.0 { SCRAPED.1 } else { "" }, |about| about.help.as_str());
        page.family(family, kind, help);
        for (suffix, sample) in samples {
            let Sample::Float(value) = sample.sample else { continue };
            let labels = sample.labels.iter().filter(|(name, _)| *name != labels::METRIC_NAME);
            page.suffixed(suffix, labels, value);
        }
    }
}
