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

#[test]
fn a_head_follows_one_that_is_no_longer_and_no_other_of_its_length() {
    let head = |count, root, at| AuditHead {
        realm: RealmId::new([1; 32]),
        count,
        root: Digest::new([root; 32]),
        at: Timestamp::from_millis(at),
    };
    let known = head(5, 1, 1_000);
    for (shown, expected) in [
        (head(6, 2, 2_000), None),
        (head(5, 1, 2_000), None),
        (head(5, 2, 2_000), Some(Contradiction::Other)),
        (head(4, 2, 2_000), Some(Contradiction::Shorter)),
        // Its clock was set back with its log.
        (head(4, 2, 500), Some(Contradiction::Shorter)),
    ] {
        assert_eq!(known.contradicted_by(&shown), expected, "{shown:?}");
    }
}

#[test]
fn a_range_of_leaves_leads_from_each_tree_to_each_later_one_and_goes_through_its_bytes() {
    let leaves: Vec<Digest> = (0..70_u8).map(|leaf| entry_digest(&[leaf])).collect();
    let tree = |count: usize| {
        let mut frontier = Frontier::default();
        leaves[..count].iter().for_each(|leaf| frontier.push(*leaf));
        frontier
    };
    let range = |from: usize, to: usize| {
        let mut range = LeafRange::new(from as u64);
        leaves[from..to].iter().for_each(|leaf| range.push(*leaf));
        range
    };

    for from in 0..=leaves.len() {
        for to in from..=leaves.len() {
            let between = range(from, to);
            let read = LeafRange::from_bytes(from as u64, to as u64, &between.to_bytes());
            assert_eq!(read.as_ref(), Ok(&between), "{from} to {to}");
            let mut frontier = tree(from);
            frontier.join(&between).unwrap();
            assert_eq!(frontier, tree(to), "{from} to {to}");
            // Ranges that follow each other are one.
            let middle = usize::midpoint(from, to);
            let mut both = range(from, middle);
            both.join(&range(middle, to)).unwrap();
            assert_eq!(both, between, "{from} by {middle} to {to}");
        }
    }
    assert!(tree(3).join(&range(4, 5)).is_err());
    let bytes = range(3, 70).to_bytes();
    for (from, to, bytes) in [
        (3, 70, &bytes[32..]),
        (3, 70, &bytes[1..]),
        (3, 64, &bytes[..]),
    ] {
        assert!(LeafRange::from_bytes(from, to, bytes).is_err());
    }
    let none = LeafRange::from_bytes(u64::MAX, u64::MAX, &[]).unwrap();
    assert_eq!(none, LeafRange::new(u64::MAX));
    assert!(LeafRange::from_bytes(5, 4, &[]).is_err());
}
