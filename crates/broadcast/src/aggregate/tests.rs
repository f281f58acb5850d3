use realm_protocol::FailureCode::{LoopFailed, Timeout};

use super::*;

fn rule(strategy: Strategy) -> Aggregation {
    Aggregation {
        strategy,
        waiting: Waiting::All,
        quorum: Some(600_000),
        threshold: Some(660_000),
        min_results: 1,
        confidence: None,
        field: Vec::new(),
    }
}

fn at(strategy: Strategy, field: &str) -> Aggregation {
    Aggregation {
        field: field.split('.').map(str::to_owned).collect(),
        ..rule(strategy)
    }
}

fn contribution(slot: usize, said: Said) -> Contribution {
    let number = u8::try_from(slot).unwrap();
    Contribution {
        slot: slot as u64,
        bidder: RealmId::new([number; 32]),
        bid: Digest::new([number; 32]),
        outcome: Some(Digest::new([number; 32])),
        said,
    }
}

/// Outputs by slot; the later slot arrived earlier and is surer.
fn results(outputs: &[Value]) -> Vec<Contribution> {
    let said = |slot: usize, output: &Value| Said::Output {
        output: output.clone().into(),
        confidence: 100_000 * (slot as u64 + 1),
        arrival: 100 - slot as u64,
    };
    let results = outputs.iter().enumerate();
    results
        .map(|(slot, output)| match output.as_str() {
            Some("failed") => contribution(slot, Said::Failed(LoopFailed)),
            Some("late") => contribution(slot, Said::Failed(Timeout)),
            _ => contribution(slot, said(slot, output)),
        })
        .collect()
}

/// The output, and by slot `+` for who contributed, `-` for who dissented, `!` for who does not
/// count.
fn made(rule: &Aggregation, outputs: &[Value]) -> (Value, String) {
    let made = aggregate(rule, &results(outputs)).unwrap();
    let parts = made.citations.iter().map(|citation| match citation.part {
        Part::Contributed => '+',
        Part::Dissented => '-',
        _ => '!',
    });
    (made.output, parts.collect())
}

#[test]
fn each_strategy_makes_one_output_and_cites_everybody() {
    let risk = |risk: &str, score: f64| json!({"risk": risk, "score": score});
    let outputs = [
        risk("low", 1.0),
        risk("high", 0.25),
        risk("low", 0.5),
        json!("failed"),
    ];
    for (rule, output, parts) in [
        (rule(Strategy::Select), risk("low", 1.0), "+--!"),
        (at(Strategy::Select, "risk"), risk("low", 1.0), "+-+!"),
        (rule(Strategy::FirstValid), risk("low", 0.5), "--+!"),
        (rule(Strategy::HighestConfidence), risk("low", 0.5), "--+!"),
        (at(Strategy::Vote, "risk"), risk("low", 1.0), "+-+!"),
        (at(Strategy::Consensus, "risk"), risk("low", 1.0), "+-+!"),
        (
            at(Strategy::Average, "score"),
            risk("low", 0.583_333),
            "+++!",
        ),
        // (1 × 0.1 + 0.25 × 0.2 + 0.5 × 0.3) / 0.6
        (
            at(Strategy::WeightedAverage, "score"),
            risk("low", 0.5),
            "+++!",
        ),
        (at(Strategy::Sum, "score"), risk("low", 1.75), "+++!"),
        (
            at(Strategy::Rank, "score"),
            json!([risk("low", 1.0), risk("low", 0.5), risk("high", 0.25)]),
            "+++!",
        ),
        (
            rule(Strategy::CollectAll),
            json!([risk("low", 1.0), risk("high", 0.25), risk("low", 0.5)]),
            "+++!",
        ),
    ] {
        let made = made(&rule, &outputs);
        assert_eq!(made, (output, parts.to_owned()), "{:?}", rule.strategy);
    }
}

#[test]
fn merging_adds_members_joins_lists_and_lets_the_better_rank_win() {
    let outputs = [
        json!({"name": "a", "findings": [1, 2], "by": {"heart": "ok"}}),
        json!({"findings": [2.0, 3], "by": {"lung": "ok"}}),
        json!({"name": "b", "extra": null}),
    ];
    let expected = json!({
        "name": "a", "findings": [1, 2, 3], "by": {"heart": "ok", "lung": "ok"}, "extra": null,
    });

    assert_eq!(
        made(&rule(Strategy::Merge), &outputs),
        (expected, "++-".to_owned())
    );
}

#[test]
fn consensus_is_a_share_of_the_results_and_a_quorum_one_of_all_winners() {
    let outputs = [json!(1), json!(1), json!(2), json!("late"), json!("failed")];

    // Two of three agree, and two of five.
    let consensus = made(&rule(Strategy::Consensus), &outputs);
    let quorum = aggregate(&rule(Strategy::Quorum), &results(&outputs));

    assert_eq!(consensus, (json!(1), "++-!!".to_owned()));
    let (agree, of, share) = (2, 5, 600_000);
    assert_eq!(quorum, Err(AggregateError::NoQuorum { agree, of, share }));
}

#[test]
fn two_equally_large_groups_are_no_consensus_and_the_better_ranked_wins_a_vote() {
    let outputs = [json!("b"), json!("a"), json!("a"), json!("b")];
    let half = Aggregation {
        threshold: Some(500_000),
        ..rule(Strategy::Consensus)
    };

    let consensus = aggregate(&half, &results(&outputs));

    let (agree, of, share) = (2, 4, 500_000);
    assert_eq!(
        consensus,
        Err(AggregateError::NoConsensus { agree, of, share })
    );
    assert_eq!(
        made(&rule(Strategy::Vote), &outputs),
        (json!("b"), "+--+".to_owned())
    );
}

#[test]
fn values_agree_as_json_does_and_not_as_they_are_written() {
    let alike = [
        json!({"a": 1, "b": [0.5, null]}),
        json!({"b": [5e-1, null], "a": 1.0}),
    ];
    let unlike = [json!({"a": [1, 2]}), json!({"a": [2, 1]})];

    assert_eq!(made(&rule(Strategy::Vote), &alike).1, "++");
    assert_eq!(made(&rule(Strategy::Vote), &unlike).1, "+-");
}

#[test]
fn a_result_that_cannot_be_compared_or_counted_does_not_count_and_is_cited() {
    let outputs = [
        json!({"n": "x"}),
        json!({}),
        json!({"n": 4}),
        json!({"n": 2}),
    ];

    let made = aggregate(&at(Strategy::Average, "n"), &results(&outputs)).unwrap();

    let parts: Vec<Part> = made.citations.iter().map(|it| it.part).collect();
    let expected = [
        Part::NotNumeric,
        Part::NoValue,
        Part::Contributed,
        Part::Contributed,
    ];
    assert_eq!(parts, expected);
    assert_eq!(made.output, json!({"n": 3}));
}

#[test]
fn what_leaves_too_few_results_is_said_by_name() {
    let two = |strategy, field: &str| Aggregation {
        min_results: 2,
        ..at(strategy, field)
    };
    let plain = Aggregation {
        min_results: 2,
        ..rule(Strategy::Merge)
    };
    for (rule, outputs, expected) in [
        (
            two(Strategy::Average, "n"),
            [json!({"n": 1}), json!({"n": true})],
            AggregateError::NotNumeric { slot: 1 },
        ),
        (
            two(Strategy::Vote, "n"),
            [json!({"m": 1}), json!({"n": true})],
            AggregateError::NoValue { slot: 0 },
        ),
        (
            plain.clone(),
            [json!({}), json!([])],
            AggregateError::NotAnObject { slot: 1 },
        ),
        (
            plain,
            [json!({}), json!("failed")],
            AggregateError::TooFewResults { have: 1, need: 2 },
        ),
    ] {
        assert_eq!(aggregate(&rule, &results(&outputs)), Err(expected));
    }
}

#[test]
fn an_unsure_result_does_not_count() {
    let sure = Aggregation {
        confidence: Some(200_000),
        ..rule(Strategy::Select)
    };

    let made = aggregate(&sure, &results(&[json!(1), json!(2)])).unwrap();

    assert_eq!(made.output, json!(2));
    assert_eq!(made.citations[0].part, Part::Unsure);
}

#[test]
fn sums_past_what_json_keeps_and_weights_of_nothing_are_refused() {
    let most = json!(9_007_199_254_740_991_u64);
    let large = results(&[most.clone(), most.clone()]);
    let mut weightless = results(&[json!(1)]);
    weightless[0].said = Said::Output {
        output: json!(1).into(),
        confidence: 0,
        arrival: 0,
    };

    let sum = aggregate(&rule(Strategy::Sum), &large);
    let mean = aggregate(&rule(Strategy::Average), &large).unwrap();
    let weighted = aggregate(&rule(Strategy::WeightedAverage), &weightless);

    assert_eq!(sum, Err(AggregateError::TooLarge));
    assert_eq!(mean.output, most);
    assert_eq!(weighted, Err(AggregateError::NoWeight));
}

#[test]
fn no_more_results_are_waited_for_than_the_rule_asks_for() {
    let waiting = |waiting, min_results| Aggregation {
        waiting,
        min_results,
        ..rule(Strategy::CollectAll)
    };
    for (rule, winners, enough) in [
        (waiting(Waiting::Any, 0), 5, 1),
        (waiting(Waiting::Any, 2), 5, 2),
        (waiting(Waiting::Majority, 0), 5, 3),
        (waiting(Waiting::Majority, 0), 4, 3),
        (waiting(Waiting::Quorum, 0), 5, 3),
        (waiting(Waiting::Quorum, 0), 4, 3),
        (waiting(Waiting::All, 0), 4, 4),
    ] {
        let outputs = vec![json!(1); enough];
        assert!(is_enough(&rule, &results(&outputs), winners), "{rule:?}");
        assert!(
            !is_enough(&rule, &results(&outputs[1..]), winners),
            "{rule:?}"
        );
    }
}

#[test]
fn fewer_results_than_the_majority_or_quorum_waited_for_are_too_few() {
    let outputs = |gave: usize| {
        let mut outputs = vec![json!(1); gave];
        outputs.resize(5, json!("failed"));
        results(&outputs)
    };
    for (waiting, need) in [
        (Waiting::Any, 1),
        (Waiting::All, 1),
        (Waiting::Majority, 3),
        (Waiting::Quorum, 3),
    ] {
        let rule = Aggregation {
            waiting,
            ..rule(Strategy::Vote)
        };
        let too_few = aggregate(&rule, &outputs(need - 1));
        let (have, asked) = (need as u64 - 1, need as u64);
        assert_eq!(
            too_few.unwrap_err(),
            AggregateError::TooFewResults { have, need: asked }
        );
        assert_eq!(aggregate(&rule, &outputs(need)).unwrap().output, json!(1));
    }
}

#[test]
fn a_loop_that_aggregates_is_given_who_said_what_and_how_surely() {
    let made = aggregate(
        &rule(Strategy::Loop),
        &results(&[json!("failed"), json!("x")]),
    )
    .unwrap();

    let expected = json!([{"slot": 1, "confidence": 0.2, "output": "x"}]);
    assert_eq!(made.output, expected);
}
