//! Classes as small numbers, in an order that people expect.

use std::collections::BTreeMap;

use super::Column;

/// The class that scores, and binary precision and recall, are about. It may be absent from the rows.
#[derive(Debug, Clone)]
pub(in crate::metrics) struct Positive {
    pub(in crate::metrics) name: String,
    pub(in crate::metrics) code: Option<u32>,
}

/// The positive class: the one named, or the conventional one of two.
pub(super) fn positive_class(names: &[String], named: Option<&str>) -> Option<Positive> {
    let with = |name: &str| Positive {
        name: name.to_owned(),
        code: names.iter().position(|known| known == name).map(|code| code as u32),
    };
    if let Some(name) = named {
        // `1` means `true` where classes are booleans, and the other way round.
        let same = match name {
            "1" => "true",
            "0" => "false",
            "true" => "1",
            "false" => "0",
            other => other,
        };
        return Some(match with(name) {
            Positive { code: None, .. } if names.iter().any(|known| known == same) => with(same),
            named => named,
        });
    }
    if names.is_empty() || names.len() > 2 {
        return None;
    }
    if names.iter().all(|name| matches!(name.as_str(), "0" | "1" | "-1")) {
        return Some(with("1"));
    }
    if names.iter().all(|name| matches!(name.as_str(), "false" | "true")) {
        return Some(with("true"));
    }
    names.get(1).map(|name| with(name))
}

/// Gives each class a number, first come first served, and its place in order at the end.
#[derive(Default)]
pub(super) struct Encoder {
    text: BTreeMap<String, u32>,
    numbers: BTreeMap<u64, u32>,
}

impl Encoder {
    pub(super) fn encode(&mut self, column: &Column<'_>) -> Vec<Option<u32>> {
        match column {
            Column::Numbers(values) => values
                .iter()
                .map(|value| value.filter(|value| !value.is_nan()).map(|value| self.number(value + 0.0)))
                .collect(),
            Column::Text(values) => values.iter().map(|value| value.as_deref().map(|name| self.name(name))).collect(),
        }
    }

    fn number(&mut self, value: f64) -> u32 {
        if let Some(&code) = self.numbers.get(&value.to_bits()) {
            return code;
        }
        // Shortest text: 1 for 1.0, 0.5 for 0.5; so that a numeric label meets its prediction in text.
        let code = self.name(&value.to_string());
        self.numbers.insert(value.to_bits(), code);
        code
    }

    fn name(&mut self, name: &str) -> u32 {
        if let Some(&code) = self.text.get(name) {
            return code;
        }
        let code = self.text.len() as u32;
        self.text.insert(name.to_owned(), code);
        code
    }

    /// A class that is there whether or not a row has it.
    pub(super) fn add(&mut self, name: &str) -> u32 {
        self.name(name)
    }

    /// The classes in order and, per number handed out, its place: first those `listed`, then the others that a row has.
    pub(super) fn finish(self, used: impl Iterator<Item = u32>, listed: &[u32]) -> (Vec<String>, Vec<u32>) {
        let mut is_used = vec![false; self.text.len()];
        used.for_each(|code| is_used[code as usize] = true);
        let mut order = vec![0; is_used.len()];
        let mut names = vec![String::new(); is_used.len()];
        self.text.into_iter().for_each(|(name, code)| names[code as usize] = name);
        let mut others: Vec<u32> =
            (0..names.len() as u32).filter(|code| is_used[*code as usize] && !listed.contains(code)).collect();
        let numeric = |code: &u32| names[*code as usize].parse::<f64>().ok().filter(|value| !value.is_nan());
        others.sort_by(|a, b| {
            let by_text = || names[*a as usize].cmp(&names[*b as usize]);
            match (numeric(a), numeric(b)) {
                (Some(x), Some(y)) => x.total_cmp(&y).then_with(by_text),
                (x, y) => y.is_some().cmp(&x.is_some()).then_with(by_text),
            }
        });
        let in_order: Vec<u32> = listed.iter().copied().chain(others).collect();
        for (place, code) in in_order.iter().enumerate() {
            order[*code as usize] = place as u32;
        }
        (in_order.into_iter().map(|code| std::mem::take(&mut names[code as usize])).collect(), order)
    }
}
