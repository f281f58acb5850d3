//! Calls kept for children that are offline, where both agreed: written down, then promised, given
//! in order and at a pace on their return.

mod mailbox;
mod outline;
mod taken_back;

use realm_protocol::{
    CallId, Digest, Envelope, Failure, FailureCode, Header, Kind, Label, Phase, Place, ReadHeader,
    Scope, cbor,
    journal::Table,
    limits,
    link::{Frame, Taken},
    message::Custody,
};
use realm_router::{LinkId, Relation, TokenBucket, forward_hop};

use crate::{
    Effect, LookId, Node, Refused,
    relay::{Release, Unverified},
    state::{self, KeptCall},
    timers::Timer,
};
pub(crate) use mailbox::Custodian;
use mailbox::{AGAIN_MS, Kept};
pub use outline::KeptOutline;
pub(crate) use taken_back::{TAKEN_BACK, TakenBack, taken_back};

/// How long a call waits for its own record to be durable before that is looked at again,
/// milliseconds.
const DURABLE_MS: u64 = 50;

/// How long after a restore its links have to stand, milliseconds, before the sources of what it
/// keeps are told that it does no longer.
const RESTORED_MS: u64 = 30_000;

/// Bytes that the age of a kept frame may take more than it did.
const GROWS: usize = 8;

/// Key of a kept call's record: its number, so that they lie in order.
fn row(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

impl Node {
    /// Takes up what was kept before a restart; what is of children that have gone is dropped. What a
    /// backup holds may have been given or taken back since: its sources hear that it is kept no longer.
    pub(crate) fn recover_custody(&mut self, outlines: Vec<KeptOutline>, restored: bool) {
        for outline in outlines {
            let number = outline.number;
            if !self.kin.children.contains_key(&outline.child) {
                self.delete(Table::Custody, &row(number));
                continue;
            }
            let share = self.custody_share(&outline.source);
            // A restart before the sources were told makes no difference.
            let from_backup = restored || self.restored.is_some_and(|at| outline.created < at);
            let (child, mut kept) = outline.into_kept(share);
            if from_backup {
                kept.until = kept.until.min(self.wall().plus(RESTORED_MS));
                kept.given_up = true;
            }
            self.custody.insert(&child, number, kept);
        }
    }

    /// Keeps a call for a child that is offline, where both agreed; anything else fails as
    /// `Offline`.
    pub(crate) fn keep_or_fail(&mut self, link: LinkId, envelope: Envelope, header: ReadHeader) {
        let digest = envelope.digest();
        let Some(child) = self.agreed(&header) else {
            return self.fail_request(Some(link), digest, &header, FailureCode::Offline);
        };
        match self.verify(envelope, &header) {
            Ok(verified) => {
                if let Err(code) = self.keep(&child, verified.into_envelope(), &header) {
                    self.fail_request(Some(link), digest, &header, code);
                }
            }
            Err(Unverified::Unknown(envelope)) => self.await_chain(link, *envelope, header),
            Err(Unverified::Wrong(reason)) => self.counters.refuse(reason),
        }
    }

    /// As [`Node::keep_or_fail`], for a message of this realm's own.
    pub(crate) fn keep_own(&mut self, letter: realm_crypto::Letter) {
        let header = letter.header().clone();
        let digest = letter.digest();
        let kept = match self.agreed(&header) {
            Some(child) => self.keep(&child, letter.sign(self.me.signer()), &header),
            None => Err(FailureCode::Offline),
        };
        if let Err(code) = kept {
            self.own_message_failed(digest, code);
        }
    }

    /// Whether a call has to wait behind others that are kept for its destination.
    pub(crate) fn waits_its_turn(&mut self, header: &Header) -> bool {
        let child = self.child_at(&header.destination.scope());
        child.is_some_and(|child| self.custody.children.contains_key(&child))
            && self.agreed(header).is_some()
    }

    /// The label of the child that stands exactly there.
    pub(crate) fn child_at(&self, to: &Scope) -> Option<Label> {
        let is_below =
            to.root == self.me.root() && to.path.parent().as_ref() == Some(self.me.path());
        to.path.last_label().filter(|_| is_below)
    }

    /// The child that a call may be kept for. The child has agreed by showing the key that the call
    /// is sealed to, this realm by its configuration.
    fn agreed(&mut self, header: &Header) -> Option<Label> {
        if !self.config.custody.keep_for_children || !header.is_storable() {
            return None;
        }
        let to = header.destination.scope();
        let label = self.child_at(&to)?;
        let now = self.wall();
        let child = self.kin.children.get(&label)?;
        if header.destination.realm != Some(child.realm) {
            return None;
        }
        self.know_child(&label, &to);
        let chain = self.trust.chain(&to, now)?;
        let mut keys = chain.stored_kem().iter();
        let shown = keys.any(|key| {
            Some(key.key_id()) == header.key && now < key.not_after.plus(limits::CLOCK_SKEW_MS)
        });
        (shown && header.destination.node == Some(chain.node())).then_some(label)
    }

    /// Takes up the chain of a child as it showed it last, unless it is known.
    pub(crate) fn know_child(&mut self, label: &Label, at: &Scope) {
        let now = self.wall();
        if self.trust.chain(at, now).is_some() {
            return;
        }
        let child = self.kin.children.get(label);
        let Some(chain) = child.and_then(|child| child.chain.clone()) else {
            return;
        };
        if let Ok(chain) = self.trust.check(&chain, at.root, self.me.chain(), now) {
            self.trust.remember(chain);
        }
    }

    /// Whose share of the room a call falls into: that of the neighbour on whose side its source
    /// stands; none for this realm's own.
    fn custody_share(&self, source: &Place) -> Option<Scope> {
        if source == self.me.place() {
            return None;
        }
        Some(self.trust.side_of(&source.scope()))
    }

    /// Writes a call down and, once that is durable, says so to its source. A later attempt of a
    /// call takes the place of the one before; an earlier one, and one that was taken back, comes
    /// to nothing.
    fn keep(
        &mut self,
        child: &Label,
        mut envelope: Envelope,
        header: &Header,
    ) -> Result<(), FailureCode> {
        let digest = envelope.digest();
        let same = |kept: &Kept| kept.call == header.call && kept.source == header.source;
        let older = self.custody.find(child, same);
        if let Some(kept) = older.and_then(|number| self.custody.get_mut(child, number))
            && kept.digest == digest
        {
            let kept = kept.clone();
            self.tell_custody(&kept, false, Release::Durable);
            return Ok(());
        }
        let newer = older.and_then(|number| self.custody.get_mut(child, number));
        let newer = newer.is_some_and(|kept| kept.created > header.created);
        if newer || self.custody.taken_back.holds(header) {
            self.counters.refuse(Refused::Replay);
            return Ok(());
        }
        let left = header.ttl_ms.saturating_sub(envelope.hop.age_ms);
        if left == 0 || self.out.has_failed() {
            return Err(FailureCode::Offline);
        }
        if forward_hop(&envelope.hop, Phase::Down, 0).is_none() {
            return Err(FailureCode::HopLimit);
        }
        let (now, source) = (self.wall(), header.source.scope());
        if envelope.chain.is_none() {
            // The child may ask nobody when it is back.
            let chain = self.trust.chain(&source, now);
            envelope.chain = chain.map(|chain| chain.bytes().clone());
        }
        let length = Frame::Envelope(envelope.clone()).encode().len();
        if length.saturating_add(GROWS) > limits::FRAME_BYTES {
            return Err(FailureCode::TooLarge);
        }
        // The age is the last hop's word; what the source signed bounds it.
        let until = now
            .plus(left.min(self.config.custody.keep_ms))
            .min(header.expires());
        if until <= now {
            return Err(FailureCode::Expired);
        }
        let record = state::write(&KeptCall {
            child: child.clone(),
            since: now,
            until,
            envelope,
        });
        let kept = Kept {
            digest,
            source: header.source.clone(),
            call: header.call,
            created: header.created,
            share: self.custody_share(&header.source),
            bytes: record.len(),
            until,
            written: self.out.position().0,
            given: None,
            given_up: false,
        };
        if !self.custody.has_room(child, &kept, older) {
            self.counters.refuse(Refused::Overloaded);
            return Err(FailureCode::Overloaded);
        }
        if let Some(older) = older {
            self.let_go(child, older);
        }
        let number = self.custody.last.saturating_add(1);
        self.put(Table::Custody, &row(number), record);
        self.tell_custody(&kept, false, Release::Durable);
        self.custody.insert(child, number, kept);
        self.hand_over(child);
        Ok(())
    }

    fn let_go(&mut self, child: &Label, number: u64) -> Option<Kept> {
        let kept = self.custody.remove(child, number)?;
        self.delete(Table::Custody, &row(number));
        Some(kept)
    }

    /// Tells the source of a call that it is kept, or that the child has taken it.
    fn tell_custody(&mut self, kept: &Kept, taken: bool, release: Release) {
        let receipt = Custody {
            answers: kept.digest,
            until: kept.until,
            taken,
        };
        if kept.source == *self.me.place() {
            let by = self.me.scope();
            return self.heed_custody(kept.call, &by, &receipt, None);
        }
        let content = cbor::encode(&receipt);
        let answers = Some(kept.digest);
        let letter = self.write_clear(Kind::Custody, &kept.source, kept.call, answers, &content);
        if let Some(letter) = letter {
            self.launch_when(letter, release);
        }
    }

    fn tell_dropped(&mut self, kept: &Kept, code: FailureCode) {
        if kept.source == *self.me.place() {
            return self.own_message_failed(kept.digest, code);
        }
        let failure = cbor::encode(&Failure {
            code,
            answers: kept.digest,
            reference: None,
            retry_after_ms: None,
            detail: None,
            not_begun: None,
            spent: None,
            receipt: None,
        });
        let answers = Some(kept.digest);
        let letter = self.write_clear(Kind::Failure, &kept.source, kept.call, answers, &failure);
        if let Some(letter) = letter {
            // After a crash it would be kept again, and given.
            self.launch_when(letter, Release::Durable);
        }
    }

    /// The link to a child that takes what is kept for it.
    fn link_for_kept(&self, child: &Label) -> Option<LinkId> {
        let link = self.routes.link_to(&Relation::Child(child.clone()))?;
        let let_in = self.links.get(&link).is_some_and(|link| link.let_in);
        let_in.then_some(link)
    }

    /// Gives a child that is back the next call that is kept for it, if it is time for it.
    pub(crate) fn hand_over(&mut self, child: &Label) {
        let tick = self.now.tick;
        let (linked, durable) = (self.link_for_kept(child), self.out.position().1);
        let stopped = self.stops_child(child);
        let Some(mailbox) = self.custody.children.get_mut(child) else {
            return;
        };
        if linked.is_none() || mailbox.reading {
            return;
        }
        let calls = || mailbox.calls.iter();
        let under_way = calls().filter(|(_, kept)| kept.is_under_way(tick)).count();
        let wall = self.now.wall;
        let next = calls().find(|(_, kept)| {
            let halted = stopped || self.halts.stops_below(&kept.source.scope());
            let can_go = wall < kept.until && !kept.given_up && !halted;
            can_go && !kept.is_under_way(tick)
        });
        let Some((number, kept)) = next.filter(|_| under_way < limits::CUSTODY_WINDOW) else {
            let again = tick.plus(AGAIN_MS);
            return self
                .timers
                .set_earlier(Timer::Custody(child.clone()), again);
        };
        if kept.written > durable {
            let soon = tick.plus(DURABLE_MS);
            return self.timers.set_earlier(Timer::Custody(child.clone()), soon);
        }
        let number = *number;
        let (rate, burst) = limits::CUSTODY_RATE;
        let pace = mailbox
            .pace
            .get_or_insert_with(|| TokenBucket::new(u64::from(rate), u64::from(burst), tick));
        if !pace.take(tick) {
            let soon = tick.plus(pace.retry_after_ms(tick).max(1));
            return self.timers.set_earlier(Timer::Custody(child.clone()), soon);
        }
        mailbox.reading = true;
        let look = self.next_look();
        self.custody.looks.insert(look, (child.clone(), number));
        let key = row(number).to_vec();
        self.out.emit(Effect::Look(look, Table::Custody, key));
    }

    /// A kept call has been read, and goes on to its child.
    pub(crate) fn hand_over_read(&mut self, look: LookId, value: Option<&[u8]>) {
        let Some((child, number)) = self.custody.looks.remove(&look) else {
            return;
        };
        if let Some(mailbox) = self.custody.children.get_mut(&child) {
            mailbox.reading = false;
        }
        // It may have been halted while the call was read.
        let link = self.link_for_kept(&child);
        let link = link.filter(|_| !self.stops_child(&child));
        let tick = self.now.tick;
        if let (Some(link), Some(kept)) = (link, self.custody.get_mut(&child, number))
            && !self.halts.stops_below(&kept.source.scope())
        {
            kept.given = Some(tick);
            match value.map(state::read::<KeptCall>) {
                Some(Ok(stored)) => self.give_kept(link, stored),
                _ => {
                    tracing::error!(%child, number, "a kept call does not read");
                    if let Some(kept) = self.let_go(&child, number) {
                        self.tell_dropped(&kept, FailureCode::Offline);
                    }
                }
            }
        }
        self.hand_over(&child);
    }

    /// Whether a child stands still by a word that this realm has said.
    fn stops_child(&self, child: &Label) -> bool {
        let me = self.me.scope();
        let path = me.path.child(child);
        path.is_ok_and(|path| {
            let root = me.root;
            self.halts.stops_below(&Scope { root, path })
        })
    }

    fn give_kept(&mut self, link: LinkId, stored: KeptCall) {
        let waited = self.wall().since(stored.since);
        let mut envelope = stored.envelope;
        if let Some(hop) = forward_hop(&envelope.hop, Phase::Down, waited) {
            envelope.hop = hop;
            self.counters.relayed = self.counters.relayed.saturating_add(1);
            self.send(link, &Frame::Envelope(envelope));
        }
    }

    /// The child has a call now: it is kept no longer.
    pub(crate) fn handle_taken(&mut self, id: LinkId, taken: &Taken) {
        let Some(Relation::Child(child)) = self.routes.relation(id).cloned() else {
            return self.counters.refuse(Refused::NotAdmitted);
        };
        let number = self
            .custody
            .find(&child, |kept| kept.digest == taken.header);
        let kept = number.and_then(|number| self.let_go(&child, number));
        if let Some(kept) = kept {
            self.tell_custody(&kept, true, Release::Now);
            self.hand_over(&child);
        }
    }

    /// Says to the parent, once that is durable, that a storable call is here.
    pub(crate) fn acknowledge(&mut self, link: LinkId, header: Digest) {
        if self.routes.relation(link) == Some(&Relation::Parent) {
            self.send_promise(link, &Frame::Taken(Taken { header }));
        }
    }

    /// Lets go of a call that its source takes back. Gives the Cancel back, as an error where its
    /// source's chain has to be asked for first.
    pub(crate) fn cancel_kept(
        &mut self,
        cancel: Envelope,
        header: &ReadHeader,
    ) -> Result<Envelope, Box<Envelope>> {
        let Some((child, number)) = self.find_kept(header) else {
            return Ok(cancel);
        };
        match self.verify(cancel.clone(), header) {
            Ok(_) => {
                self.let_go(&child, number);
                self.remember_taken_back(header);
                Ok(cancel)
            }
            Err(Unverified::Unknown(cancel)) => Err(cancel),
            Err(Unverified::Wrong(_)) => Ok(cancel),
        }
    }

    fn find_kept(&self, header: &Header) -> Option<(Label, u64)> {
        let child = self.child_at(&header.destination.scope())?;
        let same = |kept: &Kept| kept.call == header.call && kept.source == header.source;
        let number = self.custody.find(&child, same)?;
        Some((child, number))
    }

    /// Lets go of a call of this realm's own, if it keeps it.
    pub(crate) fn cancel_kept_own(&mut self, to: &Scope, call: CallId) {
        let Some(child) = self.child_at(to) else {
            return;
        };
        let me = self.me.place();
        let own = |kept: &Kept| kept.call == call && kept.source == *me;
        if let Some(number) = self.custody.find(&child, own) {
            self.let_go(&child, number);
        }
    }

    /// No attempt of a call that was taken back is kept again, for as long as one may come.
    fn remember_taken_back(&mut self, cancel: &Header) {
        let share = self.trust.side_of(&cancel.source.scope());
        let Some(noted) = self.custody.taken_back.note(cancel, share) else {
            return;
        };
        for number in noted.forgotten {
            self.delete(Table::Standing, &taken_back(number));
        }
        let row = state::write(&noted.mark);
        self.put(Table::Standing, &taken_back(noted.number), row);
    }

    /// Reports to their sources the calls that nobody has fetched in time.
    pub(crate) fn drop_expired_custody(&mut self) {
        let tick = self.now.tick;
        for (child, number) in self.custody.over(self.wall()) {
            let kept = self.custody.get_mut(&child, number);
            if kept.is_some_and(|kept| kept.is_under_way(tick)) {
                // The child may have it by now; it is dropped if it says nothing.
                continue;
            }
            if let Some(kept) = self.let_go(&child, number) {
                let code = match kept.given_up {
                    true => FailureCode::Offline,
                    false => FailureCode::Expired,
                };
                self.tell_dropped(&kept, code);
            }
        }
    }

    /// Drops what is kept for a child that has been revoked.
    pub(crate) fn drop_custody_of(&mut self, child: &Label) {
        let numbers = self.custody.children.get(child);
        let numbers = numbers.map(|mailbox| mailbox.calls.keys().copied().collect::<Vec<_>>());
        for number in numbers.unwrap_or_default() {
            if let Some(kept) = self.let_go(child, number) {
                self.tell_dropped(&kept, FailureCode::NoRoute);
            }
        }
    }
}
