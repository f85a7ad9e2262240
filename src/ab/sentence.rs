//! The decision in one sentence, with its numbers.

use super::{Decision, Evaluation, ThresholdMode};

impl Evaluation {
    /// Takes rows of neither variant into account: somebody else's rows are in the data, so nothing of it can be trusted.
    #[must_use]
    pub fn with_unknown_variants(mut self, rows: u64) -> Self {
        if rows > 0 {
            self.decision = Decision::InvalidData;
            self.winner = None;
            self.is_significant = false;
            (self.level, self.share) = (None, None);
            self.reason = "unknown_variants";
            self.warnings.push(format!("{rows} rows belong to neither variant"));
        }
        self
    }

    /// The last look of a test: with too few rows it says neither, for there is nothing to go on with.
    #[must_use]
    pub fn at_the_end(mut self) -> Self {
        if self.decision == Decision::Continue {
            self.decision = Decision::Inconclusive;
        }
        self
    }

    /// The smallest difference that these rows would have found with a power of 80 %, in percent of A; none when A is 0.
    #[must_use]
    pub fn minimum_detectable_percent(&self) -> Option<f64> {
        let (difference, mean) = (self.minimum_detectable_difference?, self.mean_a?);
        (mean != 0.0).then(|| 100.0 * difference / mean.abs()).filter(|percent| percent.is_finite())
    }

    /// What was decided and why, for people: one sentence.
    ///
    /// ```
    /// use steward::ab::{Arms, Looks, Plan, Share, evaluate};
    /// let share = |successes| Share { successes, rows: 1000 };
    /// let evaluation = evaluate(&Plan::default(), &Arms::of_shares(share(500), share(575)), Looks::ONCE);
    /// assert_eq!(evaluation.sentence(), "B is better by 15.0 % (p 0.00076), which reaches the threshold.");
    /// ```
    #[must_use]
    pub fn sentence(&self) -> String {
        let rows = format!("{} rows of A and {} of B", self.n_a, self.n_b);
        let p = self.p_in_words();
        let size = match self.relative_improvement {
            Some(percent) => format!("{:.1} %", percent.abs()),
            None => {
                self.absolute_difference.map_or_else(|| "an unknown amount".to_owned(), |d| format!("{:.4}", d.abs()))
            }
        };
        let shared = self.level.filter(|level| *level < 0.05);
        let level = match shared {
            Some(level) if level < 1e-12 => ", too early to find anything".to_owned(),
            Some(level) if level < 1e-3 => format!(", held against {level:.1e}"),
            Some(level) => format!(", held against {level:.4}"),
            None => String::new(),
        };
        if let Some(sentence) = self.claim_sentence() {
            return sentence;
        }
        match self.reason {
            "unknown_variants" => {
                "There are rows that belong to neither variant; name them or filter them out.".to_owned()
            }
            "no_usable_rows" => format!("There are no usable rows in both arms ({rows})."),
            "missing_values_differ" => format!(
                "Outcomes are missing in one arm more than in the other ({} of A, {} of B), so the arms cannot be compared.",
                self.dropped_a, self.dropped_b
            ),
            "not_finite" => "Some outcomes are no finite numbers.".to_owned(),
            "below_min_samples" if self.decision == Decision::Inconclusive => {
                format!("The test ends with too few rows for a decision: {rows}.")
            }
            "below_min_samples" => format!("There are too few rows for a decision yet: {rows}."),
            "sample_ratio_mismatch" => {
                format!("The arms did not get the rows that the split promises: {rows}; mend the assignment first.")
            }
            "zero_variance" => "Nothing varies that a difference could be weighed against, so no test is defined.".to_owned(),
            "treatment_significantly_worse" => format!("B is worse by {size} (p {p}{level})."),
            "baseline_zero" => {
                format!("B differs from A (p {p}), but A is 0, so there is no relative improvement to judge.")
            }
            "significant_and_meets_threshold" => match (self.threshold_mode, self.relative_improvement_ci) {
                (ThresholdMode::Superiority, Some([low, _])) => format!(
                    "B is better by {size} (p {p}{level}), and even the lower end of its interval, {low:.1} %, reaches the threshold."
                ),
                _ => format!("B is better by {size} (p {p}{level}), which reaches the threshold."),
            },
            "lower_end_below_threshold" => match self.relative_improvement_ci {
                Some([low, _]) => format!(
                    "B is better by {size} (p {p}{level}), but its interval begins at {low:.1} %, which is below the threshold."
                ),
                None => format!("B is better by {size} (p {p}{level}), but its interval has no lower end."),
            },
            "baseline_indistinguishable_from_zero" => format!(
                "B is better (p {p}{level}), but A cannot be told from 0, so nobody can say by which share of it at least."
            ),
            "below_min_duration" => format!("The test has not run as long as was agreed; so far p is {p} with {rows}."),
            "guardrail_failed" => {
                format!(
                    "B is better by {size} (p {p}{level}), but {}: people have to decide.",
                    self.failed_guardrails()
                )
            }
            "cannot_reach_threshold" => {
                "Even the upper end of the interval is less than the threshold asks for, so B is not worth waiting for."
                    .to_owned()
            }
            "needs_rows" => "The test needs the rows of both arms, not only their summaries.".to_owned(),
            "needs_pairs" => {
                "The test compares two models on the same rows, and the arms have rows of their own.".to_owned()
            }
            "needs_outcomes_of_0_or_1" => "The test compares shares of ones, and the outcomes are no ones and zeros (means of units are none; summaries are `n` with `successes`).".to_owned(),
            "needs_labels_and_scores" => "The test needs labels and both models' scores of the same rows.".to_owned(),
            "one_class" => "All labels are of one class, so scores cannot be compared by them.".to_owned(),
            "below_success_threshold" => {
                format!("B is better by {size} (p {p}), which does not meet the threshold.")
            }
            "directions_differ" => format!(
                "The test finds a difference (p {p}{level}), but the means differ in the other direction: a few extreme rows decide one \
                 of the two. Look at the rows before deciding."
            ),
            "unplanned_look" => format!("This look was not planned, so it decides nothing; p is {p} with {rows}."),
            "waits_for_horizon" => format!("Only the last look of this test decides; so far p is {p} with {rows}."),
            "no_new_rows" => {
                let [a, b] = self.rows_before.unwrap_or([self.n_a, self.n_b]);
                format!(
                    "There are no more rows than at the last look that counted ({a} of A and {b} of B then, {} and {} now), so this look \
                     decides nothing and uses nothing up.",
                    self.n_a, self.n_b
                )
            }
            _ if self.decision == Decision::Continue => {
                format!("No difference is established yet (p {p}{level}) with {rows}.")
            }
            _ => format!("No difference is established (p {p}{level}) with {rows}."),
        }
    }

    /// Which guardrails failed, and why.
    pub(super) fn failed_guardrails(&self) -> String {
        let failed = self.guardrails.iter().filter(|guardrail| !guardrail.passes);
        failed.map(|guardrail| format!("{} {}", guardrail.name, guardrail.failure())).collect::<Vec<_>>().join(" and ")
    }

    /// The p-value with two digits that count.
    #[must_use]
    pub fn p_in_words(&self) -> String {
        p_in_words(self.p_value)
    }
}

/// A p-value with two digits that count.
pub(super) fn p_in_words(p: Option<f64>) -> String {
    match p {
        Some(p) if p < 1e-300 => "< 1e-300".to_owned(),
        Some(p) if p < 1e-4 => format!("{p:.1e}"),
        Some(p) => {
            // Two digits that count, without an exponent.
            let digits = (1.0 - p.max(1e-4).log10().floor()).max(2.0) as usize;
            format!("{p:.digits$}")
        }
        None => "unknown".to_owned(),
    }
}

/// A fraction that somebody wrote down, in percent: 0.01 is `1`, 0.0025 is `0.25`.
pub(super) fn percent_in_words(fraction: f64) -> String {
    // Without the digits that a product by 100 may add.
    format!("{}", (fraction * 1e8).round() / 1e6)
}
