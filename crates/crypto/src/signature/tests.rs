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
