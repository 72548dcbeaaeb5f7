//! Explains which series the connected daemons can never report, by the table of [`Dialect`](crate::detect::Dialect).

use std::collections::BTreeMap;

use crate::detect::Profile;

/// Why there are no series with the name `series`. `None` if each daemon may report it.
/// If only some daemons never report it, the text names the others too.
#[must_use]
pub fn explain(series: &str, daemons: &[(&str, Option<Profile>)]) -> Option<String> {
    let mut words = None;
    let mut unable: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut able = Vec::new();
    for (name, profile) in daemons {
        match profile.as_ref().and_then(|profile| Some((profile, profile.dialect.never_reports(series)?))) {
            Some((profile, never)) => {
                words = Some(never);
                let version = profile.version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
                unable.entry(format!("hypervisord{version}")).or_default().push(name);
            }
            None => able.push(*name),
        }
    }
    let words = words?;
    let is_one = daemons.len() == 1;
    let subjects: Vec<String> = unable
        .into_iter()
        .map(|(version, names)| if is_one { version } else { format!("{version} ({})", names.join(", ")) })
        .collect();
    let verb = if subjects.len() == 1 { "does" } else { "do" };
    let others = match able.len() {
        0 => String::new(),
        _ => format!(" {} may, and sent none in this time.", able.join(", ")),
    };
    Some(format!("{} {verb} not report {words}.{others}", subjects.join(" and ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Dialect;

    fn profile(dialect: Dialect, version: Option<&str>) -> Option<Profile> {
        Some(Profile {
            prefix: "",
            dialect,
            version: version.map(str::to_owned),
            metrics_path: None,
            metrics_trouble: None,
            may_have_metrics: false,
        })
    }

    #[test]
    fn it_says_what_which_daemon_never_tells() {
        let cpu = |daemons: &[(&str, Option<Profile>)]| explain("hypersdk_cpu_usage", daemons);
        let stock = || profile(Dialect::Stock, Some("0.0.1"));
        assert_eq!(cpu(&[("a", stock())]).as_deref(), Some("hypervisord 0.0.1 does not report CPU usage."));
        assert_eq!(
            cpu(&[("a", stock()), ("b", stock())]).as_deref(),
            Some("hypervisord 0.0.1 (a, b) does not report CPU usage.")
        );
        assert_eq!(
            cpu(&[("a", stock()), ("b", profile(Dialect::Custom, None))]).as_deref(),
            Some("hypervisord (b) and hypervisord 0.0.1 (a) do not report CPU usage.")
        );
        assert_eq!(
            cpu(&[("a", stock()), ("b", profile(Dialect::Documented, Some("2.0.0")))]).as_deref(),
            Some("hypervisord 0.0.1 (a) does not report CPU usage. b may, and sent none in this time.")
        );
        assert_eq!(cpu(&[("b", profile(Dialect::Documented, None)), ("c", None)]), None);
        assert_eq!(cpu(&[]), None, "the normal words");
        assert_eq!(explain("hypersdk_jobs_active", &[("a", stock())]), None, "it can come");
    }
}
