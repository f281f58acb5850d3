use super::*;

fn eur(micros: u64) -> Amount {
    amount("EUR", micros)
}

fn amount(currency: &str, micros: u64) -> Amount {
    Amount {
        currency: currency.parse().unwrap(),
        micros,
    }
}

fn spent(money: &[Amount], tokens: u64, calls: u64) -> Spend {
    Spend {
        money: money.to_vec(),
        tokens,
        calls,
        unpriced: 0,
    }
}

#[test]
fn amounts_are_read_with_the_currency_on_either_side_and_written_one_way() {
    for text in ["EUR 0.50", "0.50EUR", "0.5 EUR", "EUR0.500000"] {
        let read: Amount = text.parse().unwrap();
        assert_eq!(read.to_string(), "EUR 0.50", "{text}");
    }
    for wrong in [
        "",
        "0.5",
        "EUR",
        "eur 1",
        "EUR 0.1234567",
        "EUR -1",
        "EUR 1e3",
        "EURO 1",
    ] {
        assert_eq!(wrong.parse::<Amount>(), Err(NotAnAmount), "{wrong}");
    }
    assert_eq!(
        "EUR 18446744073709.551616".parse::<Amount>(),
        Err(NotAnAmount)
    );
}

#[test]
fn of_two_budgets_each_member_has_the_narrower_bound_and_currencies_never_mix() {
    let one = Budget {
        money: Some(eur(5)),
        tokens: None,
        calls: Some(3),
    };
    let two = Budget {
        money: Some(eur(7)),
        tokens: Some(9),
        calls: None,
    };

    let both = one.narrowed(two);
    let mixed = one.narrowed(Budget {
        money: Some(amount("USD", 4)),
        ..two
    });

    assert_eq!(
        (both.money, both.tokens, both.calls),
        (Some(eur(5)), Some(9), Some(3))
    );
    assert_eq!(mixed.money, Some(eur(0)));
}

#[test]
fn a_budget_refuses_what_does_not_suffice_and_says_what_that_is() {
    let budget = Budget {
        money: Some(eur(10)),
        tokens: Some(100),
        calls: Some(1),
    };
    let left = budget.less(&spent(&[eur(4)], 90, 0));

    assert_eq!(left.check(&spent(&[eur(6)], 10, 1)), Ok(()));
    let (wanted, rest) = (7, eur(6));
    assert_eq!(
        left.check(&spent(&[eur(7)], 1, 1)),
        Err(Excess::Money { wanted, left: rest })
    );
    let (wanted, rest) = (11, 10);
    assert_eq!(
        left.check(&spent(&[], 11, 1)),
        Err(Excess::Tokens { wanted, left: rest })
    );
    assert_eq!(left.check(&spent(&[], 1, 2)), Err(Excess::Calls));
    let (wanted, given) = (amount("USD", 1), eur(0).currency);
    assert_eq!(
        left.check(&spent(&[wanted], 1, 1)),
        Err(Excess::Currency { wanted, given })
    );
    let unpriced = Spend {
        unpriced: 1,
        ..Spend::one_call()
    };
    assert_eq!(left.check(&unpriced), Err(Excess::Unpriced));
    assert_eq!(Budget::default().check(&unpriced), Ok(()));
}

#[test]
fn a_claim_counts_for_at_most_what_was_given() {
    let given = Budget {
        money: Some(eur(10)),
        tokens: Some(100),
        calls: None,
    };

    let modest = given.clamped(&spent(&[eur(3)], 20, 5));
    let greedy = given.clamped(&spent(&[eur(30)], 2_000, 5));
    let foreign = given.clamped(&spent(&[amount("USD", 1)], 1, 5));
    let unpriced = given.clamped(&Spend {
        unpriced: 2,
        ..Spend::one_call()
    });

    assert_eq!(modest, spent(&[eur(3)], 20, 5));
    assert_eq!(greedy, spent(&[eur(10)], 100, 5));
    assert_eq!(foreign, spent(&[eur(10)], 1, 5));
    assert_eq!(unpriced, spent(&[eur(10)], 0, 1));
}

#[test]
fn what_was_spent_adds_up_by_currency_in_order_and_comes_apart_again() {
    let mut sum = Spend::default();

    sum.add(&spent(&[amount("USD", 2)], 5, 1));
    sum.add(&spent(&[eur(1), amount("USD", 3)], 5, 1));

    assert_eq!(sum, spent(&[eur(1), amount("USD", 5)], 10, 2));
    assert!(sum.is_well_formed());
    sum.subtract(&spent(&[eur(1), amount("USD", 5)], 10, 2));
    assert!(sum.is_nothing());
}

#[test]
fn a_spend_out_of_order_is_not_well_formed() {
    for money in [
        vec![amount("USD", 1), eur(1)],
        vec![eur(1), eur(1)],
        vec![eur(0)],
    ] {
        assert!(!spent(&money, 0, 0).is_well_formed(), "{money:?}");
    }
}

#[test]
fn shares_of_a_budget_never_come_to_more_than_it() {
    let budget = Budget {
        money: Some(eur(10)),
        tokens: Some(7),
        calls: Some(2),
    };
    let mut used = Spend::default();

    for of in [3, 2, 1] {
        used.add(&budget.less(&used).share(of).whole());
    }

    assert_eq!(used, budget.whole());
}
