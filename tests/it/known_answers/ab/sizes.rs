//! Power, sizes of samples, and what a sample can find.

use serde_json::{Value, json};
use steward::ab::{self, Outlook, Sides};

use super::super::inputs::{number, text};

pub(super) fn answer(function: &str, inputs: &Value) -> Option<Value> {
    let x = |name: &str| number(&inputs[name]);
    let sides = || match inputs.get("alternative").map_or("two-sided", text) {
        "two-sided" => Sides::Two,
        _ => Sides::One,
    };
    let ratio = |name: &str| inputs.get(name).map_or(1.0, number);
    Some(match function {
        "ttest_ind_power" => {
            json!({ "power": ab::t_test_power(x("effect_size_d"), x("n_per_arm"), ratio("ratio"), x("alpha"), sides()) })
        }
        "ttest_ind_required_n" => {
            json!({ "n_per_arm": ab::t_test_rows(x("effect_size_d"), ratio("ratio"), x("alpha"), x("power"), sides()) })
        }
        "two_proportion_required_n_control" => {
            let rows =
                ab::share_rows(x("p_a"), x("p_b"), ratio("ratio_nb_over_na"), x("alpha"), x("power"), sides()).unwrap();
            json!({
                "n_a_pooled_null_variance": rows.pooled, "n_a_unpooled": rows.unpooled,
                "n_a_arcsine_cohen_h": rows.arcsine,
            })
        }
        "mde" => {
            let outlook = Outlook {
                baseline: x("mean"),
                deviation: x("variance").sqrt(),
                split: 0.5,
                alpha: x("alpha"),
                power: x("power"),
            };
            let simple = outlook.detectable(2.0 * x("n_per_arm"));
            json!({
                "mde_absolute_simple": simple, "mde_relative_simple": simple.map(|mde| mde / x("mean").abs()),
                "mde_relative_growthbook_quadratic":
                    ab::detectable_improvement(x("mean"), x("variance"), x("n_per_arm"), x("alpha"), x("power")),
            })
        }
        _ => return None,
    })
}
