//! Numbers for numeric functions: all magnitudes, and the points where such functions have extremes or limits.

use std::{collections::BTreeMap, f64::consts::PI};

use remote_write::TimeSeries;
use timeseries::{STALE_NAN, histogram::Histogram};

use super::world::{Dice, START_MS};
use crate::common::series;

/// The time of all samples, in milliseconds since the Unix epoch.
const AT_MS: i64 = START_MS + 3_000_000;

/// Random numbers of each kind.
const OF_EACH_KIND: usize = 400;

const SPECIAL: [f64; 40] = [
    0.0,
    -0.0,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    1.0,
    -1.0,
    0.5,
    -0.5,
    2.0,
    -2.0,
    3.0,
    -3.0,
    1.5,
    -7.0,
    0.25,
    5e-324,
    -5e-324,
    f64::MIN_POSITIVE,
    f64::MAX,
    f64::MIN,
    // The limits of exponentials.
    709.782_712_893_384,
    709.7,
    -708.4,
    -745.133_219_101_941_1,
    -740.0,
    1024.0,
    -1074.0,
    // Where approximations meet.
    std::f64::consts::FRAC_1_SQRT_2,
    0.707_106_781_186_547_4,
    0.625,
    0.66,
    0.7,
    2.414_213_562_373_095,
    21.0,
    536_870_912.0,
    268_435_456.0,
    // Integers that are all even, or too large to count exactly.
    9_007_199_254_740_993.0,
    4_503_599_627_370_497.0,
    9_223_372_036_854_775_808.0,
];

/// A non-negative number below one.
fn unit(dice: &mut Dice) -> f64 {
    dice.roll(1 << 53) as f64 / (1_u64 << 53) as f64
}

/// A number between two others.
fn between(dice: &mut Dice, least: f64, most: f64) -> f64 {
    least + (most - least) * unit(dice)
}

/// Any float.
fn any(dice: &mut Dice) -> f64 {
    let bits = dice.roll(1 << 32) << 32 | dice.roll(1 << 32);
    let number = f64::from_bits(bits);
    // The stale marker is not a sample.
    if bits == STALE_NAN.to_bits() { 1.0 } else { number }
}

/// Arguments of functions of one number.
pub fn singles() -> Vec<f64> {
    let mut dice = Dice(3);
    let mut all = SPECIAL.to_vec();
    for multiple in 1..40 {
        let quarter = f64::from(multiple) * PI / 4.0;
        all.extend([quarter, -quarter, quarter.next_down()]);
    }
    for exponent in (-1074..1024).step_by(29) {
        let power = 2_f64.powi(exponent);
        all.extend([power, -power.next_up(), power.next_down(), 1.0 - power, 1.0 + power, PI * power]);
    }
    for _ in 0..OF_EACH_KIND {
        all.push(any(&mut dice));
        all.push(between(&mut dice, -1.0, 1.0));
        all.push(between(&mut dice, -25.0, 25.0));
        all.push(between(&mut dice, -750.0, 750.0));
        all.push(between(&mut dice, 1.0, 4.0) * 2_f64.powi(i32::try_from(29 + dice.roll(990)).unwrap()));
        all.push(between(&mut dice, 0.0, 5e-308));
    }
    all
}

/// Arguments of functions of two numbers.
pub fn pairs() -> Vec<(f64, f64)> {
    let mut dice = Dice(4);
    let few = SPECIAL.iter().take(21);
    let mut all: Vec<(f64, f64)> = few.clone().flat_map(|left| few.clone().map(|right| (*left, *right))).collect();
    for _ in 0..OF_EACH_KIND {
        all.push((any(&mut dice), any(&mut dice)));
        all.push((between(&mut dice, -30.0, 30.0).exp(), between(&mut dice, -40.0, 40.0)));
        all.push((between(&mut dice, -20.0, 20.0), (dice.roll(600) as f64) - 300.0));
        all.push((between(&mut dice, 0.999_999, 1.000_001), between(&mut dice, -1e9, 1e9)));
        all.push((between(&mut dice, 0.0, 5e-308), between(&mut dice, -3.0, 3.0)));
        all.push((between(&mut dice, -10.0, 10.0), between(&mut dice, -10.0, 10.0)));
    }
    all
}

/// All of them as series: `number`, and `left` and `right` of pairs. A label contains the index.
pub fn series_of_numbers() -> Vec<TimeSeries> {
    let singles: BTreeMap<String, f64> = singles().into_iter().map(|number| (number.to_string(), number)).collect();
    let numbers = singles.iter().map(|(text, number)| series("number", &[("is", text)], &[(AT_MS, *number)]));
    let pairs: BTreeMap<String, (f64, f64)> =
        pairs().into_iter().map(|(left, right)| (format!("{left}, {right}"), (left, right))).collect();
    let sides = pairs.iter().flat_map(|(text, (left, right))| {
        let side = |name, number| series(name, &[("are", text)], &[(AT_MS, number)]);
        [side("left", *left), side("right", *right)]
    });
    numbers.chain(sides).collect()
}

/// Histograms with buckets at all bounds between two powers of two, by schema, and some far away.
pub fn histograms() -> Vec<TimeSeries> {
    let mut all = Vec::new();
    for schema in -4..=8_i32 {
        let one = 1_i32 << schema.max(0);
        let far = if schema < 0 { 1000 >> -schema } else { 1000 << schema };
        let places = (0..=one).chain([far, -far]).map(|place| (place, 1.0));
        let mut positive: Vec<(i32, f64)> = places.collect();
        positive.sort_by_key(|(place, _)| *place);
        let count: f64 = positive.iter().map(|(_, count)| count).sum::<f64>() * 2.0;
        let negative = positive.clone();
        let histogram = Histogram { schema, count, sum: count, positive, negative, ..Histogram::default() };
        let histograms = vec![(AT_MS, histogram.into())];
        all.push(TimeSeries { histograms, ..series("buckets", &[("schema", &schema.to_string())], &[]) });
    }
    all
}
