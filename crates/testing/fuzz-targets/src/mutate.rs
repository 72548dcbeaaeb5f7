//! Random mutations of inputs.

use crate::Target;

/// A small generator (SplitMix64).
#[derive(Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// A random number below `sides`; 0 if `sides` is 0.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % u64::try_from(sides.max(1)).unwrap_or(1)).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.roll(256)).unwrap_or(0)
    }
}

/// Maximum length of a generated input.
const LONGEST: usize = 4_096;

/// A mutation of one or more known inputs.
pub fn mutated(target: Target, known: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut input = known.get(dice.roll(known.len())).cloned().unwrap_or_default();
    for _ in 0..=dice.roll(6) {
        let at = dice.roll(input.len() + 1);
        let until = (at + 1 + dice.roll(12)).min(input.len());
        match dice.roll(8) {
            0 => {
                let byte = dice.byte();
                input.get_mut(at).into_iter().for_each(|place| *place = byte);
            }
            1 => {
                let bit = 1 << dice.roll(8);
                input.get_mut(at).into_iter().for_each(|place| *place ^= bit);
            }
            2 if at < until => drop(input.drain(at..until)),
            3 if at < until => {
                let again: Vec<u8> = input.get(at..until).unwrap_or_default().to_vec();
                let to = dice.roll(input.len() + 1);
                input.splice(to..to, again);
            }
            4 => {
                let other = known.get(dice.roll(known.len())).map(Vec::as_slice).unwrap_or_default();
                let from = dice.roll(other.len() + 1);
                let part = other.get(from..(from + dice.roll(40)).min(other.len())).unwrap_or_default();
                input.splice(at..at, part.iter().copied());
            }
            5 => input.insert(at, dice.byte()),
            _ => {
                let words = target.words();
                let word = words.get(dice.roll(words.len())).copied().unwrap_or_default();
                let end = if dice.roll(2) == 0 { at } else { until.max(at) };
                input.splice(at..end, word.bytes());
            }
        }
    }
    input.truncate(LONGEST);
    input
}
