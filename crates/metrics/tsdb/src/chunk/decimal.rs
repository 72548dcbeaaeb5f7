//! Encodes values that are decimal numbers of few digits as integers: differences in Rice coding.
//!
//! Most measurements are counts, numbers of bytes or numbers with a few decimals. As scaled integers such a column
//! needs a fraction of the space of XOR-encoded floats. Only values that decode to the same bits are encoded this way;
//! up to [`MAX_EXCEPTIONS`] others (NaN, infinities, minus zero, odd fractions) are stored separately, and a column
//! with more of them is rejected.

use crate::bits::{BitReader, BitWriter, unzigzag, zigzag};

/// Powers of ten by which a column may be scaled; all are exact as floats.
const SCALES: [f64; 13] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12];
/// Integers below this are exact as floats.
const EXACT_BELOW: f64 = 9_007_199_254_740_992.0;
/// Exceptions allowed in a column.
const MAX_EXCEPTIONS: usize = 8;
/// A quotient of this many ones means that a plain number of 64 bits follows.
const ESCAPE: u32 = 20;
/// Stored instead of Rice's parameter if all residuals are zero and none is written.
const ALL_ZERO: u32 = 63;

/// How residuals are computed.
#[derive(Clone, Copy)]
enum Order {
    /// Difference to the predecessor: gauges.
    Delta,
    /// Difference of differences: counters with a steady rate.
    DeltaOfDelta,
}

/// Appends the column, or returns `false` and writes nothing if it is not decimal.
pub(crate) fn write(bits: &mut BitWriter, values: &[f64]) -> bool {
    let Some((exponent, wholes, exceptions)) = scale(values) else { return false };
    let first = wholes.first().copied().unwrap_or_default();
    let mut best: Option<(usize, Order, u32, Vec<u64>)> = None;
    for order in [Order::Delta, Order::DeltaOfDelta] {
        let residuals = residuals(&wholes, order);
        let (parameter, cost) = cheapest_parameter(&residuals);
        if best.as_ref().is_none_or(|(so_far, ..)| cost < *so_far) {
            best = Some((cost, order, parameter, residuals));
        }
    }
    let Some((_, order, parameter, residuals)) = best else { return false };

    bits.write(u64::from(exponent), 4);
    bits.write(u64::from(matches!(order, Order::DeltaOfDelta)), 1);
    bits.write(u64::from(parameter), 6);
    bits.write(u64::try_from(exceptions.len()).unwrap_or(0), 4);
    for (position, value) in &exceptions {
        bits.write(u64::from(*position), 16);
        bits.write(value.to_bits(), 64);
    }
    bits.write(zigzag(first), 64);
    for residual in residuals {
        write_rice(bits, residual, parameter);
    }
    true
}

/// Appends `count` values of a column to `values`.
pub(crate) fn read(bits: &mut BitReader, count: usize, values: &mut Vec<f64>) -> Option<()> {
    let scale = *SCALES.get(usize::try_from(bits.read(4)?).ok()?)?;
    let order = if bits.read_bit()? { Order::DeltaOfDelta } else { Order::Delta };
    let parameter = u32::try_from(bits.read(6)?).ok()?;
    let exceptions = usize::try_from(bits.read(4)?).ok()?;
    let mut kept = [(0_usize, 0.0); 16];
    for slot in kept.iter_mut().take(exceptions) {
        *slot = (usize::try_from(bits.read(16)?).ok()?, f64::from_bits(bits.read(64)?));
    }
    let start = values.len();
    let mut whole = unzigzag(bits.read(64)?);
    let mut step = 0_i64;
    push_scaled(values, whole, scale);
    match (order, parameter) {
        (_, ALL_ZERO) => values.resize(start + count, unscale(whole, scale)),
        (Order::Delta, _) => {
            for _ in 1..count {
                whole = whole.wrapping_add(read_rice(bits, parameter)?);
                push_scaled(values, whole, scale);
            }
        }
        (Order::DeltaOfDelta, _) => {
            for _ in 1..count {
                step = step.wrapping_add(read_rice(bits, parameter)?);
                whole = whole.wrapping_add(step);
                push_scaled(values, whole, scale);
            }
        }
    }
    for (position, value) in kept.iter().take(exceptions) {
        *values.get_mut(start + position)? = *value;
    }
    Some(())
}

/// Appends an integer divided by its scale.
#[inline]
fn push_scaled(values: &mut Vec<f64>, whole: i64, scale: f64) {
    values.push(unscale(whole, scale));
}

/// The float that a scaled integer represents.
#[inline]
#[allow(clippy::cast_precision_loss)] // Written numbers are below 2^53; a damaged one may round, the checksum tells.
pub(super) fn unscale(whole: i64, scale: f64) -> f64 {
    whole as f64 / scale
}

/// The integer for a value at this scale, if it decodes to the same bits.
pub(super) fn to_whole(value: f64, scale: f64) -> Option<i64> {
    let scaled = (value * scale).round();
    // Also false for NaN.
    if scaled.abs() < EXACT_BELOW {
        #[allow(clippy::cast_possible_truncation)] // Whole and below 2^53.
        let whole = scaled as i64;
        (unscale(whole, scale).to_bits() == value.to_bits()).then_some(whole)
    } else {
        None
    }
}

/// Exponent of the scale, the column as integers, and the exceptions.
type Scaled = (u8, Vec<i64>, Vec<(u16, f64)>);

/// Finds the smallest scale that fits all values except a few.
fn scale(values: &[f64]) -> Option<Scaled> {
    let mut exponent = 0_u8;
    let mut misfits = 0_usize;
    for value in values {
        let fitting = SCALES
            .iter()
            .zip(0_u8..)
            .skip(usize::from(exponent))
            .find(|(scale, _)| to_whole(*value, **scale).is_some());
        match fitting {
            Some((_, needed)) => exponent = needed,
            None if misfits < MAX_EXCEPTIONS => misfits += 1,
            None => return None,
        }
    }
    let scale = *SCALES.get(usize::from(exponent))?;
    let mut wholes = Vec::with_capacity(values.len());
    let mut exceptions = Vec::new();
    let mut last = values.iter().find_map(|value| to_whole(*value, scale)).unwrap_or_default();
    for (position, value) in values.iter().enumerate() {
        match to_whole(*value, scale) {
            Some(whole) => last = whole,
            None if exceptions.len() < MAX_EXCEPTIONS => exceptions.push((u16::try_from(position).ok()?, *value)),
            None => return None,
        }
        wholes.push(last);
    }
    Some((exponent, wholes, exceptions))
}

/// All but the first value, as small unsigned integers.
fn residuals(wholes: &[i64], order: Order) -> Vec<u64> {
    let mut step = 0_i64;
    wholes
        .windows(2)
        .map(|pair| {
            let &[before, after] = pair else { return 0 };
            let difference = after.wrapping_sub(before);
            let residual = match order {
                Order::Delta => difference,
                Order::DeltaOfDelta => difference.wrapping_sub(step),
            };
            step = difference;
            zigzag(residual)
        })
        .collect()
}

/// Rice's parameter that needs the fewest bits, and their number.
fn cheapest_parameter(residuals: &[u64]) -> (u32, usize) {
    let largest = residuals.iter().copied().max().unwrap_or_default();
    if largest == 0 {
        return (ALL_ZERO, 0);
    }
    let count = u128::try_from(residuals.len()).unwrap_or(1).max(1);
    let mean = residuals.iter().map(|residual| u128::from(*residual)).sum::<u128>() / count;
    let around = (128 - mean.leading_zeros()).min(60);
    (around.saturating_sub(3)..=around + 1)
        .map(|parameter| (parameter, residuals.iter().map(|residual| rice_bits(*residual, parameter)).sum()))
        .min_by_key(|(_, cost): &(u32, usize)| *cost)
        .unwrap_or((0, usize::MAX))
}

/// Bits that a residual needs.
fn rice_bits(residual: u64, parameter: u32) -> usize {
    match usize::try_from(residual >> parameter) {
        Ok(quotient) if quotient < 20 => quotient + 1 + usize::try_from(parameter).unwrap_or(0),
        _ => 20 + 64,
    }
}

fn write_rice(bits: &mut BitWriter, residual: u64, parameter: u32) {
    if parameter == ALL_ZERO {
        return;
    }
    match u32::try_from(residual >> parameter) {
        Ok(quotient) if quotient < ESCAPE => {
            bits.write((1 << (quotient + 1)) - 2, quotient + 1);
            bits.write(residual, parameter);
        }
        _ => {
            bits.write(u64::MAX, ESCAPE);
            bits.write(residual, 64);
        }
    }
}

#[inline]
fn read_rice(bits: &mut BitReader, parameter: u32) -> Option<i64> {
    let (quotient, low) = bits.read_ones_then(ESCAPE, parameter)?;
    let residual = if quotient == ESCAPE { bits.read(64)? } else { (u64::from(quotient) << parameter) | low };
    Some(unzigzag(residual))
}
