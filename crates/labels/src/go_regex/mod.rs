//! Translates regular expressions of Go's `regexp`, which Prometheus and Alertmanager use, for the crate `regex`.
//!
//! Both have RE2's syntax with differences: a brace that starts no repetition is literal in Go and an error in Rust;
//! `\d`, `\s`, `\w` and `\b` are ASCII in Go and Unicode in Rust; Rust has nested sets, `&&` and `~~` in classes, and
//! no `\Q…\E`. The input syntax is that of Go's package `regexp/syntax`.

mod weight;

use regex::Regex;

pub use weight::{MOST_WEIGHT, weight};

/// Compiles an expression that may match anywhere.
///
/// # Errors
///
/// It is invalid, or exceeds [`MOST_WEIGHT`].
pub fn compile(expression: &str) -> Result<Regex, regex::Error> {
    if weight(expression) > MOST_WEIGHT {
        return Err(regex::Error::CompiledTooBig(MOST_WEIGHT));
    }
    Regex::new(&for_rust(expression))
}

/// Compiles an expression that must match the whole text; `.` matches a line feed too.
///
/// # Errors
///
/// It is invalid, or exceeds [`MOST_WEIGHT`].
pub fn compile_anchored(expression: &str) -> Result<Regex, regex::Error> {
    if closes_too_many(expression) {
        compile(expression)?;
    }
    compile(&format!("^(?s:{expression})$"))
}

/// Whether a parenthesis may close more than the expression opens, as in `a)|(b`: it would close our group around the
/// expression. Parentheses in classes and escapes are counted too, so this may be true for a valid expression.
fn closes_too_many(expression: &str) -> bool {
    if expression.contains(')') && expression.contains(['\\', '[']) {
        return true;
    }
    let mut open = 0_usize;
    expression.bytes().any(|byte| {
        match byte {
            b'(' => open += 1,
            b')' if open == 0 => return true,
            b')' => open -= 1,
            _ => {}
        }
        false
    })
}

/// Translates an expression. An invalid one stays invalid.
fn for_rust(expression: &str) -> String {
    let mut out = String::with_capacity(expression.len() + 8);
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        let behind = rest.get(first.len_utf8()..).unwrap_or_default();
        rest = match first {
            '\\' => escape(behind, &mut out),
            '[' => class(behind, &mut out),
            '{' if repetition(behind).is_none() => {
                out.push_str("\\{");
                behind
            }
            _ => {
                out.push(first);
                behind
            }
        };
    }
    out
}

/// The length of a repetition after its opening brace, including the closing one; `None` if it is not a repetition.
/// Numbers have no leading zeros.
fn repetition(behind: &str) -> Option<usize> {
    let (inside, _) = behind.split_once('}')?;
    let is_number = |text: &str| {
        text == "0" || (!text.is_empty() && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let is_repetition = match inside.split_once(',') {
        Some((least, most)) => is_number(least) && (most.is_empty() || is_number(most)),
        None => is_number(inside),
    };
    is_repetition.then_some(inside.len() + 1)
}

/// Translates a backslash escape; returns the remaining text.
fn escape<'a>(behind: &'a str, out: &mut String) -> &'a str {
    let Some(letter) = behind.chars().next() else {
        out.push('\\');
        return behind;
    };
    let rest = behind.get(letter.len_utf8()..).unwrap_or_default();
    match letter {
        'Q' => {
            let (quoted, rest) = rest.split_once("\\E").unwrap_or((rest, ""));
            out.push_str(&regex::escape(quoted));
            return rest;
        }
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        's' => out.push_str(r"[\t\n\f\r ]"),
        'S' => out.push_str(r"[^\t\n\f\r ]"),
        'w' => out.push_str("[0-9A-Za-z_]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        'b' => out.push_str(r"(?-u:\b)"),
        // In Rust these are word boundaries.
        '<' | '>' => out.push(letter),
        'p' | 'P' | 'x' if rest.starts_with('{') => {
            let end = rest.find('}').map_or(rest.len(), |at| at + 1);
            let (name, rest) = (rest.get(1..end).unwrap_or_default(), rest.get(end..).unwrap_or_default());
            // In Rust the upper-case letter negates.
            let (letter, name) = match (letter, name.strip_prefix('^')) {
                ('p', Some(name)) => ('P', name),
                ('P', Some(name)) => ('p', name),
                _ => (letter, name),
            };
            out.extend(['\\', letter, '{']);
            out.push_str(name);
            return rest;
        }
        '0'..='7' => {
            // A single digit other than zero would be a back-reference, which neither supports.
            let digits = behind.bytes().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
            if let Some(code) = behind.get(..digits).filter(|octal| letter == '0' || octal.len() > 1)
                && let Ok(code) = u32::from_str_radix(code, 8)
            {
                out.push_str(&format!("\\x{{{code:x}}}"));
                return behind.get(digits..).unwrap_or_default();
            }
            out.extend(['\\', letter]);
        }
        _ => out.extend(['\\', letter]),
    }
    rest
}

/// Translates a class after its opening bracket; returns the remaining text.
fn class<'a>(behind: &'a str, out: &mut String) -> &'a str {
    out.push('[');
    let mut rest = behind;
    if let Some(negated) = rest.strip_prefix('^') {
        out.push('^');
        rest = negated;
    }
    let mut is_first = true;
    while let Some(character) = rest.chars().next() {
        let behind = rest.get(character.len_utf8()..).unwrap_or_default();
        rest = match character {
            ']' if !is_first => {
                out.push(']');
                return behind;
            }
            '[' if behind.starts_with(':') && behind.contains(":]") => {
                let end = behind.find(":]").map_or(behind.len(), |at| at + 2);
                out.push('[');
                out.push_str(behind.get(..end).unwrap_or_default());
                behind.get(end..).unwrap_or_default()
            }
            // There is no word boundary in a class: it stays as it is, which is an error.
            '\\' if behind.starts_with('b') => {
                out.push('\\');
                behind
            }
            '\\' => escape(behind, out),
            ']' | '[' | '&' | '~' => {
                out.push('\\');
                out.push(character);
                behind
            }
            _ => {
                out.push(character);
                behind
            }
        };
        is_first = false;
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn holds(expression: &str, matched: &[&str], others: &[&str]) {
        let regex = compile_anchored(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
        for text in matched {
            assert!(regex.is_match(text), "{expression} matches {text:?}: {regex}");
        }
        for text in others {
            assert!(!regex.is_match(text), "{expression} does not match {text:?}: {regex}");
        }
    }

    #[test]
    fn braces_that_repeat_nothing_are_themselves() {
        holds("/users/{id}", &["/users/{id}"], &["/users/id"]);
        holds("}|{", &["}", "{"], &["", "}|{"]);
        holds("a{,2}", &["a{,2}"], &["", "aa"]);
        holds("a{01}", &["a{01}"], &["a"]);
        holds("a{2}b{1,}c{0,1}", &["aabb", "aabc"], &["abc", "aac"]);
        holds("a{2", &["a{2"], &["aa"]);
    }

    #[test]
    fn no_parenthesis_closes_the_one_around_the_expression() {
        for wrong in ["a)|(b", r"\(a)|(b", "[(]a)|(b", r"\Q(\Ea)|(b"] {
            assert!(compile_anchored(wrong).is_err(), "{wrong}");
        }
        assert!(compile_anchored("a)(").is_err());
        holds(r"a\)|(b)", &["a)", "b"], &["a", "xb"]);
        holds("[)](a)", &[")a"], &["a"]);
    }

    #[test]
    fn classes_of_perl_are_of_ascii() {
        holds(r"\d+", &["0123"], &["\u{664}", ""]);
        holds(r"\w+", &["aZ_9"], &["\u{e9}"]);
        holds(r"\W", &["\u{e9}", "-"], &["a"]);
        holds(r"\s", &["\t", " "], &["\u{b}", "\u{a0}"]);
        holds(r"[\d.]+", &["1.2"], &["1,2"]);
        holds(r"[^\d]+", &["a"], &["1"]);
        holds(r"[\D]", &["a", "\u{664}"], &["1"]);
        holds(r".*\bnode\b.*", &["a node b", "\u{e9}node"], &["nodes"]);
        holds(r"\pL+\p{Greek}", &["a\u{3b1}"], &["aa"]);
        holds(r"\p{^L}\P{^L}", &["-a"], &["a-"]);
    }

    #[test]
    fn sets_are_no_sets_of_sets() {
        holds("[a&&b]+", &["a", "b&"], &["c"]);
        holds("[a~~b]", &["~", "a"], &["c"]);
        holds("[a[]", &["[", "a"], &["]"]);
        holds("[]a]", &["]", "a"], &["[]a]"]);
        holds("[^]a]", &["b", "["], &["]"]);
        holds("[[:alpha:]_]+", &["a_"], &["1"]);
    }

    #[test]
    fn what_is_quoted_is_itself() {
        holds(r"\Qa.b{\E.", &["a.b{x"], &["aXb{x"]);
        assert!(compile(r"\Qa.b").unwrap().is_match("-a.b"));
        assert!(compile_anchored(r"\Qa.b").is_err(), "the anchor is quoted as well");
        holds(r"\<a\>", &["<a>"], &["a"]);
        holds(r"\{a\}\.", &["{a}."], &["{a}x"]);
    }

    #[test]
    fn characters_may_be_octal_numbers() {
        holds(r"\101\07\x41[\102]", &["A\u{7}AB"], &["101"]);
    }

    #[test]
    fn a_point_is_any_character() {
        holds("a.c", &["a\nc", "a\u{e9}c"], &["ac"]);
        assert!(!compile("a.c").unwrap().is_match("a\nc"));
        assert!(compile("b").unwrap().is_match("abc"));
    }

    #[test]
    fn what_is_wrong_stays_wrong() {
        for wrong in ["(", ")", "[", "[a", "*", "a\\", "(?=a)", r"\1", "[b-a]", r"\pX", r"[\b]"] {
            assert!(compile(wrong).is_err(), "{wrong}");
        }
    }
}
