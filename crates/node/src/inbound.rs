//! What comes over a link: frames are read, and envelopes pass the cheap checks first.

use bytes::Bytes;
use realm_protocol::{
    Envelope, FailureCode, Header, ReadHeader, flags, limits,
    link::{Bye, Frame, Versions},
};
use realm_router::LinkId;

use crate::{Node, Refused};

impl Node {
    pub(crate) fn handle_frame(&mut self, id: LinkId, bytes: &Bytes) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.last_heard = self.now.tick;
        let admitted = link.admitted;
        let Ok(frame) = Frame::decode(bytes) else {
            let versions = Versions::of_hello(bytes).filter(|_| !admitted);
            if versions.is_some_and(|theirs| self.refuses_versions(id, theirs)) {
                return;
            }
            self.counters.refuse(Refused::Malformed);
            if !admitted {
                self.close(
                    id,
                    Some(FailureCode::Malformed),
                    "not a frame of this version",
                );
            }
            return;
        };
        tracing::trace!(link = id.0, frame = frame.name(), "received");
        if !matches!(frame, Frame::Envelope(_) | Frame::Bye(_))
            && !link.intake.take(None, bytes.len(), self.now.tick)
        {
            return self.counters.refuse(Refused::Rate);
        }
        if admitted && !matches!(frame, Frame::Hello(_) | Frame::Bye(_)) {
            self.is_let_in(id);
        }
        match frame {
            Frame::Hello(hello) => self.handle_hello(id, hello),
            Frame::Bye(bye) => self.handle_bye(id, &bye),
            Frame::Join(join) => self.handle_join(id, join),
            Frame::Offer(offer) => self.handle_offer(id, offer),
            Frame::Accept(accept) => self.handle_accept(id, accept),
            Frame::Joined(joined) => self.handle_joined(id, &joined),
            _ if !admitted => self.counters.refuse(Refused::NotAdmitted),
            Frame::Envelope(envelope) => self.handle_envelope(id, envelope, bytes.len()),
            Frame::Beat(beat) => self.handle_beat(id, &beat),
            Frame::Records(records) => self.handle_records(id, records),
            Frame::Renew(renew) => self.handle_renew(id, renew),
            Frame::NeedChain(_) => self.answer_for_records(id),
            Frame::Taken(taken) => self.handle_taken(id, &taken),
        }
    }

    fn handle_bye(&mut self, id: LinkId, bye: &Bye) {
        let detail = bye.detail.as_deref().unwrap_or_default();
        let detail: String = detail.chars().take(256).collect();
        tracing::debug!(link = id.0, detail, "the neighbour says goodbye");
        if bye.code.is_some() {
            self.note_turned_away(id, &detail);
        }
        if !detail.is_empty() {
            self.join_refused(id, &detail);
        }
    }

    /// A frame of ours found its link's queue full.
    pub(crate) fn handle_unsent(&mut self, id: LinkId, bytes: &Bytes) {
        match Frame::decode(bytes) {
            Ok(Frame::Envelope(envelope)) => self.envelope_unsent(id, &envelope, bytes.len()),
            Ok(Frame::Records(records)) => self.owe_again(id, &records),
            Ok(Frame::Beat(beat)) => self.beat_unsent(id, &beat),
            // Without room for its other words a link is not worth keeping.
            _ => self.close(id, Some(FailureCode::Overloaded), "the queue is full"),
        }
    }

    fn envelope_unsent(&mut self, id: LinkId, envelope: &Envelope, bytes: usize) {
        let Ok(header) = envelope.peek() else { return };
        if self.keep_unsent(id, &header, (envelope, bytes)) || self.custody.keeps(envelope.digest())
        {
            return; // It goes again later.
        }
        self.counters.refuse(Refused::Overloaded);
        if header.source == *self.me.place() {
            self.own_message_failed(envelope.digest(), FailureCode::Overloaded);
        } else {
            self.fail_request(None, envelope.digest(), &header, FailureCode::Overloaded);
        }
    }

    fn handle_envelope(&mut self, id: LinkId, envelope: Envelope, bytes: usize) {
        let Ok(header) = envelope.read_header() else {
            return self.counters.refuse(Refused::Malformed);
        };
        match self.check_envelope(id, (&envelope, bytes), &header) {
            Ok(()) => self.pass_on(id, envelope, header),
            Err(reason) => {
                tracing::debug!(link = id.0, reason = reason.name(), "dropped an envelope");
                self.counters.refuse(reason);
            }
        }
    }

    fn check_envelope(
        &mut self,
        id: LinkId,
        (envelope, bytes): (&Envelope, usize),
        header: &Header,
    ) -> Result<(), Refused> {
        if !Versions::SPOKEN.include(header.version) || !header.kind.is_spoken() {
            return Err(Refused::Version);
        }
        if header.flags.is_some_and(|bits| bits & !flags::KNOWN != 0) {
            return Err(Refused::Version);
        }
        if header.answers.is_some() != header.is_answer() {
            return Err(Refused::Malformed);
        }
        if envelope.hop.left == 0 || envelope.hop.left > limits::HOPS {
            return Err(Refused::Hops);
        }
        if header.has(flags::STORABLE) && !header.is_storable() {
            return Err(Refused::Malformed);
        }
        if header.ttl_ms > header.longest_ttl_ms() || envelope.hop.age_ms > header.ttl_ms {
            return Err(Refused::Expired);
        }
        let scopes = |peer| self.kin.peer_scopes(self.me.realm(), peer);
        let ingress = self.routes.ingress(
            id,
            &header.source,
            &header.destination,
            &envelope.hop,
            &scopes,
        );
        ingress.map_err(|_| Refused::Ingress)?;
        let now = self.now.tick;
        let link = self.links.get_mut(&id);
        let taken = link.is_some_and(|link| link.intake.take(Some(header.kind), bytes, now));
        taken.then_some(()).ok_or(Refused::Rate)
    }

    /// Delivers an envelope that passed the cheap checks, or relays it.
    pub(crate) fn pass_on(&mut self, link: LinkId, envelope: Envelope, header: ReadHeader) {
        if header.destination.scope() == self.me.scope() {
            self.deliver(link, envelope, header);
        } else {
            self.relay(link, envelope, header);
        }
    }
}
