//! Messages that left together under one signature, as a writer makes them. Verified once more
//! here without `realm-crypto`.

use ed25519_dalek::VerifyingKey;
use realm_crypto::{sign_flush, write_clear};
use realm_protocol::{Digest, Envelope, Kind, Signature, TAG_ROOT};

use super::{
    book::Book,
    envelopes::fields,
    tree::{World, outgoing, rng},
};

/// Envelopes that leave together, in the clear from the lab's root.
fn flush(world: &World, count: u64) -> Vec<Envelope> {
    let (from, to) = (world.lab.place(), world.health.place());
    let mut rng = rng(9);
    let letters = (0..count).map(|number| {
        let content = number.to_be_bytes();
        let out = outgoing(Kind::Failure, &from, &to, None, &content);
        write_clear(&mut rng, &world.lab.node, &out).unwrap()
    });
    sign_flush(&world.lab.node, letters.collect())
}

pub(super) fn make(book: &mut Book, world: &World) {
    for (count, leaves) in [
        (2, vec![0, 1]),
        (3, vec![0, 2]),
        (5, vec![0, 3, 4]),
        (1_024, vec![0, 1_023]),
    ] {
        let flush = flush(world, count);
        for leaf in leaves {
            let name = format!("message {leaf} of {count} that left together");
            let envelope = &flush[leaf];
            by_hand(envelope, world.lab.node.node_id().as_bytes());
            book.valid(
                &name,
                "SIG-2 SIG-3 SIG-4 SIG-5",
                fields(envelope, &world.lab),
            );
        }
    }
    let mut more = flush(world, 1_025);
    let alone = more.pop().unwrap();
    assert!(matches!(alone.signature, Signature::Single(_)));
    let name = "the message after 1,024 that left together";
    book.valid(name, "SIG-1 SIG-4 SIG-5", fields(&alone, &world.lab));
}

/// Climbs to the root and verifies the signature over it.
pub(super) fn by_hand(envelope: &Envelope, node: &[u8; 32]) {
    let Signature::Root {
        signature,
        index,
        siblings,
    } = &envelope.signature
    else {
        return;
    };
    let mut digest = Digest::of(&[&[0], &envelope.signed_input()]);
    for (up, sibling) in siblings.iter().enumerate() {
        digest = if index >> up & 1 == 0 {
            Digest::of(&[&[1], digest.as_bytes(), sibling.as_bytes()])
        } else {
            Digest::of(&[&[1], sibling.as_bytes(), digest.as_bytes()])
        };
    }
    let message = [TAG_ROOT.as_bytes(), &[0], digest.as_bytes()].concat();
    let key = VerifyingKey::from_bytes(node).unwrap();
    let verified = key.verify_strict(&message, &signature.into());
    verified.unwrap();
}
