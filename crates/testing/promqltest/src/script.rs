//! The script's commands.

use crate::series::{self, Described, Loaded};

/// Start, end and step, in milliseconds; the step is 0 for an instant query.
pub type Times = (i64, i64, i64);

/// A command.
#[derive(Debug)]
pub(crate) enum Command {
    Clear,
    Load { series: Vec<Loaded>, with_custom_buckets: bool },
    Eval(Eval),
}

/// An evaluation and its expected result.
#[derive(Debug)]
pub(crate) struct Eval {
    pub(crate) expression: String,
    pub(crate) times: Times,
    pub(crate) fails: Option<Message>,
    pub(crate) ordered: bool,
    pub(crate) warns: Vec<Message>,
    pub(crate) informs: Vec<Message>,
    pub(crate) warns_not: bool,
    pub(crate) informs_not: bool,
    pub(crate) string: Option<String>,
    pub(crate) scalar: Option<f64>,
    pub(crate) series: Vec<Described>,
    /// Start and step of the samples, if a range vector is expected.
    pub(crate) range_vector: Option<(i64, i64)>,
}

impl Eval {
    pub(crate) fn mentions_histograms(&self) -> bool {
        let is_histogram =
            |sample: &Option<timeseries::Sample>| matches!(sample, Some(timeseries::Sample::Histogram(_)));
        self.series.iter().any(|series| series.samples.iter().any(is_histogram))
    }
}

/// The expected text of a message.
#[derive(Debug)]
pub(crate) enum Message {
    Any,
    Exactly(String),
    Matches(String),
}

type Parsed = (usize, Result<Command, String>);

/// Parses a script: each command with its line number.
pub(crate) fn parse(text: &str) -> Vec<Parsed> {
    let lines: Vec<(usize, &str)> = (1..).zip(text.lines().map(str::trim)).collect();
    let mut commands = Vec::new();
    let mut index = 0;
    while let Some((number, line)) = lines.get(index) {
        index += 1;
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let from = index;
        while lines.get(index).is_some_and(|(_, line)| !is_command(line) && !line.is_empty()) {
            index += 1;
        }
        let body = lines.iter().take(index).skip(from).map(|(_, line)| *line);
        let body: Vec<&str> = body.filter(|line| !line.starts_with('#')).collect();
        commands.push((*number, command(line, &body)));
    }
    commands
}

fn is_command(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default();
    first == "clear" || first == "load" || first == "load_with_nhcb" || first == "eval" || first.starts_with("eval_")
}

fn command(line: &str, body: &[&str]) -> Result<Command, String> {
    let (first, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    match first {
        "clear" => Ok(Command::Clear),
        "load" | "load_with_nhcb" => {
            let step_ms = milliseconds(rest.trim())?;
            let described = body.iter().filter(|line| !sets_start_time(line));
            let series: Result<Vec<Loaded>, String> =
                described.map(|line| Ok(Loaded { series: series::parse(line)?, step_ms })).collect();
            Ok(Command::Load { series: series?, with_custom_buckets: first == "load_with_nhcb" })
        }
        _ if first.starts_with("eval") => eval(first, rest.trim(), body).map(Command::Eval),
        _ => Err(format!("unknown command {first:?}")),
    }
}

/// True for `name@st -1m` and `@st -1m`, which set the start time of a counter. We do not store start times, so these
/// samples have none.
fn sets_start_time(line: &str) -> bool {
    line.split_once(char::is_whitespace).is_some_and(|(name, _)| name.ends_with("@st"))
}

fn eval(command: &str, rest: &str, body: &[&str]) -> Result<Eval, String> {
    let (kind, rest) = rest.split_once(char::is_whitespace).ok_or("incomplete command")?;
    let mut rest = rest.trim_start();
    let mut next = |word: &str| -> Result<i64, String> {
        let after = rest.strip_prefix(word).ok_or_else(|| format!("{word:?} expected"))?.trim_start();
        let (time, after) = after.split_once(char::is_whitespace).ok_or("incomplete command")?;
        rest = after.trim_start();
        milliseconds(time)
    };
    let times = match kind {
        "instant" => {
            let time = next("at")?;
            (time, time, 0)
        }
        "range" => (next("from")?, next("to")?, next("step")?),
        _ => return Err(format!("unknown kind of evaluation {kind:?}")),
    };
    let mut eval = Eval {
        expression: rest.to_owned(),
        times,
        fails: (command == "eval_fail").then_some(Message::Any),
        ordered: command == "eval_ordered",
        warns: if command == "eval_warn" { vec![Message::Any] } else { Vec::new() },
        informs: if command == "eval_info" { vec![Message::Any] } else { Vec::new() },
        warns_not: false,
        informs_not: false,
        string: None,
        scalar: None,
        series: Vec::new(),
        range_vector: None,
    };
    for line in body {
        match line.strip_prefix("expect").filter(|rest| rest.starts_with(char::is_whitespace)) {
            Some(expectation) => expect(&mut eval, expectation.trim())?,
            None if line.starts_with("expected_fail_message") => {
                eval.fails = Some(Message::Exactly(line["expected_fail_message".len()..].trim().to_owned()));
            }
            None if line.starts_with("expected_fail_regexp") => {
                eval.fails = Some(Message::Matches(line["expected_fail_regexp".len()..].trim().to_owned()));
            }
            None => match series::number(line) {
                Ok(value) => eval.scalar = Some(value),
                Err(_) => eval.series.push(series::parse(line)?),
            },
        }
    }
    Ok(eval)
}

fn expect(eval: &mut Eval, text: &str) -> Result<(), String> {
    let (kind, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim();
    let message = if let Some(text) = rest.strip_prefix("msg:") {
        Message::Exactly(text.trim().to_owned())
    } else if let Some(pattern) = rest.strip_prefix("regex:") {
        Message::Matches(pattern.trim().to_owned())
    } else {
        Message::Any
    };
    match kind {
        "fail" => eval.fails = Some(message),
        "ordered" => eval.ordered = true,
        "warn" => eval.warns.push(message),
        "info" => eval.informs.push(message),
        "no_warn" => eval.warns_not = true,
        "no_info" => eval.informs_not = true,
        "string" => eval.string = Some(series::quoted(rest)?.0),
        "range" => {
            let words: Vec<&str> = rest.split_whitespace().collect();
            let ["vector", "from", from, "to", to, "step", step] = words.as_slice() else {
                return Err("bad range vector".to_owned());
            };
            let end = milliseconds(to)?;
            // The samples end at the time of the query, whatever time the expression sets.
            eval.times = (end, end, 0);
            eval.range_vector = Some((milliseconds(from)?, milliseconds(step)?));
        }
        _ => return Err(format!("unknown expectation {kind:?}")),
    }
    Ok(())
}

/// Parses a duration: `5m`, `1m30s`, `10` (seconds), `-1m`.
fn milliseconds(text: &str) -> Result<i64, String> {
    if let Some(text) = text.strip_prefix('-') {
        return Ok(-milliseconds(text)?);
    }
    if let Ok(seconds) = text.parse::<f64>() {
        #[allow(clippy::cast_possible_truncation, reason = "scripts use small times")]
        return Ok((seconds * 1000.0).round() as i64);
    }
    let mut total = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(|| format!("bad duration {text:?}"))?;
        let end = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |end| digits + end);
        let unit = match &rest[digits..end] {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            "y" => 31_536_000_000,
            _ => return Err(format!("bad duration {text:?}")),
        };
        total += rest[..digits].parse::<i64>().map_err(|e| e.to_string())? * unit;
        rest = &rest[end..];
    }
    Ok(total)
}
