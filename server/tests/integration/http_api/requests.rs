//! Requests to Prometheus' HTTP API, valid and invalid, as clients send them.

/// One request.
#[derive(Debug, Clone)]
pub struct Ask {
    pub method: &'static str,
    /// Path and query string.
    pub path: String,
    /// The body of a form.
    pub form: Option<String>,
}

/// Valid queries. The samples are those of `world`.
const GOOD: &[&str] = &[
    "1",
    "-1",
    "1e21",
    "1e-7",
    "1/0",
    "-1/0",
    "0/0",
    "-0",
    "5e-324",
    "123456789012345678901",
    "0x1f",
    "\"str\"",
    "'a\\n'",
    "`raw`",
    "1 == bool 1",
    "time()",
    "num",
    "num{v=\"pi\"}",
    "-num",
    "num*0",
    "reqs_total",
    "reqs_total[1m]",
    "rate(reqs_total[2m])",
    "sum by(job)(rate(reqs_total[2m]))",
    "nothing",
    "absent(nothing{a=\"b\"})",
    "vector(1)",
    "count_values(\"x\",num)",
    "histogram_quantile(0.9,lat_bucket)",
    "weird",
    "stale",
    "label_replace(vector(1),\"a\",\"\\u0001\\u2028<\",\"\",\"\")",
    "{job=\"a\"}",
    "temp offset 1m",
    "quantile(.5,num)",
    "temp[1m:30s]",
    "scalar(temp)",
    "temp unless temp",
];

/// Invalid queries.
const BAD: &[&str] = &[
    "",
    "sum(",
    "up{",
    "foo{a=b}",
    "1 +",
    "sum(1)",
    "rate(reqs_total)",
    "rate(reqs_total[0s])",
    "reqs_total[5m] + 1",
    "nofunc(1)",
    "{}",
    "{a=\"\"}",
    "{a=~\".*\"}",
    "temp + on() reqs_total",
    "reqs_total * on(x) reqs_total",
    "temp[5m",
    "\"abc",
    "a b",
    "a and 1",
    "-\"a\"",
    "histogram_quantile(2)",
    "temp @ foo",
    "a{b=~\"(\"}",
    "absent()",
    "🙂",
    "x{y=\"z\"}}",
    "1[5m]",
    "label_replace(temp,\"a\",\"b\",\"c\",\"(\")",
];

/// Times, as seconds and RFC 3339, valid and invalid.
const TIMES: &[&str] = &[
    "0",
    "-1",
    "-1.5",
    "1e3",
    "abc",
    "",
    "2026-11-20T10:00:00Z",
    "2026-11-20T10:00:00+02:00",
    "2026-11-20T10:00:00.123456789-05:30",
    "2026-11-20T10:00:00",
    "2026-11-20",
    "2026-11-20 10:00:00Z",
    "2026-13-20T10:00:00Z",
    "1.7e9",
    "+5",
    "0x10",
    "1e",
    "5.",
    ".5",
    " 5",
    "1.0004",
    "1.0006",
    "now",
    "NaN",
    "Inf",
    "1e300",
];

/// Steps and timeouts.
const DURATIONS: &[&str] = &[
    "0",
    "-1",
    "60",
    "60s",
    "1m",
    "1m30s",
    "120.5",
    "NaN",
    "Inf",
    "1e300",
    "abc",
    "",
    "1y",
    "1M",
    "1h1d",
    "5",
    "1m 30s",
    "-5m",
    "0s",
    "+1m",
    "1e2",
    "60.0005",
    "1.5m",
    "9223372036",
    "9223372037",
    "0x10",
    "300y",
    "10h20",
    "P1D",
    "1e-3",
    "1ms",
];

const SELECTORS: &[&str] = &[
    "temp",
    "nope",
    "{job=\"a\"}",
    "{job=~\".*\"}",
    "{}",
    "{a=\"\"}",
    "temp[5m]",
    "sum(temp)",
    "temp+1",
    "",
    "{",
    "temp offset 5m",
    "1",
];

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// All requests; `base` is the time of the first samples in seconds.
pub fn requests(base: i64) -> Vec<Ask> {
    let mut all = Vec::new();
    let mut get = |path: String| all.push(Ask { method: "GET", path, form: None });
    // Between samples: Prometheus 3 changed which samples at the border of a window belong to it.
    let (start, end) = (base + 1, base + 301);
    for query in GOOD.iter().chain(BAD) {
        let query = encoded(query);
        for time in [start.to_string(), format!("{start}.5"), end.to_string()] {
            get(format!("/api/v1/query?query={query}&time={time}"));
        }
        get(format!("/api/v1/query_range?query={query}&start={start}&end={end}&step=60"));
        get(format!("/api/v1/query_exemplars?query={query}&start={start}&end={end}"));
    }
    for time in TIMES {
        let time = encoded(time);
        // The default is the current time, which differs for each.
        if !time.is_empty() {
            get(format!("/api/v1/query?query=vector(1)&time={time}"));
            get(format!("/api/v1/query?query=time()&time={time}"));
        }
        get(format!("/api/v1/query_range?query=vector(1)&start={time}&end={time}&step=1"));
        get(format!("/api/v1/labels?match[]=temp&start={time}"));
        get(format!("/api/v1/label/job/values?match[]=temp&end={time}"));
        get(format!("/api/v1/series?match[]=temp&start={time}"));
        get(format!("/api/v1/query_exemplars?query=reqs_total&end={time}"));
    }
    for plain in DURATIONS {
        let duration = encoded(plain);
        get(format!("/api/v1/query_range?query=vector(1)&start={start}&end={end}&step={duration}"));
        // Whether a millisecond is enough is random.
        if !["1e-3", "1ms"].contains(plain) {
            get(format!("/api/v1/query?query=1&time=5&timeout={duration}"));
        }
    }
    for (start, end, step) in [
        ("5", "4", "1"),
        ("0", "11000", "1"),
        ("0", "11001", "1"),
        ("0", "11000.999", "1"),
        ("-100", "100", "10"),
        ("", "1", "1"),
        ("1", "", "1"),
        ("a", "1", "1"),
        ("1", "b", "1"),
        ("1e9", "2e9", "1e6"),
        ("10.1", "60", "7.3s"),
    ] {
        get(format!("/api/v1/query_range?query=time()&start={start}&end={end}&step={step}"));
    }
    for path in ["labels", "label/job/values", "series"] {
        for selector in SELECTORS {
            get(format!("/api/v1/{path}?match[]={}", encoded(selector)));
        }
        for rest in [
            "temp&match[]=num",
            "temp&match[]=bad{",
            "temp&start=5&end=4",
            "temp&start=1&end=2",
            "temp&start=5&start=abc",
        ] {
            get(format!("/api/v1/{path}?match[]={rest}"));
        }
        get(format!("/api/v1/{path}?start=1&end=2"));
        get(format!("/api/v1/{path}?match%5B%5D=temp&start={start}&end={end}"));
    }
    for selector in ["temp[5m]", "sum(temp)", "{", "temp offset 5m", ""] {
        get(format!("/federate?match[]={}", encoded(selector)));
    }
    for rest in [
        "label/nope/values",
        "label/job",
        "label/a.b/values",
        "label/U__nope/values",
        "metadata?metric=nope",
        "metadata?limit=a",
        "metadata?limit=99999999999999999999",
        "targets?state=dropped",
        "targets?state=foo",
        "targets?scrapePool=x",
        "targets/metadata?metric=nope",
        "targets/metadata?limit=a",
        "targets/metadata?match_target={",
        "alertmanagers",
        "rules",
        "rules?type=alert",
        "rules?type=ALERT",
        "rules?type=foo",
        "alerts",
        "format_query?query=sum(a)by(b)",
        "format_query?query=sum(",
        "format_query",
        "status/walreplay",
        "status/foo",
        "foo",
        "query?query=1&time=5&query=2&time=6",
        "query?query=1%2B1&time=5",
        "query?query=1+1&time=5",
        "query?Query=1",
        "query?query=vector(1)*0&time=5&start=",
        "query?query=1&timeout=&time=5&limit=",
        "read",
        "write",
        "admin/tsdb/snapshot",
    ] {
        get(format!("/api/v1/{rest}"));
    }
    for stats in ["all", "1", "true", "", "foo"] {
        get(format!("/api/v1/query?query=temp&time={start}&stats={stats}"));
    }
    for method in ["OPTIONS", "PUT", "DELETE", "PATCH"] {
        for path in [
            "query?query=1&time=5",
            "query_range",
            "labels",
            "label/job/values",
            "metadata",
            "rules",
            "alerts",
            "targets",
            "write",
        ] {
            all.push(Ask { method, path: format!("/api/v1/{path}"), form: None });
        }
    }
    for (path, form) in [
        ("query", "query=1&time=5"),
        ("query?time=5", "query=1"),
        ("query?query=2&time=6", "query=1&time=5"),
        ("query?query=2&time=6", "query="),
        ("query?query=", "query=1&time=5"),
        ("query_range", "query=1&start=1&end=5&step=1"),
        ("query_range?start=1&end=5", "query=1&step=1"),
        ("labels", "match[]=temp"),
        ("labels?match[]=num", "match[]=temp"),
        ("series", "match[]=temp"),
        ("series?match[]=num", "match[]=temp"),
        ("series", ""),
        ("query_exemplars", "query=reqs_total"),
        ("format_query", "query=a%2Bb"),
        ("label/job/values", ""),
        ("metadata", ""),
        ("rules", ""),
        ("alerts", ""),
        ("targets", ""),
        ("status/buildinfo", ""),
    ] {
        all.push(Ask { method: "POST", path: format!("/api/v1/{path}"), form: Some(form.to_owned()) });
    }
    // Chains, whose trees are as deep as their number of terms.
    for (term, operator, terms) in
        [("1", "+", 600), ("1", "+", 3_000), ("num", "or", 3_000), ("temp", "and", 600), ("2", "^", 600)]
    {
        let query = encoded(&vec![term; terms].join(&format!(" {operator} ")));
        let form = |more: String| Some(format!("query={query}{more}"));
        all.push(Ask { method: "POST", path: "/api/v1/query".to_owned(), form: form(format!("&time={start}")) });
        all.push(Ask {
            method: "POST",
            path: "/api/v1/query_range".to_owned(),
            form: form(format!("&start={start}&end={end}&step=60")),
        });
    }
    all
}
