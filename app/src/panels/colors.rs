//! Colours of a panel's series. A series keeps its colour while other series appear and disappear.

use model::frame::Labels;

/// The colours of a panel's series.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Colors(Vec<Colored>);

/// A series and its index in the palette.
#[derive(Debug, Clone, PartialEq)]
struct Colored {
    query: usize,
    labels: Labels,
    place: usize,
}

impl Colors {
    /// The index of each of `series` (query and labels) in a palette of `count` colours. A known series keeps its index, a new one gets the first of the
    /// least used. The colours of series that are gone become free.
    pub(crate) fn of(&mut self, series: &[(usize, &Labels)], count: usize) -> Vec<usize> {
        let places: Vec<Option<usize>> =
            series.iter().enumerate().map(|(index, (query, labels))| self.place(index, *query, labels)).collect();
        let mut uses = vec![0_usize; count];
        for place in places.iter().flatten() {
            if let Some(uses) = uses.get_mut(*place) {
                *uses += 1;
            }
        }
        let is_new = places.len() != self.0.len() || places.contains(&None);
        let places: Vec<usize> = places
            .into_iter()
            .map(|place| {
                place.unwrap_or_else(|| {
                    let rarest = uses.iter().min().copied().unwrap_or_default();
                    let free = uses.iter().position(|uses| *uses == rarest).unwrap_or_default();
                    if let Some(uses) = uses.get_mut(free) {
                        *uses += 1;
                    }
                    free
                })
            })
            .collect();
        if is_new {
            let all = series.iter().zip(&places);
            self.0 = all
                .map(|((query, labels), place)| Colored { query: *query, labels: (*labels).clone(), place: *place })
                .collect();
        }
        places
    }

    /// The index that a series had. Looks at the same position first, because the order rarely changes.
    fn place(&self, index: usize, query: usize, labels: &Labels) -> Option<usize> {
        let is_it = |known: &&Colored| known.query == query && known.labels == *labels;
        self.0.get(index).filter(is_it).or_else(|| self.0.iter().find(is_it)).map(|known| known.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_keeps_its_colour_when_others_come_and_go() {
        let labels = |name: &str| Labels::from([("name".to_owned(), name.to_owned())]);
        let (a, b, c, d) = (labels("a"), labels("b"), labels("c"), labels("d"));
        let mut colors = Colors::default();
        assert_eq!(colors.of(&[(0, &b), (0, &d)], 3), [0, 1]);
        assert_eq!(colors.of(&[(0, &a), (0, &b), (0, &c), (0, &d)], 3), [2, 0, 0, 1]);
        assert_eq!(
            colors.of(&[(0, &c), (0, &d), (1, &d)], 3),
            [0, 1, 2],
            "the same labels of another query are another series"
        );
        assert_eq!(colors.of(&[(0, &b), (0, &c), (0, &d)], 3), [2, 0, 1], "what comes takes what is free");
    }
}
