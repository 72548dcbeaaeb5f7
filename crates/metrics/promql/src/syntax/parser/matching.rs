//! Parses the modifiers between an operator and its right side: `bool`, `on`, `ignoring`, `group_left`, `group_right`
//! and `fill`.

use super::{Parser, Read};
use crate::plan::{Many, Matching};

impl Parser<'_> {
    /// Whether there is a `bool`, and the vector matching.
    pub(super) fn matching(&mut self) -> Read<(bool, Matching)> {
        let mut matching = Matching::default();
        // Usually the operand is next.
        if !self.peek()?.is_any(&["bool", "on", "ignoring", "fill", "fill_left", "fill_right"]) {
            return Ok((false, matching));
        }
        let returns_bool = self.take_if("bool")?.is_some();
        if let Some(word) = self.take_any(&["on", "ignoring"])? {
            matching.on = word.is("on");
            matching.labels = self.label_names()?;
            if let Some(side) = self.take_any(&["group_left", "group_right"])? {
                matching.many = if side.is("group_left") { Many::Left } else { Many::Right };
                if self.peek()?.is("(") {
                    matching.include = self.label_names()?;
                }
            }
        }
        if self.take_if("fill")?.is_some() {
            let value = Some(self.fill_value()?);
            (matching.fill_left, matching.fill_right) = (value, value);
        } else if self.take_if("fill_left")?.is_some() {
            matching.fill_left = Some(self.fill_value()?);
            if self.take_if("fill_right")?.is_some() {
                matching.fill_right = Some(self.fill_value()?);
            }
        } else if self.take_if("fill_right")?.is_some() {
            matching.fill_right = Some(self.fill_value()?);
            if self.take_if("fill_left")?.is_some() {
                matching.fill_left = Some(self.fill_value()?);
            }
        }
        Ok((returns_bool, matching))
    }

    /// A number in parentheses.
    fn fill_value(&mut self) -> Read<f64> {
        self.expect("(")?;
        let sign = self.take_sign()?;
        let number = self.peek()?;
        if !number.is_number() {
            return Err(self.misplaced(&number));
        }
        self.pass();
        let value = Self::signed_seconds(&number, sign)?;
        self.expect(")")?;
        Ok(value)
    }
}
