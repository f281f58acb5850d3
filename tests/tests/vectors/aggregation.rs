//! Results made one.

use realm_broadcast::{Contribution, Part, Said, aggregate, is_enough};
use realm_protocol::{
    Digest, FailureCode, RealmId,
    broadcast::{Aggregation, Strategy, Waiting},
};
use serde_json::{Value, json};

use super::book::{Book, Case, Subject};

pub(super) const SUBJECT: Subject = Subject {
    name: "aggregation",
    make,
    judge,
};

fn judge(case: &Case) -> Result<(), String> {
    let (rule, results) = (rule(case), results(case));
    if case.has("enough") {
        let enough = is_enough(&rule, &results, case.number("slots"));
        assert_eq!(&Value::from(enough), case.value("enough"));
        return Ok(());
    }
    let made = aggregate(&rule, &results).map_err(|error| error.to_string())?;
    assert_eq!(made.output.to_string(), case.value("output").to_string());
    let parts = made.citations.iter().map(|citation| part(citation.part));
    assert_eq!(&Value::from_iter(parts), case.value("parts"));
    Ok(())
}

fn part(part: Part) -> &'static str {
    match part {
        Part::Contributed => "contributed",
        Part::Dissented => "dissented",
        Part::Failed => "failed",
        Part::Unsure => "unsure",
        Part::NoValue => "no value",
        Part::NotNumeric => "not numeric",
        Part::NotAnObject => "no object",
    }
}

fn rule(case: &Case) -> Aggregation {
    let strategy = case.text("strategy").replace(' ', "");
    let named = |it: &&Strategy| it.name().eq_ignore_ascii_case(&strategy);
    let waiting = case.text("waiting");
    let waits = |it: &&Waiting| it.name().eq_ignore_ascii_case(waiting);
    let share = |key: &str| case.has(key).then(|| case.number(key));
    let field = case.list("field").iter();
    Aggregation {
        strategy: *Strategy::ALL.iter().find(named).unwrap(),
        waiting: *Waiting::ALL.iter().find(waits).unwrap(),
        quorum: share("quorum"),
        threshold: share("threshold"),
        min_results: case.number("min_results"),
        confidence: share("confidence"),
        field: field
            .map(|name| name.as_str().unwrap().to_owned())
            .collect(),
    }
}

fn results(case: &Case) -> Vec<Contribution> {
    let results = (0_u64..).zip(case.list("results"));
    results
        .map(|(slot, result)| {
            let digest = Digest::of(&[&slot.to_be_bytes()]);
            let said = match result.as_array().map(Vec::as_slice) {
                Some([output, confidence, arrival]) => Said::Output {
                    output: output.clone().into(),
                    confidence: confidence.as_u64().unwrap(),
                    arrival: arrival.as_u64().unwrap(),
                },
                _ => Said::Failed(FailureCode::LoopFailed),
            };
            Contribution {
                slot,
                bidder: RealmId::new([1; 32]),
                bid: digest,
                outcome: Some(digest),
                said,
            }
        })
        .collect()
}

fn question(strategy: &str, field: &[&str], outputs: &[Value]) -> Value {
    let last = outputs.len();
    let results = outputs
        .iter()
        .enumerate()
        .map(|(slot, output)| match output.as_str() {
            Some("failed") => Value::Null,
            _ => json!([output, 100_000 * (slot + 1), last - slot]),
        });
    json!({
        "strategy": strategy, "waiting": "all", "quorum": 600_000, "threshold": 660_000,
        "min_results": 1, "field": field, "results": Value::from_iter(results),
    })
}

fn answered(mut fields: Value) -> Value {
    let case = Case(fields.as_object().unwrap().clone());
    let made = aggregate(&rule(&case), &results(&case)).unwrap();
    fields["output"] = made.output;
    let parts = made.citations.iter().map(|citation| part(citation.part));
    fields["parts"] = Value::from_iter(parts);
    fields
}

fn make(book: &mut Book) {
    book.about(
        "Results by slot, from 0: null for none, otherwise output, confidence and the how-manieth \
         it was to arrive. With the rule, by the names in the specification, they make `output`, \
         and each slot's `parts` in it; or whether they are `enough` of so many `slots` to wait for \
         nobody else.",
    );
    strategies(book);
    merges(book);
    numbers(book);
    agreements(book);
    waits(book);
}

fn strategies(book: &mut Book) {
    let risk = |risk: &str, score: f64| json!({"risk": risk, "score": score});
    let outputs = [
        risk("low", 1.0),
        risk("high", 0.25),
        risk("low", 0.5),
        json!("failed"),
    ];
    for (strategy, field, rules) in [
        ("merge", &[][..], "AGG-1 AGG-10"),
        ("select", &[], "AGG-4"),
        ("select", &["risk"], "AGG-3 AGG-4"),
        ("first valid", &[], "AGG-4"),
        ("first valid", &["risk"], "AGG-4"),
        ("highest confidence", &["risk"], "AGG-4"),
        ("vote", &["risk"], "AGG-5"),
        ("consensus", &["risk"], "AGG-5 AGG-6"),
        ("average", &["score"], "AGG-7 AGG-8"),
        ("weighted average", &["score"], "AGG-7 AGG-8"),
        ("sum", &["score"], "AGG-7 AGG-8"),
        ("rank", &["score"], "AGG-9"),
        ("collect all", &[], "AGG-9"),
        ("loop", &[], "AGG-9"),
    ] {
        let of = if field.is_empty() {
            ""
        } else {
            " of one member"
        };
        let fields = question(strategy, field, &outputs);
        book.valid(&format!("{strategy}{of}"), rules, answered(fields));
    }
    let mut unsure = question("select", &[], &outputs);
    unsure["confidence"] = 200_000.into();
    book.valid("select of the sure", "AGG-1 AGG-4", answered(unsure));
    let mut few = question("collect all", &[], &outputs);
    few["min_results"] = 4.into();
    book.invalid("three results of four", "AGG-2", few);
    let half = [json!("failed"), json!(1), json!("failed"), json!(1)];
    for waiting in ["majority", "quorum"] {
        let mut fields = question("vote", &[], &half);
        fields["waiting"] = waiting.into();
        let name = format!("two results of four that wait for a {waiting}");
        book.invalid(&name, "AGG-2 AGG-11", fields.clone());
        fields["results"][0] = fields["results"][1].clone();
        let name = format!("three results of four that wait for a {waiting}");
        book.valid(&name, "AGG-2 AGG-11", answered(fields));
    }
    let none = question("collect all", &[], &[json!("failed")]);
    book.invalid("no results", "AGG-2", none);
}

fn merges(book: &mut Book) {
    for (name, outputs) in [
        (
            "merge of members, lists and objects",
            vec![
                json!({"name": "a", "findings": [1, 2], "by": {"heart": "ok"}}),
                json!({"findings": [2.0, 3, 3], "by": {"lung": "ok"}}),
                json!({"name": "b", "extra": null}),
            ],
        ),
        (
            "merge of members of different types",
            vec![json!({"a": [1]}), json!({"a": {"b": 1}}), json!({"a": [2]})],
        ),
    ] {
        book.valid(name, "AGG-10", answered(question("merge", &[], &outputs)));
    }
    let lists = [json!([1]), json!("failed")];
    book.invalid(
        "merge of a list",
        "AGG-1 AGG-2",
        question("merge", &[], &lists),
    );
}

fn numbers(book: &mut Book) {
    for (name, strategy, outputs) in [
        ("thirds", "average", vec![json!(1), json!(0), json!(0)]),
        ("two thirds", "average", vec![json!(1), json!(1), json!(0)]),
        (
            "a half of a millionth down",
            "average",
            vec![json!(0.000_002), json!(0.000_003)],
        ),
        (
            "a half of a millionth up",
            "average",
            vec![json!(0.000_001), json!(0.000_002)],
        ),
        (
            "a half of a millionth below zero",
            "average",
            vec![json!(-0.000_001), json!(-0.000_002)],
        ),
        ("a double's half, to even", "sum", vec![json!(0.007_812_5)]),
        (
            "a double's half, to even from odd",
            "sum",
            vec![json!(0.023_437_5)],
        ),
        ("tenths", "sum", vec![json!(0.1), json!(0.2)]),
        (
            "an integer of fractions",
            "sum",
            vec![json!(0.5), json!(1.5)],
        ),
        ("the smallest double", "sum", vec![json!(5e-324)]),
        (
            "the largest integer",
            "average",
            vec![json!(9_007_199_254_740_991_u64); 2],
        ),
        (
            "weights",
            "weighted average",
            vec![json!(1), json!(2), json!(-3.5)],
        ),
        (
            "numbers and others",
            "average",
            vec![json!(1), json!("1"), json!(2), json!(1e300)],
        ),
    ] {
        let rules = if name.starts_with("numbers") {
            "AGG-1 AGG-7"
        } else {
            "AGG-7"
        };
        let name = format!("{strategy}: {name}");
        book.valid(&name, rules, answered(question(strategy, &[], &outputs)));
    }
    let ranked = [
        json!({"n": 1}),
        json!({"n": 2.0}),
        json!({"n": 2}),
        json!({"n": -1}),
    ];
    book.valid(
        "rank: ties by slot",
        "AGG-9",
        answered(question("rank", &["n"], &ranked)),
    );
    let deep = [json!({"a": {"n": 1}, "b": 1}), json!({"a": {"n": 2}})];
    let fields = answered(question("average", &["a", "n"], &deep));
    book.valid("average: two members deep", "AGG-1 AGG-8", fields);
    let large = [json!(9_007_199_254_740_991_u64), json!(0.000_001)];
    book.invalid(
        "sum: past the largest integer",
        "AGG-8",
        question("sum", &[], &large),
    );
    let text = [json!("1"), json!("failed")];
    book.invalid(
        "average: of a text",
        "AGG-1 AGG-2",
        question("average", &[], &text),
    );
    let missing = [json!({"m": 1})];
    book.invalid(
        "average: of nothing",
        "AGG-1 AGG-2",
        question("average", &["n"], &missing),
    );
    let mut weightless = question("weighted average", &[], &[json!(1)]);
    weightless["results"][0][1] = 0.into();
    book.invalid("weighted average: without weights", "AGG-8", weightless);
}

fn agreements(book: &mut Book) {
    let two_of_five = [
        json!(1),
        json!(1),
        json!(2),
        json!("failed"),
        json!("failed"),
    ];
    let three_of_five = [json!(2), json!(1), json!(1), json!(1), json!("failed")];
    let tie = [json!("b"), json!("a"), json!("a"), json!("b")];
    let alike = [
        json!({"a": 1, "b": [0.5, null]}),
        json!({"b": [5e-1, null], "a": 1.0}),
        json!({"a": 1, "b": [null, 0.5]}),
    ];
    let consensus = answered(question("consensus", &[], &two_of_five));
    book.valid("consensus of two of three", "AGG-5 AGG-6", consensus);
    let quorum = answered(question("quorum", &[], &three_of_five));
    book.valid("quorum of three of five", "AGG-5 AGG-6", quorum);
    book.valid(
        "vote with a tie",
        "AGG-5",
        answered(question("vote", &[], &tie)),
    );
    book.valid(
        "vote of the same",
        "AGG-3 AGG-5",
        answered(question("vote", &[], &alike)),
    );
    book.invalid(
        "quorum of two of five",
        "AGG-5",
        question("quorum", &[], &two_of_five),
    );
    let mut half = question("consensus", &[], &tie);
    half["threshold"] = 500_000.into();
    book.invalid("consensus with a tie", "AGG-5", half);
    let liars = [json!(1), json!(2), json!(1)];
    let mut whole = question("consensus", &[], &liars);
    whole["threshold"] = 666_667.into();
    book.invalid("consensus of a millionth too few", "AGG-5 AGG-6", whole);
}

fn waits(book: &mut Book) {
    for (waiting, slots, min_results, have, enough) in [
        ("any", 5, 0, 1, true),
        ("any", 5, 2, 1, false),
        ("majority", 5, 0, 3, true),
        ("majority", 4, 0, 2, false),
        ("quorum", 5, 0, 3, true),
        ("quorum", 4, 0, 2, false),
        ("all", 4, 0, 3, false),
        ("all", 4, 0, 4, true),
    ] {
        let mut fields = question("collect all", &[], &vec![json!(1); have]);
        fields["waiting"] = waiting.into();
        fields["min_results"] = min_results.into();
        fields["slots"] = slots.into();
        fields["enough"] = enough.into();
        let name = format!("waiting for {waiting}: {have} of {slots}, at least {min_results}");
        book.valid(&name, "AGG-6 AGG-11", fields);
    }
}
