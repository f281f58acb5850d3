//! Orders of parts, told as `NAME: taken optional? > given` one a line.

use std::collections::BTreeSet;

use super::*;

/// Reads parts, and what is there from the beginning; `*` stands for anything.
fn read(input: &str, parts: &[&str]) -> (Given, Vec<Flow>) {
    let named = |text: &str| {
        text.split_whitespace()
            .map(str::to_owned)
            .collect::<BTreeSet<_>>()
    };
    let given = match input {
        "*" => Given::Open,
        names => Given::Named(named(names)),
    };
    let flows = parts.iter().map(|part| {
        let (takes, gives) = part.split_once('>').unwrap();
        let takes = takes.split_whitespace();
        Flow {
            takes: takes
                .map(|name| (name.trim_end_matches('?').to_owned(), !name.ends_with('?')))
                .collect(),
            gives: named(gives),
        }
    });
    (given, flows.collect())
}

/// The groups as `0 1 | 2`, with where members come from: `2.member=0`, or `2.member=in`.
fn told(order: Order, input: &str, parts: &[&str]) -> String {
    let (given, flows) = read(input, parts);
    match arrange(order, &given, &flows) {
        Ok(arranged) => {
            let group = |group: &Vec<usize>| {
                let names: Vec<String> = group.iter().map(usize::to_string).collect();
                names.join(" ")
            };
            let groups: Vec<String> = arranged.groups.iter().map(group).collect();
            let sources = arranged
                .sources
                .iter()
                .enumerate()
                .flat_map(|(part, found)| {
                    found.iter().map(move |(member, source)| match source {
                        Source::Input => format!("{part}.{member}=in"),
                        Source::Part(giver) => format!("{part}.{member}={giver}"),
                    })
                });
            let sources: Vec<String> = sources.collect();
            format!("{}; {}", groups.join(" | "), sources.join(" "))
        }
        Err(errors) => {
            let told = errors.iter().map(|error| match error {
                OrderError::Missing { part, member } => format!("{part} misses {member}"),
                OrderError::Later {
                    part,
                    member,
                    giver,
                } => {
                    format!("{part} runs before {giver} gives {member}")
                }
                OrderError::Beside {
                    part,
                    member,
                    giver,
                } => {
                    format!("{part} runs beside {giver}, which gives {member}")
                }
                OrderError::Circle(parts) => format!("circle of {parts:?}"),
            });
            told.collect::<Vec<_>>().join(", ")
        }
    }
}

#[test]
fn adaptive_parts_run_after_those_that_give_what_they_take() {
    for (input, parts, expected) in [
        (
            "text",
            &["text > mood", "text > topic"][..],
            "0 1; 0.text=in 1.text=in",
        ),
        // Written last, needed first.
        (
            "text",
            &["mood > reply", "text > mood"],
            "1 | 0; 0.mood=1 1.text=in",
        ),
        (
            "text",
            &[
                "mood topic > reply",
                "text > mood",
                "text > topic",
                "reply > sent",
            ],
            "1 2 | 0 | 3; 0.mood=1 0.topic=2 1.text=in 2.text=in 3.reply=0",
        ),
        // What the input has is taken from there.
        (
            "text",
            &["text > text", "text > mood"],
            "0 1; 0.text=in 1.text=in",
        ),
        // The first of two that give it.
        (
            "a",
            &["a > x", "a > x", "x > y"],
            "0 1 | 2; 0.a=in 1.a=in 2.x=0",
        ),
        // What it could do without is waited for, and does without where nobody gives it.
        ("a", &["a b? c? > y", "a > b"], "1 | 0; 0.a=in 0.b=1 1.a=in"),
        // But not in a circle.
        ("a", &["a y? > x", "x > y"], "0 | 1; 0.a=in 1.x=0"),
        ("*", &["a y? > x", "x > y"], "0 | 1; 0.a=in 0.y=in 1.x=0"),
        // A part does not give what it takes.
        ("a", &["x > x"], "0 misses x"),
        ("a", &["x > y", "y > x", "a > z"], "circle of [0, 1]"),
        ("a", &["x > y", "y > x", "y > z"], "circle of [0, 1]"),
        ("a", &["b > x", "c > y"], "0 misses b, 1 misses c"),
        ("", &[], "; "),
    ] {
        assert_eq!(told(Order::Adaptive, input, parts), expected, "{parts:?}");
    }
}

#[test]
fn sequential_parts_take_what_was_given_last_before_them() {
    for (input, parts, expected) in [
        ("a", &["a > x", "x > y"][..], "0 | 1; 0.a=in 1.x=0"),
        (
            "text",
            &["text > text", "text > text", "text >"],
            "0 | 1 | 2; 0.text=in 1.text=0 2.text=1",
        ),
        ("a", &["x > y", "a > x"], "0 runs before 1 gives x"),
        ("a", &["x? > y", "a > x"], "0 | 1; 1.a=in"),
        ("a", &["z > y", "a > x"], "0 misses z"),
        ("*", &["z > y", "a > x"], "0 | 1; 0.z=in 1.a=in"),
    ] {
        assert_eq!(told(Order::Sequential, input, parts), expected, "{parts:?}");
    }
}

#[test]
fn parallel_parts_take_nothing_of_each_other() {
    for (input, parts, expected) in [
        ("a b", &["a > x", "b > y"][..], "0 1; 0.a=in 1.b=in"),
        ("a", &["a > x", "x > y"], "1 runs beside 0, which gives x"),
        ("a", &["a > x", "x? > y"], "0 1; 0.a=in"),
        ("a", &["a > x", "q > y"], "1 misses q"),
    ] {
        assert_eq!(told(Order::Parallel, input, parts), expected, "{parts:?}");
    }
}
