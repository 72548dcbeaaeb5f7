//! A histogram as text, as in `count_values`.

use std::fmt;

use super::Histogram;
use crate::format::general;

impl fmt::Display for Histogram {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{{count:{}, sum:{}", general(self.count), general(self.sum))?;
        for bucket in self.buckets() {
            let open = if bucket.includes_lower { '[' } else { '(' };
            let close = if bucket.includes_upper { ']' } else { ')' };
            let (lower, upper, count) = (general(bucket.lower), general(bucket.upper), general(bucket.count));
            write!(formatter, ", {open}{lower},{upper}{close}:{count}")?;
        }
        formatter.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_show_what_they_include() {
        let histogram = Histogram {
            count: 6.0,
            sum: 1.5,
            zero_threshold: 0.25,
            zero_count: 1.0,
            positive: vec![(0, 2.0)],
            negative: vec![(1, 3.0)],
            ..Histogram::default()
        };
        assert_eq!(histogram.to_string(), "{count:6, sum:1.5, [-2,-1):3, [-0.25,0.25]:1, (0.5,1]:2}");
    }
}
