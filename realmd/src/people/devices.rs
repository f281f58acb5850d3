//! Sign-ins by a code that somebody enters at their provider's page, until something has become of them.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use realm_backends::{Device, Secret};
use realm_protocol::{Digest, Tick};

use crate::{random::NoRandomness, token::Token};

/// Sign-ins that wait at once; at the bound no other begins.
const WAITING: usize = 256;
/// By how much a provider that is asked too often is asked less often (RFC 8628, 3.5), milliseconds.
const SLOWER_MS: u64 = 5_000;
/// How seldom it is asked at most, milliseconds.
const SELDOM_MS: u64 = 60_000;

/// The sign-ins that wait.
#[derive(Debug, Default)]
pub(crate) struct Devices(Mutex<BTreeMap<Digest, Waiting>>);

#[derive(Debug)]
struct Waiting {
    code: Secret,
    every_ms: u64,
    /// When the provider may be asked again.
    next: Tick,
    until: Tick,
}

/// Why no sign-in begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NotBegun {
    /// Too many wait.
    Crowded,
    /// The system gives no random bytes.
    Randomness(NoRandomness),
}

/// Whether the provider can be asked about a sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// By this code, now.
    Now(Secret),
    /// Not yet.
    Later,
    /// No more: it is over, or there was none.
    Never,
}

impl Devices {
    /// Takes one that has begun; gives what it is asked about by.
    ///
    /// # Errors
    /// [`NotBegun`].
    pub(crate) fn begin(&self, device: &Device, now: Tick) -> Result<Token, NotBegun> {
        let token = Token::fresh().map_err(NotBegun::Randomness)?;
        let mut all = self.all(now);
        if all.len() >= WAITING {
            return Err(NotBegun::Crowded);
        }
        let waiting = Waiting {
            code: device.code.clone(),
            every_ms: device.every_ms,
            next: now.plus(device.every_ms),
            until: now.plus(device.lasts_ms),
        };
        all.insert(digest(token.text()), waiting);
        Ok(token)
    }

    /// Whether there is room for one more.
    pub(crate) fn has_room(&self, now: Tick) -> bool {
        self.all(now).len() < WAITING
    }

    /// Whether the provider can be asked about one; if so, that is done now.
    pub(crate) fn turn(&self, shown: &str, now: Tick) -> Turn {
        match self.all(now).get_mut(&digest(shown)) {
            None => Turn::Never,
            Some(waiting) if waiting.next > now => Turn::Later,
            Some(waiting) => {
                waiting.next = now.plus(waiting.every_ms);
                Turn::Now(waiting.code.clone())
            }
        }
    }

    /// The provider is asked too often.
    pub(crate) fn slow_down(&self, shown: &str, now: Tick) {
        if let Some(waiting) = self.all(now).get_mut(&digest(shown)) {
            waiting.every_ms = waiting.every_ms.saturating_add(SLOWER_MS).min(SELDOM_MS);
            waiting.next = now.plus(waiting.every_ms);
        }
    }

    /// When it makes sense to ask about one again, in milliseconds; none where it is over.
    pub(crate) fn again_in(&self, shown: &str, now: Tick) -> Option<u64> {
        let all = self.all(now);
        all.get(&digest(shown))
            .map(|waiting| waiting.next.since(now))
    }

    /// Something has become of one.
    pub(crate) fn end(&self, shown: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&digest(shown));
    }

    /// Those that are not over.
    fn all(&self, now: Tick) -> MutexGuard<'_, BTreeMap<Digest, Waiting>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, waiting| waiting.until > now);
        all
    }
}

fn digest(token: &str) -> Digest {
    Digest::of(&[b"realm/1/device", token.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Tick = Tick::from_millis(1_000);

    fn device() -> Device {
        Device {
            code: Secret::new("d"),
            user_code: "AB".to_owned(),
            url: "https://id.example.org/".to_owned(),
            link: None,
            every_ms: 5_000,
            lasts_ms: 60_000,
        }
    }

    #[test]
    fn the_provider_is_asked_no_more_often_than_it_says_however_often_somebody_asks() {
        let all = Devices::default();
        let token = all.begin(&device(), START).unwrap();
        let turn = |at| all.turn(token.text(), START.plus(at));
        let asked = Turn::Now(Secret::new("d"));

        assert_eq!(turn(4_999), Turn::Later);
        assert_eq!(turn(5_000), asked);
        assert_eq!(turn(9_999), Turn::Later);
        assert_eq!(turn(10_000), asked);
        all.slow_down(token.text(), START.plus(10_000));
        assert_eq!(all.again_in(token.text(), START.plus(11_000)), Some(9_000));
        assert_eq!(turn(19_999), Turn::Later);
        assert_eq!(turn(20_000), asked);
        assert_eq!(turn(60_000), Turn::Never);
    }

    #[test]
    fn a_sign_in_that_is_over_or_was_never_begun_is_none_and_at_the_bound_no_other_begins() {
        let all = Devices::default();
        let first = all.begin(&device(), START).unwrap();
        for _ in 1..WAITING {
            all.begin(&device(), START.plus(1)).unwrap();
        }
        assert!(!all.has_room(START.plus(1)));
        let more = all.begin(&device(), START.plus(1));
        assert!(matches!(more, Err(NotBegun::Crowded)));
        all.end(first.text());
        assert_eq!(all.turn(first.text(), START.plus(5_000)), Turn::Never);
        assert_eq!(all.turn("", START.plus(5_000)), Turn::Never);
        assert!(all.has_room(START.plus(1)));
    }
}
