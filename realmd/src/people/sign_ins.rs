//! Sign-ins: whose token a directory has vouched for, and who has tried too often.
//!
//! Tokens are kept by their digests. Those of people of a provider outlive a restart with what the provider is asked about them
//! by; people of a directory sign in again.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
};

use realm_protocol::{Digest, Tick};

use super::directories::Member;
use crate::{config::Origin, random::NoRandomness, token::Token};

/// Sign-ins that are good; at the bound the one that ends first is ended.
const SIGN_INS: usize = 4096;
/// Those of one person; at the bound as well.
pub(super) const OF_ONE: usize = 16;
/// Names that somebody tried in vain; at the bound nobody signs in whose name is not among them.
const TRIED: usize = 4096;
/// How often somebody may try in vain, and the time after which that is forgotten, milliseconds.
const TRIES: u32 = 5;
const TRIED_MS: u64 = 5 * 60 * 1_000;

/// The sign-ins of a realm.
#[derive(Debug, Default)]
pub(crate) struct SignIns(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    good: BTreeMap<Digest, SignIn>,
    tried: BTreeMap<String, Tried>,
}

#[derive(Clone, Debug)]
struct SignIn {
    member: Member,
    until: Tick,
}

#[derive(Clone, Copy, Debug)]
struct Tried {
    times: u32,
    since: Tick,
}

/// A try to sign in, which counts as one in vain from the start. One that is let go before it [counts](Self::counts) was
/// none: nobody has looked at the password.
#[derive(Debug)]
#[must_use]
pub(crate) struct Try<'a> {
    all: &'a SignIns,
    who: Option<String>,
}

impl Try<'_> {
    /// Somebody has looked at the password.
    pub(crate) fn counts(mut self) {
        self.who = None;
    }
}

impl Drop for Try<'_> {
    fn drop(&mut self) {
        if let Some(who) = self.who.take() {
            self.all.not_tried(who);
        }
    }
}

impl SignIns {
    /// Whether somebody may try to sign in now; if not, when they may, in milliseconds. It counts as one more try in
    /// vain at once: however many come together, no more are let through.
    ///
    /// # Errors
    /// That time.
    pub(crate) fn may_try(&self, who: &str, now: Tick) -> Result<Try<'_>, u64> {
        let who = folded(who);
        let mut kept = self.kept();
        kept.tried
            .retain(|_, tried| tried.since.plus(TRIED_MS) > now);
        let over = |tried: &Tried| tried.since.plus(TRIED_MS).since(now);
        match kept.tried.get(&who) {
            Some(tried) if tried.times >= TRIES => return Err(over(tried)),
            None if kept.tried.len() >= TRIED => return Err(TRIED_MS),
            _ => {}
        }
        let fresh = Tried {
            times: 0,
            since: now,
        };
        let tried = kept.tried.entry(who.clone()).or_insert(fresh);
        tried.times = tried.times.saturating_add(1);
        let who = Some(who);
        Ok(Try { all: self, who })
    }

    fn not_tried(&self, who: String) {
        if let Entry::Occupied(mut tried) = self.kept().tried.entry(who) {
            let times = tried.get().times.saturating_sub(1);
            tried.get_mut().times = times;
            if times == 0 {
                tried.remove();
            }
        }
    }

    /// Lets somebody in, for so many milliseconds; gives what they show from now on.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub(crate) fn begin(
        &self,
        (who, member): (&str, Member),
        lasts_ms: u64,
        now: Tick,
    ) -> Result<Token, NoRandomness> {
        let token = Token::fresh()?;
        let mut kept = self.kept();
        kept.tried.remove(&folded(who));
        kept.good.retain(|_, sign_in| sign_in.until > now);
        kept.make_room(&member);
        let until = now.plus(lasts_ms);
        let sign_in = SignIn { member, until };
        kept.good.insert(digest(token.text()), sign_in);
        Ok(token)
    }

    /// Takes up a sign-in from before a restart.
    pub(super) fn recover(&self, token: Digest, member: Member, until: Tick) {
        let mut kept = self.kept();
        if kept.good.len() < SIGN_INS {
            kept.good.insert(token, SignIn { member, until });
        }
    }

    /// Whose token this is.
    pub(crate) fn whose(&self, shown: &str, now: Tick) -> Option<Member> {
        let kept = self.kept();
        let sign_in = kept.good.get(&digest(shown));
        let good = sign_in.filter(|sign_in| sign_in.until > now);
        good.map(|sign_in| sign_in.member.clone())
    }

    /// Ends the sign-in of a token; gives whether there was one.
    pub(crate) fn end(&self, shown: &str) -> bool {
        self.kept().good.remove(&digest(shown)).is_some()
    }

    /// Ends all sign-ins of people from one place: who goes by their names there now may be others.
    pub(crate) fn end_of(&self, from: Origin) {
        let mut kept = self.kept();
        kept.good.retain(|_, sign_in| sign_in.member.from != from);
    }

    /// Ends all sign-ins of somebody; gives whether there were any.
    pub(crate) fn end_all(&self, member: &Member) -> bool {
        let mut kept = self.kept();
        let before = kept.good.len();
        kept.good.retain(|_, sign_in| sign_in.member != *member);
        kept.good.len() < before
    }

    /// Who has signed in, how often, and when the last of it ends.
    pub(crate) fn list(&self, now: Tick) -> BTreeMap<Member, (usize, Tick)> {
        let mut all = BTreeMap::new();
        for sign_in in self.kept().good.values().filter(|it| it.until > now) {
            let (count, until) = all
                .entry(sign_in.member.clone())
                .or_insert((0, sign_in.until));
            *count += 1;
            *until = sign_in.until.max(*until);
        }
        all
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn make_room(&mut self, member: &Member) {
        let own = self.good.values().filter(|it| it.member == *member).count();
        let goes = |sign_in: &SignIn| own < OF_ONE || sign_in.member == *member;
        if own < OF_ONE && self.good.len() < SIGN_INS {
            return;
        }
        let candidates = self.good.iter().filter(|(_, sign_in)| goes(sign_in));
        let first = candidates.min_by_key(|(_, sign_in)| sign_in.until);
        if let Some(first) = first.map(|(token, _)| *token) {
            self.good.remove(&first);
        }
    }
}

/// However a name is written, it counts as one.
fn folded(who: &str) -> String {
    who.to_lowercase()
}

/// What is kept of a token.
pub(crate) fn digest(token: &str) -> Digest {
    Digest::of(&[b"realm/1/sign-in", token.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Origin;

    const START: Tick = Tick::from_millis(1_000);

    fn member(name: &str) -> Member {
        Member {
            from: Origin::Ldap,
            name: name.to_owned(),
        }
    }

    fn begin(all: &SignIns, name: &str, lasts_ms: u64) -> Token {
        all.begin((name, member(name)), lasts_ms, START).unwrap()
    }

    #[test]
    fn a_token_is_good_until_its_time_is_over_or_somebody_ends_it() {
        let all = SignIns::default();
        let (one, other) = (begin(&all, "ann", 1_000), begin(&all, "ann", 2_000));
        let whose = |token: &Token, at| all.whose(token.text(), START.plus(at));

        assert_eq!(whose(&one, 999), Some(member("ann")));
        assert_eq!(whose(&one, 1_000), None);
        assert_eq!(whose(&other, 1_000), Some(member("ann")));
        assert_eq!(all.whose("", START), None);
        assert!(all.end(other.text()) && !all.end(other.text()));
        assert_eq!(whose(&other, 0), None);
        assert!(all.end_all(&member("ann")) && !all.end_all(&member("ann")));
        assert_eq!(whose(&one, 0), None);
    }

    #[test]
    fn where_a_directory_is_another_one_its_people_have_not_signed_in() {
        let all = SignIns::default();
        let ann = begin(&all, "ann", 1_000);
        all.end_of(Origin::Oidc);
        assert_eq!(all.whose(ann.text(), START), Some(member("ann")));

        all.end_of(Origin::Ldap);

        assert_eq!(all.whose(ann.text(), START), None);
    }

    #[test]
    fn whoever_signs_in_too_often_loses_their_own_oldest_sign_in() {
        let all = SignIns::default();
        let bob = begin(&all, "bob", 1);
        let tokens: Vec<Token> = (0..=OF_ONE as u64)
            .map(|n| begin(&all, "ann", 1_000 + n))
            .collect();

        assert_eq!(all.whose(tokens[0].text(), START), None);
        assert!(
            tokens[1..]
                .iter()
                .all(|it| all.whose(it.text(), START).is_some())
        );
        assert!(all.whose(bob.text(), START).is_some());
        assert_eq!(all.list(START)[&member("ann")].0, OF_ONE);
    }

    /// Tries in vain.
    fn tries(all: &SignIns, who: &str, now: Tick) -> Result<(), u64> {
        all.may_try(who, now).map(Try::counts)
    }

    #[test]
    fn whoever_tries_in_vain_waits_and_a_right_password_makes_it_forgotten() {
        let all = SignIns::default();
        for _ in 0..TRIES {
            assert_eq!(tries(&all, "Ann", START), Ok(()));
        }
        assert_eq!(tries(&all, "ANN", START.plus(1)), Err(TRIED_MS - 1));
        assert_eq!(tries(&all, "bob", START), Ok(()));
        assert_eq!(tries(&all, "ann", START.plus(TRIED_MS)), Ok(()));

        begin(&all, "bob", 1_000);
        for _ in 0..TRIES {
            assert_eq!(tries(&all, "bob", START), Ok(()));
        }
        assert!(tries(&all, "bob", START).is_err());
    }

    #[test]
    fn tries_that_are_broken_off_before_anybody_has_looked_do_not_count() {
        let all = SignIns::default();
        assert_eq!(tries(&all, "ann", START), Ok(()));
        for _ in 0..=TRIES {
            drop(all.may_try("Ann", START).unwrap());
        }
        for _ in 1..TRIES {
            assert_eq!(tries(&all, "ann", START), Ok(()));
        }
        assert!(tries(&all, "ann", START).is_err());
    }

    #[test]
    fn no_more_tries_are_let_through_before_any_is_answered() {
        let all = SignIns::default();
        let begun = (0..100).filter_map(|_| all.may_try("ann", START).ok());
        let begun: Vec<Try<'_>> = begun.collect();
        assert_eq!(begun.len(), TRIES as usize);
    }
}
