//! `kswin`: the last numbers against older ones of a sliding window, by the Kolmogorov-Smirnov distance.

use std::collections::VecDeque;

use super::super::methods::ks_test::distance;
use super::super::sort_values;
use super::stream::{Detector, Step, judge_stream};
use super::{Entry, Needs, RANGE};
use crate::stats::ks_two_sample_exact;

pub(super) static KSWIN: Entry = Entry {
    name: "kswin",
    title: "Kolmogorov-Smirnov windowing (KSWIN)",
    summary: "where the distribution of the last errors differs from that of the errors just before, and by how much the \
              mean error rises there",
    when_to_use: "errors of a regression whose spread or shape changes suddenly. Blind to slow changes: both parts of its window \
              move together.",
    formula: "the Kolmogorov-Smirnov p-value of the last 200 errors against the 400 before is at most alpha, and the \
              distance above 0.1. Drifted when the mean error after a change is worse than before it by more than the \
              threshold",
    range: RANGE,
    notes: "alpha 1e-6, window 600, of which the newest 200 are recent: distances from about 0.24 on are found. river \
              compares the newest 30 of 100 with 30 drawn from the others at alpha 0.005, at every row: that alarms every \
              few hundred rows without a change. Here nothing is drawn (all older rows of the window are compared), so the \
              same rows give the same answer, and the level is one that thousands of looks allow. With a seeded draw and its \
              parameters detections are at the same rows as those of river. Ties make the p-value too large, never too \
              small. The reference goes first; at least 600 rows together.",
    reference: "Raab, Heusinger, Schleif (2020), Reactive soft prototype computing for concept drift streams, doi:10.1016/j.neucom.2019.11.111",
    task: None,
    needs: Needs { score: false, prediction: false, time: true, current_labels: true },
    judge: |sides| judge_stream(&mut Kswin::default(), sides),
};

/// A distance up to this is no change, however small its p-value.
const LEAST_DISTANCE: f64 = 0.1;

/// Which older numbers of the window the last ones are compared with.
pub trait Draw {
    /// The places of `size` of `population` numbers.
    fn draw(&mut self, population: usize, size: usize) -> Vec<usize>;
    /// Called after a detection.
    fn restart(&mut self) {}
}

/// All older numbers of the window: nothing is drawn, so the same stream gives the same answer.
#[derive(Debug, Clone, Copy)]
pub struct All;

impl Draw for All {
    fn draw(&mut self, population: usize, _size: usize) -> Vec<usize> {
        (0..population).collect()
    }
}

/// KSWIN with its parameters.
#[derive(Debug, Clone)]
pub struct Kswin<D> {
    alpha: f64,
    window_size: usize,
    recent_size: usize,
    window: VecDeque<f64>,
    draw: D,
    /// The smallest distance, in units of one over the product of both sizes, that is a change; by the number of older values.
    critical: Option<(usize, u64)>,
}

impl Default for Kswin<All> {
    fn default() -> Self {
        Self::new(1e-6, 600, 200, All)
    }
}

impl<D: Draw> Kswin<D> {
    /// A detector over the last `window_size` numbers that compares the newest `recent_size` with older ones and finds a change when
    /// the p-value is at most `alpha`.
    pub fn new(alpha: f64, window_size: usize, recent_size: usize, draw: D) -> Self {
        let recent_size = recent_size.clamp(1, window_size.max(2) - 1);
        Self { alpha, window_size: window_size.max(2), recent_size, window: VecDeque::new(), draw, critical: None }
    }

    /// The smallest distance of `older` and `recent_size` numbers that is a change. The p-value takes no notice of ties: with many of
    /// them it is too large, and never too small.
    fn critical(&mut self, older: usize) -> u64 {
        if let Some((known, units)) = self.critical
            && known == older
        {
            return units;
        }
        let (n, m) = (older as u64, self.recent_size as u64);
        let untied = vec![(1, 0); older + self.recent_size];
        let least = (LEAST_DISTANCE * (n * m) as f64).floor() as u64 + 1;
        let (mut low, mut high) = (least, n * m + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            if ks_two_sample_exact(n, m, middle, &untied).p() <= self.alpha {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        self.critical = Some((older, low));
        low
    }
}

impl<D: Draw> Detector for Kswin<D> {
    fn looks_from(&self) -> usize {
        self.window_size
    }

    fn push(&mut self, value: f64) -> Step {
        if self.window.len() == self.window_size {
            self.window.pop_front();
        }
        self.window.push_back(value);
        if self.window.len() < self.window_size {
            return Step::default();
        }
        let population = self.window_size - self.recent_size;
        let places = self.draw.draw(population, self.recent_size);
        let mut older: Vec<f64> = places.iter().filter_map(|&place| self.window.get(place).copied()).collect();
        let mut recent: Vec<f64> = self.window.range(population..).copied().collect();
        sort_values(&mut older);
        sort_values(&mut recent);
        let critical = self.critical(older.len());
        let drift = distance(&older, &recent).is_some_and(|distance| distance.units >= critical);
        if drift {
            self.window.clear();
            self.draw.restart();
        }
        Step { drift, warning: false, recent: self.recent_size }
    }
}
