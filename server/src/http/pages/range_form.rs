//! The form for a custom range, sent by a browser without scripts, or before they are loaded. Its fields have times in the viewer's time zone, but a
//! URL has times in UTC.

use axum::http::Uri;
use model::{civil::Civil, zone::Twice};
use render::zones;

use super::parameter;

/// The field with the time zone of the other fields.
const FIELD: &str = "tz";

/// If `uri` was sent by the form, the same query with times in UTC, as a relative reference to the same page.
pub(super) fn absolute(uri: &Uri) -> Option<String> {
    let query = uri.query()?;
    let zone = parameter(query, FIELD).and_then(|name| zones::named(&name))?;
    let mut written = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        // A range with a repeated hour includes both.
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
    fn times_of_the_form_are_in_its_time_zone() {
        let absolute = |query: &str| absolute(&format!("/jobs?{query}").parse().unwrap());
        let at = |utc: &str| Civil::parse(utc).unwrap().as_utc_ms();
        for (query, from, to) in [
            (
                "from=2026-07-01T08%3A00&to=2026-07-01T09%3A00&tz=Europe%2FBerlin",
                "2026-07-01T06:00",
                "2026-07-01T07:00",
            ),
            ("from=2026-11-29T08%3A00&to=2026-11-29T09%3A00&tz=Asia%2FKolkata", "2026-11-29T02:30", "2026-11-29T03:30"),
            // The repeated hour at the end of summer time, and the skipped one at its start.
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
