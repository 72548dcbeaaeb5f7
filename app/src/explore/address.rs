//! The URL of Explore.

use std::fmt::Write;

use model::{
    range::{DurationMs, Instant, TimeRange},
    route::{PageKind, PageRoute},
};

use crate::platform;

/// How a query is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// At each step of a range.
    #[default]
    Range,
    /// At one time.
    Instant,
}

impl Kind {
    /// All kinds, in the order of the form.
    pub const ALL: [Kind; 2] = [Kind::Range, Kind::Instant];

    /// Its value in the URL.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Kind::Range => "range",
            Kind::Instant => "instant",
        }
    }

    /// Its name for a person.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Kind::Range => "Over time",
            Kind::Instant => "At one time",
        }
    }
}

/// The query and its parameters in the URL.
///
/// The range is given by `from` and `to` as on every page, or by `window`, its length, and `to`, as the form sends it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExploreAddress {
    /// The query in PromQL; empty if there is none yet.
    pub expr: String,
    /// How it is evaluated.
    pub kind: Kind,
    /// The range. An instant query is evaluated at its end.
    pub range: TimeRange,
    /// Step in milliseconds; `None` derives it from the range.
    pub step_ms: Option<i64>,
    /// Name of the engine; `None` for the first one.
    pub engine: Option<String>,
    /// Which parameter is invalid, and the value used instead.
    pub problem: Option<String>,
}

impl ExploreAddress {
    /// Reads the parameters of a URL. An invalid one gets its default and is named in `problem`.
    #[must_use]
    pub fn read(parameter: impl Fn(&str) -> Option<String>, now_ms: i64) -> Self {
        let given = |name: &str| parameter(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let mut problem = None;
        let range = range(given("from"), given("window"), given("to"), now_ms).unwrap_or_else(|error| {
            problem = Some(format!("{error}. Asked is the last hour."));
            TimeRange::default()
        });
        let step_ms = given("step").and_then(|text| {
            let step_ms = step_ms(&text);
            if step_ms.is_none() {
                problem = Some(format!("The step {text:?} is not a duration: write for example 15s, 5m or 1h."));
            }
            step_ms
        });
        let kind = given("type").unwrap_or_default();
        ExploreAddress {
            expr: given("expr").unwrap_or_default(),
            kind: Kind::ALL.into_iter().find(|known| known.id() == kind).unwrap_or_default(),
            range,
            step_ms,
            engine: given("engine"),
            problem,
        }
    }

    /// The link to this query.
    #[must_use]
    pub fn href(&self) -> String {
        let mut href = PageRoute::path_of(PageKind::Explore).to_owned();
        let mut add = |name: &str, value: &str| {
            let mark = if href.contains('?') { '&' } else { '?' };
            let value = platform::encoded(value);
            // Writing to a string cannot fail.
            let _ = write!(href, "{mark}{name}={value}");
        };
        if !self.expr.is_empty() {
            add("expr", &self.expr);
        }
        if self.kind != Kind::default() {
            add("type", self.kind.id());
        }
        if self.range != TimeRange::default() {
            add("from", &self.range.from.to_string());
            add("to", &self.range.to.to_string());
        }
        if let Some(step_ms) = self.step_ms {
            add("step", &DurationMs(step_ms).to_string());
        }
        if let Some(engine) = &self.engine {
            add("engine", engine);
        }
        href
    }

    /// A link that evaluates `expr` over the last hour.
    #[must_use]
    pub fn of(expr: &str) -> String {
        ExploreAddress { expr: expr.to_owned(), ..ExploreAddress::default() }.href()
    }
}

fn range(
    from: Option<String>,
    window: Option<String>,
    to: Option<String>,
    now_ms: i64,
) -> Result<TimeRange, model::range::RangeError> {
    let Some(window) = window.filter(|_| from.is_none()) else {
        return TimeRange::parse(from.as_deref(), to.as_deref(), now_ms);
    };
    let DurationMs(window_ms) = window.parse()?;
    let range = match to.as_deref().unwrap_or("now").parse()? {
        Instant::Ago(ago_ms) => {
            TimeRange { from: Instant::Ago(ago_ms.saturating_add(window_ms)), to: Instant::Ago(ago_ms) }
        }
        Instant::At(at_ms) => TimeRange { from: Instant::At(at_ms.saturating_sub(window_ms)), to: Instant::At(at_ms) },
    };
    let (start_ms, end_ms) = range.resolve(now_ms);
    if start_ms < end_ms { Ok(range) } else { Err(model::range::RangeError::Order) }
}

/// Parses a step as Prometheus does: a duration, or a number of seconds.
fn step_ms(text: &str) -> Option<i64> {
    let seconds = || text.parse::<i64>().ok()?.checked_mul(1_000);
    text.parse::<DurationMs>().ok().map(|step| step.0).or_else(seconds).filter(|step_ms| *step_ms > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> ExploreAddress {
        ExploreAddress::read(|name| crate::shell::parameter(query, name), 1_795_165_200_000)
    }

    #[test]
    fn an_address_reads_back_from_its_link() {
        let address = ExploreAddress {
            expr: r#"sum by (a) (rate(x{b="c&d"}[5m])) + 1"#.into(),
            kind: Kind::Instant,
            range: TimeRange::last(21_600_000),
            step_ms: Some(90_000),
            engine: Some("far away".into()),
            problem: None,
        };
        let href = address.href();
        let (_, query) = href.split_once('?').unwrap();
        assert_eq!(read(query), address);
        assert_eq!(ExploreAddress::default().href(), "/explore");
    }

    #[test]
    fn the_form_gives_the_length_and_the_end_of_the_range() {
        assert_eq!(read("expr=up&window=6h&to=&step=&engine=").range, TimeRange::last(21_600_000));
        let until = read("expr=up&window=1h&to=2026-11-20T09:00");
        assert_eq!(until.range.resolve(0), (1_795_161_600_000, 1_795_165_200_000));
        assert_eq!(read("step=30").step_ms, Some(30_000));
    }

    #[test]
    fn an_invalid_parameter_is_named_and_gets_its_default() {
        for (query, named) in
            [("window=soon", "soon"), ("from=now&to=now-1h", "before"), ("step=-5s", "-5s"), ("step=0", "0")]
        {
            let address = read(query);
            assert_eq!((address.range, address.step_ms), (TimeRange::default(), None), "{query}");
            let problem = address.problem.unwrap();
            assert!(problem.contains(named), "{problem}");
        }
    }
}
