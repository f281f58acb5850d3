//! Where a caller is counted: at its own place and at those above it, so that splitting into many realms
//! gains nothing.

use realm_protocol::{RealmPath, Scope};

/// Levels below which a share is not halved any more.
const HALVED: u32 = 3;

/// A realm's place and those above it that do not hold this realm, the highest first, each with how often
/// its share is halved: a level has half of what the one above it has.
pub(crate) fn levels(of: &Scope, me: &Scope) -> Vec<(u32, Scope)> {
    let root = of.root;
    let above = std::iter::successors(Some(of.path.clone()), RealmPath::parent);
    let above = above.map(|path| Scope { root, path });
    let mut levels: Vec<Scope> = above.take_while(|place| !place.contains(me)).collect();
    levels.reverse();
    let halvings = (0..).map(|level: u32| level.min(HALVED));
    halvings.zip(levels).collect()
}
