//! A set of words for code that is downloaded: the standard library's sets are 9 KB, this is a sorted list.

/// A set of words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words(Vec<String>);

impl Words {
    fn find(&self, word: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|known| known.as_str().cmp(word))
    }

    /// Whether `word` is one of them.
    #[must_use]
    pub fn contains(&self, word: &str) -> bool {
        self.find(word).is_ok()
    }

    /// Adds `word`; whether it is new.
    pub fn insert(&mut self, word: String) -> bool {
        let place = self.find(&word);
        if let Err(at) = place {
            self.0.insert(at, word);
        }
        place.is_err()
    }

    /// Takes `word` away; whether it was there.
    pub fn remove(&mut self, word: &str) -> bool {
        let place = self.find(word);
        if let Ok(at) = place {
            self.0.remove(at);
        }
        place.is_ok()
    }

    /// Keeps those that `stays` is true for.
    pub fn retain(&mut self, stays: impl Fn(&str) -> bool) {
        self.0.retain(|word| stays(word));
    }

    /// Takes all away.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
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
        set.retain(|word| word == "c");
        assert_eq!(set, ["c".to_owned()].into_iter().collect());
        set.clear();
        assert!(set.is_empty());
    }
}
