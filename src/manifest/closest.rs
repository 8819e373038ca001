//! "Did you mean": the known word that a mistyped one is nearest to.

/// Longer words are not compared; nobody mistypes one by a letter or two, and
/// the work grows with the square of the length.
const LONGEST: usize = 128;

/// How many letters must be added, dropped, changed or swapped with their
/// neighbour to make one word of the other; case does not count.
fn distance(one: &str, other: &str) -> usize {
    let one: Vec<char> = one.chars().flat_map(char::to_lowercase).collect();
    let other: Vec<char> = other.chars().flat_map(char::to_lowercase).collect();
    let mut before: Vec<usize> = vec![0; other.len() + 1];
    let mut above: Vec<usize> = (0..=other.len()).collect();
    for i in 1..=one.len() {
        let mut row = vec![i];
        for j in 1..=other.len() {
            let changed = above[j - 1] + usize::from(one[i - 1] != other[j - 1]);
            let mut best = changed.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[other.len()]
}

/// The candidate that is near enough to be meant, the nearest if several are.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LONGEST {
        return None;
    }
    // A third of the letters may be wrong; a word of two has none to spare.
    let reach = word.chars().count() / 3;
    candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= 4 * reach)
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(steps, candidate)| *steps <= reach.min(candidate.chars().count() / 2))
        .min_by_key(|(steps, _)| *steps)
        .map(|(_, candidate)| candidate)
}

/// The candidate that is at most `steps` letters off; the nearest if several
/// are.
pub fn within<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
    steps: usize,
) -> Option<&'a str> {
    if word.len() > LONGEST {
        return None;
    }
    candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= 4 * steps)
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(far, _)| *far <= steps)
        .min_by_key(|(far, _)| *far)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (one, other, want) in [
            ("", "", 0),
            ("a", "", 1),
            ("abc", "abc", 0),
            ("abc", "ABC", 0),
            ("abc", "acb", 1),
            ("kitten", "sitting", 3),
            ("filesytem", "filesystem", 1),
            ("ü", "u", 1),
        ] {
            assert_eq!(distance(one, other), want, "{one} {other}");
            assert_eq!(distance(other, one), want, "{other} {one}");
        }
    }

    #[test]
    fn near_words_only() {
        let words = ["read", "write", "create", "deny"];
        assert_eq!(closest("raed", words), Some("read"));
        assert_eq!(closest("crate", words), Some("create"));
        assert_eq!(closest("Deny", words), Some("deny"));
        assert_eq!(closest("network", words), None);
        assert_eq!(closest("xy", words), None);
        assert_eq!(closest(&"x".repeat(1000), ["x"]), None);
    }
}
