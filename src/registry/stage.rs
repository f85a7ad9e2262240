//! The stages of a version's life.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Error;

/// A stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Being worked on.
    #[default]
    Development,
    /// Before production.
    Staging,
    /// In use.
    Production,
    /// Out of use.
    Archived,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 4] = [Self::Development, Self::Staging, Self::Production, Self::Archived];

    /// The word in the database and for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Staging => "staging",
            Self::Production => "production",
            Self::Archived => "archived",
        }
    }

    /// The stage of that word.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names the words there are.
    pub fn parse(word: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == word).ok_or_else(|| {
            Error::invalid(
                "/stage",
                format!("{word:?} is no stage: write development, staging, production or archived"),
            )
        })
    }

    /// How far up it is.
    fn rank(self) -> u8 {
        match self {
            Self::Archived => 0,
            Self::Development => 1,
            Self::Staging => 2,
            Self::Production => 3,
        }
    }

    /// Whether going from here to there asks for the policy: up, into staging or production.
    #[must_use]
    pub fn is_promotion_to(self, target: Self) -> bool {
        target.rank() > self.rank() && matches!(target, Self::Staging | Self::Production)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_going_up_into_staging_or_production_is_a_promotion() {
        use Stage::{Archived, Development, Production, Staging};
        let promotions = [
            (Development, Staging),
            (Development, Production),
            (Staging, Production),
            (Archived, Staging),
            (Archived, Production),
        ];
        for from in Stage::ALL {
            for to in Stage::ALL {
                assert_eq!(from.is_promotion_to(to), promotions.contains(&(from, to)), "{from} to {to}");
            }
        }
    }

    #[test]
    fn every_word_is_read_back() {
        for stage in Stage::ALL {
            assert_eq!(Stage::parse(stage.as_str()).unwrap(), stage);
            assert_eq!(serde_json::to_value(stage).unwrap(), stage.as_str());
        }
        let problem = Stage::parse("Production").unwrap_err().to_string();
        assert!(problem.contains("development, staging, production or archived"), "{problem}");
    }
}
