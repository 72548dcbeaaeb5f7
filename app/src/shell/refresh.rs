//! The refresh of a page, from the URL's parameter `refresh`.

use std::fmt;

use model::range::DurationMs;

/// The refresh of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Refresh {
    /// When data arrives.
    #[default]
    Live,
    /// Never.
    Paused,
    /// At an interval, in seconds.
    Every(u32),
}

impl Refresh {
    /// The choices of the picker.
    pub(crate) const CHOICES: [Refresh; 7] = [
        Refresh::Live,
        Refresh::Every(5),
        Refresh::Every(15),
        Refresh::Every(30),
        Refresh::Every(60),
        Refresh::Every(300),
        Refresh::Paused,
    ];

    /// Reads the URL's parameter. An invalid value means live.
    pub(crate) fn parse(text: Option<&str>) -> Self {
        match text {
            Some("paused" | "off") => Refresh::Paused,
            Some(text) => text
                .parse::<DurationMs>()
                .ok()
                .and_then(|interval| u32::try_from(interval.0 / 1_000).ok())
                .filter(|seconds| *seconds > 0)
                .map_or(Refresh::Live, Refresh::Every),
            None => Refresh::Live,
        }
    }

    /// Reads the parameter from `path_and_query`.
    #[cfg(feature = "ssr")]
    pub(crate) fn from_path_and_query(path_and_query: &str) -> Self {
        let query = path_and_query.split_once('?').map_or("", |(_, query)| query);
        Refresh::parse(query.split('&').find_map(|pair| pair.strip_prefix("refresh=")))
    }

    /// Seconds after which a page without scripts reloads itself; `None` if it does not.
    #[cfg(feature = "ssr")]
    pub(crate) fn reload_seconds(self) -> Option<u32> {
        match self {
            Refresh::Live => Some(15),
            Refresh::Paused => None,
            Refresh::Every(seconds) => Some(seconds.max(5)),
        }
    }

    /// The value for the URL; `None` for the default.
    pub(crate) fn parameter(self) -> Option<String> {
        match self {
            Refresh::Live => None,
            Refresh::Paused => Some("paused".to_owned()),
            Refresh::Every(seconds) => Some(DurationMs(i64::from(seconds) * 1_000).to_string()),
        }
    }
}

impl fmt::Display for Refresh {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Refresh::Live => formatter.write_str("Live"),
            Refresh::Paused => formatter.write_str("Paused"),
            Refresh::Every(seconds) if seconds % 60 == 0 => write!(formatter, "{} min", seconds / 60),
            Refresh::Every(seconds) => write!(formatter, "{seconds} s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_reads_back_from_its_parameter() {
        for choice in Refresh::CHOICES {
            assert_eq!(Refresh::parse(choice.parameter().as_deref()), choice);
        }
        assert_eq!(Refresh::parse(Some("soon")), Refresh::Live);
        assert_eq!(Refresh::parse(Some("0s")), Refresh::Live);
    }

    #[cfg(feature = "ssr")]
    #[test]
    fn a_page_without_scripts_reloads_unless_paused() {
        assert_eq!(Refresh::from_path_and_query("/?from=now-1h&refresh=1m").reload_seconds(), Some(60));
        assert_eq!(Refresh::from_path_and_query("/?refresh=1s").reload_seconds(), Some(5));
        assert_eq!(Refresh::from_path_and_query("/").reload_seconds(), Some(15));
        assert_eq!(Refresh::from_path_and_query("/?refresh=paused").reload_seconds(), None);
    }
}
