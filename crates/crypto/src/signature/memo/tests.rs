use super::*;
use crate::SigningKey;

fn taken(key: &SigningKey) -> PublicKey {
    PublicKey::new(&key.public()).unwrap()
}

#[test]
fn remembered_roots_are_bounded_and_forgotten_with_their_node() {
    let key = SigningKey::from_seed(&[1; 32]);
    let mut memo = RootMemo::default();
    for number in 0..ROOTS + 10 {
        let root = Digest::of(&[&number.to_be_bytes()]);
        let signature = key.sign_tagged(TAG_ROOT, root.as_bytes());
        assert!(memo.verify(key.node_id(), &taken(&key), root, &signature));
    }
    assert_eq!(memo.known.len(), ROOTS);
    assert_eq!(memo.order.len(), ROOTS);

    memo.forget(key.node_id());

    assert!(memo.known.is_empty() && memo.order.is_empty());
}

#[test]
fn a_remembered_root_vouches_for_no_other_signature() {
    let key = SigningKey::from_seed(&[1; 32]);
    let mut memo = RootMemo::default();
    let root = Digest::of(&[b"root"]);
    let signature = key.sign_tagged(TAG_ROOT, root.as_bytes());
    assert!(memo.verify(key.node_id(), &taken(&key), root, &signature));

    let mut other = signature;
    other[40] ^= 1;

    assert!(!memo.verify(key.node_id(), &taken(&key), root, &other));
}

/// Lets a node sign so many roots that come from one side.
fn fill(memos: &mut RootMemos<&'static str>, side: &'static str, key: &SigningKey, roots: usize) {
    let known = taken(key);
    for number in 0..roots {
        let root = Digest::of(&[&number.to_be_bytes()]);
        let signature = key.sign_tagged(TAG_ROOT, root.as_bytes());
        let verify = |memo: &mut RootMemo| memo.verify(key.node_id(), &known, root, &signature);
        assert!(memos.with(side, verify));
    }
}

#[test]
fn a_side_that_fills_the_memory_pushes_out_its_own_roots_alone() {
    let (quiet, loud) = (
        SigningKey::from_seed(&[1; 32]),
        SigningKey::from_seed(&[2; 32]),
    );
    let mut memos = RootMemos::default();
    fill(&mut memos, "quiet", &quiet, 3);

    fill(&mut memos, "loud", &loud, ROOTS + 10);
    assert_eq!(memos.held, ROOTS);
    let verified = memos.verified();
    fill(&mut memos, "quiet", &quiet, 3);
    assert_eq!(memos.verified(), verified, "a root was forgotten");

    // Who comes later has room as well.
    fill(&mut memos, "late", &quiet, ROOTS);
    let held = |side| memos.sides[side].order.len();
    assert_eq!(held("quiet"), 3);
    assert!(held("late").abs_diff(held("loud")) <= 1);

    memos.forget(quiet.node_id());
    assert_eq!(
        (memos.sides.len(), memos.held),
        (1, memos.sides["loud"].order.len())
    );
}
