//! Binary operators and aggregations: their names and precedence.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    And,
    Or,
    Unless,
    /// `</`: retains a histogram's observations below.
    TrimUpper,
    /// `>/`: retains a histogram's observations above.
    TrimLower,
}

impl Operator {
    /// From the lower-case text in a query.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        Some(match text {
            "+" => Operator::Add,
            "-" => Operator::Sub,
            "*" => Operator::Mul,
            "/" => Operator::Div,
            "%" => Operator::Mod,
            "^" => Operator::Pow,
            "atan2" => Operator::Atan2,
            "==" => Operator::Equal,
            "!=" => Operator::NotEqual,
            ">" => Operator::Greater,
            "<" => Operator::Less,
            ">=" => Operator::GreaterOrEqual,
            "<=" => Operator::LessOrEqual,
            "and" => Operator::And,
            "or" => Operator::Or,
            "unless" => Operator::Unless,
            "</" => Operator::TrimUpper,
            ">/" => Operator::TrimLower,
            _ => return None,
        })
    }

    /// The text in a query.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Operator::Add => "+",
            Operator::Sub => "-",
            Operator::Mul => "*",
            Operator::Div => "/",
            Operator::Mod => "%",
            Operator::Pow => "^",
            Operator::Atan2 => "atan2",
            Operator::Equal => "==",
            Operator::NotEqual => "!=",
            Operator::Greater => ">",
            Operator::Less => "<",
            Operator::GreaterOrEqual => ">=",
            Operator::LessOrEqual => "<=",
            Operator::And => "and",
            Operator::Or => "or",
            Operator::Unless => "unless",
            Operator::TrimUpper => "</",
            Operator::TrimLower => ">/",
        }
    }

    /// Its precedence; a sign has that of a multiplication.
    pub(crate) const fn precedence(self) -> u8 {
        match self {
            Operator::Or => 1,
            Operator::And | Operator::Unless => 2,
            Operator::Equal
            | Operator::NotEqual
            | Operator::Greater
            | Operator::Less
            | Operator::GreaterOrEqual
            | Operator::LessOrEqual
            | Operator::TrimUpper
            | Operator::TrimLower => 3,
            Operator::Add | Operator::Sub => 4,
            Operator::Mul | Operator::Div | Operator::Mod | Operator::Atan2 => 5,
            Operator::Pow => 6,
        }
    }

    pub(crate) fn is_comparison(self) -> bool {
        matches!(
            self,
            Operator::Equal
                | Operator::NotEqual
                | Operator::Greater
                | Operator::Less
                | Operator::GreaterOrEqual
                | Operator::LessOrEqual
        )
    }

    /// True for `</` and `>/`.
    pub(crate) fn is_trim(self) -> bool {
        matches!(self, Operator::TrimUpper | Operator::TrimLower)
    }

    pub(crate) fn is_set(self) -> bool {
        matches!(self, Operator::And | Operator::Or | Operator::Unless)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aggregator {
    Sum,
    Avg,
    Min,
    Max,
    Count,
    Group,
    Stddev,
    Stdvar,
    TopK,
    BottomK,
    Quantile,
    CountValues,
    LimitK,
    LimitRatio,
}

impl Aggregator {
    /// From the lower-case text in a query.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        Some(match text {
            "sum" => Aggregator::Sum,
            "avg" => Aggregator::Avg,
            "min" => Aggregator::Min,
            "max" => Aggregator::Max,
            "count" => Aggregator::Count,
            "group" => Aggregator::Group,
            "stddev" => Aggregator::Stddev,
            "stdvar" => Aggregator::Stdvar,
            "topk" => Aggregator::TopK,
            "bottomk" => Aggregator::BottomK,
            "quantile" => Aggregator::Quantile,
            "count_values" => Aggregator::CountValues,
            "limitk" => Aggregator::LimitK,
            "limit_ratio" => Aggregator::LimitRatio,
            _ => return None,
        })
    }

    /// Whether it has a parameter before the aggregated expression.
    pub(crate) fn takes_parameter(self) -> bool {
        use Aggregator::{BottomK, CountValues, LimitK, LimitRatio, Quantile, TopK};
        matches!(self, TopK | BottomK | Quantile | CountValues | LimitK | LimitRatio)
    }

    /// The text in a query.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Aggregator::Sum => "sum",
            Aggregator::Avg => "avg",
            Aggregator::Min => "min",
            Aggregator::Max => "max",
            Aggregator::Count => "count",
            Aggregator::Group => "group",
            Aggregator::Stddev => "stddev",
            Aggregator::Stdvar => "stdvar",
            Aggregator::TopK => "topk",
            Aggregator::BottomK => "bottomk",
            Aggregator::Quantile => "quantile",
            Aggregator::CountValues => "count_values",
            Aggregator::LimitK => "limitk",
            Aggregator::LimitRatio => "limit_ratio",
        }
    }
}
