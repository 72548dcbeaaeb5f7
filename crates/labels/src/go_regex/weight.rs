//! Estimates the size of a compiled expression from its text: `\pL{900}` is short but has half a million states, and
//! compiling it would already need the memory.

use super::repetition;

/// Maximum weight of an expression, and of all expressions in a request: a few megabytes, and some tens of milliseconds
/// to compile.
pub const MOST_WEIGHT: usize = 50_000;
/// Weight of any expression: the matching engines have their own tables.
const OF_EACH: usize = 250;
/// States of a Unicode class, such as all letters.
const OF_UNICODE: usize = 2_600;
/// States of any character.
const OF_ANY: usize = 12;
/// States of a character of maximum length in UTF-8.
const LONGEST_CHARACTER: usize = 4;

/// Approximate number of states of an expression, beyond one per character of its text, plus a constant for any
/// expression.
#[must_use]
pub fn weight(expression: &str) -> usize {
    // The weights within each open group, and the weight of the last piece.
    let (mut outer, mut sum, mut last) = (Vec::new(), 0_usize, 0_usize);
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        let behind = rest.get(first.len_utf8()..).unwrap_or_default();
        let (piece, next) = match first {
            '(' => {
                outer.push(sum);
                (sum, last) = (0, 0);
                rest = behind;
                continue;
            }
            ')' => {
                last = sum;
                sum = sum.saturating_add(outer.pop().unwrap_or_default());
                rest = behind;
                continue;
            }
            '{' if let Some(length) = repetition(behind) => {
                let times = times(behind.get(..length).unwrap_or_default());
                let whole = last.saturating_mul(times);
                sum = sum.saturating_add(whole.saturating_sub(last));
                last = whole;
                rest = behind.get(length..).unwrap_or_default();
                continue;
            }
            '\\' => escape(behind),
            '[' => class(behind),
            '.' => (OF_ANY, behind),
            '*' | '+' | '?' => {
                rest = behind;
                continue;
            }
            _ => (1, behind),
        };
        sum = sum.saturating_add(piece);
        last = piece;
        rest = next;
    }
    let whole = outer.into_iter().fold(sum, usize::saturating_add);
    whole.saturating_sub(expression.len()).saturating_add(OF_EACH)
}

/// The count of a repetition: the text after its opening brace, including the closing one.
fn times(inside: &str) -> usize {
    let numbers = inside.trim_end_matches('}').split(',').filter_map(|number| number.parse::<usize>().ok());
    numbers.max().unwrap_or_default().max(1)
}

/// The weight of a backslash escape, and the remaining text.
fn escape(behind: &str) -> (usize, &str) {
    let Some(letter) = behind.chars().next() else { return (1, behind) };
    let rest = behind.get(letter.len_utf8()..).unwrap_or_default();
    match letter {
        'p' | 'P' => {
            let length = match rest.strip_prefix('{') {
                Some(name) => name.find('}').map_or(rest.len(), |end| end + 2),
                None => rest.chars().next().map_or(0, char::len_utf8),
            };
            (OF_UNICODE, rest.get(length..).unwrap_or_default())
        }
        'Q' => {
            let (quoted, rest) = rest.split_once("\\E").unwrap_or((rest, ""));
            (quoted.len(), rest)
        }
        // A character by its code: its braces are not a repetition.
        'x' if rest.starts_with('{') => (LONGEST_CHARACTER, rest.split_once('}').map_or("", |(_number, rest)| rest)),
        'd' | 's' | 'w' => (4, rest),
        'D' | 'S' | 'W' => (OF_ANY, rest),
        _ => (1, rest),
    }
}

/// The weight of a class after its opening bracket, and the remaining text.
fn class(behind: &str) -> (usize, &str) {
    let mut rest = behind.strip_prefix('^').unwrap_or(behind);
    let mut weight = if rest.len() < behind.len() { OF_ANY } else { 1 };
    let mut is_first = true;
    while let Some(character) = rest.chars().next() {
        let behind = rest.get(character.len_utf8()..).unwrap_or_default();
        let (piece, next) = match character {
            ']' if !is_first => return (weight, behind),
            '\\' => escape(behind),
            // A POSIX class has its own bracket.
            '[' if let Some((name, rest)) = behind.strip_prefix(':').and_then(|behind| behind.split_once(":]")) => {
                (OF_ANY * usize::from(name.starts_with('^')), rest)
            }
            // A range needs a few states per encoded length of its characters.
            '-' => (OF_ANY * usize::from(begins_beyond_ascii(behind)), behind),
            _ if character.is_ascii() => (0, behind),
            _ => (character.len_utf8(), behind),
        };
        weight = weight.saturating_add(piece);
        rest = next;
        is_first = false;
    }
    (weight, rest)
}

/// Whether a text starts with a character that may be outside ASCII, literally or by its code.
fn begins_beyond_ascii(text: &str) -> bool {
    let mut characters = text.chars();
    match characters.next() {
        Some('\\') => characters.next().is_some_and(|letter| letter == 'x' || letter.is_ascii_digit()),
        first => first.is_some_and(|first| !first.is_ascii()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_weighs_little() {
        let hosts = (0..10_000).map(|number| format!("host-{number}\\.example\\.org")).collect::<Vec<_>>().join("|");
        for expression in [
            ".*",
            "(a|b|.+)",
            r"[a-z0-9-]{1,253}\.(eu|us)-[0-9]{1,3}",
            r"\d{1,3}(\.\d{1,3}){3}:\d{2,5}",
            ".{1,1000}",
            "[^/]+/[^/]{0,200}",
            r"\p{L}+ \pN{1,9}",
            r"[[:alnum:]_.-]{1,253}",
            r"\x{10ffff}\x{1f600}+",
            "a{1000}",
            "x{",
            "{5}",
            &hosts,
        ] {
            assert!(weight(expression) <= MOST_WEIGHT, "{expression:.40}: {}", weight(expression));
            assert!(crate::go_regex::compile(expression).is_ok() || expression == "{5}", "{expression:.40}");
        }
    }

    #[test]
    fn what_grows_when_it_is_compiled_is_refused_before() {
        for expression in [
            r"\pL{900}",
            r"(\p{Greek}|\PN){30}",
            "((a{100}){100}){10}",
            "(.{100}){100}",
            r"[^\pL]{50}",
            "[\u{100}-\u{ffff}]{1000}{20}",
            r"[\x{100}-\x{10ffff}]{1000}{20}",
            r"[[:alpha:]\pL]{60}",
            r"[[:^alpha:]]{1000}{20}",
            r"(?:(?:\w\W){100,}){100}",
            "(a{1000}",
            &r"\pL".repeat(100_000),
            &"((((((a{9}){9}){9}){9}){9}){9}){9}".repeat(3),
        ] {
            let is_small = expression == "(a{1000}";
            assert_eq!(weight(expression) > MOST_WEIGHT, !is_small, "{expression:.40}: {}", weight(expression));
            assert!(crate::go_regex::compile(expression).is_err(), "{expression:.40}");
        }
    }

    #[test]
    fn a_weight_is_about_that_of_what_is_compiled() {
        // An expression within the limit compiles with little memory, by the library's own measure.
        for expression in
            [r"\pL{19}", ".{4000}", r"[^a]{4000}", r"(\w\d){5000}", "[\u{100}-\u{fff0}]{2500}", "(?i)k{20000}"]
        {
            assert!(weight(expression) <= MOST_WEIGHT, "{expression}: {}", weight(expression));
            let sized = regex::RegexBuilder::new(&crate::go_regex::for_rust(expression)).size_limit(6 << 20).build();
            assert!(sized.is_ok(), "{expression}: {sized:?}");
        }
    }
}
