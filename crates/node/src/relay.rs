//! Sending on what is for others, by policy and by route. Nothing of it is kept.

use realm_crypto::{Letter, Outgoing, Verified, write_clear};
use realm_policy::{Action, Resource};
use realm_protocol::{
    CallId, Digest, Envelope, Failure, FailureCode, Header, Kind, Phase, Place, Priority,
    ReadHeader, Scope, Suite, cbor, flags, limits, link::Frame,
};
use realm_router::{LinkId, Next, Relation, forward_hop};

use crate::{Node, Refused, hold::Waiter};

/// When a message may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Release {
    /// It promises nothing.
    Now,
    /// It promises what has been recorded so far, this turn included.
    Durable,
}

/// Why an envelope has not been verified.
pub(crate) enum Unverified {
    /// Its source's chain is not known here yet.
    Unknown(Box<Envelope>),
    /// It is wrong.
    Wrong(Refused),
}

impl Node {
    pub(crate) fn relay(&mut self, link: LinkId, envelope: Envelope, header: ReadHeader) {
        let to = header.destination.scope();
        let phase = Some(envelope.hop.phase);
        let next = self.routes.next(&to, Some(link), phase, self.now.tick);
        let envelope = if self.is_border(link, &next) {
            match self.verify(envelope, &header) {
                Ok(verified) => verified.into_envelope(),
                Err(Unverified::Unknown(envelope)) => {
                    return self.await_chain(link, *envelope, header);
                }
                Err(Unverified::Wrong(reason)) => return self.counters.refuse(reason),
            }
        } else {
            envelope
        };
        if header.kind == Kind::Resolve && self.answer_for_child(envelope.digest(), &header) {
            return;
        }
        let from = header.source.scope();
        let resource = Resource::Realm(&to);
        let now = self.wall();
        if let Err(denial) =
            self.rules
                .decide(Action::Relay, &from, resource, header.is_answer(), now)
        {
            self.counters.refuse(Refused::Denied);
            let reference = self.remember_denial(denial);
            return self.fail_with(
                Some(link),
                envelope.digest(),
                &header,
                FailureCode::Denied,
                Some(reference),
            );
        }
        let stopped = |scope: &Scope| self.halts.stops_below(scope);
        if header.kind.begins_work() && (stopped(&from) || stopped(&to)) {
            let digest = envelope.digest();
            return self.fail_request(Some(link), digest, &header, FailureCode::Halted);
        }
        let envelope = if header.kind == Kind::Cancel {
            match self.cancel_kept(envelope, &header) {
                Ok(envelope) => envelope,
                Err(unproven) => return self.await_chain(link, *unproven, header),
            }
        } else {
            envelope
        };
        match next {
            Next::Forward { .. } if self.waits_its_turn(&header) => {
                self.keep_or_fail(link, envelope, header);
            }
            Next::Forward { link: out, phase } => self.forward(link, out, phase, envelope, &header),
            Next::Wait { until } => {
                let digest = envelope.digest();
                let waiter = Waiter::Passing(link, envelope, header);
                if let Err(waiter) = self.hold(waiter, until)
                    && let Waiter::Passing(_, _, header) = *waiter
                {
                    self.fail_request(Some(link), digest, &header, FailureCode::Overloaded);
                }
            }
            Next::Offline => self.keep_or_fail(link, envelope, header),
            Next::NoRoute | Next::Deliver => {
                self.fail_request(Some(link), envelope.digest(), &header, FailureCode::NoRoute);
            }
        }
    }

    fn forward(
        &mut self,
        link: LinkId,
        out: LinkId,
        phase: Phase,
        mut envelope: Envelope,
        header: &Header,
    ) {
        let Some(hop) = forward_hop(&envelope.hop, phase, 0) else {
            self.counters.refuse(Refused::Hops);
            let digest = envelope.digest();
            return self.fail_request(Some(link), digest, header, FailureCode::HopLimit);
        };
        envelope.hop = hop;
        self.counters.relayed = self.counters.relayed.saturating_add(1);
        self.send(out, &Frame::Envelope(envelope));
    }

    /// Whether an envelope crosses from one tree into another here.
    fn is_border(&self, link: LinkId, next: &Next) -> bool {
        let is_peer = |link| matches!(self.routes.relation(link), Some(Relation::Peer(_)));
        match next {
            Next::Forward { link: out, .. } => is_peer(link) || is_peer(*out),
            _ => is_peer(link),
        }
    }

    /// Checks an envelope's signature against its source's chain.
    pub(crate) fn verify(
        &mut self,
        mut envelope: Envelope,
        header: &ReadHeader,
    ) -> Result<Verified, Unverified> {
        let now = self.wall();
        let scope = header.source.scope();
        if let Some(bytes) = envelope.chain.take() {
            let known = self
                .trust
                .chain(&scope, now)
                .is_some_and(|known| *known.bytes() == bytes);
            if !known {
                let wrong = |_| Unverified::Wrong(Refused::Certificate);
                let chain = realm_protocol::link::read_chain(&bytes)
                    .map_err(|_| Unverified::Wrong(Refused::Malformed))?;
                let chain = self
                    .trust
                    .check(&chain, header.source.root, self.me.chain(), now)
                    .map_err(wrong)?;
                if *chain.place() != header.source {
                    return Err(Unverified::Wrong(Refused::Certificate));
                }
                self.trust.remember(chain);
            }
            envelope.chain = Some(bytes);
        }
        let epoch = self.trust.epoch();
        let Some(chain) = self.trust.chain(&scope, now).cloned() else {
            return Err(Unverified::Unknown(Box::new(envelope)));
        };
        if *chain.place() != header.source {
            // Another realm or node stands there: a source that replaced it brings its chain.
            return Err(Unverified::Wrong(Refused::Certificate));
        }
        let side = self.trust.side_of(&scope);
        let header = header.clone();
        let verified = self.trust.roots.with(side, |roots| {
            realm_crypto::verify_envelope(envelope, header, &chain, epoch, roots)
        });
        verified.map_err(|_| Unverified::Wrong(Refused::Signature))
    }

    /// Holds an envelope until its source's chain is known, and asks for it.
    pub(crate) fn await_chain(&mut self, link: LinkId, envelope: Envelope, header: ReadHeader) {
        let source = header.source.scope();
        let until = self.now.tick.plus(limits::CHAIN_WAIT_MS);
        let waiter = Waiter::Unproven(link, envelope, header);
        if self.hold(waiter, until).is_ok() {
            self.resolve(source, crate::resolve::Asker::Hold);
        }
    }

    /// Tells the source of a request why it goes no further.
    pub(crate) fn fail_request(
        &mut self,
        link: Option<LinkId>,
        digest: Digest,
        header: &Header,
        code: FailureCode,
    ) {
        self.fail_with(link, digest, header, code, None);
    }

    pub(crate) fn fail_with(
        &mut self,
        link: Option<LinkId>,
        digest: Digest,
        header: &Header,
        code: FailureCode,
        reference: Option<String>,
    ) {
        // Any message in a session that is not there may be sealed anew.
        let unknown = code == FailureCode::UnknownKey && header.suite == Suite::Session;
        let asks = header.kind.is_request() || unknown;
        if header.is_answer() || !asks || header.has(flags::ANSWER) {
            return;
        }
        if header.source == *self.me.place() {
            return self.own_message_failed(digest, code);
        }
        let retry_after_ms = (code == FailureCode::Overloaded).then_some(1_000);
        let failure = Failure {
            code,
            answers: digest,
            reference,
            retry_after_ms,
            detail: None,
            not_begun: None,
            spent: None,
            receipt: None,
        };
        tracing::debug!(link = link.map(|link| link.0), %code, "failing a request");
        self.send_clear(
            Kind::Failure,
            &header.source,
            header.call,
            Some(digest),
            &cbor::encode(&failure),
        );
    }

    /// Sends a clear message of this realm's on its way, with the chain.
    pub(crate) fn send_clear(
        &mut self,
        kind: Kind,
        destination: &Place,
        call: CallId,
        answers: Option<Digest>,
        content: &[u8],
    ) {
        if let Some(letter) = self.write_clear(kind, destination, call, answers, content) {
            self.launch(letter);
        }
    }

    pub(crate) fn write_clear(
        &mut self,
        kind: Kind,
        destination: &Place,
        call: CallId,
        answers: Option<Digest>,
        content: &[u8],
    ) -> Option<Letter> {
        let out = Outgoing {
            kind,
            source: self.me.place(),
            destination,
            created: self.now.wall,
            ttl_ms: limits::CALL_MS,
            call,
            answers,
            priority: Priority::Control,
            flags: None,
            max_reply: limits::BODY_BYTES as u64,
            receipt: None,
            content,
        };
        let mut letter = write_clear(&mut self.rng, self.me.signer(), &out)
            .inspect_err(|error| tracing::warn!(%error, "a clear message cannot be written"))
            .ok()?;
        letter.chain = self.me.chain().map(|chain| chain.bytes().clone());
        Some(letter)
    }

    /// Whether a place has not been sent this realm's chain since it last changed.
    pub(crate) fn introduce(&mut self, scope: Scope) -> bool {
        let first = self.introduced.insert(scope);
        if self.introduced.len() > limits::CHAINS {
            self.introduced.pop_first();
        }
        first
    }

    /// Sends a message of this realm's on its way.
    pub(crate) fn launch(&mut self, letter: Letter) {
        self.launch_when(letter, Release::Now);
    }

    /// Sends a message of this realm's, at once or when everything recorded so far is durable.
    pub(crate) fn launch_when(&mut self, mut letter: Letter, release: Release) {
        let to = letter.header().destination.scope();
        match self.routes.next(&to, None, None, self.now.tick) {
            Next::Forward { .. } if self.waits_its_turn(letter.header()) => self.keep_own(letter),
            Next::Forward { link, phase } => {
                letter.phase = phase;
                self.counters.sent = self.counters.sent.saturating_add(1);
                if let Some(out) = self.calls.get_mut(&letter.header().call) {
                    // It may have waited for this link, and is lost with it.
                    out.via = Some(link);
                }
                self.post(link, letter, release);
            }
            Next::Wait { until } => {
                let digest = letter.digest();
                if self.hold(Waiter::Own(letter, release), until).is_err() {
                    self.own_message_failed(digest, FailureCode::Overloaded);
                }
            }
            Next::Offline => self.keep_own(letter),
            Next::NoRoute | Next::Deliver => {
                self.own_message_failed(letter.digest(), FailureCode::NoRoute);
            }
        }
    }

    /// Remembers a denial for `policy why`, and gives its reference.
    pub(crate) fn remember_denial(&mut self, denial: realm_policy::Denial) -> String {
        let reference = realm_protocol::TicketId::new(self.random()).to_string();
        let reference: String = reference.chars().take(10).collect();
        let now = self.wall();
        self.audit_denial(&denial, &reference);
        if let Ok(row) = serde_json::to_vec(&denial) {
            self.put(
                realm_protocol::journal::Table::Denials,
                reference.as_bytes(),
                row,
            );
        }
        if let Some(over) = self.rules.remember_denial(reference.clone(), now, denial) {
            self.delete(realm_protocol::journal::Table::Denials, over.as_bytes());
        }
        reference
    }
}
