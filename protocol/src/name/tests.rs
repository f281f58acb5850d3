use super::*;

#[test]
fn labels_are_lower_case_letters_digits_and_inner_hyphens() {
    let longest = "a".repeat(63);
    for text in ["a", "0", "a-b", "a--b", "9lives", "xn--x", &longest] {
        assert_eq!(text.parse::<Label>().unwrap().as_str(), text);
    }
    let too_long = "a".repeat(64);
    for text in [
        "", "-", "-a", "a-", "A", "a_b", "a.b", "a/b", "a b", " a", "a\0", "é", "а", "ａ", "٣",
        "a\u{301}", &too_long,
    ] {
        let refused = text.parse::<Label>();
        assert!(matches!(refused, Err(NameError::Label(_))), "{text:?}");
    }
}

#[test]
fn a_refused_label_is_quoted_only_in_part() {
    let Err(NameError::Label(quoted)) = "É".repeat(10_000).parse::<Label>() else {
        panic!("refused as a label");
    };

    assert_eq!(quoted.chars().count(), 80);
}

#[test]
fn paths_have_at_most_eight_labels_and_255_bytes() {
    let labels = |count: usize, length: usize| vec!["a".repeat(length); count].join("/");

    assert_eq!(labels(8, 1).parse::<RealmPath>().unwrap().depth(), 8);
    assert_eq!(labels(4, 63).parse::<RealmPath>().unwrap().depth(), 4);

    assert_eq!(labels(9, 1).parse::<RealmPath>(), Err(NameError::Depth));
    assert_eq!(labels(5, 51).parse::<RealmPath>(), Err(NameError::Length));
    let longest = labels(4, 63).parse::<RealmPath>().unwrap();
    assert_eq!(longest.to_string().len(), limits::PATH_BYTES);
    assert_eq!(longest.child(&"a".parse().unwrap()), Err(NameError::Length));
    for text in ["/", "a/", "/a", "a//b", "a/B"] {
        assert!(text.parse::<RealmPath>().is_err(), "{text:?}");
    }
}

#[test]
fn a_path_contains_itself_and_what_is_below_but_no_namesake() {
    let path = |text: &str| text.parse::<RealmPath>().unwrap();
    let health = path("health");

    for below in ["health", "health/cardiology"] {
        assert!(health.contains(&path(below)));
    }
    for beside in ["", "healthy", "a/health", "cardiology"] {
        assert!(!health.contains(&path(beside)), "{beside}");
    }
    assert!(RealmPath::ROOT.contains(&health));
    let below = path("health/cardiology/imaging");
    let next = health.next_label(&below);
    assert_eq!(next, Some("cardiology".parse().unwrap()));
    assert_eq!(RealmPath::ROOT.next_label(&health), health.last_label());
    assert_eq!(health.next_label(&path("healthy/a")), None);
    assert_eq!(health.next_label(&health), None);
    let lineage: Vec<String> = path("a/b").lineage().map(|path| path.to_string()).collect();
    assert_eq!(lineage, ["", "a", "a/b"]);
    assert_eq!(path("a/b").parent(), Some(path("a")));
    assert_eq!(path("a").parent(), Some(RealmPath::ROOT));
    assert_eq!(RealmPath::ROOT.parent(), None);
    assert_eq!(RealmPath::ROOT.lineage().count(), 1);
}

#[test]
fn paths_sort_label_by_label() {
    let mut paths: Vec<RealmPath> = ["a-b", "a/b", "", "a", "b", "a/b/c"]
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();

    paths.sort();

    let texts: Vec<&str> = paths.iter().map(RealmPath::as_str).collect();
    assert_eq!(texts, ["", "a", "a/b", "a/b/c", "a-b", "b"]);
}
