//! Analyses a regular expression, so that its matches can be looked up instead of testing each value.

use regex_syntax::hir::{Look, literal::Extractor};

/// What is known about the texts that an anchored expression matches.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// Exactly these, sorted.
    Literals(Vec<String>),
    /// They start with this.
    Prefix(String),
}

/// Maximum number of alternatives to look up.
const MAX_LITERALS: usize = 10_000;
/// Maximum length of an alternative to look up, in bytes.
const MAX_LITERAL_BYTES: usize = 1_024;

/// Analyses an expression; for one that does not parse or is not anchored at both ends the prefix is empty.
pub(crate) fn analyse(expression: &str) -> Pattern {
    let unknown = || Pattern::Prefix(String::new());
    let Ok(parsed) = regex_syntax::parse(expression) else { return unknown() };
    let properties = parsed.properties();
    let start = properties.look_set_prefix().contains(Look::Start);
    let end = properties.look_set_suffix().contains(Look::End);
    let others = properties.look_set().iter().any(|look| look != Look::Start && look != Look::End);
    if !start || others {
        return unknown();
    }
    let mut extractor = Extractor::new();
    extractor.limit_total(MAX_LITERALS).limit_literal_len(MAX_LITERAL_BYTES).limit_class(64).limit_repeat(16);
    let sequence = extractor.extract(&parsed);
    let prefix = || match sequence.longest_common_prefix().map(std::str::from_utf8) {
        Some(Ok(prefix)) => Pattern::Prefix(prefix.to_owned()),
        // Cut within a character: stop here.
        Some(Err(_)) | None => unknown(),
    };
    if !end || !sequence.is_exact() {
        return prefix();
    }
    let Some(literals) = sequence.literals() else { return prefix() };
    let mut texts = Vec::with_capacity(literals.len());
    for literal in literals {
        match std::str::from_utf8(literal.as_bytes()) {
            Ok(text) => texts.push(text.to_owned()),
            Err(_) => return prefix(),
        }
    }
    texts.sort_unstable();
    texts.dedup();
    Pattern::Literals(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literals(texts: &[&str]) -> Pattern {
        Pattern::Literals(texts.iter().map(|text| (*text).to_owned()).collect())
    }

    #[test]
    fn alternations_are_literals() {
        assert_eq!(analyse("^(?:aws|gcp|azure)$"), literals(&["aws", "azure", "gcp"]));
        assert_eq!(analyse("^(?s:aws)$"), literals(&["aws"]));
        assert_eq!(analyse("^(?:5(?:00|03))$"), literals(&["500", "503"]));
        assert_eq!(analyse("^(?:|a)$"), literals(&["", "a"]));
        let many: Vec<String> = (0..2_000).map(|number| format!("vm-with-a-rather-long-name-{number:04}")).collect();
        let Pattern::Literals(found) = analyse(&format!("^(?:{})$", many.join("|"))) else { panic!("not literals") };
        assert_eq!(found, many);
    }

    #[test]
    fn others_have_a_prefix_at_best() {
        assert_eq!(analyse("^(?:node_.*)$"), Pattern::Prefix("node_".to_owned()));
        assert_eq!(analyse("^(?:.*)$"), Pattern::Prefix(String::new()));
        assert_eq!(analyse("aws"), Pattern::Prefix(String::new()));
        assert_eq!(analyse("^aws|gcp$"), Pattern::Prefix(String::new()));
        assert_eq!(analyse("^(?:ab+)$"), Pattern::Prefix("ab".to_owned()));
        assert_eq!(analyse("("), Pattern::Prefix(String::new()));
    }
}
