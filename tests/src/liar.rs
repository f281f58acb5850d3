//! Answers that a realm signs and seals, and that its node has not written.

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;
use realm_crypto::{Outgoing, open_reply, seal_reply};
use realm_protocol::{
    Envelope, Kind, Phase, Priority, cbor, limits, link::Frame, message::CallResult,
    receipt::CallReceipt,
};

use crate::{HostId, World};

impl World {
    /// Answers the last call between two hosts once more: as the callee's node did, but for what the
    /// receipt says. Both were overheard, and the wire was tapped.
    ///
    /// # Panics
    /// If there is no such call, or no answer.
    pub fn answer_otherwise(
        &mut self,
        (callee, caller): (HostId, HostId),
        change: impl FnOnce(&mut CallReceipt),
    ) {
        let call = self.last_sent(caller, Kind::Call);
        let asked = self.opened(callee, &call).expect("a call that opens");
        let answer = self.last_sent(callee, Kind::Result);
        let answer = self.verified(&answer).expect("an answer of the callee's");
        let reply_key = asked.reply_key().expect("a key for the answer");
        let honest = open_reply(&answer, reply_key).expect("an answer that opens");
        let mut result: CallResult = cbor::decode(honest.content()).expect("a result");
        let receipt = result.receipt.as_deref().expect("a receipt");
        let mut receipt: CallReceipt = cbor::decode(receipt).expect("a receipt that reads");
        change(&mut receipt);
        let encoded = cbor::encode(&receipt);
        let digest = CallReceipt::digest(&encoded);
        result.spent = Some(receipt.spent);
        result.receipt = Some(encoded.into());

        let now = self.now(callee).wall;
        let signer = self.hosts[callee.0].signer();
        let out = Outgoing {
            kind: Kind::Result,
            source: &self.hosts[callee.0].place(),
            destination: &self.hosts[caller.0].place(),
            created: now,
            ttl_ms: limits::TTL_MS,
            call: answer.header().call,
            answers: Some(asked.digest()),
            priority: Priority::Normal,
            flags: None,
            max_reply: 0,
            receipt: Some(digest),
            content: &cbor::encode(&result),
        };
        let mut rng = ChaCha8Rng::seed_from_u64(now.as_millis());
        let mut letter = seal_reply(&mut rng, &signer, reply_key, &out).expect("a letter");
        letter.phase = Phase::Across;
        let frame = Frame::Envelope(letter.sign(&signer)).encode();
        let link = self.links_between(caller, callee)[0];
        self.inject(caller, link, frame);
    }

    /// The last message of a kind that a host has sent.
    fn last_sent(&self, host: HostId, kind: Kind) -> Envelope {
        let realm = self.hosts[host.0].realm;
        let mut frames = self.wire.iter().rev();
        let last = frames.find_map(|(from, _, bytes)| match Frame::decode(bytes) {
            Ok(Frame::Envelope(envelope)) if *from == host => {
                let header = envelope.peek().expect("a header");
                let meant = header.kind == kind && header.source.realm == Some(realm);
                meant.then_some(envelope)
            }
            _ => None,
        });
        last.expect("a message of this kind")
    }
}
