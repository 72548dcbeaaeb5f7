//! Parses an exposition into families.

mod sample;

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use crate::{
    cursor::{Cursor, unescape},
    error::{ParseError, Problem},
    page::{Family, Format, Kind},
};

/// Limits of one exposition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of samples.
    pub samples: usize,
    /// Maximum number of families, including those without a sample.
    pub families: usize,
    /// Maximum number of labels of one sample.
    pub labels: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { samples: 500_000, families: 50_000, labels: 128 }
    }
}

/// Parses an exposition.
///
/// # Errors
///
/// The first invalid line, or the first exceeded limit. As in Prometheus, nothing is returned then, because with half
/// an exposition the other half would look as if it had disappeared.
pub fn parse(page: &str, format: Format, limits: Limits) -> Result<Vec<Family<'_>>, ParseError> {
    let mut parser = Parser::new(format, limits);
    let mut last_line = 0;
    for (index, line) in page.lines().enumerate() {
        last_line = index + 1;
        parser.line(line, last_line)?;
    }
    if format == Format::OpenMetrics && !parser.ended {
        return Err(ParseError { line: last_line.max(1), column: 1, problem: Problem::NoEnd });
    }
    Ok(parser.families)
}

/// State of the parser.
struct Parser<'page> {
    format: Format,
    limits: Limits,
    families: Vec<Family<'page>>,
    by_name: HashMap<Cow<'page, str>, usize>,
    /// Families with a known type.
    typed: HashSet<usize>,
    /// The family of the previous line, which is usually that of the next one.
    current: Option<usize>,
    samples: usize,
    ended: bool,
}

impl<'page> Parser<'page> {
    fn new(format: Format, limits: Limits) -> Self {
        Parser {
            format,
            limits,
            families: Vec::new(),
            by_name: HashMap::new(),
            typed: HashSet::new(),
            current: None,
            samples: 0,
            ended: false,
        }
    }

    fn line(&mut self, line: &'page str, number: usize) -> Result<(), ParseError> {
        let mut cursor = Cursor::new(line, number);
        cursor.skip_blanks();
        if cursor.is_at_end() {
            return Ok(());
        }
        if self.ended {
            return Err(cursor.error(Problem::AfterEnd));
        }
        if cursor.take(b'#') { self.comment(cursor) } else { self.sample(cursor) }
    }

    /// The rest of a line that starts with `#`: type, help, unit, the end, or a comment.
    fn comment(&mut self, mut cursor: Cursor<'page>) -> Result<(), ParseError> {
        cursor.skip_blanks();
        let keyword = cursor.word();
        match keyword {
            "EOF" if self.format == Format::OpenMetrics => {
                self.ended = true;
                return Ok(());
            }
            "TYPE" | "HELP" => {}
            "UNIT" if self.format == Format::OpenMetrics => {}
            _ => return Ok(()),
        }
        cursor.skip_blanks();
        let name = self.family_name(&mut cursor)?;
        cursor.skip_blanks();
        let index = self.family(name, &cursor)?;
        self.current = Some(index);
        let text = cursor.rest();
        let is_typed = keyword == "TYPE" && !self.typed.insert(index);
        let Some(family) = self.families.get_mut(index) else { return Ok(()) };
        match keyword {
            "TYPE" => {
                let word = text.trim_end();
                let kind = Kind::from_name(word).ok_or_else(|| cursor.error(Problem::Kind(shorten(word))))?;
                if is_typed && family.kind != kind {
                    return Err(cursor.error(Problem::RepeatedKind(family.name.to_string())));
                }
                family.kind = kind;
            }
            "HELP" => {
                family.help = if text.contains('\\') { Cow::Owned(unescape(text)) } else { Cow::Borrowed(text) };
            }
            _ => family.unit = Cow::Borrowed(text.trim_end()),
        }
        Ok(())
    }

    fn family_name(&self, cursor: &mut Cursor<'page>) -> Result<Cow<'page, str>, ParseError> {
        if cursor.peek() == Some(b'"') {
            return cursor.quoted();
        }
        let name = cursor.metric_name();
        if name.is_empty() { Err(cursor.expected("a metric name")) } else { Ok(Cow::Borrowed(name)) }
    }

    /// The family with this name, created if it is new.
    fn family(&mut self, name: Cow<'page, str>, cursor: &Cursor<'page>) -> Result<usize, ParseError> {
        if let Some(index) = self.by_name.get(&name) {
            return Ok(*index);
        }
        let index = self.families.len();
        if index >= self.limits.families {
            return Err(cursor.error(Problem::Limit { what: "metric families", limit: self.limits.families }));
        }
        self.families.push(Family { name: name.clone(), ..Family::default() });
        self.by_name.insert(name, index);
        Ok(index)
    }

    /// The family of a sample with this name, if it is known.
    fn family_of_sample(&self, name: &str) -> Option<usize> {
        let by_name = |name: &str| self.by_name.get(name).copied();
        let stem = || name.rsplit_once('_').and_then(|(stem, _)| by_name(stem));
        self.current
            .filter(|index| self.owns(*index, name))
            .or_else(|| by_name(name).filter(|index| self.owns(*index, name)))
            .or_else(|| stem().filter(|index| self.owns(*index, name)))
    }

    /// Whether the family at `index` has samples with this name.
    fn owns(&self, index: usize, name: &str) -> bool {
        self.families.get(index).is_some_and(|family| {
            name.strip_prefix(&*family.name).is_some_and(|suffix| family.kind.suffixes(self.format).contains(&suffix))
        })
    }
}

/// The start of a word, for an error.
fn shorten(word: &str) -> String {
    word.chars().take(30).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(page: &str) -> Result<Vec<Family<'_>>, ParseError> {
        parse(page, Format::Text, Limits::default())
    }

    fn open_metrics(page: &str) -> Result<Vec<Family<'_>>, ParseError> {
        parse(page, Format::OpenMetrics, Limits::default())
    }

    #[test]
    fn reads_a_page_of_text() {
        let page = "# HELP http_requests_total Requests\\nby code, \\\\ \"quoted\".\n\
                    # TYPE http_requests_total counter\n\
                    http_requests_total{method=\"post\",code=\"200\"} 1027 1395066363000\n\
                    http_requests_total {method = \"post\", code=\"400\" , }  3 1395066363000\r\n\
                    \n\
                    # a word for people\n\
                    # TYPE rpc_duration_seconds histogram\n\
                    rpc_duration_seconds_bucket{le=\"0.05\"} 24054\n\
                    rpc_duration_seconds_bucket{le=\"+Inf\"} 1.4432e+04\n\
                    rpc_duration_seconds_sum 53423\n\
                    rpc_duration_seconds_count 144320\n\
                    something_weird{problem=\"division by zero\\n\\\"\\\\\\x\"} +Inf -3982045\n\
                    \tmetric_without_anything NaN\n";
        let families = text(page).unwrap();
        let names: Vec<_> = families.iter().map(|family| (&*family.name, family.kind, family.samples.len())).collect();
        assert_eq!(
            names,
            [
                ("http_requests_total", Kind::Counter, 2),
                ("rpc_duration_seconds", Kind::Histogram, 4),
                ("something_weird", Kind::Unknown, 1),
                ("metric_without_anything", Kind::Unknown, 1),
            ]
        );
        assert_eq!(families[0].help, "Requests\nby code, \\ \"quoted\".");
        assert_eq!(families[0].samples[1].labels, [("method".into(), "post".into()), ("code".into(), "400".into())]);
        assert_eq!(families[0].samples[1].timestamp_ms, Some(1_395_066_363_000));
        assert_eq!(families[1].samples[1].value, 14432.0);
        let weird = &families[2].samples[0];
        assert_eq!((weird.value, weird.timestamp_ms), (f64::INFINITY, Some(-3_982_045)));
        assert_eq!(weird.labels[0].1, "division by zero\n\"\\\\x");
        assert!(families[3].samples[0].value.is_nan());
    }

    #[test]
    fn reads_a_page_of_open_metrics() {
        let page = "# TYPE acme_http_requests counter\n\
                    # UNIT acme_http_requests requests\n\
                    # HELP acme_http_requests Requests.\n\
                    acme_http_requests_total{path=\"/\"} 17 1520879607.789 # {trace_id=\"KOO5S4vxi0o\"} 0.67 1520879607.7\n\
                    acme_http_requests_created{path=\"/\"} 1605281325.0\n\
                    # TYPE build info\n\
                    build_info{version=\"1\"} 1\n\
                    # TYPE latency histogram\n\
                    latency_bucket{le=\"1.0\"} 3 # {} 0.5\n\
                    latency_count 3\n\
                    # EOF\n";
        let families = open_metrics(page).unwrap();
        assert_eq!(families.len(), 3);
        assert_eq!((&*families[0].unit, families[0].samples.len()), ("requests", 2));
        let sample = &families[0].samples[0];
        assert_eq!((&*sample.name, sample.timestamp_ms), ("acme_http_requests_total", Some(1_520_879_607_789)));
        let exemplar = sample.exemplar.as_ref().unwrap();
        assert_eq!((exemplar.value, exemplar.timestamp_ms), (0.67, Some(1_520_879_607_700)));
        assert_eq!(exemplar.labels, [("trace_id".into(), "KOO5S4vxi0o".into())]);
        assert_eq!(families[1].samples[0].name, "build_info");
        assert!(families[2].samples[0].exemplar.is_some());
    }

    #[test]
    fn reads_names_in_quotes() {
        let page = "# TYPE \"my.metric\" gauge\n\
                    {\"my.metric\", \"my.label\"=\"ü\", plain=\"2\"} 1\n\
                    {\"my.metric\"} 2\n";
        let families = text(page).unwrap();
        assert_eq!((&*families[0].name, families[0].kind, families[0].samples.len()), ("my.metric", Kind::Gauge, 2));
        assert_eq!(families[0].samples[0].labels, [("my.label".into(), "ü".into()), ("plain".into(), "2".into())]);
    }

    #[test]
    fn samples_find_their_family_when_mixed() {
        let page = "# TYPE a histogram\n# TYPE b gauge\na_count 1\nb 2\na_sum 3\na_created 4\nb_count 5\n";
        let families = text(page).unwrap();
        let names: Vec<_> = families.iter().map(|family| (&*family.name, family.samples.len())).collect();
        assert_eq!(names, [("a", 2), ("b", 1), ("a_created", 1), ("b_count", 1)]);
    }

    #[test]
    fn errors_name_the_line_and_what_is_wrong() {
        for (page, message) in [
            ("a 1\nb one\n", "line 2, column 3: expected a number, found \"one\""),
            ("a\n", "line 1, column 2: expected a number, found the end of the line"),
            ("<!doctype html>\n", "line 1, column 1: expected a metric name, found \"<!doctype html>\""),
            ("9a 1\n", "line 1, column 1: expected a metric name, found \"9a 1\""),
            ("a{b=\"c} 1\n", "line 1, column 5: the closing quote is missing"),
            ("a{b=\"c\\\n", "line 1, column 5: the closing quote is missing"),
            ("a{b=c} 1\n", "line 1, column 5: expected a text in double quotes, found \"c} 1\""),
            ("a{b=\"c\" d=\"e\"} 1\n", "line 1, column 9: expected , or } after a label, found \"d=\\\"e\\\"} 1\""),
            ("a{b=\"1\",b=\"2\"} 1\n", "line 1, column 14: the label \"b\" occurs twice"),
            ("{a=\"1\"} 1\n", "line 1, column 8: the sample has no metric name"),
            ("a{\"b\"} 1\n", "line 1, column 6: the sample has two metric names"),
            ("a 1 2 3\n", "line 1, column 7: expected the end of the line, found \"3\""),
            ("a 1 soon\n", "line 1, column 5: expected a timestamp, found \"soon\""),
            ("# TYPE a speed\n", "line 1, column 10: \"speed\" is not a metric type"),
            ("# TYPE a gauge\n# TYPE a counter\n", "line 2, column 10: the type of \"a\" is given twice, and differs"),
        ] {
            assert_eq!(text(page).unwrap_err().to_string(), message, "{page:?}");
        }
        for (page, message) in [
            ("a 1\n", "line 1, column 1: the page ends without # EOF: it was cut off"),
            ("", "line 1, column 1: the page ends without # EOF: it was cut off"),
            ("# EOF\na 1\n", "line 2, column 1: the page goes on after # EOF"),
            ("a 1 1e300\n# EOF\n", "line 1, column 5: the timestamp is out of range"),
        ] {
            assert_eq!(open_metrics(page).unwrap_err().to_string(), message, "{page:?}");
        }
    }

    #[test]
    fn limits_hold() {
        let limits = Limits { samples: 2, families: 1, labels: 1 };
        assert!(parse("a 1\na 2\n", Format::Text, limits).is_ok());
        for page in ["a 1\na 2\na 3\n", "a 1\nb 1\n", "a{b=\"1\",c=\"2\"} 1\n"] {
            assert!(matches!(parse(page, Format::Text, limits).unwrap_err().problem, Problem::Limit { .. }), "{page}");
        }
    }

    #[test]
    fn no_cut_or_changed_byte_makes_it_panic() {
        let page =
            "# HELP a b\\n\n# TYPE a counter\na_total{x=\"\\\"é\"} 1 2 # {y=\"z\"} 3 4\n{\"q.é\",l=\"\"} NaN\n# EOF\n";
        let characters: Vec<char> = page.chars().collect();
        for end in 0..characters.len() {
            let cut: String = characters[..end].iter().collect();
            let _ = (text(&cut), open_metrics(&cut));
            for stranger in ['"', '{', '\\', '\n', ' ', 'é', '#', ','] {
                let mut changed = characters.clone();
                changed[end] = stranger;
                let changed: String = changed.iter().collect();
                let _ = (text(&changed), open_metrics(&changed));
            }
        }
    }
}
