//! The threshold of an expression.

/// A comparison of an expression with a number, which a chart shows as a line.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// The compared expression, as PromQL.
    pub expr: String,
    /// `>`, `>=`, `<`, `<=`, `==` or `!=`.
    pub op: &'static str,
    /// The number.
    pub value: f64,
}

impl Threshold {
    /// The comparison at the top of an expression, or in the left operand of an `and` or `unless` at its top.
    #[must_use]
    pub fn of(expr: &str) -> Option<Self> {
        let found = promql::parse(expr).ok()?.comparison()?;
        Some(Threshold { expr: found.expr, op: found.op, value: found.value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_alone_is_a_threshold() {
        let threshold = Threshold::of("sum(a) / sum(b) > 0.05 and sum(b) > 0").unwrap();
        assert_eq!(threshold, Threshold { expr: "sum(a) / sum(b)".to_owned(), op: ">", value: 0.05 });
        assert_eq!(Threshold::of("a > b"), None);
        assert_eq!(Threshold::of("a >"), None);
    }
}
