//! What one address may ask for, before any handshake costs anything.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use libp2p::{Multiaddr, multiaddr::Protocol};
use tokio::time::Instant;

use crate::Limits;

/// Addresses remembered; at the bound those with nothing to remember are forgotten, and an
/// address that still does not fit is refused.
const ADDRESSES: usize = 8_192;
/// How long an address stays known after a known link came from it.
const KNOWN_TIME: Duration = Duration::from_secs(60 * 60);

/// What counts as one address: IPv4 /32 or IPv6 /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// An IPv4 address.
    V4([u8; 4]),
    /// The first half of an IPv6 address.
    V6(u64),
}

impl Source {
    /// Gives the source of a connection; `None` for loopback, which is exempt.
    fn of(address: &Multiaddr) -> Option<Self> {
        let ip = address.iter().find_map(|part| match part {
            Protocol::Ip4(ip) => Some(IpAddr::V4(ip)),
            Protocol::Ip6(ip) => Some(ip.to_canonical()),
            _ => None,
        })?;
        match ip {
            ip if ip.is_loopback() => None,
            IpAddr::V4(ip) => Some(Self::V4(ip.octets())),
            IpAddr::V6(ip) => Some(Self::V6((ip.to_bits() >> 64) as u64)),
        }
    }
}

/// Remembers what each address holds and how fast it comes.
#[derive(Debug)]
pub(crate) struct Gate {
    unadmitted: usize,
    handshakes: u32,
    known_handshakes: u32,
    sources: BTreeMap<Source, Record>,
}

#[derive(Debug)]
struct Record {
    /// Connections from here that are not admitted yet.
    unadmitted: usize,
    /// Handshakes left, and when that was counted.
    tokens: f64,
    counted: Instant,
    /// When the last known link was admitted from here.
    known: Option<Instant>,
}

/// An address asks for more than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too much from one address")]
pub(crate) struct TooMuch;

impl Gate {
    /// Makes a gate that keeps the given limits.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            unadmitted: limits.unadmitted_per_address,
            handshakes: limits.handshakes,
            known_handshakes: limits.known_handshakes,
            sources: BTreeMap::new(),
        }
    }

    /// Lets a new connection begin its handshake. The source it gives is to be handed back, by
    /// [`Self::leave`], once the connection is admitted or gone.
    pub(crate) fn enter(
        &mut self,
        address: &Multiaddr,
        now: Instant,
    ) -> Result<Option<Source>, TooMuch> {
        let Some(source) = Source::of(address) else {
            return Ok(None);
        };
        let rate = self.rate(self.sources.get(&source), now);
        let unadmitted = self.unadmitted;
        let record = self.record(source, now)?;
        record.refill(rate, now);
        if record.unadmitted >= unadmitted || record.tokens < 1.0 {
            return Err(TooMuch);
        }
        record.tokens -= 1.0;
        record.unadmitted += 1;
        Ok(Some(source))
    }

    /// Takes back what [`Self::enter`] gave.
    pub(crate) fn leave(&mut self, source: Source) {
        if let Some(record) = self.sources.get_mut(&source) {
            record.unadmitted = record.unadmitted.saturating_sub(1);
        }
    }

    /// Notes that a known link came from an address.
    pub(crate) fn note_known(&mut self, address: &Multiaddr, now: Instant) {
        if let Some(source) = Source::of(address)
            && let Ok(record) = self.record(source, now)
        {
            record.known = Some(now);
        }
    }

    fn rate(&self, record: Option<&Record>, now: Instant) -> f64 {
        f64::from(if record.is_some_and(|record| record.is_known(now)) {
            self.known_handshakes
        } else {
            self.handshakes
        })
    }

    fn record(&mut self, source: Source, now: Instant) -> Result<&mut Record, TooMuch> {
        if self.sources.len() >= ADDRESSES && !self.sources.contains_key(&source) {
            self.sources.retain(|_, record| record.matters(now));
            if self.sources.len() >= ADDRESSES {
                return Err(TooMuch);
            }
        }
        let tokens = f64::from(self.handshakes);
        Ok(self.sources.entry(source).or_insert(Record {
            unadmitted: 0,
            tokens,
            counted: now,
            known: None,
        }))
    }
}

impl Record {
    fn is_known(&self, now: Instant) -> bool {
        self.known
            .is_some_and(|known| now.saturating_duration_since(known) < KNOWN_TIME)
    }

    /// Whether forgetting the record would let its address have more than it may.
    fn matters(&self, now: Instant) -> bool {
        self.unadmitted > 0
            || self.is_known(now)
            || now.saturating_duration_since(self.counted) < Duration::from_secs(1)
    }

    fn refill(&mut self, rate: f64, now: Instant) {
        let passed = now.saturating_duration_since(self.counted).as_secs_f64();
        self.tokens = (self.tokens + passed * rate).min(rate);
        self.counted = now;
    }
}

#[cfg(test)]
mod tests;
