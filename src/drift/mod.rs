//! (written next)

/// How often each category of a column occurs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CategoryCounts {
    /// Rows of each present category, by its canonical text.
    pub counts: std::collections::BTreeMap<String, u64>,
    /// Rows without a value.
    pub missing: u64,
}
