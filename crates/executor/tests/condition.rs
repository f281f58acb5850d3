//! Conditions: what is refused before it can do harm.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use realm_executor::{Condition, ConditionError};

fn refused(text: &str) -> ConditionError {
    text.parse::<Condition>().unwrap_err()
}

#[test]
fn deep_nesting_is_refused_and_overflows_no_stack() {
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("!(", ")"),
        ("-(", ")"),
        ("{'a':", "}"),
    ] {
        let depth = 1_000 / (open.len() + close.len());
        let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
        assert!(matches!(refused(&deep), ConditionError::Deep), "{open}");
    }
    for chain in ["!", "-"] {
        let deep = format!("{}true", chain.repeat(900));
        assert!(matches!(refused(&deep), ConditionError::Deep), "{chain}");
    }
    let quoted = r#"((((("))))) "+((((("))))) "+((((("))))) "+1)))))"#;
    assert!(matches!(refused(quoted), ConditionError::Deep));
    let chained = format!("input{}", ".a".repeat(400));
    assert!(matches!(refused(&chained), ConditionError::Deep));
    let sums = vec!["1"; 400].join("+");
    assert!(matches!(refused(&sums), ConditionError::Deep));
    let choices = format!("{}1", "true?1:".repeat(100));
    assert!(matches!(refused(&choices), ConditionError::Deep));
    "(((input.n))) > 1 && (input.a.b.c == 'x' || !(input.d))"
        .parse::<Condition>()
        .unwrap();
}

/// As much as is taken, on less stack than any thread has.
#[test]
fn what_is_taken_fits_a_small_stack() {
    let ones = ["1"; 40].join("+");
    let takes = [
        format!("(((((1))))) == 1 && {ones} > 1"),
        format!("!(!(!true)) && {ones} > 1"),
        format!("!!!!!true && {ones} > 1"),
        format!("true ? {ones} : false ? 1 : 2"),
        format!("input{}", ".a".repeat(60)),
        format!("[[[[[1]]]]] == input && {ones} > 1"),
    ];
    for text in takes {
        let small = std::thread::Builder::new().stack_size(1536 * 1024);
        let read = small.spawn(move || text.parse::<Condition>().map(drop));
        read.unwrap().join().unwrap().unwrap();
    }
}

#[test]
fn what_is_too_long_or_goes_over_lists_too_often_is_refused() {
    assert_eq!(refused(&"a".repeat(1_025)), ConditionError::Long);
    for text in [
        "input.l.all(a, input.l.all(b, a == b))",
        "input.l.map(a, a + a) == []",
        "input.l.all // (\n (a, a == 1)",
    ] {
        assert_eq!(refused(text), ConditionError::Macros, "{text}");
    }
    assert!(matches!(refused("input.n >"), ConditionError::Syntax(_)));
}
