//! TAKEN: another engineer writes this module on branch `metrics` (worktree /work/wt/metrics) to save time.
//! Math engineer: do not write src/metrics or src/ab; finish stats, drift, properties and the known-answers test (leave
//! the functions of metrics and A/B in NOT_YET or map them once the other branch is merged), commit, and report.
