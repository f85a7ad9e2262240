//! `adwin`: a window of the stream that is cut wherever its two parts differ too much.

use std::collections::VecDeque;

use super::stream::{Detector, Step, judge_stream};
use super::{Entry, Needs, RANGE};

pub(super) static ADWIN: Entry = Entry {
    name: "adwin",
    title: "Adaptive windowing (ADWIN)",
    summary: "where the mean error of the rows in the order of time changes, and by how much: the largest rise between the \
              rows before and after a change that ADWIN finds",
    when_to_use: "errors come in the order of time and the question is since when. The best first choice among the detectors: it \
              adapts to any speed of change and its false alarms are bounded by a parameter.",
    formula: "over all cuts of the window into an old part of n0 and a new part of n1 rows: |mean0 - mean1| > sqrt(2/m var \
              ln(2 ln(n)/delta)) + 2/(3m) ln(2 ln(n)/delta), 1/m = 1/n0 + 1/n1. Drifted when the mean error after a change \
              is worse than before it by more than the threshold",
    range: RANGE,
    notes: "delta 0.002, a look every 32 rows, 5 buckets of each size, parts of at least 5 rows (the defaults of river; \
            detections are at the same rows as its). The reference goes first and sets the level. The change is placed \
            at the cut that explains most of the scatter; cuts are possible between buckets only, so that row is \
            accurate to about a tenth of the rows since. In 400 simulated runs over 5,000 rows of an unchanged model, \
            after 2,000 of reference, it found nothing.",
    reference: "Bifet and Gavaldà (2007), Learning from time-changing data with adaptive windowing, doi:10.1137/1.9781611972771.42",
    task: None,
    needs: Needs { score: false, prediction: false, time: true, current_labels: true },
    judge: |sides| judge_stream(&mut Adwin::default(), sides),
};

/// ADWIN with its parameters.
#[derive(Debug, Clone)]
pub struct Adwin {
    delta: f64,
    clock: u64,
    max_buckets: usize,
    min_part: f64,
    grace: f64,
    ticks: u64,
    window: Window,
    /// The last number was a detection: the next one starts anew.
    is_done: bool,
}

impl Default for Adwin {
    fn default() -> Self {
        Self::new(0.002, 32, 5, 5, 10)
    }
}

impl Adwin {
    /// A detector that cuts where equal means would differ so much with probability `delta` at most, looks every `clock` numbers once
    /// it has seen more than `grace`, keeps `max_buckets` buckets of each size, and compares parts of at least `min_part` numbers.
    pub fn new(delta: f64, clock: u64, max_buckets: usize, min_part: u32, grace: u32) -> Self {
        Self {
            delta,
            clock: clock.max(1),
            max_buckets,
            min_part: f64::from(min_part.max(1)),
            grace: f64::from(grace),
            ticks: 0,
            window: Window::default(),
            is_done: false,
        }
    }

    /// Numbers in the window; after a detection those that are left of it, until the next number comes.
    pub fn width(&self) -> usize {
        self.window.width as usize
    }

    /// Whether two parts of a window differ too much: Bernstein's bound with the window's variance.
    fn differ(&self, n0: f64, n1: f64, difference: f64) -> bool {
        let evidence = (2.0 * self.window.width.ln() / self.delta).ln();
        let inverse = 1.0 / (n0 - self.min_part + 1.0) + 1.0 / (n1 - self.min_part + 1.0);
        let variance = self.window.variance / self.window.width;
        let bound = (2.0 * inverse * variance * evidence).sqrt() + 2.0 / 3.0 * evidence * inverse;
        difference.abs() > bound
    }

    /// Where the window can be cut, if it can be: the cut whose parts explain most of the window's scatter, as the rows of its new part.
    fn cut(&self) -> Option<usize> {
        let (mut n0, mut n1) = (0.0, self.window.width);
        let (mut u0, mut u1) = (0.0, self.window.total);
        let mut best = (0.0, 0.0);
        let mut is_cut = false;
        for (level, buckets) in self.window.levels.iter().enumerate().rev() {
            let size = (1u64 << level) as f64;
            for bucket in buckets {
                (n0, n1) = (n0 + size, n1 - size);
                (u0, u1) = (u0 + bucket.total, u1 - bucket.total);
                if n1 < self.min_part || n0 < self.min_part {
                    continue;
                }
                let difference = u0 / n0 - u1 / n1;
                is_cut |= self.differ(n0, n1, difference);
                let explained = n0 * n1 * difference * difference;
                if explained > best.0 {
                    best = (explained, n1);
                }
            }
        }
        is_cut.then_some(best.1 as usize)
    }
}

impl Detector for Adwin {
    fn looks_from(&self) -> usize {
        self.clock.max(self.grace as u64 + 1) as usize
    }

    fn push(&mut self, value: f64) -> Step {
        if self.is_done {
            (self.window, self.ticks, self.is_done) = (Window::default(), 0, false);
        }
        self.window.insert(value, self.max_buckets);
        self.ticks += 1;
        if !self.ticks.is_multiple_of(self.clock) || self.window.width <= self.grace {
            return Step::default();
        }
        let Some(recent) = self.cut() else { return Step::default() };
        self.is_done = true;
        self.window.drop_oldest();
        while self.cut().is_some() {
            self.window.drop_oldest();
        }
        Step { drift: true, warning: false, recent }
    }
}

/// Sum and sum of squared deviations of a run of numbers.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    total: f64,
    variance: f64,
}

/// An exponential histogram: level `i` holds buckets of `2^i` numbers, the oldest first.
#[derive(Debug, Clone, Default)]
struct Window {
    levels: Vec<VecDeque<Bucket>>,
    width: f64,
    total: f64,
    variance: f64,
}

impl Window {
    fn insert(&mut self, value: f64, max_buckets: usize) {
        if self.width > 0.0 {
            let deviation = value - self.total / self.width;
            self.variance += self.width * deviation * deviation / (self.width + 1.0);
        }
        self.width += 1.0;
        self.total += value;
        self.put(0, Bucket { total: value, variance: 0.0 });
        self.compress(max_buckets);
    }

    fn put(&mut self, level: usize, bucket: Bucket) {
        if self.levels.len() == level {
            self.levels.push(VecDeque::new());
        }
        self.levels[level].push_back(bucket);
    }

    /// Merges the two oldest buckets of every size that has too many.
    fn compress(&mut self, max_buckets: usize) {
        let mut level = 0;
        while level < self.levels.len() && self.levels[level].len() > max_buckets {
            let size = (1u64 << level) as f64;
            let (Some(a), Some(b)) = (self.levels[level].pop_front(), self.levels[level].pop_front()) else { return };
            let apart = a.total / size - b.total / size;
            let between = size * size * apart * apart / (2.0 * size);
            self.put(level + 1, Bucket { total: a.total + b.total, variance: a.variance + b.variance + between });
            level += 1;
        }
    }

    fn drop_oldest(&mut self) {
        let Some(last) = self.levels.len().checked_sub(1) else { return };
        let size = (1u64 << last) as f64;
        if let Some(bucket) = self.levels[last].pop_front() {
            self.width -= size;
            self.total -= bucket.total;
            if self.width > 0.0 {
                let apart = bucket.total / size - self.total / self.width;
                self.variance -= bucket.variance + size * self.width * apart * apart / (size + self.width);
            }
        }
        if self.levels[last].is_empty() {
            self.levels.pop();
        }
    }
}
