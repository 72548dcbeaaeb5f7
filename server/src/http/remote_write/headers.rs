//! Checks the headers of a remote write.

use axum::http::{HeaderMap, header};

/// Checks that a request is protocol buffers of version 1, compressed with Snappy. Absent headers count as that, as in
/// Prometheus.
///
/// # Errors
///
/// What is unsupported, and what is accepted.
pub(super) fn check(headers: &HeaderMap) -> Result<(), String> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?").trim());
    if let Some(content_type) = text(header::CONTENT_TYPE).filter(|text| !text.is_empty()) {
        let (media_type, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
        let message = parameters.split(';').find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("proto").then(|| value.trim().trim_matches('"'))
        });
        if !media_type.trim().eq_ignore_ascii_case("application/x-protobuf")
            || message.is_some_and(|message| message != "prometheus.WriteRequest")
        {
            return Err(format!(
                "the content type {content_type:?} is not supported: send application/x-protobuf with prometheus.WriteRequest, remote write 1.0"
            ));
        }
    }
    match text(header::CONTENT_ENCODING) {
        None | Some("" | "snappy") => Ok(()),
        Some(other) => {
            Err(format!("the content encoding {other:?} is not supported: compress with snappy, block format"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(content_type: Option<&'static str>, encoding: Option<&'static str>) -> bool {
        let mut headers = HeaderMap::new();
        content_type.into_iter().for_each(|value| drop(headers.insert(header::CONTENT_TYPE, value.parse().unwrap())));
        encoding.into_iter().for_each(|value| drop(headers.insert(header::CONTENT_ENCODING, value.parse().unwrap())));
        check(&headers).is_ok()
    }

    #[test]
    fn only_version_1_in_snappy_is_taken() {
        let plain = Some("application/x-protobuf");
        assert!(checked(None, None));
        assert!(checked(plain, Some("snappy")));
        assert!(checked(Some("application/x-protobuf; proto=prometheus.WriteRequest"), Some("snappy")));
        assert!(!checked(Some("application/x-protobuf;proto=io.prometheus.write.v2.Request"), Some("snappy")));
        assert!(!checked(Some("application/json"), Some("snappy")));
        assert!(!checked(plain, Some("gzip")));
    }
}
