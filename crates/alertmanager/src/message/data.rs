//! The data of templates for a notification: Alertmanager's `Data`, `Alerts` and `KV`.

use std::sync::Arc;

use gotemplate::{
    Object, Record, Value, ValueError,
    time::{TIME, Time},
    types::{Method, Named, Type},
};

use crate::{
    alert::{Alert, Labels},
    dispatch::Notification,
};

/// Go's zero time: the end of an alert that still fires.
pub(super) const NO_END: &str = "0001-01-01T00:00:00Z";

/// The type of a template's data, for the check of templates. Must match [`Data::value`].
pub(super) static DATA: Named = Named {
    name: "*template.Data",
    fields: &[
        ("Receiver", Type::Str),
        ("Status", Type::Str),
        ("Alerts", Type::Named(&ALERTS)),
        ("NotificationReason", Type::Str),
        ("GroupLabels", Type::Named(&KV)),
        ("CommonLabels", Type::Named(&KV)),
        ("CommonAnnotations", Type::Named(&KV)),
        ("RouteLabels", Type::Named(&KV)),
        ("ExternalURL", Type::Str),
        ("GroupKey", Type::Str),
    ],
    methods: &[],
    underlying: None,
};

static ALERTS: Named = Named {
    name: "template.Alerts",
    fields: &[],
    methods: &[Method::new("Firing", &[], Type::Named(&ALERTS)), Method::new("Resolved", &[], Type::Named(&ALERTS))],
    underlying: Some(Type::List(&Type::Named(&ALERT))),
};

static ALERT: Named = Named {
    name: "template.Alert",
    fields: &[
        ("Status", Type::Str),
        ("Labels", Type::Named(&KV)),
        ("Annotations", Type::Named(&KV)),
        ("StartsAt", Type::Named(&TIME)),
        ("EndsAt", Type::Named(&TIME)),
        ("GeneratorURL", Type::Str),
        ("Fingerprint", Type::Str),
    ],
    methods: &[],
    underlying: None,
};

static KV: Named = Named {
    name: "template.KV",
    fields: &[],
    methods: &[
        Method::new("SortedPairs", &[], Type::Named(&PAIRS)),
        Method::new("Names", &[], Type::List(&Type::Str)),
        Method::new("Values", &[], Type::List(&Type::Str)),
        Method::new("Remove", &[Type::List(&Type::Str)], Type::Named(&KV)),
        Method::new("String", &[], Type::Str),
    ],
    underlying: Some(Type::Map(&Type::Str)),
};

static PAIRS: Named = Named {
    name: "template.Pairs",
    fields: &[],
    methods: &[
        Method::new("Names", &[], Type::List(&Type::Str)),
        Method::new("Values", &[], Type::List(&Type::Str)),
        Method::new("String", &[], Type::Str),
    ],
    underlying: Some(Type::List(&Type::Named(&PAIR))),
};

static PAIR: Named = Named {
    name: "template.Pair",
    fields: &[("Name", Type::Str), ("Value", Type::Str)],
    methods: &[],
    underlying: None,
};

/// A notification, with the labels and annotations that its alerts share.
pub(super) struct Data<'a> {
    pub(super) notification: &'a Notification,
    alerts: &'a [(Arc<Alert>, bool)],
    reason: &'static str,
    pub(super) receiver: String,
    pub(super) status: &'static str,
    pub(super) common_labels: Labels,
    pub(super) common_annotations: Labels,
    /// Rendered labels of the route.
    pub(super) route_labels: Labels,
    pub(super) external_url: &'a str,
}

impl<'a> Data<'a> {
    pub(super) fn of(notification: &'a Notification, route_labels: Labels, external_url: &'a str) -> Self {
        let reason = notification.reason.words();
        Data::with(notification, &notification.alerts, reason, route_labels, external_url)
    }

    /// The data for the labels of a route: all alerts of the group, regardless of integration and reason.
    pub(super) fn of_group(notification: &'a Notification, external_url: &'a str) -> Self {
        let templates = notification.route_labels.clone();
        Data::with(notification, &notification.group_alerts, "unknown", templates, external_url)
    }

    fn with(
        notification: &'a Notification,
        notified: &'a [(Arc<Alert>, bool)],
        reason: &'static str,
        route_labels: Labels,
        external_url: &'a str,
    ) -> Self {
        let alerts = || notified.iter().map(|(alert, _)| &**alert);
        Data {
            notification,
            alerts: notified,
            reason,
            receiver: regex::escape(&notification.receiver).replace("\\-", "-").replace("\\#", "#"),
            status: if notified.iter().any(|(_, is_resolved)| !is_resolved) { "firing" } else { "resolved" },
            common_labels: common(alerts().map(|alert| &alert.labels)),
            common_annotations: common(alerts().map(|alert| &alert.annotations)),
            route_labels,
            external_url,
        }
    }

    pub(super) fn value(&self) -> Value {
        let Data { notification, alerts, reason, receiver, status, external_url, .. } = self;
        Record::value(
            DATA.name,
            [
                ("Receiver", receiver.as_str().into()),
                ("Status", (*status).into()),
                ("Alerts", Alerts::value(alerts.iter().map(|(alert, over)| alert_value(alert, *over)).collect())),
                ("NotificationReason", (*reason).into()),
                ("GroupLabels", Kv::value(&notification.group_labels)),
                ("CommonLabels", Kv::value(&self.common_labels)),
                ("CommonAnnotations", Kv::value(&self.common_annotations)),
                ("RouteLabels", Kv::value(&self.route_labels)),
                ("ExternalURL", (*external_url).into()),
                ("GroupKey", notification.group_key.as_str().into()),
            ],
        )
    }
}

/// The pairs that all have in common.
fn common<'a>(mut all: impl Iterator<Item = &'a Labels>) -> Labels {
    let mut common = all.next().cloned().unwrap_or_default();
    for labels in all {
        common.retain(|name, value| labels.get(name) == Some(value));
    }
    common
}

fn alert_value(alert: &Alert, is_resolved: bool) -> Value {
    Record::value(
        ALERT.name,
        [
            ("Status", if is_resolved { "resolved" } else { "firing" }.into()),
            ("Labels", Kv::value(&alert.labels)),
            ("Annotations", Kv::value(&alert.annotations)),
            ("StartsAt", Time::value(alert.starts_at_ms)),
            ("EndsAt", if is_resolved { Time::value(alert.ends_at_ms) } else { Time::zero() }),
            ("GeneratorURL", alert.generator_url.as_str().into()),
            ("Fingerprint", alert.fingerprint.to_string().into()),
        ],
    )
}

/// A list of alerts with methods that filter by status.
#[derive(Debug)]
struct Alerts(Arc<[Value]>);

impl Alerts {
    fn value(alerts: Arc<[Value]>) -> Value {
        Value::Object(Arc::new(Alerts(alerts)))
    }

    fn of_status(&self, status: &str) -> Value {
        let has = |alert: &&Value| match alert {
            Value::Object(alert) => {
                alert.member("Status", &[]).is_some_and(|own| own.is_ok_and(|own| own.as_str() == Ok(status)))
            }
            _ => false,
        };
        Alerts::value(self.0.iter().filter(has).cloned().collect())
    }
}

impl Object for Alerts {
    fn type_name(&self) -> &'static str {
        ALERTS.name
    }

    fn named(&self) -> Option<&'static Named> {
        Some(&ALERTS)
    }

    fn member(&self, name: &str, _arguments: &[Value]) -> Option<Result<Value, ValueError>> {
        match name {
            "Firing" => Some(Ok(self.of_status("firing"))),
            "Resolved" => Some(Ok(self.of_status("resolved"))),
            _ => None,
        }
    }

    fn underlying(&self) -> Value {
        Value::List(Arc::clone(&self.0))
    }
}

/// Label or annotation names and values.
#[derive(Debug, Clone)]
struct Kv(Labels);

impl Kv {
    fn value(labels: &Labels) -> Value {
        Value::Object(Arc::new(Kv(labels.clone())))
    }

    /// Pairs sorted by name, `alertname` first.
    fn sorted(&self) -> Vec<(String, String)> {
        let mut pairs: Vec<_> = self.0.clone().into_iter().collect();
        pairs.sort_by_key(|(name, _)| name != crate::alert::ALERT_NAME);
        pairs
    }
}

impl Object for Kv {
    fn type_name(&self) -> &'static str {
        KV.name
    }

    fn named(&self) -> Option<&'static Named> {
        Some(&KV)
    }

    fn text(&self) -> Option<String> {
        Some(joined(&self.sorted()))
    }

    fn member(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, ValueError>> {
        Some(Ok(match name {
            "SortedPairs" => Pairs::value(self.sorted()),
            "Names" => Value::list(self.sorted().into_iter().map(|(name, _)| name.into())),
            "Values" => Value::list(self.sorted().into_iter().map(|(_, value)| value.into())),
            "Remove" => {
                let Some(Value::List(names)) = arguments.first().map(Value::plain) else {
                    return Some(Err("expected one list of names".into()));
                };
                let mut rest = self.0.clone();
                rest.retain(|name, _| !names.iter().any(|gone| gone.as_str() == Ok(name)));
                Kv::value(&rest)
            }
            "String" => joined(&self.sorted()).into(),
            name if arguments.is_empty() => self.0.get(name).map_or("", String::as_str).into(),
            _ => return None,
        }))
    }

    fn underlying(&self) -> Value {
        Value::strings(self.0.iter().map(|(name, value)| (name.clone(), value.as_str())))
    }
}

/// A list of name and value pairs.
#[derive(Debug)]
struct Pairs(Vec<(String, String)>);

impl Pairs {
    fn value(pairs: Vec<(String, String)>) -> Value {
        Value::Object(Arc::new(Pairs(pairs)))
    }
}

impl Object for Pairs {
    fn type_name(&self) -> &'static str {
        PAIRS.name
    }

    fn named(&self) -> Option<&'static Named> {
        Some(&PAIRS)
    }

    fn text(&self) -> Option<String> {
        Some(joined(&self.0))
    }

    fn member(&self, name: &str, _arguments: &[Value]) -> Option<Result<Value, ValueError>> {
        Some(Ok(match name {
            "Names" => Value::list(self.0.iter().map(|(name, _)| name.as_str().into())),
            "Values" => Value::list(self.0.iter().map(|(_, value)| value.as_str().into())),
            "String" => joined(&self.0).into(),
            _ => return None,
        }))
    }

    fn underlying(&self) -> Value {
        Value::list(self.0.iter().map(|(name, value)| {
            Record::value(PAIR.name, [("Name", name.as_str().into()), ("Value", value.as_str().into())])
        }))
    }
}

/// Pairs as Alertmanager prints them.
fn joined(pairs: &[(String, String)]) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join(", ")
}

/// A time in the format of Go's JSON.
pub(crate) fn rfc3339(ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(time) => time.to_string(),
        Err(_) => NO_END.to_owned(),
    }
}
