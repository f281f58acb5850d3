use super::*;
use crate::{Timestamp, cbor::Blob};

fn event(index: u64) -> Event {
    Event {
        run: RunId::new([1; 16]),
        index,
        call: CallId::new([2; 16]),
        at: Timestamp::from_millis(1_000),
        kind: "call.started".to_owned(),
        payload: Blob::from(b"{}".to_vec()),
    }
}

#[test]
fn hidden_and_shown_events_come_to_the_same_root() {
    let shown: Vec<TraceItem> = (0..3)
        .map(|index| TraceItem::Shown([9; 16], event(index)))
        .collect();
    let mut partly = shown.clone();
    partly[1] = TraceItem::Hidden(shown[1].digest());

    let root = TraceRoot::of(&shown, 3).unwrap();

    assert_eq!(TraceRoot::of(&partly, 3), Some(root.clone()));
    assert_eq!(root.to_string().parse(), Ok(root));
}

#[test]
fn a_root_changes_with_every_event_its_order_its_salt_and_their_number() {
    let items = |salts: [u8; 3], indices: [u64; 3]| -> Vec<TraceItem> {
        let items = salts.into_iter().zip(indices);
        let items = items.map(|(salt, index)| TraceItem::Shown([salt; 16], event(index)));
        items.collect()
    };
    let root = |items: &[TraceItem], events| TraceRoot::of(items, events).unwrap();
    let all = items([1, 2, 3], [0, 1, 2]);

    let others = [
        root(&all, 2),
        root(&items([1, 2, 4], [0, 1, 2]), 3),
        root(&items([1, 2, 3], [0, 1, 3]), 3),
        root(&items([1, 3, 2], [0, 2, 1]), 3),
    ];

    assert!(!others.contains(&root(&all, 3)));
    assert_eq!(TraceRoot::of(&all, 4), None);
}
