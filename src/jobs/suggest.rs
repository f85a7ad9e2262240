//! "Did you mean": the nearest of a set of words.
//!
//! Deterministic: of equally near words the alphabetically first wins. Answers nothing rather than something far off.

/// The candidate that `word` was most likely meant to be.
#[must_use]
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(word);
    candidates
        .into_iter()
        .map(|candidate| (distance(&folded, &fold(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= allowed(&folded, candidate))
        .min()
        .map(|(_, candidate)| candidate)
}

/// The IANA time zone that `name` was most likely meant to be; also by its city alone.
#[must_use]
pub fn closest_time_zone(name: &str) -> Option<&'static str> {
    let spaced = name.replace(' ', "_");
    let names = || chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
    let by_city = names().find(|zone| {
        zone.rsplit_once('/').is_some_and(|(_, city)| city.eq_ignore_ascii_case(&spaced))
            || zone.eq_ignore_ascii_case(&spaced)
    });
    by_city.or_else(|| closest(&spaced, names()))
}

fn fold(word: &str) -> String {
    word.to_lowercase().replace(['-', ' ', '.'], "_")
}

fn distance(word: &str, candidate: &str) -> usize {
    // A word that is the beginning of another, or its other way round, is near whatever its length.
    if (word.len() >= 2 && candidate.starts_with(word)) || (candidate.len() >= 3 && word.starts_with(candidate)) {
        return 1;
    }
    strsim::damerau_levenshtein(word, candidate)
}

fn allowed(word: &str, candidate: &str) -> usize {
    (word.chars().count().max(candidate.chars().count()) / 3).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let words = ["threshold", "method", "target", "columns", "exclude"];
        assert_eq!(closest("treshold", words), Some("threshold"));
        assert_eq!(closest("Methods", words), Some("method"));
        assert_eq!(closest("colour", words), None);
        assert_eq!(closest("ks", ["psi", "ks_test"]), Some("ks_test"), "the beginning of a word");
        assert_eq!(closest("k", ["psi", "ks_test"]), None, "one letter is a guess");
        assert_eq!(closest("ks-test", ["ks_test", "psi"]), Some("ks_test"));
        assert_eq!(closest("anything", []), None);
    }

    #[test]
    fn time_zones_are_found_by_city_case_and_near_spelling() {
        assert_eq!(closest_time_zone("New York"), Some("America/New_York"));
        assert_eq!(closest_time_zone("America/NewYork"), Some("America/New_York"));
        assert_eq!(closest_time_zone("europe/berlin"), Some("Europe/Berlin"));
        assert_eq!(closest_time_zone("Middle-earth/Shire"), None);
    }
}
