//! The numbers under every judgement: sums, moments, quantiles, tail probabilities, intervals.
//!
//! May use: `statrs` (this is its only home) and nothing of ours. No I/O, no clock, no async, no randomness.
//!
//! What holds:
//! * A public function never answers NaN: it answers an `Option`, or a documented bound.
//! * Tails are survival functions in log space, never one minus a distribution function, so a p-value keeps its
//!   relative accuracy down to 1e-300, and below that its logarithm stays right ([`Tail`]).
//! * The same input gives the same bits: no hashing, no threads, no dependence on how rows were batched beyond what
//!   [`Moments::merge`] documents.
//!
//! Deliberately absent: verdicts. What a score or a p-value means is said in `drift`, `metrics` and `ab`.

mod adjust;
mod anderson;
mod anova;
mod beta;
mod beta_tail;
mod binomial;
mod contingency;
mod correlation;
mod cramer;
mod divergence;
mod fisher;
mod gamma;
mod interval;
mod kolmogorov;
mod limit;
mod moments;
mod multinomial;
mod multiple;
mod noncentral;
mod pooled;
mod quadrature;
mod quantile;
mod random;
mod ranks;
mod solve;
mod sum;
mod table;
mod tail;
mod transport;

pub use adjust::{benjamini_yekutieli, bonferroni, hochberg, holm, holm_sidak, hommel, sidak};
pub use anderson::{AndersonDarling, anderson_darling};
pub use anova::{Anova, one_way_anova};
pub(crate) use beta_tail::ln_beta_density;
pub use beta_tail::{beta_cdf, beta_quantile, beta_sf, binomial_cdf};
pub use binomial::{binomial_two_sided, clopper_pearson};
pub use contingency::{GoodnessOfFit, Homogeneity, goodness_of_fit, homogeneity};
pub use correlation::{fisher_z, lag_one_autocorrelation};
pub use cramer::CramerVonMises;
pub use divergence::{hellinger, jensen_shannon, kullback_leibler, shares, total_variation};
pub use fisher::{Fisher, fisher_exact};
pub use gamma::ln_gamma;
pub use interval::{Interval, fieller, fieller_g, mean_t, wilson};
pub use kolmogorov::{kolmogorov_limit, ks_two_sample_exact};
pub use limit::{anderson_darling_limit, cramer_von_mises_limit};
pub use moments::Moments;
pub(crate) use moments::scale;
pub use multinomial::dirichlet_log_bayes_factor;
pub use multiple::benjamini_hochberg;
pub use noncentral::noncentral_t_sf;
pub(crate) use pooled::for_each_value;
pub use quadrature::Quadrature;
pub(crate) use quadrature::breaks_around;
pub use quantile::{median, quantile_sorted};
pub use random::Random;
pub use ranks::{MannWhitney, SignedRank, Tails, mann_whitney, signed_rank};
pub use sum::{DoubleSum, mean_of, sum_of};
pub use table::{Association, association};
pub use tail::{
    Tail, chi_square_sf, chi_square_upper_quantile, f_sf, normal_quantile, normal_sf, normal_two_sided, student_t_sf,
    student_t_two_sided, student_t_upper_quantile,
};
pub use transport::{Transport, transport, weighted_transport};
