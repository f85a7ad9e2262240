//! The entries of the measures that are averaged over classes, with their texts.

/// What is measured of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    Precision,
    Recall,
    F1,
    F2,
    Jaccard,
}

/// How the measures of classes are taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Average {
    /// The positive class of two; the macro average of more.
    Default,
    Macro,
    Micro,
    Weighted,
}

/// One measure with one way to average it.
pub(super) struct Averaged {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) summary: &'static str,
    pub(super) measure: Measure,
    pub(super) average: Average,
}

impl Measure {
    /// Numerator and denominator from the rows labelled, predicted, and both.
    pub(super) fn fraction(self, truth: f64, predicted: f64, correct: f64) -> (f64, f64) {
        match self {
            Self::Precision => (correct, predicted),
            Self::Recall => (correct, truth),
            Self::F1 => (2.0 * correct, truth + predicted),
            Self::F2 => (5.0 * correct, 4.0 * truth + predicted),
            Self::Jaccard => (correct, truth + predicted - correct),
        }
    }

    /// Whether the micro average over all classes is accuracy.
    pub(super) fn is_accuracy_over_all(self) -> bool {
        matches!(self, Self::Precision | Self::Recall | Self::F1)
    }

    pub(super) fn formula(self) -> &'static str {
        match self {
            Self::Precision => "TP / (TP + FP), TP and FP the rows rightly and wrongly predicted as the class",
            Self::Recall => "TP / (TP + FN), FN the rows of the class that are predicted otherwise",
            Self::F1 => "2 TP / (2 TP + FP + FN)",
            Self::F2 => "5 TP / (5 TP + 4 FN + FP)",
            Self::Jaccard => "TP / (TP + FP + FN)",
        }
    }

    pub(super) fn reference(self) -> &'static str {
        match self {
            Self::Jaccard => "scikit-learn jaccard_score; Jaccard (1912), doi:10.1111/j.1469-8137.1912.tb05611.x",
            _ => {
                "scikit-learn precision_recall_fscore_support; van Rijsbergen (1979), Information Retrieval; Sokolova and Lapalme (2009), \
                  doi:10.1016/j.ipm.2009.03.002"
            }
        }
    }
}

impl Average {
    pub(super) fn when_to_use(self, measure: Measure) -> &'static str {
        match (self, measure) {
            (Self::Default, Measure::Precision) => "Acting on a false alarm is expensive.",
            (Self::Default, Measure::Recall) => "Missing a positive row is expensive.",
            (Self::Default, Measure::F1) => "False alarms and misses both matter and true negatives do not.",
            (Self::Default, Measure::F2) => "Misses cost more than false alarms, but those still count.",
            (Self::Default, Measure::Jaccard) => {
                "The overlap of predicted and true positives is wanted as a share of rows."
            }
            (Self::Macro, _) => "Every class matters as much as the others, however rare it is.",
            (Self::Micro, _) => "Every row matters as much as the others, whatever its class.",
            (Self::Weighted, _) => "Classes matter by how often they occur.",
        }
    }

    pub(super) fn limits(self, measure: Measure) -> &'static str {
        match (self, measure) {
            (Self::Default, Measure::Precision) => {
                "Says nothing of the positives that were missed; moves with the share of positives."
            }
            (Self::Default, Measure::Recall) => "Predicting everything positive makes it 1.",
            (Self::Default, _) => "True negatives do not count, and it moves with the share of positives.",
            (Self::Macro, _) => {
                "A class with few rows makes it jump; a class that is absent counts as 0 unless `zero_division` says otherwise."
            }
            (Self::Micro, _) => {
                "Equals accuracy when each row has one class (Jaccard apart): large classes hide small ones."
            }
            (Self::Weighted, _) => "Large classes hide small ones, and F1 need not lie between precision and recall.",
        }
    }
}

macro_rules! averaged {
    ($constant:ident, $name:literal, $title:literal, $measure:ident, $average:ident, $summary:literal) => {
        pub(super) static $constant: Averaged = Averaged {
            name: $name,
            title: $title,
            summary: $summary,
            measure: Measure::$measure,
            average: Average::$average,
        };
    };
}

averaged!(
    PRECISION,
    "precision",
    "Precision",
    Precision,
    Default,
    "share of rows predicted positive that are, 0 to 1; the macro average when there are more than two classes"
);
averaged!(
    PRECISION_MACRO,
    "precision_macro",
    "Precision (macro)",
    Precision,
    Macro,
    "mean precision over all classes, 0 to 1"
);
averaged!(
    PRECISION_MICRO,
    "precision_micro",
    "Precision (micro)",
    Precision,
    Micro,
    "precision over all decisions together, 0 to 1; equals accuracy when every row has one class"
);
averaged!(
    PRECISION_WEIGHTED,
    "precision_weighted",
    "Precision (weighted)",
    Precision,
    Weighted,
    "mean precision over classes, weighted by their labels, 0 to 1"
);
averaged!(
    RECALL,
    "recall",
    "Recall",
    Recall,
    Default,
    "share of positive rows predicted so, 0 to 1; the macro average when there are more than two classes"
);
averaged!(RECALL_MACRO, "recall_macro", "Recall (macro)", Recall, Macro, "mean recall over all classes, 0 to 1");
averaged!(
    RECALL_MICRO,
    "recall_micro",
    "Recall (micro)",
    Recall,
    Micro,
    "recall over all decisions together, 0 to 1; equals accuracy when every row has one class"
);
averaged!(
    RECALL_WEIGHTED,
    "recall_weighted",
    "Recall (weighted)",
    Recall,
    Weighted,
    "mean recall over classes, weighted by their labels, 0 to 1"
);
averaged!(
    F1,
    "f1",
    "F1",
    F1,
    Default,
    "harmonic mean of precision and recall, 0 to 1; the macro average when there are more than two classes"
);
averaged!(F1_MACRO, "f1_macro", "F1 (macro)", F1, Macro, "mean F1 over all classes, 0 to 1");
averaged!(
    F1_MICRO,
    "f1_micro",
    "F1 (micro)",
    F1,
    Micro,
    "F1 over all decisions together, 0 to 1; equals accuracy when every row has one class"
);
averaged!(
    F1_WEIGHTED,
    "f1_weighted",
    "F1 (weighted)",
    F1,
    Weighted,
    "mean F1 over classes, weighted by their labels, 0 to 1"
);
averaged!(
    F2,
    "f2",
    "F2",
    F2,
    Default,
    "like F1, but recall counts four times as much in the denominator, 0 to 1; the macro average when there are more than two classes"
);
averaged!(F2_MACRO, "f2_macro", "F2 (macro)", F2, Macro, "mean F2 over all classes, 0 to 1");
averaged!(
    F2_MICRO,
    "f2_micro",
    "F2 (micro)",
    F2,
    Micro,
    "F2 over all decisions together, 0 to 1; equals accuracy when every row has one class"
);
averaged!(
    F2_WEIGHTED,
    "f2_weighted",
    "F2 (weighted)",
    F2,
    Weighted,
    "mean F2 over classes, weighted by their labels, 0 to 1"
);
averaged!(
    JACCARD,
    "jaccard",
    "Jaccard",
    Jaccard,
    Default,
    "share of the rows labelled or predicted positive that are both, 0 to 1; the macro average when there are more than two classes"
);
averaged!(JACCARD_MACRO, "jaccard_macro", "Jaccard (macro)", Jaccard, Macro, "mean jaccard over all classes, 0 to 1");
averaged!(
    JACCARD_MICRO,
    "jaccard_micro",
    "Jaccard (micro)",
    Jaccard,
    Micro,
    "jaccard over all decisions together, 0 to 1"
);
averaged!(
    JACCARD_WEIGHTED,
    "jaccard_weighted",
    "Jaccard (weighted)",
    Jaccard,
    Weighted,
    "mean jaccard over classes, weighted by their labels, 0 to 1"
);
