//! Filters URLs in HTML messages: only those that a mail client may open safely pass.
//!
//! Text of an alert can end up in `href="{{ .Annotations.runbook_url }}"`. Escaping keeps it inside the attribute, but
//! a click would still run `javascript:`. Like Go's `html/template`, we replace a URL whose scheme is not http, https
//! or mailto.

/// Replaces a rejected URL; the marker of Go's `html/template`.
const REFUSED: &str = "#ZgotmplZ";
/// Attributes whose URL a program opens, loads or submits to.
const ATTRIBUTES: [&str; 12] = [
    "action",
    "background",
    "cite",
    "data",
    "formaction",
    "href",
    "longdesc",
    "manifest",
    "ping",
    "poster",
    "src",
    "xlink:href",
];

/// Whether a URL has a safe scheme or none. Control characters are skipped, as browsers do.
fn is_safe(address: &str) -> bool {
    let seen: String = address.chars().filter(|character| !character.is_control() && *character != ' ').collect();
    let Some((scheme, _)) = seen.split_once(':') else { return true };
    // A colon after one of these belongs to a path, a query or a fragment.
    scheme.contains(['/', '?', '#']) || ["http", "https", "mailto"].iter().any(|one| scheme.eq_ignore_ascii_case(one))
}

/// The URL if it is safe; otherwise an empty text.
pub(super) fn safe(address: String) -> String {
    if is_safe(&address) { address } else { String::new() }
}

/// `html` with each unsafe URL replaced, however its attribute is quoted.
pub(super) fn with_safe_addresses(html: &str) -> String {
    let mut safe = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((text, tag)) = rest.split_once('<') {
        safe.push_str(text);
        safe.push('<');
        rest =
            if tag.starts_with(|first: char| first.is_ascii_alphabetic()) { attributes(tag, &mut safe) } else { tag };
    }
    safe.push_str(rest);
    safe
}

/// Copies the tag at the start of `tag` to `safe`, filtered; returns the text after it.
fn attributes<'a>(tag: &'a str, safe: &mut String) -> &'a str {
    let mut rest = copy_until(tag, safe, |next| next.is_ascii_whitespace() || matches!(next, '/' | '>'));
    loop {
        rest = copy_until(rest, safe, |next| !next.is_ascii_whitespace() && next != '/');
        if rest.is_empty() || rest.starts_with('>') {
            return rest;
        }
        let named = copy_until(rest, safe, |next| next.is_ascii_whitespace() || matches!(next, '=' | '>' | '/'));
        let name = rest.strip_suffix(named).unwrap_or_default().to_ascii_lowercase();
        if named.len() == rest.len() {
            // Not the start of a name, for example a second `=`.
            rest = copy_one(rest, safe);
            continue;
        }
        rest = copy_until(named, safe, |next| !next.is_ascii_whitespace());
        let Some(value) = rest.strip_prefix('=') else { continue };
        safe.push('=');
        let value = copy_until(value, safe, |next| !next.is_ascii_whitespace());
        let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''));
        let (value, after) = match quote {
            Some(quote) => {
                let inner = value.get(1..).unwrap_or_default();
                inner.split_at(inner.find(quote).unwrap_or(inner.len()))
            }
            None => value
                .split_at(value.find(|next: char| next.is_ascii_whitespace() || next == '>').unwrap_or(value.len())),
        };
        safe.extend(quote);
        let is_address = ATTRIBUTES.contains(&name.as_str());
        safe.push_str(if is_address && !is_safe(&unescaped(value)) { REFUSED } else { value });
        rest = after;
        if quote.is_some() {
            rest = copy_one(rest, safe);
        }
    }
}

/// Copies up to the first character for which `ends` is true; returns the text from there.
fn copy_until<'a>(text: &'a str, to: &mut String, ends: impl Fn(char) -> bool) -> &'a str {
    let (copied, rest) = text.split_at(text.find(ends).unwrap_or(text.len()));
    to.push_str(copied);
    rest
}

fn copy_one<'a>(text: &'a str, to: &mut String) -> &'a str {
    let mut characters = text.chars();
    to.extend(characters.next());
    characters.as_str()
}

/// An attribute's value with those character references resolved that can form a scheme: numeric ones, and the named
/// colon, tab and line feed.
fn unescaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, reference)) = rest.split_once('&') {
        text.push_str(before);
        let end = reference.find(|next: char| !next.is_ascii_alphanumeric() && next != '#').unwrap_or(reference.len());
        let (name, after) = reference.split_at(end);
        let read = match name.strip_prefix('#') {
            Some(number) => {
                let hex = number.strip_prefix(['x', 'X']).map(|digits| u32::from_str_radix(digits, 16));
                hex.unwrap_or_else(|| number.parse()).ok().and_then(char::from_u32)
            }
            None => match name {
                "colon" => Some(':'),
                "Tab" => Some('\t'),
                "NewLine" => Some('\n'),
                _ => None,
            },
        };
        match read {
            Some(read) => {
                text.push(read);
                rest = after.strip_prefix(';').unwrap_or(after);
            }
            None => {
                text.push('&');
                rest = reference;
            }
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_and_mailboxes_are_linked() {
        for safe in
            ["https://h/a?b=javascript:", "HTTP://h", "mailto:a@x.org", "/alerts", "#top", "a/b:c", "", "?a=b:c"]
        {
            assert!(is_safe(safe), "{safe}");
        }
        for unsafe_one in [
            "javascript:alert(1)",
            " JaVaScRiPt:x",
            "java\nscript:x",
            "\u{1}javascript:x",
            "data:text/html,x",
            "vbscript:x",
            "file:///etc",
        ] {
            assert!(!is_safe(unsafe_one), "{unsafe_one}");
        }
    }

    #[test]
    fn an_attribute_is_found_however_it_is_written() {
        for (html, expected) in [
            (r#"<a href="javascript:x">r</a>"#, r##"<a href="#ZgotmplZ">r</a>"##),
            ("<a href=javascript:x>r</a>", "<a href=#ZgotmplZ>r</a>"),
            ("<a\nHREF = 'java&#x73;cript&colon;x' b>", "<a\nHREF = '#ZgotmplZ' b>"),
            (r#"<a title="a>b" href="java&Tab;script:x">"#, r##"<a title="a>b" href="#ZgotmplZ">"##),
            (r#"<img/src="data:image/svg+xml,x"/>"#, r##"<img/src="#ZgotmplZ"/>"##),
            (r#"<a href="https://h/?a=b:c&amp;d=1">"#, r#"<a href="https://h/?a=b:c&amp;d=1">"#),
            ("a < b href=javascript:x", "a < b href=javascript:x"),
            (r#"<p style="color:red">javascript:x</p>"#, r#"<p style="color:red">javascript:x</p>"#),
            ("<a =href=javascript:x", "<a =href=#ZgotmplZ"),
            ("<a href=\"javascript:x", "<a href=\"#ZgotmplZ"),
            ("<a href=", "<a href="),
        ] {
            assert_eq!(with_safe_addresses(html), expected, "{html}");
        }
    }
}
