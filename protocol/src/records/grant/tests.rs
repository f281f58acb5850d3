use super::*;
use crate::budget::Amount;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn realm(number: u8) -> RealmId {
    RealmId::new([number; 32])
}

fn patterns(texts: &[&str]) -> Vec<LoopPattern> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn first() -> Grant {
    Grant {
        id: GrantId::at(NOW, [1; 10]),
        issuer: realm(1),
        node: NodeId::new([11; 32]),
        holder: realm(2),
        loops: patterns(&["billing/*", "review"]),
        uses: Some(10),
        budget: Some(Budget {
            money: Some("EUR 1.00".parse::<Amount>().unwrap()),
            ..Budget::default()
        }),
        not_before: NOW,
        not_after: NOW.plus(1_000),
        from: None,
        agent: None,
        run: None,
    }
}

fn digest() -> Digest {
    Digest::of(&[b"first"])
}

/// Hands on exactly what the first gives.
fn second() -> Grant {
    Grant {
        id: GrantId::at(NOW, [2; 10]),
        issuer: realm(2),
        node: NodeId::new([12; 32]),
        holder: realm(3),
        from: Some(digest()),
        ..first()
    }
}

fn loop_id(text: &str) -> LoopId {
    text.parse().unwrap()
}

#[test]
fn a_pattern_is_a_loop_or_the_beginning_of_loops() {
    let pattern = |text: &str| text.parse::<LoopPattern>().unwrap();

    assert!(pattern("review").takes(&loop_id("review")));
    assert!(!pattern("review").takes(&loop_id("review-all")));
    assert!(pattern("billing/*").takes(&loop_id("billing/read")));
    assert!(!pattern("billing/*").takes(&loop_id("billing")));
    assert!(pattern("*").takes(&loop_id("anything")));
    assert!(pattern("bill*").covers(&pattern("billing/*")));
    assert!(pattern("bill*").covers(&pattern("billing")));
    assert!(!pattern("billing").covers(&pattern("billing*")));
    assert!(!pattern("billing/*").covers(&pattern("bill*")));
    for wrong in ["", "a*b", "**", "no spaces", "*a"] {
        assert!(wrong.parse::<LoopPattern>().is_err(), "{wrong}");
    }
}

#[test]
fn what_is_handed_on_unchanged_is_no_more() {
    assert_eq!(second().narrows(&first(), &digest()), Ok(()));
}

#[test]
fn nothing_of_a_grant_can_be_made_more() {
    let widened = |change: fn(&mut Grant)| {
        let mut grant = second();
        change(&mut grant);
        grant.narrows(&first(), &digest())
    };
    let euros = |text: &str| Budget {
        money: Some(text.parse().unwrap()),
        ..Budget::default()
    };

    assert_eq!(widened(|it| it.from = None), Err(Widened::From));
    assert_eq!(
        widened(|it| it.from = Some(Digest::of(&[b"another"]))),
        Err(Widened::From)
    );
    assert_eq!(widened(|it| it.issuer = realm(3)), Err(Widened::Issuer));
    assert_eq!(
        widened(|it| it.loops = patterns(&["review", "bill*"])),
        Err(Widened::Loops)
    );
    assert_eq!(widened(|it| it.uses = Some(11)), Err(Widened::Uses));
    assert_eq!(widened(|it| it.uses = None), Err(Widened::Uses));
    assert_eq!(widened(|it| it.budget = None), Err(Widened::Budget));
    let mut grant = second();
    for more in ["EUR 1.01", "USD 0.01"] {
        grant.budget = Some(euros(more));
        assert_eq!(grant.narrows(&first(), &digest()), Err(Widened::Budget));
    }
    assert_eq!(
        widened(|it| it.not_before = Timestamp::from_millis(0)),
        Err(Widened::Time)
    );
    assert_eq!(
        widened(|it| it.not_after = NOW.plus(1_001)),
        Err(Widened::Time)
    );
}

#[test]
fn what_one_agent_or_one_run_may_use_is_handed_on_to_nobody_else() {
    let mut bound = first();
    bound.agent = Some(loop_id("triage"));
    let mut grant = second();

    assert_eq!(grant.narrows(&bound, &digest()), Err(Widened::Agent));
    grant.agent = bound.agent.clone();
    assert_eq!(grant.narrows(&bound, &digest()), Err(Widened::Agent));
    grant.holder = bound.holder;
    assert_eq!(grant.narrows(&bound, &digest()), Ok(()));
    grant.run = Some(RunId::at(NOW, [7; 10]));
    assert_eq!(grant.narrows(&bound, &digest()), Ok(()));

    bound.run = Some(RunId::at(NOW, [8; 10]));
    assert_eq!(grant.narrows(&bound, &digest()), Err(Widened::Agent));
}
