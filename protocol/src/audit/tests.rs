use super::*;

/// The root as RFC 9162 §2.1.1 defines it: split at the largest power of two below the length.
fn defined(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::of(&[]),
        [leaf] => *leaf,
        _ => {
            let half = leaves.len().next_power_of_two() / 2;
            let (left, right) = leaves.split_at(half);
            let (left, right) = (defined(left), defined(right));
            Digest::of(&[&[1], left.as_bytes(), right.as_bytes()])
        }
    }
}

#[test]
fn a_frontier_has_the_root_that_the_rfc_defines_and_goes_on_from_its_bytes() {
    let leaves: Vec<Digest> = (0..130_u8).map(|leaf| entry_digest(&[leaf])).collect();
    let mut frontier = Frontier::default();

    for (at, leaf) in leaves.iter().enumerate() {
        assert_eq!(frontier.root(), defined(&leaves[..at]), "{at} leaves");
        let count = frontier.count();
        frontier = Frontier::from_bytes(count, &frontier.to_bytes()).unwrap();
        frontier.push(*leaf);
    }

    assert_eq!(frontier.count(), 130);
    let bytes = frontier.to_bytes();
    assert!(Frontier::from_bytes(131, &bytes).is_err());
    assert!(Frontier::from_bytes(130, &bytes[1..]).is_err());
}

#[test]
fn long_texts_lose_their_ends_between_characters() {
    let long = "ü".repeat(AUDIT_TEXT_BYTES);
    let row = AuditNote::new("test").about(long).into_row(
        0,
        Digest::new([0; 32]),
        Timestamp::default(),
        [0; 16],
    );

    let entry: AuditEntry = cbor::decode(&row.entry).unwrap();

    assert_eq!(entry.subject, Some("ü".repeat(AUDIT_TEXT_BYTES / 2)));
}
