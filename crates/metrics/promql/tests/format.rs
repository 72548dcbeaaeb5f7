//! Formatted queries and errors, compared with those of Prometheus 3.16 for the same texts.

const QUERIES: &str = include_str!("format.tsv");

fn lines() -> impl Iterator<Item = (&'static str, String)> {
    let lines = QUERIES.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('\t')).map(|(query, expected)| (query, expected.replace('¶', "\n")))
}

#[test]
fn queries_are_laid_out_as_prometheus_does() {
    let mut count = 0;
    for (query, expected) in lines() {
        let found = promql::pretty(query).unwrap_or_else(|error| error.to_string());
        assert_eq!(found, expected, "{query:?}");
        count += 1;
    }
    assert!(count > 190, "only {count} queries");
}

#[test]
fn what_is_laid_out_or_printed_is_a_query_again() {
    for (query, _) in lines() {
        let Ok(parsed) = promql::parse(query) else { continue };
        let printed = parsed.to_string();
        assert_eq!(promql::parse(&printed).unwrap().to_string(), printed, "{query:?}");
        let laid_out = promql::pretty(query).unwrap();
        assert_eq!(promql::pretty(&laid_out).unwrap(), laid_out, "{query:?}");
    }
}
