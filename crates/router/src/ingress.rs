//! What a link may carry, by what stands at its other end.

use realm_protocol::{Hop, Phase, Place, RealmId, RealmPath, Scope, limits};
use thiserror::Error;

use crate::{LinkId, Relation, Routes};

/// Why a message may not have come over its link. Dropped and counted, not answered.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq, PartialOrd, Ord)]
pub enum IngressError {
    /// The link is down, or it is a kind of link that this realm's position rules out.
    #[error("the link is not one this realm takes messages from")]
    Link,
    /// The hops left are none, or more than the deepest tree needs.
    #[error("hops left are not between 1 and {}", limits::HOPS)]
    HopLimit,
    /// The phase does not fit the link.
    #[error("the phase does not fit the link")]
    Phase,
    /// Whoever is at the other end does not speak for the source.
    #[error("the source does not lie behind the link")]
    Source,
    /// The destination does not lie on this side of the link.
    #[error("the destination does not lie on this side of the link")]
    Destination,
}

impl Routes {
    /// Whether a message may have come over the link.
    ///
    /// `peer_scopes` gives, for a peer's root, the subtrees of its tree that the peering lets
    /// messages come from; the empty path is the whole tree. What they may reach on this side is
    /// for policy to say.
    ///
    /// # Errors
    /// [`IngressError`], the first that applies: link, hops, phase, source, destination.
    pub fn ingress(
        &self,
        link: LinkId,
        source: &Place,
        destination: &Place,
        hop: &Hop,
        peer_scopes: &dyn Fn(RealmId) -> Vec<RealmPath>,
    ) -> Result<(), IngressError> {
        let relation = self.relation(link).ok_or(IngressError::Link)?;
        let phase = self.phase_of(relation).ok_or(IngressError::Link)?;
        require(
            (1..=limits::HOPS).contains(&hop.left),
            IngressError::HopLimit,
        )?;
        require(hop.phase == phase, IngressError::Phase)?;
        let (from, to) = (source.scope(), destination.scope());
        let (source_ok, destination_ok) = match relation {
            Relation::Parent => (!self.me.contains(&from), self.me.contains(&to)),
            Relation::Child(label) => {
                let path = self.me.path.child(label);
                let root = self.me.root;
                let path = path.map_err(|_| IngressError::Link)?;
                let child = Scope { root, path };
                (child.contains(&from), !child.contains(&to))
            }
            Relation::Peer(root) => {
                let spoken_for = |scope: &RealmPath| scope.contains(&from.path);
                let source_ok = from.root == *root && peer_scopes(*root).iter().any(spoken_for);
                (source_ok, self.me.contains(&to))
            }
            Relation::Direct(peer) => (source == peer, to == self.me),
        };
        require(source_ok, IngressError::Source)?;
        require(destination_ok, IngressError::Destination)
    }

    /// The phase that everything from such a link has; none where no such link can be.
    fn phase_of(&self, relation: &Relation) -> Option<Phase> {
        let root = self.me.path.is_root();
        match relation {
            Relation::Parent => (!root).then_some(Phase::Down),
            Relation::Child(_) => Some(Phase::Up),
            Relation::Peer(_) => root.then_some(Phase::Across),
            Relation::Direct(_) => Some(Phase::Across),
        }
    }
}

fn require(holds: bool, error: IngressError) -> Result<(), IngressError> {
    if holds { Ok(()) } else { Err(error) }
}
