//! A small set of words for the browser bundle, as a sorted list: the standard library's sets need 9 KB.

/// A set of words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words(Vec<String>);

impl Words {
    fn find(&self, word: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|known| known.as_str().cmp(word))
    }

    /// Whether it contains `word`.
    #[must_use]
    pub fn contains(&self, word: &str) -> bool {
        self.find(word).is_ok()
    }

    /// Adds `word`; returns whether it is new.
    pub fn insert(&mut self, word: String) -> bool {
        let place = self.find(&word);
        if let Err(at) = place {
            self.0.insert(at, word);
        }
        place.is_err()
    }

    /// Removes `word`; returns whether it was there.
    pub fn remove(&mut self, word: &str) -> bool {
        let place = self.find(word);
        if let Ok(at) = place {
            self.0.remove(at);
        }
        place.is_ok()
    }

    /// Retains the words for which `stays` is true.
    pub fn retain(&mut self, stays: impl Fn(&str) -> bool) {
        self.0.retain(|word| stays(word));
    }

    /// Removes all words.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The words in their order, a line for each. [`str::lines`] takes them apart again.
    #[must_use]
    pub fn to_lines(&self) -> String {
        self.0.join("\n")
    }

    /// Number of words.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<String> for Words {
    fn from_iter<I: IntoIterator<Item = String>>(words: I) -> Self {
        let mut set = Words::default();
        set.extend(words);
        set
    }
}

impl Extend<String> for Words {
    fn extend<I: IntoIterator<Item = String>>(&mut self, words: I) {
        for word in words {
            self.insert(word);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Words;

    #[test]
    fn a_word_is_in_it_once() {
        let mut set: Words = ["b", "a", "b"].map(str::to_owned).into_iter().collect();
        assert_eq!(set.len(), 2);
        assert!(!set.insert("a".to_owned()) && set.insert("c".to_owned()));
        assert!(set.remove("b") && !set.remove("b"));
        assert!(set.contains("a") && set.contains("c") && !set.contains("b"));
        assert_eq!(set.to_lines(), "a\nc");
        set.retain(|word| word == "c");
        assert_eq!(set, ["c".to_owned()].into_iter().collect());
        assert_eq!(set.to_lines().lines().map(str::to_owned).collect::<Words>(), set);
        set.clear();
        assert!(set.is_empty() && set.to_lines().lines().next().is_none());
    }
}
