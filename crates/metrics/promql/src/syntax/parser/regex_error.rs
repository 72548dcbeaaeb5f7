//! Go's errors about invalid regular expressions.

use regex_syntax::{Error, ast};

/// The error of Go's `regexp/syntax` about an invalid expression.
pub(super) fn expression_error(expression: &str) -> String {
    use ast::ErrorKind as Wrong;
    let Err(error) = regex_syntax::parse(expression) else {
        return format!("expression too large: `{expression}`");
    };
    let span = match &error {
        Error::Parse(error) => error.span(),
        Error::Translate(error) => error.span(),
        _ => return format!("expression too large: `{expression}`"),
    };
    let (from, to) = (span.start.offset, span.end.offset);
    let here = expression.get(from..to).unwrap_or_default();
    let onwards = expression.get(from..).unwrap_or_default();
    let group = expression.get(..from).and_then(|before| before.rfind("(?")).unwrap_or(from);
    let Error::Parse(error) = &error else { return format!("invalid character class range: `{here}`") };
    let (what, part) = match error.kind() {
        Wrong::GroupUnclosed => ("missing closing )", expression),
        Wrong::GroupUnopened => ("unexpected )", expression),
        Wrong::ClassUnclosed => ("missing closing ]", onwards),
        Wrong::ClassRangeInvalid | Wrong::ClassEscapeInvalid | Wrong::UnicodeClassInvalid => {
            ("invalid character class range", here)
        }
        Wrong::RepetitionMissing => ("missing argument to repetition operator", onwards.get(..1).unwrap_or(onwards)),
        Wrong::RepetitionCountInvalid | Wrong::DecimalInvalid => ("invalid repeat count", here),
        Wrong::EscapeUnexpectedEof => return "trailing backslash at end of expression: ``".to_owned(),
        Wrong::EscapeUnrecognized | Wrong::UnsupportedBackreference | Wrong::EscapeHexInvalid => {
            ("invalid escape sequence", here)
        }
        Wrong::GroupNameDuplicate { .. } => ("duplicate capture group name", here),
        Wrong::GroupNameInvalid | Wrong::GroupNameEmpty | Wrong::GroupNameUnexpectedEof => {
            ("invalid named capture", expression.get(group..).unwrap_or(here))
        }
        Wrong::UnsupportedLookAround | Wrong::FlagUnrecognized => {
            ("invalid or unsupported Perl syntax", expression.get(group..to).unwrap_or(here))
        }
        _ => ("invalid or unsupported Perl syntax", expression),
    };
    format!("{what}: `{part}`")
}
