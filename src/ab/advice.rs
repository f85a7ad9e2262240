//! What would change a decision: the last line under the evidence.

use super::{Evaluation, Plan, ThresholdMode};

impl Evaluation {
    /// What would have to be different for another decision, for people: one or two sentences.
    ///
    /// ```
    /// use steward::ab::{Arms, Looks, Plan, Share, evaluate};
    /// let share = |successes| Share { successes, rows: 1000 };
    /// let plan = Plan::default();
    /// let evaluation = evaluate(&plan, &Arms::of_shares(share(500), share(515)), Looks::ONCE);
    /// let advice = evaluation.what_would_change_it(&plan);
    /// assert!(advice.starts_with("These rows would have shown a difference of 12.5 %"), "{advice}");
    /// ```
    #[must_use]
    pub fn what_would_change_it(&self, plan: &Plan) -> String {
        let bar = 100.0 * plan.success_threshold;
        if let Some(advice) = self.claim_advice() {
            return advice;
        }
        match self.reason {
            "no_usable_rows" => "Rows of both variants with an outcome; check the names of the variants.".to_owned(),
            "unknown_variants" => "Rows of the two variants only.".to_owned(),
            "missing_values_differ" => {
                "Outcomes that are missing for the same reasons in both variants: wait for late ones, or mend the logging.".to_owned()
            }
            "not_finite" => "Outcomes within the range of numbers.".to_owned(),
            "needs_rows" | "needs_pairs" | "needs_outcomes_of_0_or_1" | "needs_labels_and_scores" | "one_class" => {
                "A test that fits the data; t_test fits any two arms.".to_owned()
            }
            "below_min_samples" => format!("At least {} usable rows in each variant.", plan.min_samples.max(2)),
            "below_min_duration" => "Time: the test runs on until what was agreed.".to_owned(),
            "sample_ratio_mismatch" => {
                "An assignment that gives the promised shares; if another split was used, say which.".to_owned()
            }
            "zero_variance" => "Values that vary: without noise there is nothing to weigh a difference against.".to_owned(),
            "baseline_zero" => "An outcome whose mean is not 0 for A, or a judgement of the absolute difference by people.".to_owned(),
            "treatment_significantly_worse" => {
                "More rows will hardly change this: B would have to become better, not only less bad.".to_owned()
            }
            "below_success_threshold" | "cannot_reach_threshold" => match self.relative_improvement_ci {
                Some([_, high]) if high < bar => {
                    format!("A lower threshold: even the upper end of the interval, {high:.1} %, is below the {bar:.1} % that are asked for.")
                }
                _ => format!("More rows, if the improvement then reaches the {bar:.1} % that are asked for; or a lower threshold."),
            },
            "lower_end_below_threshold" => match self.relative_improvement_ci {
                Some([low, _]) => format!(
                    "More rows, if the lower end of the interval, {low:.1} %, then reaches the {bar:.1} % that are asked for; or a lower \
                     threshold."
                ),
                None => "An interval with a lower end, which this test does not give.".to_owned(),
            },
            "baseline_indistinguishable_from_zero" => {
                "More rows, until A can be told from 0; or a judgement of the absolute difference by people.".to_owned()
            }
            "directions_differ" => {
                "A look at the few rows that pull the mean; then a test of what matters: means (t_test) or the order of values.".to_owned()
            }
            "unplanned_look" => "A new test: the looks of this one are used up.".to_owned(),
            "significant_and_meets_threshold" if plan.threshold_mode == ThresholdMode::Superiority => {
                match self.relative_improvement_ci {
                    Some([low, _]) => format!("A threshold above {low:.1} %, where the interval begins."),
                    None => "A higher threshold.".to_owned(),
                }
            }
            "significant_and_meets_threshold" => match self.relative_improvement_ci {
                Some([low, _]) => {
                    format!("A threshold above {:.1} %; the true improvement may be as small as {low:.1} %.", self.relative_improvement.unwrap_or(bar))
                }
                None => format!("A threshold above {:.1} %.", self.relative_improvement.unwrap_or(bar)),
            },
            "waits_for_horizon" => "Time: the test is decided at its last look.".to_owned(),
            "no_new_rows" => "Rows that came after the last look.".to_owned(),
            "guardrail_failed" => "Guardrails that hold, or people who accept that they do not.".to_owned(),
            _ => self.rows_that_would_tell(plan),
        }
    }

    /// How many rows it takes to find an improvement that is just enough.
    fn rows_that_would_tell(&self, plan: &Plan) -> String {
        let Some(found) = self.minimum_detectable_percent() else {
            return "More rows, or a larger difference.".to_owned();
        };
        let shown = format!("These rows would have shown a difference of {found:.1} % in 80 of 100 cases.");
        let bar = 100.0 * plan.success_threshold;
        if bar <= 0.0 || found <= bar {
            return format!("{shown} A larger difference would be needed, or more rows for a smaller one.");
        }
        // Rows go with the square of what they can show.
        let factor = (found / bar) * (found / bar);
        let rows = self.n_a.max(self.n_b) as f64 * factor;
        format!(
            "{shown} To tell a true {bar:.1} % from none as often it takes about {rows:.0} rows in each variant; to reach the threshold as often it \
             takes more."
        )
    }
}
