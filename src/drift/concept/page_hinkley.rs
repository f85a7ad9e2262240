//! `page_hinkley`: the sum of deviations from the mean so far, against its lowest and highest.

use super::stream::{Detector, Step, judge_stream};
use super::{Entry, Needs, RANGE};

pub(super) static PAGE_HINKLEY: Entry = Entry {
    name: "page_hinkley",
    title: "Page-Hinkley test",
    summary: "where the sum of deviations of the errors from their mean climbs away from its lowest, and by how much the \
              mean error rises there",
    when_to_use: "small lasting rises of the error are to be found soon, in a long and steady stream.",
    formula: "m_t = alpha m_(t-1) + (x_t - mean_t - delta); a change when m_t - min m > lambda (and likewise for falls). \
              Drifted when the mean error after a change is worse than before it by more than the threshold",
    range: RANGE,
    notes: "delta 0.005, lambda 50, alpha 0.9999, after 30 rows, both directions (the defaults of river; detections are \
            at the same rows as its). Errors of a regression are divided by the mean error of the reference first, so \
            that lambda has a meaning. The more the errors scatter the more often it finds something without a change: \
            in 100 simulated runs over 5,000 rows of an unchanged model 0, 17 and 34 times at error rates of 0.05, 0.2 \
            and 0.4, and 83 times for a regression; the threshold kept all of it out. The reference goes first.",
    reference: "Page (1954), Continuous inspection schemes, doi:10.1093/biomet/41.1-2.100",
    task: None,
    needs: Needs { score: false, prediction: false, time: true, current_labels: true },
    judge: |sides| judge_stream(&mut PageHinkley::default(), sides),
};

/// Which change of the mean counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// A rise.
    Up,
    /// A fall.
    Down,
    /// Either.
    Both,
}

/// Page-Hinkley with its parameters.
#[derive(Debug, Clone)]
pub struct PageHinkley {
    min_instances: u64,
    delta: f64,
    threshold: f64,
    alpha: f64,
    direction: Direction,
    n: u64,
    mean: f64,
    /// Sums of deviations less, or plus, `delta`, with their lowest and highest and how long ago those were.
    rise: (f64, f64, usize),
    fall: (f64, f64, usize),
}

impl Default for PageHinkley {
    fn default() -> Self {
        Self::new(30, 0.005, 50.0, 0.9999, Direction::Both)
    }
}

impl PageHinkley {
    /// A detector that starts with `min_instances` numbers, lets deviations of `delta` pass, and finds a change when a sum is `threshold`
    /// away from its extreme; older deviations count less by `alpha` with every number.
    pub fn new(min_instances: u64, delta: f64, threshold: f64, alpha: f64, direction: Direction) -> Self {
        Self {
            min_instances,
            delta,
            threshold,
            alpha,
            direction,
            n: 0,
            mean: 0.0,
            rise: (0.0, f64::INFINITY, 0),
            // river starts the highest sum at -1, not at minus infinity; kept so that both find a fall at the same index.
            fall: (0.0, -1.0, 0),
        }
    }
}

impl Detector for PageHinkley {
    fn looks_from(&self) -> usize {
        self.min_instances as usize
    }

    fn push(&mut self, value: f64) -> Step {
        self.n += 1;
        self.mean += (1.0 / self.n as f64) * (value - self.mean);
        let deviation = value - self.mean;
        let (rise, lowest, since_lowest) = &mut self.rise;
        *rise = self.alpha * *rise + deviation - self.delta;
        *since_lowest += 1;
        if *rise < *lowest {
            (*lowest, *since_lowest) = (*rise, 0);
        }
        let (fall, highest, since_highest) = &mut self.fall;
        *fall = self.alpha * *fall + deviation + self.delta;
        *since_highest += 1;
        if *fall > *highest {
            (*highest, *since_highest) = (*fall, 0);
        }
        if self.n < self.min_instances {
            return Step::default();
        }
        let rises = self.direction != Direction::Down && *rise - *lowest > self.threshold;
        let falls = self.direction != Direction::Up && *highest - *fall > self.threshold;
        let recent = if rises { *since_lowest } else { *since_highest };
        if rises || falls {
            *self = Self::new(self.min_instances, self.delta, self.threshold, self.alpha, self.direction);
        }
        Step { drift: rises || falls, warning: false, recent }
    }
}
