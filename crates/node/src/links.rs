//! Links: from the first Hello to the last Bye.

use std::collections::BTreeMap;

use rand_core::Rng;
use realm_crypto::{Letter, VerifiedChain};
use realm_protocol::{
    Digest, FailureCode, NodeId, RealmId, Scope, Tick, limits,
    link::{Beat, Bye, Frame, Hello, Versions},
};
use realm_router::{Backoff, LinkId, Relation};

use crate::{
    DialId, Effect, JoinedAs, Node, Refused, config::BURST, intake::Intake, io::ControlId,
    records::Owed, relay::Release, state::Target, timers::Timer, unsent::Unsent, witness::Shown,
};

/// One link to another node.
#[derive(Debug)]
pub(crate) struct Link {
    /// Who the transport has proven to be there.
    pub(crate) node: NodeId,
    pub(crate) dial: Option<DialId>,
    /// The wire version that both sides speak, once a Hello has shown it.
    pub(crate) version: Option<u64>,
    /// Who that is, once a Hello has shown it.
    pub(crate) chain: Option<VerifiedChain>,
    pub(crate) admitted: bool,
    /// Whether the neighbour has admitted this realm too.
    pub(crate) let_in: bool,
    /// Who waits for the parent's first records to hear that the join is done.
    pub(crate) joined: Option<(ControlId, JoinedAs)>,
    /// How far its clock was from this one's when last heard of, milliseconds.
    pub(crate) skew_ms: u64,
    pub(crate) last_heard: Tick,
    pub(crate) intake: Intake,
    /// The join under way on this link, as inviter.
    pub(crate) offered: Option<crate::invite::Offered>,
    /// The records digest the neighbour showed last.
    pub(crate) their_records: Option<Digest>,
    /// The records digest that their latest Records answered.
    pub(crate) settled: Option<Digest>,
    /// What the neighbour knows of this realm's audit log.
    pub(crate) log_shown: Shown,
    /// What the neighbour is still to be told.
    pub(crate) owed: Owed,
    /// Answers that found its queue full.
    pub(crate) unsent: Unsent,
}

/// Why a node was dialled.
#[derive(Debug)]
pub(crate) enum Dialled {
    /// To keep a link to a parent or peer.
    Keep(Target),
    /// To join with a ticket.
    Join(ControlId, Box<crate::JoinAsked>),
}

/// Backoff of each node that this one keeps dialling, and whether it is that of a realm turned
/// away.
#[derive(Debug, Default)]
pub(crate) struct Redials(BTreeMap<Target, (bool, Backoff)>);

impl Redials {
    /// The other side has let this realm in: the next delay starts small again.
    fn reset(&mut self, target: &Target) {
        self.0.remove(target);
    }

    fn delay_ms(&mut self, target: &Target, turned_away: bool, random: u64) -> u64 {
        let fresh = if turned_away {
            Backoff::TURNED_AWAY
        } else {
            Backoff::RECONNECT
        };
        let held = self.0.entry(target.clone());
        let (of, backoff) = held.or_insert((turned_away, fresh));
        if *of != turned_away {
            (*of, *backoff) = (turned_away, fresh);
        }
        backoff.delay_ms(random)
    }
}

impl Node {
    pub(crate) fn handle_link_up(&mut self, id: LinkId, node: NodeId, dial: Option<DialId>) {
        let link = Link {
            node,
            dial,
            version: None,
            chain: None,
            admitted: false,
            let_in: false,
            joined: None,
            skew_ms: 0,
            last_heard: self.now.tick,
            intake: Intake::of_stranger(self.now.tick),
            offered: None,
            their_records: None,
            settled: None,
            log_shown: Shown::default(),
            owed: Owed::default(),
            unsent: Unsent::default(),
        };
        self.links.insert(id, link);
        self.timers.set(
            Timer::Admission(id),
            self.now.tick.plus(limits::ADMISSION_MS),
        );
        self.timers
            .set(Timer::Beat(id), self.now.tick.plus(limits::BEAT_MS));
        self.greet(id, self.is_joining(id));
    }

    /// Shows who this realm is: as a root, if a Join follows, because the place it holds may be
    /// the one it has lost.
    pub(crate) fn greet(&mut self, link: LinkId, joining: bool) {
        let chain = if joining {
            self.me.bare_chain(self.wall())
        } else {
            self.me.chain().map(|chain| chain.chain().clone())
        };
        let Some(chain) = chain else {
            tracing::warn!("this realm's own chain does not stand: no link can be greeted");
            self.close(link, None, "my certificates do not stand");
            return;
        };
        let hello = Hello {
            oldest: Versions::SPOKEN.oldest,
            newest: Versions::SPOKEN.newest,
            chain,
            clock: self.wall(),
            records: self.trust.digest(None, std::iter::empty()),
            joining: joining.then_some(true),
        };
        self.send(link, &Frame::Hello(hello));
    }

    pub(crate) fn handle_link_down(&mut self, id: LinkId) {
        self.timers.cancel(&Timer::Beat(id));
        self.timers.cancel(&Timer::Admission(id));
        self.timers.cancel(&Timer::Records(id));
        self.timers.cancel(&Timer::Unsent(id));
        let Some(link) = self.links.remove(&id) else {
            return;
        };
        self.drop_unsent(&link.unsent);
        self.tell_joined(link.joined);
        let relation = self.routes.remove(id, self.now.tick);
        if let Some(relation) = relation.as_ref().filter(|_| !link.let_in) {
            self.routes.give_up(relation);
        }
        if let Some(dial) = link.dial {
            self.dial_is_over(dial, "the link was closed");
        }
        match &relation {
            Some(Relation::Parent) => self.schedule_redial(Target::Parent),
            Some(Relation::Peer(root)) => {
                self.keep_intake(*root, link.intake);
                self.schedule_redial(Target::Peer(*root));
            }
            Some(Relation::Child(label)) => self.custody.child_is_gone(label),
            _ => {}
        }
        if let Some(relation) = &relation {
            self.market_lost_link(relation);
            tracing::info!(link = id.0, ?relation, "link down");
            if link.let_in {
                self.calls_lost_link(id);
            } else {
                self.calls_not_let_in(id);
            }
        }
    }

    pub(crate) fn handle_dial_failed(&mut self, dial: DialId, detail: String) {
        self.dial_is_over(dial, &detail);
    }

    /// A dial has ended without the link it was for, or that link has gone.
    fn dial_is_over(&mut self, dial: DialId, detail: &str) {
        match self.dials.remove(&dial) {
            Some(Dialled::Keep(target)) => self.schedule_redial(target),
            Some(Dialled::Join(control, asked)) => {
                self.join_failed(control, detail);
                self.keep_what_was_joined(&asked);
            }
            None => {}
        }
    }

    /// Dials a parent or peer after a while, if this side is the one that dials.
    pub(crate) fn schedule_redial(&mut self, target: Target) {
        if self.stopping
            || self.me.is_superseded()
            || self
                .addresses_of(&target)
                .is_none_or(|(_, known)| known.is_empty())
        {
            return;
        }
        if self.timers.is_set(&Timer::Redial(target.clone())) {
            return;
        }
        let random = self.rng.next_u64();
        let turned_away = self.turned_away.contains_key(&target);
        let delay = self.redials.delay_ms(&target, turned_away, random);
        self.timers
            .set(Timer::Redial(target), self.now.tick.plus(delay));
    }

    pub(crate) fn redial(&mut self, target: &Target) {
        let relation = match target {
            Target::Parent => Relation::Parent,
            Target::Peer(root) => Relation::Peer(*root),
        };
        let Some((node, addresses)) = self.addresses_of(target) else {
            return;
        };
        let idle = self.stopping || self.me.is_superseded();
        if idle || addresses.is_empty() || self.routes.link_to(&relation).is_some() {
            return;
        }
        let dial = self.next_dial();
        self.dials.insert(dial, Dialled::Keep(target.clone()));
        self.out.emit(Effect::Dial {
            dial,
            node,
            addresses,
        });
    }

    fn addresses_of(&self, target: &Target) -> Option<(NodeId, Vec<String>)> {
        match target {
            Target::Parent => self
                .kin
                .parent
                .as_ref()
                .map(|parent| (parent.node, parent.addresses.clone())),
            Target::Peer(root) => self
                .kin
                .peers
                .get(root)
                .map(|peer| (peer.node, peer.addresses.clone())),
        }
    }

    pub(crate) fn handle_hello(&mut self, id: LinkId, hello: Hello) {
        if self.refuses_versions(id, hello.versions()) {
            return;
        }
        self.note_clock(id, hello.clock);
        if self.links.get(&id).is_none_or(|link| link.admitted) {
            return self.counters.refuse(Refused::NotAdmitted);
        }
        let Some(root) = hello
            .chain
            .links
            .first()
            .map(|link| link.inception.realm_id())
        else {
            self.counters.refuse(Refused::Certificate);
            return self.close(id, None, "an empty chain");
        };
        let checked = self
            .trust
            .check(&hello.chain, root, self.me.chain(), self.wall());
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let chain = match checked {
            Ok(chain) if chain.node() == link.node => chain,
            Ok(_) => {
                self.counters.refuse(Refused::Certificate);
                return self.close(id, None, "the chain is another node's");
            }
            Err(error) => {
                tracing::debug!(%error, "a chain in a Hello does not stand");
                self.counters.refuse(Refused::Certificate);
                return self.close(id, None, "the chain does not stand");
            }
        };
        link.their_records = Some(hello.records);
        link.chain = Some(chain.clone());
        if self.is_joining(id) {
            // Also where they know each other already: a join may be repeated.
            return self.ask_to_join(id);
        }
        match self.relation_to(&chain) {
            Some(relation) if self.is_outdated(&relation, &chain) => {
                let detail = "another node serves your realm by now";
                self.close(id, Some(FailureCode::BadCertificate), detail);
            }
            Some(relation) => self.admit(id, relation, chain),
            None => self.meet_stranger(id, hello.joining == Some(true)),
        }
    }

    /// What the realm that a chain proves is to this one.
    pub(crate) fn relation_to(&self, chain: &VerifiedChain) -> Option<Relation> {
        let them = chain.place().scope();
        let me = self.me.scope();
        if them.root == me.root && me.path.parent() == Some(them.path.clone()) {
            let parent = self.kin.parent.as_ref()?.child_cert.peek().ok()?.parent;
            return (parent == chain.realm()).then_some(Relation::Parent);
        }
        if them.root == me.root && them.path.parent() == Some(me.path.clone()) {
            let label = them.path.last_label()?;
            let child = self.kin.children.get(&label)?;
            return (child.realm == chain.realm()).then_some(Relation::Child(label));
        }
        if self.me.is_root() && them.path.is_root() {
            let peering = self.kin.peers.get(&them.root)?.peering.peek().ok()?;
            return (self.wall() < peering.not_after).then_some(Relation::Peer(them.root));
        }
        None
    }

    /// Lets a known neighbour in: routes lead over the link from here on.
    pub(crate) fn admit(&mut self, id: LinkId, relation: Relation, chain: VerifiedChain) {
        let peer = match &relation {
            Relation::Peer(root) => Some(*root),
            _ => None,
        };
        let left = peer.and_then(|peer| self.intake_of(peer));
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let rate = self.config.child_rate;
        let own = (rate, rate.saturating_mul(BURST));
        let (rate, burst) = match &relation {
            Relation::Peer(root) => self
                .kin
                .admission_of(self.me.realm(), *root)
                .map_or((0, 0), |admission| (admission.rate, admission.burst)),
            Relation::Child(_) => chain
                .limits()
                .map_or(own, |limits| (limits.rate, limits.burst)),
            Relation::Parent | Relation::Direct(_) => own,
        };
        link.intake = left.unwrap_or(link.intake);
        link.intake.set_messages(rate, burst, self.now.tick);
        if peer.is_some() {
            let bytes = self.config.peer_bytes;
            link.intake.bound_bytes(bytes, rate > 0, self.now.tick);
        }
        link.admitted = true;
        link.chain = Some(chain.clone());
        let dial = link.dial.take();
        self.timers.cancel(&Timer::Admission(id));
        if let Some(dial) = dial {
            self.dials.remove(&dial);
        }
        self.out.emit(Effect::Admit(id));
        let older = self.routes.add(id, relation.clone(), self.now.tick);
        if let Some(older) = older.filter(|older| *older != id) {
            self.close(older, None, "replaced by a newer link");
        }
        tracing::info!(link = id.0, ?relation, "link up");
        self.note_neighbour(&relation, &chain);
        self.trust.remember(chain);
        self.share_records(id);
        self.release_holds();
        self.calls_gained_link();
        if let Relation::Child(label) = relation
            && let Ok(path) = self.me.path().child(&label)
        {
            let root = self.me.root();
            self.tell_child(&Scope { root, path });
        }
    }

    /// The neighbour has let this realm in too. Until then dials back off: whoever was cut off
    /// sees a link for a moment each time.
    pub(crate) fn is_let_in(&mut self, id: LinkId) {
        match self.links.get_mut(&id) {
            Some(link) if !link.let_in => link.let_in = true,
            _ => return,
        }
        let target = match self.routes.relation(id) {
            Some(Relation::Parent) => Target::Parent,
            Some(Relation::Peer(root)) => Target::Peer(*root),
            Some(Relation::Child(label)) => {
                let label = label.clone();
                return self.hand_over(&label);
            }
            Some(Relation::Direct(_)) | None => return,
        };
        self.redials.reset(&target);
        self.turned_away.remove(&target);
    }

    /// A realm that is not known: it may join, if it was not this side that dialled.
    fn meet_stranger(&mut self, id: LinkId, joining: bool) {
        if self.links.get(&id).is_some_and(|link| link.dial.is_some()) {
            self.close(id, None, "not the realm that was dialled");
        } else if !joining {
            self.counters.refuse(Refused::NotAdmitted);
            let detail = "this realm is not bound to yours: ask for an invitation";
            self.close(id, Some(FailureCode::Denied), detail);
        }
    }

    /// Remembers why a parent or peer turned this realm away, for whoever calls or asks why.
    pub(crate) fn note_turned_away(&mut self, id: LinkId, detail: &str) {
        let target = match self.routes.relation(id) {
            Some(Relation::Parent) => Some(Target::Parent),
            Some(Relation::Peer(root)) => Some(Target::Peer(*root)),
            _ => {
                let dial = self.links.get(&id).and_then(|link| link.dial);
                match dial.and_then(|dial| self.dials.get(&dial)) {
                    Some(Dialled::Keep(target)) => Some(target.clone()),
                    _ => None,
                }
            }
        };
        if let Some(target) = target {
            self.turned_away.insert(target, detail.to_owned());
        }
    }

    /// Why the neighbour that leads to a place turned this realm away, if it did.
    pub(crate) fn turned_away_from(&self, to: &Scope) -> Option<String> {
        let target = if self.me.is_root() {
            Target::Peer(to.root)
        } else {
            Target::Parent
        };
        self.turned_away.get(&target).cloned()
    }

    pub(crate) fn cut_stranger(&mut self, id: LinkId) {
        if self.links.get(&id).is_some_and(|link| !link.admitted) {
            self.counters.refuse(Refused::NotAdmitted);
            self.close(id, None, "not admitted in time");
        }
    }

    /// Shows that this side lives, and closes the link if the other side does not.
    pub(crate) fn beat(&mut self, id: LinkId) {
        let Some(link) = self.links.get(&id) else {
            return;
        };
        let silent = self.now.tick.since(link.last_heard);
        if link.admitted && silent > limits::BEAT_MS.saturating_mul(limits::BEATS_MISSED + 1) {
            tracing::info!(link = id.0, silent_ms = silent, "the neighbour is silent");
            return self.close(id, None, "silent");
        }
        let revoked = |issuer, serial| self.trust.is_revoked(issuer, serial);
        let stands = |chain: &VerifiedChain| chain.is_valid_at(self.now.wall, &revoked);
        if let Some(Err(error)) = link.chain.as_ref().map(stands) {
            tracing::warn!(link = id.0, %error, "the neighbour's certificates no longer stand");
            self.counters.refuse(Refused::Certificate);
            return self.close(id, None, "your certificates no longer stand");
        }
        if link.admitted {
            let head = self.head_for(id);
            let beat = Frame::Beat(Beat {
                head,
                ..self.next_beat(id)
            });
            // A head is good only with the entries under it, which are on the disk before it leaves.
            match &beat {
                Frame::Beat(Beat { head: Some(_), .. }) => self.send_promise(id, &beat),
                _ => self.send(id, &beat),
            }
            self.tell_rest(id);
        }
        self.timers
            .set(Timer::Beat(id), self.now.tick.plus(limits::BEAT_MS));
    }

    /// What every Beat on a link says.
    pub(crate) fn next_beat(&self, id: LinkId) -> Beat {
        Beat {
            clock: self.wall(),
            records: self.records_shared(id),
            head: None,
            witnessed: self.witnessed_of(id),
            proof: None,
        }
    }

    pub(crate) fn handle_beat(&mut self, id: LinkId, beat: &Beat) {
        self.note_clock(id, beat.clock);
        self.take_witnessed(id, beat);
        self.take_head(id, beat);
        if let Some(link) = self.links.get_mut(&id) {
            link.their_records = Some(beat.records);
        }
        self.compare_records(id);
    }

    fn note_clock(&mut self, id: LinkId, theirs: realm_protocol::Timestamp) {
        let mine = self.wall();
        if let Some(link) = self.links.get_mut(&id) {
            link.skew_ms = mine.since(theirs).max(theirs.since(mine));
        }
    }

    /// Difference to the clock of the parent, milliseconds; for a root, to the peer it differs
    /// least from, so that no single peer can stop it. Children follow this realm's clock, and
    /// strangers have no say.
    pub(crate) fn skew_ms(&self) -> u64 {
        let skew = |wanted: fn(&Relation) -> bool| {
            let links = self.links.iter();
            let links = links.filter(move |(id, _)| self.routes.relation(**id).is_some_and(wanted));
            links.map(|(_, link)| link.skew_ms).min()
        };
        let parent = skew(|relation| *relation == Relation::Parent);
        parent
            .or_else(|| skew(|relation| matches!(relation, Relation::Peer(_))))
            .unwrap_or(0)
    }

    /// Whose records are shared on a link: everybody's downward, one's own subtree's elsewhere.
    pub(crate) fn shared_with(&self, id: LinkId) -> Option<Scope> {
        match self.routes.relation(id) {
            Some(Relation::Child(_)) => None,
            _ => Some(self.me.scope()),
        }
    }

    pub(crate) fn send(&mut self, id: LinkId, frame: &Frame) {
        if self.links.contains_key(&id) {
            self.out.emit(Effect::Send(id, frame.encode()));
        }
    }

    /// Like [`Node::send`], but only once everything recorded so far is durable.
    pub(crate) fn send_promise(&mut self, id: LinkId, frame: &Frame) {
        if self.links.contains_key(&id) {
            self.out.promise(Effect::Send(id, frame.encode()));
        }
    }

    /// Sends a letter of this realm's over a link.
    pub(crate) fn post(&mut self, id: LinkId, letter: Letter, release: Release) {
        if !self.links.contains_key(&id) {
            return;
        }
        match release {
            Release::Now => self.out.post(id, letter),
            Release::Durable => self.out.post_promise(id, letter),
        }
    }

    /// Says why and closes a link. What routes led over it lead elsewhere at once.
    pub(crate) fn close(&mut self, id: LinkId, code: Option<FailureCode>, detail: &str) {
        if !self.links.contains_key(&id) {
            return;
        }
        tracing::debug!(link = id.0, detail, "closing a link");
        self.send(
            id,
            &Frame::Bye(Bye {
                code,
                detail: Some(detail.to_owned()),
            }),
        );
        self.out.emit(Effect::Close(id));
        self.handle_link_down(id);
    }

    pub(crate) fn say_goodbye(&mut self) {
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        for link in links {
            self.send(
                link,
                &Frame::Bye(Bye {
                    code: None,
                    detail: None,
                }),
            );
        }
    }

    /// The link to the peer with this root, by relation.
    pub(crate) fn peer_link(&self, root: RealmId) -> Option<LinkId> {
        self.routes.link_to(&Relation::Peer(root))
    }
}
