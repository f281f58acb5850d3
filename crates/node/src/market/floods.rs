//! How many announcements come from where, so that splitting into many realms gains nothing.

use std::collections::BTreeMap;

use realm_protocol::{Scope, Tick, limits};
use realm_router::TokenBucket;

use crate::{config::BURST, levels::levels};

/// Announcements of others by where they come from. Each counts at its announcer's place and at all
/// above it that are not above this realm too, down to the fourth; each level has half of what the one
/// above it has.
#[derive(Debug, Default)]
pub(super) struct Floods {
    places: BTreeMap<Scope, Flow>,
}

/// Levels at which an announcement counts; whoever is deeper counts with the realms above it.
const COUNTED: usize = 4;

/// What comes from one realm and all below it.
#[derive(Debug)]
struct Flow {
    under_way: u64,
    bucket: TokenBucket,
    last: Tick,
}

impl Floods {
    /// Takes a place for an announcement at every level, if there is one at all of them; gives the
    /// levels, to be given back with [`Floods::release`].
    pub(super) fn admit(
        &mut self,
        announcer: &Scope,
        me: &Scope,
        rate: u64,
        now: Tick,
    ) -> Option<Vec<Scope>> {
        let mut levels = levels(announcer, me);
        levels.truncate(COUNTED);
        for (halvings, place) in &levels {
            let share = limits::ANNOUNCEMENTS_PER_ROOT as u64 >> halvings;
            if let Some(flow) = self.places.get_mut(place)
                && (flow.under_way >= share || flow.bucket.retry_after_ms(now) > 0)
            {
                return None;
            }
        }
        if !self.has_room(&levels) {
            self.forget_idle(now);
            if !self.has_room(&levels) {
                return None;
            }
        }
        for (halvings, place) in &levels {
            let rate = rate.checked_shr(*halvings).unwrap_or_default().max(1);
            let flow = self.places.entry(place.clone()).or_insert_with(|| Flow {
                under_way: 0,
                bucket: TokenBucket::new(rate, rate.saturating_mul(BURST), now),
                last: now,
            });
            flow.under_way = flow.under_way.saturating_add(1);
            flow.bucket.take(now);
            flow.last = now;
        }
        Some(levels.into_iter().map(|(_, place)| place).collect())
    }

    /// Whether those of these places that are not known find room, in all and on the side that they are of.
    fn has_room(&self, levels: &[(u32, Scope)]) -> bool {
        let new = levels.iter();
        let new = new.filter(|(_, place)| !self.places.contains_key(place));
        let new = new.count();
        let Some((_, side)) = levels.first().filter(|_| new > 0) else {
            return true;
        };
        let of_side = self.places.keys().filter(|place| side.contains(place));
        self.places.len().saturating_add(new) <= limits::ANNOUNCERS
            && of_side.count().saturating_add(new) <= limits::ANNOUNCERS_SHARE
    }

    /// Gives an announcement's places back.
    pub(super) fn release(&mut self, levels: &[Scope]) {
        for place in levels {
            if let Some(flow) = self.places.get_mut(place) {
                flow.under_way = flow.under_way.saturating_sub(1);
            }
        }
    }

    /// Forgets the places whose bucket is full again and that wait for nothing.
    fn forget_idle(&mut self, now: Tick) {
        let full_ms = BURST.saturating_mul(1_000);
        self.places
            .retain(|_, flow| flow.under_way > 0 || now.since(flow.last) < full_ms);
    }
}

#[cfg(test)]
mod tests {
    use realm_protocol::{RealmId, RealmPath};

    use super::*;

    const RATE: u64 = 100;
    const NOW: Tick = Tick::from_millis(1_000);

    fn place(root: u8, path: &str) -> Scope {
        Scope {
            root: RealmId::new([root; 32]),
            path: path.parse().unwrap(),
        }
    }

    /// How many announcements one after the other are let through, of realms named in turn.
    fn admitted(floods: &mut Floods, name: impl Fn(u64) -> Scope, now: Tick) -> u64 {
        let me = place(1, "me");
        let all = 0..1_000;
        let admitted = all.filter(|number| floods.admit(&name(*number), &me, RATE, now).is_some());
        admitted.count() as u64
    }

    #[test]
    fn splitting_into_realms_below_gains_nothing_and_others_keep_their_share() {
        let mut floods = Floods::default();
        let split = |number| place(2, &format!("shop/c{number}"));

        let by_many = admitted(&mut floods, split, NOW);
        let by_sibling = admitted(&mut floods, |_| place(2, "farm"), NOW);
        let by_other_root = admitted(&mut floods, |_| place(3, ""), NOW);
        let by_own_sibling = admitted(&mut floods, |_| place(1, "you"), NOW);

        assert_eq!((by_many, by_sibling), (128, 128));
        assert_eq!((by_other_root, by_own_sibling), (256, 256));
    }

    #[test]
    fn one_side_fills_no_more_than_its_share_of_the_places_and_none_by_deeper_realms() {
        let mut floods = Floods::default();
        let me = place(1, "me");
        let rate = limits::ANNOUNCERS as u64;
        let come = |floods: &mut Floods, from: Scope| {
            let levels = floods.admit(&from, &me, rate, NOW);
            levels.map(|levels| floods.release(&levels)).is_some()
        };

        let deep =
            (0..500).filter(|number| come(&mut floods, place(2, &format!("a/b/c/d{number}"))));
        assert_eq!((deep.count(), floods.places.len()), (500, 4));
        let wide = (0..rate).filter(|number| come(&mut floods, place(3, &format!("c{number}"))));
        assert_eq!(wide.count(), limits::ANNOUNCERS_SHARE - 1);
        assert!(come(&mut floods, place(4, "x")), "others have room");
    }

    #[test]
    fn what_is_over_makes_room_as_fast_as_the_rate_lets_it() {
        let mut floods = Floods::default();
        let me = place(1, "me");
        let mut at_once = 0;
        while let Some(levels) = floods.admit(&place(2, ""), &me, RATE, NOW) {
            floods.release(&levels);
            at_once += 1;
        }
        let later = Tick::from_millis(2_000);
        let mut a_second_later = 0;
        while let Some(levels) = floods.admit(&place(2, ""), &me, RATE, later) {
            floods.release(&levels);
            a_second_later += 1;
        }
        assert_eq!((at_once, a_second_later), (RATE * BURST, RATE));
    }

    #[test]
    fn places_are_bounded_and_idle_ones_are_forgotten_first() {
        let mut floods = Floods::default();
        let me = place(1, "me");
        for number in 0..(limits::ANNOUNCERS as u64 * 2) {
            let mut root = [9; 32];
            root[..8].copy_from_slice(&number.to_be_bytes());
            let scope = Scope {
                root: RealmId::new(root),
                path: RealmPath::ROOT,
            };
            if let Some(levels) = floods.admit(&scope, &me, RATE, NOW) {
                floods.release(&levels);
            }
        }
        assert_eq!(floods.places.len(), limits::ANNOUNCERS);
        let later = Tick::from_millis(NOW.as_millis() + 4_000);
        assert!(floods.admit(&place(2, ""), &me, RATE, later).is_some());
        assert_eq!(floods.places.len(), 1);
    }
}
