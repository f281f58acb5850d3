//! What is evaluated: the cases, and the loops with their backends.

use serde::Deserialize;
use serde_json::Value;

use crate::{cli::EvalArgs, failure::Failure};

/// One case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    #[serde(default)]
    pub(super) name: Option<String>,
    pub(super) input: Value,
    #[serde(default)]
    pub(super) expect: Option<Value>,
}

/// A loop as it is evaluated.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    /// As it was given.
    pub(super) name: String,
    pub(super) address: String,
    pub(super) version: Option<String>,
    /// Whom its prompts ask, where that is another backend than they name.
    pub(super) backend: Option<String>,
}

/// The cases: a list, or one a line.
pub(super) fn read(text: &str) -> Result<Vec<Case>, Failure> {
    let wrong = |error| Failure::Json("the cases".to_owned(), error);
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text).map_err(wrong);
    }
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let cases = lines.map(|line| serde_json::from_str(line).map_err(wrong));
    cases.collect()
}

/// Every loop with every backend; with its own, where none is named.
pub(super) fn subjects(args: &EvalArgs) -> Vec<Subject> {
    let loops = args.loops.iter().map(|name| subject(name));
    if args.backends.is_empty() {
        return loops.collect();
    }
    let with = |subject: Subject| {
        let backends = args.backends.iter().cloned();
        backends.map(move |backend| Subject {
            backend: Some(backend),
            ..subject.clone()
        })
    };
    loops.flat_map(with).collect()
}

/// `loop@realm:version`, of which realm and version may be left out. A loop's id may have colons of its own.
pub(super) fn subject(name: &str) -> Subject {
    let named = name.rsplit_once(':').filter(|(_, end)| is_version(end));
    let (address, version) = match named {
        Some((address, version)) => (address, Some(version.to_owned())),
        None => (name, None),
    };
    Subject {
        name: name.to_owned(),
        address: address.to_owned(),
        version,
        backend: None,
    }
}

/// Whether a text is three numbers, with whatever a version may have after them.
fn is_version(text: &str) -> bool {
    let numbers = text.split(['-', '+']).next().unwrap_or_default();
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.split('.').count() == 3 && numbers.split('.').all(number)
}

/// Whether a value has all members of another one.
pub(super) fn has(value: &Value, expected: &Value) -> bool {
    match (value, expected) {
        (Value::Object(value), Value::Object(expected)) => expected.iter().all(|(name, wanted)| {
            let found = value.get(name);
            found.is_some_and(|found| has(found, wanted))
        }),
        (Value::Array(value), Value::Array(expected)) => {
            let pairs = value.iter().zip(expected);
            value.len() == expected.len()
                && pairs.into_iter().all(|(found, wanted)| has(found, wanted))
        }
        (Value::Number(value), Value::Number(expected)) => value.as_f64() == expected.as_f64(),
        (value, expected) => value == expected,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_output_has_what_is_expected_if_every_member_of_that_is_in_it() {
        let output = json!({"topic": "billing", "sure": 0.5, "of": [{"n": 1, "m": 2}]});

        for expect in [
            json!({}),
            json!({"sure": 0.50}),
            json!({"of": [{"n": 1.0}]}),
        ] {
            assert!(has(&output, &expect), "{expect}");
        }
        for expect in [
            json!({"topic": "fault"}),
            json!({"of": []}),
            json!({"none": null}),
        ] {
            assert!(!has(&output, &expect), "{expect}");
        }
    }

    #[test]
    fn cases_are_a_list_or_stand_one_on_a_line() {
        let one = r#"{"input": {}, "expect": 1}"#;

        assert_eq!(read(&format!("{one}\n\n{one}\n")).unwrap().len(), 2);
        assert_eq!(read(&format!(" [{one}]")).unwrap().len(), 1);
        assert!(read(r#"{"inputs": {}}"#).is_err());
    }

    #[test]
    fn a_loop_may_be_given_with_a_version() {
        let given = subject("sort@lab/mail:1.2.0");

        assert_eq!(
            (given.address.as_str(), given.version.as_deref()),
            ("sort@lab/mail", Some("1.2.0"))
        );
    }

    #[test]
    fn a_loop_may_have_colons_in_its_id() {
        for (name, address, version) in [
            ("mail:sort", "mail:sort", None),
            ("mail:sort@lab", "mail:sort@lab", None),
            ("mail:sort:1.2.0-rc.1", "mail:sort", Some("1.2.0-rc.1")),
            ("mail:2", "mail:2", None),
        ] {
            let given = subject(name);

            assert_eq!(
                (given.address.as_str(), given.version.as_deref()),
                (address, version)
            );
        }
    }
}
