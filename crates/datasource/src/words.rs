//! Removes secrets from an engine's messages beside the data: warnings, infos, errors of its rules and targets. They
//! may contain addresses and credentials that the engine itself uses.

use std::borrow::Cow;

use bytes::Bytes;
use redact::Redactor;
use serde_json::{Value, value::to_raw_value};

use crate::{failure, fields::Fields};

/// Fields of the envelope that are messages.
const WORDS: [&str; 3] = ["error", "warnings", "infos"];
/// The field of a rule or target that is a message.
const LAST_ERROR: &str = "lastError";

/// The body of a successful response without secrets in its messages. A body that is not JSON has no messages.
pub(crate) fn without_secrets(body: Bytes, redactor: &Redactor) -> Bytes {
    cleaned(&body, redactor).map_or(body, Bytes::from)
}

/// The redacted body, if it differs.
fn cleaned(body: &[u8], redactor: &Redactor) -> Option<Vec<u8>> {
    let has_last_error = names(body, LAST_ERROR);
    if !has_last_error && !WORDS.iter().any(|name| names(body, name)) {
        return None;
    }
    let mut fields = Fields::read(body)?;
    let mut is_other = false;
    for name in WORDS {
        if let Some(field) = fields.get(name) {
            let mut value: Value = serde_json::from_str(field.get()).ok()?;
            if failure::clean(&mut value, redactor) {
                *field = Cow::Owned(to_raw_value(&value).ok()?);
                is_other = true;
            }
        }
    }
    if has_last_error && let Some(data) = fields.get("data") {
        let mut value: Value = serde_json::from_str(data.get()).ok()?;
        if clean_errors(&mut value, redactor) {
            *data = Cow::Owned(to_raw_value(&value).ok()?);
            is_other = true;
        }
    }
    if is_other { fields.write(body.len()) } else { None }
}

/// Whether a field with this name may exist.
fn names(body: &[u8], name: &str) -> bool {
    memchr::memmem::find(body, format!("\"{name}\"").as_bytes()).is_some()
}

/// Redacts the last errors of rules and targets, at any depth; returns whether there were any.
fn clean_errors(value: &mut Value, redactor: &Redactor) -> bool {
    let mut is_other = false;
    match value {
        Value::Array(items) => {
            for item in items {
                is_other |= clean_errors(item, redactor);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                is_other |=
                    if name == LAST_ERROR { failure::clean(value, redactor) } else { clean_errors(value, redactor) };
            }
        }
        _ => {}
    }
    is_other
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(body: &str) -> String {
        let body = without_secrets(Bytes::from(body.to_owned()), &Redactor::new(false));
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[test]
    fn what_an_engine_says_has_no_secrets_and_its_data_stays_as_it_is() {
        let answer = shown(
            r#"{"status":"success","data":{"result":[[1.50,"1e3"]]},"warnings":["store https://u:pw1234@10.0.0.5: down"],"infos":["fine"]}"#,
        );
        assert!(!answer.contains("pw1234") && answer.contains("10.0.0.5") && answer.contains("fine"), "{answer}");
        assert!(answer.contains(r#"{"result":[[1.50,"1e3"]]}"#), "{answer}");
        let rules = shown(
            r#"{"status":"success","data":{"groups":[{"rules":[{"lastError":"password=hunter2hunter2","name":"a"}]}]}}"#,
        );
        assert!(!rules.contains("hunter2") && rules.contains(r#""name":"a""#), "{rules}");
        for same in ["error of no JSON", r#"{"data": {"error": "token=abcdefgh1234"} }"#, r#"{ "infos" : [ "fine" ] }"#]
        {
            assert_eq!(shown(same), same);
        }
    }
}
