//! Colours of messages: green for resolved, red for a failure, orange for a warning, blue for information.

use model::Severity;

/// Resolved, or completed.
pub const GREEN: u32 = 0x2e_cc71;
/// A failure.
pub const RED: u32 = 0xe7_4c3c;
/// A warning.
pub const ORANGE: u32 = 0xe6_7e22;
/// Information.
pub const BLUE: u32 = 0x34_98db;

/// The colour of the worst of these severities. An alert without a severity counts as a failure.
pub fn of_severities<'a>(severities: impl Iterator<Item = &'a str>) -> u32 {
    let color = |severity: &str| match Severity::of(severity) {
        Severity::Info => (0, BLUE),
        Severity::Warning => (1, ORANGE),
        Severity::Critical | Severity::Unknown => (2, RED),
    };
    severities.map(color).max().map_or(RED, |(_, color)| color)
}
