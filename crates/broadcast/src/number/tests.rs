use serde_json::json;

use super::*;

#[test]
fn numbers_are_rounded_half_to_even_to_a_millionth() {
    let whole = |value: Value| Micros::read(&value).map(|micros| micros.0);
    for (value, micros) in [
        (json!(1), Some(1_000_000)),
        (json!(-1.5), Some(-1_500_000)),
        (json!(0.1), Some(100_000)),
        (json!(2.5e-7), Some(0)),
        (json!(7.5e-7), Some(1)),
        // Halves that a double holds exactly: 0.5^7 is 7,812.5 millionths.
        (json!(0.007_812_5), Some(7_812)),
        (json!(0.023_437_5), Some(23_438)),
        (json!(-0.007_812_5), Some(-7_812)),
        (json!(5e-324), Some(0)),
        (json!(9_007_199_254_740_991_u64), Some(MOST)),
        (json!(9_007_199_254_740_992_u64), None),
        (json!(1e300), None),
        (json!("1"), None),
    ] {
        assert_eq!(whole(value.clone()), micros, "{value}");
    }
    let mean =
        |values: &[i128]| super::mean(values.iter().map(|it| (Micros(*it), 1))).map(|it| it.0);
    assert_eq!(mean(&[1, 2]), Some(2));
    assert_eq!(mean(&[2, 3]), Some(2));
    assert_eq!(mean(&[-1, -2]), Some(-2));
    assert_eq!(mean(&[1, 1, 2]), Some(1));
    assert_eq!(Micros(-500_000).write(), Some(json!(-0.5)));
    assert_eq!(Micros(3_000_000).write(), Some(json!(3)));
}
