//! A panel's data as comma-separated values: a row for each time, a column for each series.

use std::{collections::BTreeMap, fmt::Write};

use model::{civil::Civil, dashboard::Panel, panel::PanelData};

use super::plot_series::every;

/// The data of a panel with a header line, and times in UTC.
pub(super) fn csv(panel: &Panel, data: &PanelData) -> String {
    let series = every(panel, data);
    let mut rows: BTreeMap<i64, Vec<Option<f64>>> = BTreeMap::new();
    for (column, shown) in series.iter().enumerate() {
        for (at_ms, value) in shown.series.points() {
            let row = rows.entry(at_ms).or_insert_with(|| vec![None; series.len()]);
            if let Some(cell) = row.get_mut(column) {
                *cell = Some(value);
            }
        }
    }
    let mut csv = String::from("time_utc");
    for shown in &series {
        csv.push(',');
        csv.push_str(&quoted(&shown.name));
    }
    csv.push_str("\r\n");
    for (at_ms, row) in rows {
        let _ = write!(csv, "{}", Civil::utc(at_ms));
        for value in row {
            csv.push(',');
            if let Some(value) = value {
                csv.push_str(&crate::platform::number_text(value));
            }
        }
        csv.push_str("\r\n");
    }
    csv
}

/// A field, quoted if necessary, that no spreadsheet reads as a formula.
fn quoted(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    if text.contains([',', '"', '\n', '\r']) || !guard.is_empty() {
        format!("\"{guard}{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// Downloads `text` as a file in the browser.
#[cfg(feature = "browser")]
pub(super) fn save(name: &str, text: &str) {
    use wasm_bindgen::{JsCast, JsValue};
    let parts = js_sys::Array::of1(&JsValue::from_str(text));
    let Ok(blob) = web_sys::Blob::new_with_str_sequence(&parts) else { return };
    let Ok(url) = web_sys::Url::create_object_url_with_blob(&blob) else { return };
    let link = leptos::prelude::document().create_element("a").ok();
    if let Some(link) = link.and_then(|link| link.dyn_into::<web_sys::HtmlElement>().ok()) {
        let _ = link.set_attribute("href", &url);
        let _ = link.set_attribute("download", name);
        link.click();
    }
    let _ = web_sys::Url::revoke_object_url(&url);
}

#[cfg(test)]
mod tests {
    use model::{
        frame::{Frame, Series},
        panel::QueryState,
    };

    use super::*;

    #[test]
    fn series_are_columns_and_absent_values_are_empty() {
        let panel = super::super::legend::tests::panel(r#"{"expr":"a","legend":"a,b"},{"expr":"b","legend":"=c"}"#);
        let ready = |timestamps: &[i64], values: &[f64]| QueryState::Ready {
            frame: Frame {
                series: vec![Series { timestamps: timestamps.into(), values: values.into(), ..Series::default() }],
                ..Frame::default()
            },
            stale: None,
        };
        let data = PanelData::Queries(vec![ready(&[0, 1_000], &[1.5, 2.0]), ready(&[1_000], &[7.0])]);
        assert_eq!(
            csv(&panel, &data),
            "time_utc,\"a,b\",\"'=c\"\r\n1970-01-01 00:00:00,1.5,\r\n1970-01-01 00:00:01,2,7\r\n"
        );
    }

    #[test]
    fn every_series_has_a_column_of_its_own() {
        let panel = super::super::legend::tests::panel(r#"{"expr":"a","legend":"all"}"#);
        let one = |number: usize| Series {
            labels: model::frame::Labels::from([("n".to_owned(), number.to_string())]).into(),
            timestamps: vec![0],
            values: vec![0.0],
        };
        let frame = Frame { series: (0..150).map(one).collect(), ..Frame::default() };
        let csv = csv(&panel, &PanelData::Queries(vec![QueryState::Ready { frame, stale: None }]));
        let heading = csv.lines().next().unwrap();
        assert!(heading.contains(r#""all {n=""0""}","all {n=""1""}""#), "{heading}");
        assert!(heading.contains(r#""all {n=""149""}""#), "more than a chart shows: {heading}");
    }
}
