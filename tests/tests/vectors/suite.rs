use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use super::{
    aggregation, audit,
    book::{Book, Subject, path, protocol, read},
    broadcast, calls, cbor, chains, envelopes, failures, fanout, frames, json, messages, names,
    ranking, receipts, records, routing, sealing, sessions, successions, tickets, traces,
    transcripts, versions, views,
};

const SUBJECTS: &[Subject] = &[
    cbor::SUBJECT,
    json::SUBJECT,
    names::SUBJECT,
    records::SUBJECT,
    tickets::SUBJECT,
    successions::SUBJECT,
    chains::SUBJECT,
    frames::SUBJECT,
    versions::SUBJECT,
    envelopes::SUBJECT,
    sealing::SUBJECT,
    sessions::SUBJECT,
    messages::SUBJECT,
    failures::SUBJECT,
    routing::SUBJECT,
    broadcast::SUBJECT,
    ranking::SUBJECT,
    aggregation::SUBJECT,
    fanout::SUBJECT,
    transcripts::SUBJECT,
    views::SUBJECT,
    receipts::SUBJECT,
    audit::SUBJECT,
    calls::SUBJECT,
    traces::SUBJECT,
];

#[test]
#[ignore = "writes protocol/vectors anew"]
fn write() {
    fs::create_dir_all(protocol().join("vectors")).unwrap();
    for subject in SUBJECTS {
        fs::write(path(subject.name), Book::make(subject)).unwrap();
    }
}

#[test]
fn the_vectors_kept_are_those_that_the_code_makes() {
    for subject in SUBJECTS {
        let kept = fs::read_to_string(path(subject.name)).unwrap();
        let same = kept == Book::make(subject);
        assert!(
            same,
            "{}.json differs: run the ignored test `write`",
            subject.name
        );
    }
}

#[test]
fn valid_vectors_are_accepted_and_mean_what_they_say() {
    for subject in SUBJECTS {
        for case in read(subject.name, "valid") {
            let verdict = (subject.judge)(&case);
            assert_eq!(verdict, Ok(()), "{}: {}", subject.name, case.name());
        }
    }
}

#[test]
fn invalid_vectors_are_refused_for_the_reason_given() {
    for subject in SUBJECTS {
        for case in read(subject.name, "invalid") {
            let verdict = (subject.judge)(&case);
            let expected = Err(case.text("error").to_owned());
            assert_eq!(verdict, expected, "{}: {}", subject.name, case.name());
        }
    }
}

#[test]
fn names_of_vectors_are_unique_in_their_file() {
    for subject in SUBJECTS {
        let mut names = BTreeSet::new();
        for case in all(subject) {
            assert!(names.insert(case.name().to_owned()), "{}", case.name());
        }
    }
}

#[test]
fn there_are_sixty_ways_to_write_wrong_cbor() {
    assert!(read("cbor", "invalid").len() >= 60);
}

#[test]
fn each_rule_names_the_files_that_show_it() {
    let mut shown: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for subject in SUBJECTS {
        for case in all(subject) {
            for rule in case.list("rules") {
                let files = shown.entry(rule.as_str().unwrap().to_owned());
                files.or_default().insert(subject.name.to_owned());
            }
        }
    }
    let named: BTreeMap<String, BTreeSet<String>> = rules()
        .into_iter()
        .filter(|(_, rule)| !rule.files.is_empty())
        .map(|(name, rule)| (name, rule.files))
        .collect();

    for name in shown.keys().chain(named.keys()) {
        assert_eq!(named.get(name), shown.get(name), "{name}: named, shown");
    }
}

#[test]
fn each_rule_is_one_sentence_with_a_requirement_and_listed_in_the_index() {
    let index = fs::read_to_string(protocol().join("spec/README.md")).unwrap();
    for (name, rule) in rules() {
        let words = ["MUST", "SHOULD", "MAY"];
        let required = words.iter().any(|word| rule.text.contains(word));
        assert!(required, "{name} requires nothing");
        assert!(rule.text.ends_with('.'), "{name} is no sentence");
        assert!(
            !rule.text.contains(". "),
            "{name} is more than one sentence"
        );
        let row = index
            .lines()
            .find(|line| line.contains(&format!("]({})", rule.page)));
        let family = name.split('-').next().unwrap();
        let listed = row.is_some_and(|row| row.contains(family));
        assert!(listed, "{name} in {} is not in the index", rule.page);
    }
}

fn all(subject: &Subject) -> Vec<super::book::Case> {
    let mut cases = read(subject.name, "valid");
    cases.extend(read(subject.name, "invalid"));
    cases
}

struct Rule {
    page: String,
    text: String,
    files: BTreeSet<String>,
}

/// The numbered rules of the specification.
fn rules() -> BTreeMap<String, Rule> {
    let mut rules = BTreeMap::new();
    for entry in fs::read_dir(protocol().join("spec")).unwrap() {
        let entry = entry.unwrap();
        let page = entry.file_name().into_string().unwrap();
        for line in fs::read_to_string(entry.path()).unwrap().lines() {
            let Some((name, rest)) = line
                .strip_prefix("**")
                .and_then(|line| line.split_once("** "))
            else {
                continue;
            };
            let (text, files) = match rest.rsplit_once(" [") {
                Some((text, files)) if files.ends_with(']') => (text, files.trim_end_matches(']')),
                _ => (rest.trim_end(), ""),
            };
            let files = files.split(", ").filter(|file| !file.is_empty());
            let rule = Rule {
                page: page.clone(),
                text: text.to_owned(),
                files: files.map(str::to_owned).collect(),
            };
            let before = rules.insert(name.to_owned(), rule);
            assert!(before.is_none(), "{name} is given twice");
        }
    }
    rules
}
