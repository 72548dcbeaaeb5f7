//! Post-processes our pages: adds the base path to links, and the form token to forms that change something. It is done
//! here, so that no link and no form can forget it.

/// Attributes whose value is a URL.
const ADDRESSES: [&str; 5] = ["href", "src", "action", "formaction", "poster"];
/// Elements whose content is not markup.
const RAW: [&str; 4] = ["script", "style", "textarea", "title"];

/// What to add to a page.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Additions<'a> {
    /// Base path, without a trailing slash; may be empty.
    pub(crate) base: &'a str,
    /// Name and value of a field for each form with method POST.
    pub(crate) field: Option<(&'a str, &'a str)>,
}

/// Processes `html`, which must be ours: attributes are in double quotes, and text contains no `<`.
pub(crate) fn html(html: &str, additions: Additions) -> String {
    let mut out = String::with_capacity(html.len().saturating_add(html.len() / 16));
    let mut rest = html;
    let mut is_posted = false;
    while let Some(start) = rest.find('<') {
        let (before, tag) = rest.split_at(start);
        out.push_str(before);
        let name = tag_name(tag);
        if name.is_empty() {
            // The end of an element, a comment or a document type.
            if is_posted && tag.starts_with("</form") {
                if let Some((name, value)) = additions.field {
                    out.push_str(&format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">"));
                }
                is_posted = false;
            }
            let length =
                if tag.starts_with("<!--") { tag.find("-->").map_or(4, |end| end.saturating_add(3)) } else { 1 };
            let (whole, after) = tag.split_at_checked(length).unwrap_or((tag, ""));
            out.push_str(whole);
            rest = after;
            continue;
        }
        let (attributes, after) = copy_tag(tag, name, additions.base, &mut out);
        is_posted |= name == "form" && attributes.is_posted;
        rest = after;
        if RAW.contains(&name) {
            let (raw, after) = rest.split_at(rest.find(&format!("</{name}")).unwrap_or(rest.len()));
            out.push_str(raw);
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// `location` with `base` before it, if it is a path of this server.
pub(crate) fn location(location: &str, base: &str) -> String {
    if is_local(location) { format!("{base}{location}") } else { location.to_owned() }
}

fn is_local(address: &str) -> bool {
    address.starts_with('/') && !address.starts_with("//")
}

/// The name of the element that `tag` opens; empty if it opens none.
fn tag_name(tag: &str) -> &str {
    let name = tag.get(1..).unwrap_or_default();
    if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return "";
    }
    let end = name.find(|character: char| !character.is_ascii_alphanumeric() && character != '-');
    name.get(..end.unwrap_or(name.len())).unwrap_or_default()
}

/// The relevant attributes of a tag.
#[derive(Default)]
struct Attributes {
    is_posted: bool,
}

/// Copies a tag to `out`, with the base path added to its URLs. Returns the text after it.
fn copy_tag<'a>(tag: &'a str, name: &str, base: &str, out: &mut String) -> (Attributes, &'a str) {
    let mut attributes = Attributes::default();
    let (start, mut rest) = tag.split_at(name.len().saturating_add(1));
    out.push_str(start);
    loop {
        // Up to the next value; a tag that ends before has no further values.
        let end = rest.find(['"', '>']).unwrap_or(rest.len());
        let (before, at) = rest.split_at(end);
        out.push_str(before);
        let Some(quoted) = at.strip_prefix('"') else { return (attributes, at) };
        let (value, after) = quoted.split_once('"').unwrap_or((quoted, ""));
        let attribute = before.strip_suffix('=').unwrap_or_default();
        let attribute = attribute.rsplit(|character: char| character.is_ascii_whitespace()).next().unwrap_or_default();
        attributes.is_posted |= attribute == "method" && value.eq_ignore_ascii_case("post");
        out.push('"');
        if ADDRESSES.contains(&attribute) && is_local(value) {
            out.push_str(base);
        }
        // `<meta http-equiv="refresh" content="0;url=/path">`
        match value.split_once(";url=").filter(|(_, to)| name == "meta" && attribute == "content" && is_local(to)) {
            Some((seconds, to)) => out.push_str(&format!("{seconds};url={base}{to}")),
            None => out.push_str(value),
        }
        out.push('"');
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_server_get_the_base() {
        for (page, expected) in [
            (r#"<a href="/jobs?x=1">j</a>"#, r#"<a href="/scope/jobs?x=1">j</a>"#),
            (r#"<a class="x" href="/">j</a>"#, r#"<a class="x" href="/scope/">j</a>"#),
            (r##"<a href="#top">j</a>"##, r##"<a href="#top">j</a>"##),
            (r#"<a href="//other/x" data-href="/x">"#, r#"<a href="//other/x" data-href="/x">"#),
            (r#"<a href="https://other/x">"#, r#"<a href="https://other/x">"#),
            (r#"<img alt="a > b" src="/render/d/a.png"/>"#, r#"<img alt="a > b" src="/scope/render/d/a.png"/>"#),
            (
                r#"<meta http-equiv="refresh" content="0;url=/login">"#,
                r#"<meta http-equiv="refresh" content="0;url=/scope/login">"#,
            ),
            (r#"<p>href="/x" &lt;a href="/x"</p>"#, r#"<p>href="/x" &lt;a href="/x"</p>"#),
            (r#"<p title="<a href='/x'>">"#, r#"<p title="<a href='/x'>">"#),
            (r#"<!--<a href="/x">--><!><!DOCTYPE html><i>"#, r#"<!--<a href="/x">--><!><!DOCTYPE html><i>"#),
            (
                r#"<script>let a = '<a href="/x">';</script><a href="/y">"#,
                r#"<script>let a = '<a href="/x">';</script><a href="/scope/y">"#,
            ),
            (r#"<a href="/x"#, r#"<a href="/scope/x""#),
            ("a < b", "a < b"),
        ] {
            assert_eq!(html(page, Additions { base: "/scope", field: None }), expected);
            let unchanged = html(page, Additions::default());
            assert!(unchanged == page || page == r#"<a href="/x"#, "{unchanged}");
        }
        assert_eq!(location("/login?next=%2F", "/scope"), "/scope/login?next=%2F");
        assert_eq!(location("//evil.example", "/scope"), "//evil.example");
        assert_eq!(location("https://other/", "/scope"), "https://other/");
    }

    #[test]
    fn forms_that_are_posted_get_the_field() {
        let field = Some(("form_token", "t"));
        for (page, expected) in [
            (
                r#"<form method="post" action="/logout"><b>x</b></form>"#,
                r#"<form method="post" action="/logout"><b>x</b><input type="hidden" name="form_token" value="t"></form>"#,
            ),
            (r#"<form method="get" action="/alerts"></form>"#, r#"<form method="get" action="/alerts"></form>"#),
            ("<form></form>", "<form></form>"),
        ] {
            assert_eq!(html(page, Additions { base: "", field }), expected);
        }
    }
}
