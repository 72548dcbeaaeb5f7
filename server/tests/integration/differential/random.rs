//! Random expressions with correct types.

use super::world::Dice;

const DEEPEST: u32 = 4;

/// A vector or a scalar.
pub fn expression(dice: &mut Dice) -> String {
    if dice.roll(12) == 0 { scalar(dice, DEEPEST) } else { vector(dice, DEEPEST) }
}

const METRICS: [(&str, &[&str]); 12] = [
    ("requests_total", &["job", "instance", "code", "path"]),
    ("queue_length", &["job", "instance"]),
    ("uptime_seconds", &["job", "instance", "zone"]),
    ("up", &["job", "instance"]),
    ("build_info", &["instance", "version"]),
    ("capacity", &["job", "limit"]),
    ("latency_seconds_bucket", &["job", "le"]),
    ("latency_seconds_sum", &["job"]),
    ("temperature_celsius", &["room", "floor"]),
    ("numbers", &["kind"]),
    ("sparse", &["n"]),
    ("resetting", &["every"]),
];

fn values(label: &str) -> &'static [&'static str] {
    match label {
        "job" => &["api", "web", "a.*", "api|web"],
        "instance" => &["a:80", "b:80", ".*:80", "c:8080"],
        "code" => &["200", "500", "4..", "200|404"],
        "path" => &["/", "/x", "/.*"],
        "zone" => &["eu", "us"],
        "room" => &["kitchen", "hall|attic", "c.*"],
        "kind" => &["tiny", "half|fraction", "n.*"],
        _ => &["1", "2", ".+", ""],
    }
}

fn selector(dice: &mut Dice) -> String {
    let (name, labels) = *dice.pick(&METRICS);
    let mut text = name.to_owned();
    if dice.roll(3) == 0 {
        let label = *dice.pick(labels);
        let operator = *dice.pick(&["=", "!=", "=~", "!~"]);
        text += &format!("{{{label}{operator}\"{}\"}}", dice.pick(values(label)));
    }
    text
}

fn shift(dice: &mut Dice) -> String {
    match dice.roll(12) {
        0 => format!(" offset {}", dice.pick(&["1m", "5m", "13m", "-4m", "90s"])),
        1 => format!(" @ {}", dice.pick(&["1700000507", "1700001207.5", "start()", "end()"])),
        _ => String::new(),
    }
}

fn length(dice: &mut Dice) -> &'static str {
    dice.pick::<&str>(&["40s", "1m", "2m30s", "5m", "11m", "25m"])
}

fn range(dice: &mut Dice, depth: u32) -> String {
    if depth > 1 && dice.roll(5) == 0 {
        let step = dice.pick(&["30s", "1m", "75s"]);
        return format!("({})[{}:{step}]{}", vector(dice, depth - 2), length(dice), shift(dice));
    }
    format!("{}[{}]{}", selector(dice), length(dice), shift(dice))
}

fn number(dice: &mut Dice) -> String {
    (*dice.pick(&["0", "1", "2", "-3", "0.5", "10", "100", "1e3", "-0.25", "NaN", "Inf"])).to_owned()
}

fn scalar(dice: &mut Dice, depth: u32) -> String {
    if depth == 0 {
        return number(dice);
    }
    match dice.roll(6) {
        0 => "time()".to_owned(),
        1 => format!("scalar({})", vector(dice, depth - 1)),
        2 => format!("({} {} {})", scalar(dice, depth - 1), arithmetic(dice), scalar(dice, depth - 1)),
        3 => format!("({} {} bool {})", scalar(dice, depth - 1), comparison(dice), scalar(dice, depth - 1)),
        _ => number(dice),
    }
}

fn arithmetic(dice: &mut Dice) -> &'static str {
    dice.pick::<&str>(&["+", "-", "*", "/", "%", "^"])
}

fn comparison(dice: &mut Dice) -> &'static str {
    dice.pick::<&str>(&["==", "!=", "<", "<=", ">", ">="])
}

fn grouping(dice: &mut Dice) -> String {
    let labels = dice.pick(&["job", "instance", "job, instance", "code", "le", "room", "nothing", ""]);
    match dice.roll(3) {
        0 => String::new(),
        1 => format!(" by ({labels})"),
        _ => format!(" without ({labels})"),
    }
}

fn vector(dice: &mut Dice, depth: u32) -> String {
    if depth == 0 {
        return selector(dice) + &shift(dice);
    }
    let inner = depth - 1;
    match dice.roll(17) {
        0 | 1 => selector(dice) + &shift(dice),
        2 | 3 => {
            let functions =
                ["rate", "increase", "delta", "idelta", "irate", "deriv", "changes", "resets", "avg_over_time"];
            format!("{}({})", dice.pick(&functions), range(dice, inner))
        }
        4 | 5 => {
            let kinds = ["min", "max", "sum", "count", "last", "present", "stddev", "stdvar"];
            format!("{}_over_time({})", dice.pick(&kinds), range(dice, inner))
        }
        6 => format!("quantile_over_time({}, {})", number(dice), range(dice, inner)),
        7 | 8 => {
            // Not `stddev` and `stdvar`: for a single NaN they are NaN since Prometheus 3, and 0 in 2.42.
            let operator = dice.pick(&["sum", "avg", "min", "max", "count", "group"]);
            format!("{operator}{} ({})", grouping(dice), vector(dice, inner))
        }
        9 => format!("quantile{} ({}, {})", grouping(dice), number(dice), vector(dice, inner)),
        10 => format!("({} {} {})", vector(dice, inner), arithmetic(dice), scalar(dice, inner)),
        11 => {
            let bool_or_not = dice.pick(&["", " bool"]);
            format!("({} {}{bool_or_not} {})", vector(dice, inner), comparison(dice), scalar(dice, inner))
        }
        12 => {
            let labels = dice.pick(&["job", "instance", "job, instance", ""]);
            // One on each side: others would differ only in the text of their errors.
            let (left, right) = (vector(dice, inner), vector(dice, inner));
            let operator = if dice.roll(2) == 0 { arithmetic(dice) } else { comparison(dice) };
            format!("(max by ({labels}) ({left}) {operator} on ({labels}) min by ({labels}) ({right}))")
        }
        13 => {
            let labels = dice.pick(&["", " on (job)", " ignoring (code, path)", " on (job, instance)"]);
            let operator = dice.pick(&["and", "or", "unless"]);
            format!("({} {operator}{labels} {})", vector(dice, inner), vector(dice, inner))
        }
        14 => {
            let functions = [
                "abs",
                "ceil",
                "floor",
                "exp",
                "sqrt",
                "ln",
                "log2",
                "log10",
                "sin",
                "cos",
                "tan",
                "asin",
                "acos",
                "sinh",
                "cosh",
                "tanh",
                "asinh",
                "acosh",
                "atanh",
                "deg",
                "rad",
                "sgn",
                "round",
                "timestamp",
                "absent",
                "sort",
                "atan",
                "minute",
                "day_of_week",
            ];
            format!("{}({})", dice.pick(&functions), vector(dice, inner))
        }
        15 => format!("clamp({}, {}, {})", vector(dice, inner), number(dice), number(dice)),
        _ => match dice.roll(3) {
            0 => format!("histogram_quantile({}, rate(latency_seconds_bucket[{}]))", number(dice), length(dice)),
            1 => format!("label_replace({}, \"job\", \"$1x\", \"instance\", \"(.).*\")", vector(dice, inner)),
            _ => format!("-{}", vector(dice, inner)),
        },
    }
}
