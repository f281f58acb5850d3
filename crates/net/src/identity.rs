//! A node's key as libp2p sees it.

use libp2p::{
    PeerId,
    identity::{PublicKey, ed25519},
};
use realm_protocol::{NodeId, is_canonical_key};
use thiserror::Error;

/// Code of the identity multihash, in which a peer id carries a short public key whole.
const IDENTITY: u64 = 0;

/// A node id that is no Ed25519 public key, or not in its canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not an Ed25519 public key in its canonical form")]
pub struct InvalidNode;

/// Gives the libp2p peer id of a node; fails if the id is no point on the curve, or not written
/// in the one canonical way.
pub fn peer_id(node: &NodeId) -> Result<PeerId, InvalidNode> {
    if !is_canonical_key(node.as_bytes()) {
        return Err(InvalidNode);
    }
    ed25519::PublicKey::try_from_bytes(node.as_bytes())
        .map(|key| PublicKey::from(key).to_peer_id())
        .map_err(|_| InvalidNode)
}

/// Gives the node behind a libp2p peer id; fails if its key is not an Ed25519 key, or not
/// written in the one canonical way.
pub fn node_id(peer: &PeerId) -> Result<NodeId, InvalidNode> {
    let multihash = peer.as_ref();
    if multihash.code() != IDENTITY {
        return Err(InvalidNode);
    }
    PublicKey::try_decode_protobuf(multihash.digest())
        .ok()
        .and_then(|key| key.try_into_ed25519().ok())
        .map(|key| key.to_bytes())
        .filter(is_canonical_key)
        .map(NodeId::new)
        .ok_or(InvalidNode)
}

#[cfg(test)]
mod tests {
    use libp2p::identity::Keypair;

    use super::*;

    #[test]
    fn a_node_id_and_its_peer_id_convert_both_ways() {
        let peer = Keypair::ed25519_from_bytes([7; 32])
            .unwrap()
            .public()
            .to_peer_id();

        let node = node_id(&peer).unwrap();

        assert_eq!(peer_id(&node), Ok(peer));
    }

    #[test]
    fn a_key_that_is_not_canonical_is_no_node() {
        let mut points = 0;
        for (low, sign) in (0xed..=0xff).flat_map(|low| [(low, 0), (low, 0x80)]) {
            let mut bytes = [0xff; 32];
            bytes[0] = low;
            bytes[31] = 0x7f | sign;
            let Ok(key) = ed25519::PublicKey::try_from_bytes(&bytes) else {
                continue;
            };
            points += 1;
            let peer = PublicKey::from(key).to_peer_id();

            assert_eq!(node_id(&peer), Err(InvalidNode), "{bytes:02x?}");
            assert_eq!(peer_id(&NodeId::new(bytes)), Err(InvalidNode));
        }
        assert!(points > 10, "{points}");
    }

    #[test]
    fn a_peer_id_that_hashes_its_key_is_no_node() {
        let sha256 = libp2p::multihash::Multihash::wrap(0x12, &[1; 32]).unwrap();

        assert_eq!(
            node_id(&PeerId::from_multihash(sha256).unwrap()),
            Err(InvalidNode)
        );
    }
}
