//! Room for revocation lists: no more than may be held, and no more of one neighbour's side than its share.

use std::cmp::Reverse;

use realm_protocol::{RealmId, Scope, limits, records::RevocationList};

use super::{Revoked, TrustBase};

/// How many lists there are, and their bytes.
#[derive(Clone, Copy, Debug)]
struct Room {
    lists: usize,
    bytes: usize,
}

impl Room {
    fn of(bytes: usize) -> Self {
        Self { lists: 1, bytes }
    }

    fn take(&mut self, bytes: usize) {
        self.lists = self.lists.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    fn give(&mut self, bytes: usize) {
        self.lists = self.lists.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    fn is_within(self, lists: usize, bytes: usize) -> bool {
        self.lists <= lists && self.bytes <= bytes
    }
}

/// What would be held with a list: in all, and of its share.
struct Held {
    all: Room,
    within: Room,
    share: Option<Scope>,
}

impl Held {
    fn is_of_share(&self, scope: &Scope) -> bool {
        self.share
            .as_ref()
            .is_some_and(|share| share.contains(scope))
    }

    fn take(&mut self, held: &Revoked) {
        self.all.take(held.bytes);
        if self.is_of_share(&held.scope) {
            self.within.take(held.bytes);
        }
    }

    fn give(&mut self, held: &Revoked) {
        self.all.give(held.bytes);
        if self.is_of_share(&held.scope) {
            self.within.give(held.bytes);
        }
    }

    fn fits(&self) -> bool {
        self.all
            .is_within(limits::REVOCATION_LISTS, limits::REVOCATION_LISTS_BYTES)
            && (self.share.is_none()
                || self.within.is_within(
                    limits::REVOCATION_LISTS_SHARE,
                    limits::REVOCATION_LISTS_SHARE_BYTES,
                ))
    }
}

impl TrustBase {
    /// Whose lists make room for one that was issued at a place: nobody's where there is room, else those
    /// of realms below its issuer, the furthest down first. A realm undoes with one list what all below
    /// it rests on, so that theirs matter less. None where that is not enough. This realm's own list
    /// always has room, and makes none.
    pub(super) fn room_for(
        &self,
        list: &RevocationList,
        scope: &Scope,
        bytes: usize,
    ) -> Option<Vec<RealmId>> {
        let mine = self.place.as_ref();
        if mine == Some(scope) {
            return Some(Vec::new());
        }
        if list.serials.len() > limits::REVOCATIONS {
            return None;
        }
        let others = self.revocations.iter();
        let others = others.filter(|(issuer, _)| **issuer != list.realm);
        let mut after = Held {
            all: Room::of(bytes),
            within: Room::of(bytes),
            share: self.share_of(scope),
        };
        let mut below = Vec::new();
        for (issuer, held) in others {
            after.take(held);
            let is_below = scope.contains(&held.scope) && held.scope != *scope;
            if is_below && mine != Some(&held.scope) {
                below.push((issuer, held));
            }
        }
        below.sort_by_key(|(_, held)| Reverse(held.scope.path.depth()));
        let mut below = below.into_iter();
        let mut displaced = Vec::new();
        while !after.fits() {
            let (issuer, held) = below.next()?;
            after.give(held);
            displaced.push(*issuer);
        }
        Some(displaced)
    }
}
