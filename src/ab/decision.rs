//! What a test tells people to do.

use serde::{Serialize, Serializer};

/// The decision of one evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// The data cannot be judged: repair it.
    InvalidData,
    /// Not yet: more rows, or the end of the test, are needed.
    Continue,
    /// The arms are not split as configured: repair the assignment.
    InvalidSrm,
    /// The test ended (or cannot be computed) without an answer.
    Inconclusive,
    /// Keep A.
    KeepA,
    /// Ship B.
    ShipB,
    /// B wins but a guardrail failed: a person decides. Not reached until there are guardrails.
    Review,
}

impl Decision {
    /// The name in the database and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Decision::InvalidData => "INVALID_DATA",
            Decision::Continue => "CONTINUE",
            Decision::InvalidSrm => "INVALID_SRM",
            Decision::Inconclusive => "INCONCLUSIVE",
            Decision::KeepA => "KEEP_A",
            Decision::ShipB => "SHIP_B",
            Decision::Review => "REVIEW",
        }
    }

    /// Whether the test needs no further rows.
    pub fn is_conclusive(self) -> bool {
        matches!(self, Decision::KeepA | Decision::ShipB | Decision::Review | Decision::Inconclusive)
    }
}

impl Serialize for Decision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
