//! `ddm`: the error rate against its lowest so far.

use super::stream::{Detector, Step, judge_stream};
use super::{Entry, Needs, RANGE, Task};

pub(super) static DDM: Entry = Entry {
    name: "ddm",
    title: "Drift detection method (DDM)",
    summary: "where the error rate of a classifier rises above the lowest it had, and by how much",
    when_to_use: "a classifier whose errors rise suddenly, and a warning before the alarm is wanted. Slow for gradual changes \
              after many rows.",
    formula: "p + s > p_min + 3 s_min finds a change, + 2 s_min warns; p the error rate so far, s = sqrt(p(1-p)/n). Drifted \
              when the error rate after a change is worse than before it by more than the threshold",
    range: RANGE,
    notes: "Starts after 30 rows; warns at 2 and finds a change at 3 standard deviations (the defaults of river; \
            detections are at the same rows as its). After a detection it starts anew and forgets how low the rate was. \
            It looks at the lowest of many rates: in up to 8 of 100 simulated runs over 5,000 rows of an unchanged model \
            it found something, and the threshold kept all of it out. A rate that was 0 for 31 rows alarms at the next \
            error. After long calm it is slow: a rise of ten points took over 1,000 rows. The reference goes first.",
    reference: "Gama, Medas, Castillo, Rodrigues (2004), Learning with drift detection, doi:10.1007/978-3-540-28645-5_29",
    task: Some(Task::Classification),
    needs: Needs { score: false, prediction: false, time: true, current_labels: true },
    judge: |sides| judge_stream(&mut Ddm::default(), sides),
};

/// DDM with its parameters; for errors of 0 and 1.
#[derive(Debug, Clone)]
pub struct Ddm {
    warm_start: u64,
    warning: f64,
    drift: f64,
    n: u64,
    rate: f64,
    /// Rate and its standard deviation where their sum was lowest.
    lowest: Option<(f64, f64)>,
    /// Numbers since the warning that goes on began.
    warned: usize,
}

impl Default for Ddm {
    fn default() -> Self {
        Self::new(30, 2.0, 3.0)
    }
}

impl Ddm {
    /// A detector that starts after `warm_start` numbers and warns, or finds a change, when the rate is above its lowest by so many
    /// standard deviations.
    pub fn new(warm_start: u64, warning: f64, drift: f64) -> Self {
        Self { warm_start, warning, drift, n: 0, rate: 0.0, lowest: None, warned: 0 }
    }
}

impl Detector for Ddm {
    fn looks_from(&self) -> usize {
        self.warm_start as usize + 1
    }

    fn push(&mut self, value: f64) -> Step {
        self.n += 1;
        self.rate += (1.0 / self.n as f64) * (value - self.rate);
        if self.n <= self.warm_start {
            return Step::default();
        }
        let deviation = (self.rate * (1.0 - self.rate) / self.n as f64).max(0.0).sqrt();
        let level = self.rate + deviation;
        let (rate, spread) = match self.lowest {
            Some((rate, spread)) if level > rate + spread => (rate, spread),
            _ => *self.lowest.insert((self.rate, deviation)),
        };
        let drift = level > rate + self.drift * spread;
        let warning = !drift && level > rate + self.warning * spread;
        self.warned = if warning || drift { self.warned + 1 } else { 0 };
        let step = Step { drift, warning, recent: self.warned };
        if drift {
            *self = Self::new(self.warm_start, self.warning, self.drift);
        }
        step
    }
}
