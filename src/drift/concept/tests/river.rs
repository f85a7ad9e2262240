//! Detections at the same indices as those of river, on exported streams; see `tests/concept_answers/`.

use serde_json::Value;

use super::super::*;

/// The Mersenne Twister as Python seeds and uses it, so that KSWIN draws what river drew.
struct Python {
    seed: u32,
    state: Vec<u32>,
    index: usize,
}

impl Python {
    fn new(seed: u32) -> Self {
        let mut state = vec![19_650_218u32];
        for i in 1..624u32 {
            let last = state[i as usize - 1];
            state.push(1_812_433_253u32.wrapping_mul(last ^ (last >> 30)).wrapping_add(i));
        }
        // init_by_array with a key of one word.
        let mut i = 1;
        for _ in 0..624 {
            let last = state[i - 1];
            state[i] = (state[i] ^ (last ^ (last >> 30)).wrapping_mul(1_664_525)).wrapping_add(seed);
            i += 1;
            if i == 624 {
                state[0] = state[623];
                i = 1;
            }
        }
        for _ in 0..623 {
            let last = state[i - 1];
            state[i] = (state[i] ^ (last ^ (last >> 30)).wrapping_mul(1_566_083_941)).wrapping_sub(i as u32);
            i += 1;
            if i == 624 {
                state[0] = state[623];
                i = 1;
            }
        }
        state[0] = 0x8000_0000;
        Self { seed, state, index: 624 }
    }

    fn next(&mut self) -> u32 {
        if self.index == 624 {
            for i in 0..624 {
                let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % 624] & 0x7fff_ffff);
                let twist = if y & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[i] = self.state[(i + 397) % 624] ^ (y >> 1) ^ twist;
            }
            self.index = 0;
        }
        let mut y = self.state[self.index];
        self.index += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    fn below(&mut self, n: usize) -> usize {
        let bits = usize::BITS - n.leading_zeros();
        loop {
            let drawn = (self.next() >> (32 - bits)) as usize;
            if drawn < n {
                return drawn;
            }
        }
    }
}

impl Draw for Python {
    /// `random.sample(range(population), size)` by its pool, which Python takes for populations this small.
    fn draw(&mut self, population: usize, size: usize) -> Vec<usize> {
        let mut pool: Vec<usize> = (0..population).collect();
        (0..size)
            .map(|i| {
                let j = self.below(population - i);
                let drawn = pool[j];
                pool[j] = pool[population - i - 1];
                drawn
            })
            .collect()
    }

    fn restart(&mut self) {
        *self = Self::new(self.seed);
    }
}

#[test]
fn the_twister_is_pythons() {
    // python3 -c "import random; r = random.Random(42); print(r.sample(range(70), 5), r.sample(range(70), 3))"
    let mut python = Python::new(42);
    assert_eq!(python.draw(70, 30)[..5], PYTHON_42);
}

const PYTHON_42: [usize; 5] = [14, 3, 35, 31, 28];

fn values(stream: &Value) -> Vec<f64> {
    match &stream["values"] {
        Value::String(text) => text.chars().map(|c| f64::from(u8::from(c == '1'))).collect(),
        values => values.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect(),
    }
}

fn adwin(p: &Value) -> Adwin {
    let whole = |key: &str| u32::try_from(p[key].as_u64().unwrap()).unwrap();
    let delta = p["delta"].as_f64().unwrap();
    let buckets = whole("max_buckets") as usize;
    Adwin::new(delta, whole("clock").into(), buckets, whole("min_window_length"), whole("grace_period"))
}

fn detector(answer: &Value) -> Box<dyn Detector> {
    let p = &answer["parameters"];
    let number = |key: &str| p[key].as_f64().unwrap();
    let whole = |key: &str| p[key].as_u64().unwrap();
    let word = |key: &str| u32::try_from(whole(key)).unwrap();
    match answer["detector"].as_str().unwrap() {
        "adwin" => Box::new(adwin(p)),
        "ddm" => Box::new(Ddm::new(whole("warm_start"), number("warning_threshold"), number("drift_threshold"))),
        "page_hinkley" => {
            let direction = match p["mode"].as_str().unwrap() {
                "up" => Direction::Up,
                "down" => Direction::Down,
                _ => Direction::Both,
            };
            let (n, delta) = (whole("min_instances"), number("delta"));
            Box::new(PageHinkley::new(n, delta, number("threshold"), number("alpha"), direction))
        }
        "kswin" => {
            let (window, recent) = (whole("window_size") as usize, whole("stat_size") as usize);
            Box::new(Kswin::new(number("alpha"), window, recent, Python::new(word("seed"))))
        }
        other => panic!("no detector {other}"),
    }
}

/// What ADWIN keeps of its window at each detection.
fn widths(answer: &Value, values: &[f64]) -> Vec<usize> {
    let mut adwin = adwin(&answer["parameters"]);
    let mut widths = Vec::new();
    for &value in values {
        if adwin.push(value).drift {
            widths.push(adwin.width());
        }
    }
    widths
}

fn indices(answer: &Value, key: &str) -> Vec<usize> {
    answer[key].as_array().unwrap().iter().map(|index| index.as_u64().unwrap() as usize).collect()
}

#[test]
fn detections_are_at_the_indices_of_river() {
    let text = include_str!("../../../../tests/concept_answers/streams.json");
    let all: Value = serde_json::from_str(text).unwrap();
    let mut wrong = Vec::new();
    let (mut compared, mut detections) = (0, 0);
    for stream in all["streams"].as_array().unwrap() {
        let values = values(stream);
        for answer in stream["answers"].as_array().unwrap() {
            let course = follow(detector(answer).as_mut(), values.iter().copied());
            let found: Vec<usize> = course.detections.iter().map(|detection| detection.at).collect();
            let what = format!("{} {} {}", stream["name"], answer["detector"], answer["parameters"]);
            if found != indices(answer, "detections") {
                wrong.push(format!("{what}: {found:?}, river {}", answer["detections"]));
            }
            if answer["detector"] == "ddm" && course.warnings != indices(answer, "warnings") {
                wrong.push(format!("{what}: other warnings"));
            }
            if answer["detector"] == "adwin" {
                let widths = widths(answer, &values);
                if widths != indices(answer, "widths") {
                    wrong.push(format!("{what}: widths {widths:?}, river {}", answer["widths"]));
                }
            }
            compared += 1;
            detections += found.len();
        }
    }
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > 100 && detections > 200, "{compared} courses with {detections} detections");
}
