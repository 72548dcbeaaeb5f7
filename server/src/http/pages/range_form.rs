//! The form of a range of one's own, where the browser sends it by itself: scripts are off, or have not loaded yet. Its fields show times
//! of the viewer's zone, and a URL is read as UTC.

use axum::http::Uri;
use model::{civil::Civil, zone::Twice};
use render::zones;

use super::parameter;

/// The field that says in which zone the other fields are.
const FIELD: &str = "tz";

/// The query with the same times as others read them, of one that such a form made: a reference to the same page, whatever its path
/// looks like.
pub(super) fn absolute(uri: &Uri) -> Option<String> {
    let query = uri.query()?;
    let zone = parameter(query, FIELD).and_then(|name| zones::named(&name))?;
    let mut written = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        // Of an hour that comes twice all is shown.
        let twice = if name == "to" { Twice::Later } else { Twice::Earlier };
        match (&*name, Civil::parse(&value)) {
            (FIELD, _) => {}
            ("from" | "to", Some(civil)) => {
                written.append_pair(&name, &zone.instant(&civil, twice).to_string());
            }
            _ => {
                written.append_pair(&name, &value);
            }
        }
    }
    Some(format!("?{}", written.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_form_are_those_of_its_zone() {
        let absolute = |query: &str| absolute(&format!("/jobs?{query}").parse().unwrap());
        let at = |utc: &str| Civil::parse(utc).unwrap().as_utc_ms();
        for (query, from, to) in [
            (
                "from=2026-07-01T08%3A00&to=2026-07-01T09%3A00&tz=Europe%2FBerlin",
                "2026-07-01T06:00",
                "2026-07-01T07:00",
            ),
            ("from=2026-11-29T08%3A00&to=2026-11-29T09%3A00&tz=Asia%2FKolkata", "2026-11-29T02:30", "2026-11-29T03:30"),
            // The hour that comes twice, and the one that does not come.
            (
                "from=2026-10-25T02%3A10&to=2026-10-25T02%3A20&tz=Europe%2FBerlin",
                "2026-10-25T00:10",
                "2026-10-25T01:20",
            ),
            (
                "from=2026-03-29T02%3A30&to=2026-03-29T04%3A00&tz=Europe%2FBerlin",
                "2026-03-29T01:30",
                "2026-03-29T02:00",
            ),
            ("from=2026-11-29T08%3A00&to=2026-11-29T09%3A00&tz=-210", "2026-11-29T11:30", "2026-11-29T12:30"),
        ] {
            assert_eq!(absolute(query), Some(format!("?from={}&to={}", at(from), at(to))), "{query}");
        }
        assert_eq!(absolute("from=now-1h&refresh=5s&tz=Europe/Berlin").as_deref(), Some("?from=now-1h&refresh=5s"));
        for other in ["from=2026-07-01T08:00&to=2026-07-01T09:00", "from=2026-07-01T08:00&tz=Mars", "tz="] {
            assert_eq!(absolute(other), None, "{other}");
        }
    }
}
