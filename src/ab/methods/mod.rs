//! The statistical tests, one file each; [`super::ALL`] lists them.
//!
//! May use: `stats`, and what `ab` says of arms and comparisons. A test that shares its arithmetic with another takes it from
//! `student`, `shares`, `ranked` or `draws`.

mod always_valid;
mod bayesian;
mod bootstrap;
mod chi_square;
mod delong;
mod draws;
mod fisher_exact;
mod group_sequential;
mod mann_whitney;
mod mcnemar;
mod paired_t_test;
mod permutation;
mod proportions_z_test;
mod ranked;
mod shares;
mod student;
mod student_t_test;
mod t_test;
mod wilcoxon_signed_rank;

pub use always_valid::AlwaysValid;
pub use bayesian::Bayesian;
pub use bootstrap::BootstrapTest;
pub use chi_square::ChiSquare;
pub use delong::{DeLong, DeLongTest};
pub use fisher_exact::FisherExact;
pub use group_sequential::GroupSequential;
pub use mann_whitney::MannWhitneyTest;
pub use mcnemar::{McNemar, McNemarTest};
pub use paired_t_test::PairedTTest;
pub use permutation::{Permutation, PermutationTest, permutation};
pub use proportions_z_test::ProportionsZTest;
pub use shares::newcombe;
pub use student_t_test::{StudentTTest, student};
pub use t_test::{TTest, welch};
pub use wilcoxon_signed_rank::WilcoxonSignedRank;
