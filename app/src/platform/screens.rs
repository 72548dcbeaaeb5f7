//! A dashboard that is taller than its wall, in screenfuls of whole panels.

/// Where the screenfuls begin of panels with these tops and bottoms: each with the first that had no room.
pub(super) fn starts(bounds: &[(i32, i32)], room: i32) -> Vec<i32> {
    let mut starts = vec![0];
    loop {
        let start = starts.last().copied().unwrap_or_default();
        let beyond = bounds.iter().filter(|(top, bottom)| *top > start && *bottom > start + room + 1);
        match beyond.map(|(top, _)| *top).min() {
            Some(next) => starts.push(next),
            None => return starts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::starts;

    #[test]
    fn each_screenful_has_whole_panels() {
        // Two rows of two, a tall one beside two.
        let rows = [(0, 40), (0, 40), (48, 88), (48, 88), (96, 180), (96, 136), (144, 180)];
        assert_eq!(starts(&rows, 400), [0]);
        assert_eq!(starts(&rows, 100), [0, 96]);
        assert_eq!(starts(&rows, 60), [0, 48, 96, 144]);
        assert_eq!(starts(&[(0, 90), (98, 120)], 50), [0, 98], "one that is taller than the screen has one for itself");
        assert_eq!(starts(&[], 50), [0]);
    }
}
