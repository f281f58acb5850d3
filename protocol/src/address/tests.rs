use super::*;

#[test]
fn addresses_are_written_as_they_were_read() {
    for text in [
        "hello",
        "risk-classify@acme",
        "risk-classify@acme/health/cardiology",
        "ns:a/b.c_D-1@acme",
    ] {
        assert_eq!(text.parse::<LoopAddress>().unwrap().to_string(), text);
    }
    for text in ["acme", "acme/health"] {
        assert_eq!(text.parse::<RealmName>().unwrap().to_string(), text);
    }
}

#[test]
fn what_is_no_address_is_refused() {
    let too_long = "a".repeat(limits::LOOP_ID_BYTES + 1);
    for text in [
        "",
        "@acme",
        "a@",
        "a@acme/",
        "a@acme//b",
        "a@b@c",
        "a@Acme",
        "a b",
        "é",
        &too_long,
    ] {
        assert!(text.parse::<LoopAddress>().is_err(), "{text:?}");
    }
    for text in ["", "/", "acme/", "/health", "acme/Health"] {
        assert!(text.parse::<RealmName>().is_err(), "{text:?}");
    }
}

#[test]
fn a_scope_contains_what_is_below_it_in_its_own_tree() {
    let scope = |root: u8, path: &str| Scope {
        root: RealmId::new([root; 32]),
        path: path.parse().unwrap(),
    };

    assert!(scope(1, "a").contains(&scope(1, "a/b")));
    assert!(!scope(1, "a").contains(&scope(2, "a/b")));
    assert!(!scope(1, "a/b").contains(&scope(1, "a")));
}

#[test]
fn ids_have_one_text_form() {
    let id = RealmId::new([0xff; 32]);
    let text = id.to_string();

    assert_eq!(text.parse(), Ok(id));

    assert_eq!(text.len(), 52);
    for wrong in [
        text.to_uppercase(),
        text[1..].to_owned(),
        format!("{text}0"),
        // The last digit carries one bit of the id; its other four bits are zero.
        format!("{}z", &text[..51]),
        format!("{}u", &text[..51]),
        format!("{text}="),
    ] {
        assert_eq!(wrong.parse::<RealmId>(), Err(NameError::Id), "{wrong}");
    }
}

#[test]
fn the_texts_of_ids_sort_like_their_bytes() {
    let ids: Vec<crate::RunId> = [0, 1, 255, 256, 1 << 40]
        .map(|millis| crate::RunId::at(crate::Timestamp::from_millis(millis), [9; 10]))
        .into();

    let texts: Vec<String> = ids.iter().map(ToString::to_string).collect();

    assert!(ids.is_sorted() && texts.is_sorted());
}

#[test]
fn two_places_are_one_position_whoever_stands_there() {
    let place = |root: u8, path: &str, realm: Option<u8>| Place {
        root: RealmId::new([root; 32]),
        path: path.parse().unwrap(),
        realm: realm.map(|realm| RealmId::new([realm; 32])),
        node: None,
    };

    assert!(place(1, "a", None).is_at(&place(1, "a", Some(3))));
    assert!(!place(1, "a", None).is_at(&place(2, "a", None)));
    assert!(!place(1, "a", None).is_at(&place(1, "b", None)));
}
