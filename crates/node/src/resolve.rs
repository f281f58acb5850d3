//! From a place to the chain that proves who is there, and the keys to seal to.

use std::collections::{BTreeMap, BTreeSet};

use realm_crypto::{Letter, VerifiedChain};
use realm_policy::{Action, Resource};
use realm_protocol::{
    CallId, Digest, FailureCode, Header, Kind, Place, Scope, Tick, cbor, limits,
    message::{Resolve, Resolved},
    records::{Chain, RevocationList, Signed},
};

use crate::{
    CallFailure, ControlId, Node, Refusal, Refused, Response, deliver::Pending,
    state::StoredRevocations, timers::Timer,
};

/// How long one resolution may take, milliseconds.
const RESOLVE_MS: u64 = 10_000;
/// After how long its question goes again, milliseconds: it or its answer may have been lost.
const ASK_AGAIN_MS: u64 = 2_000;

/// Who wants to know.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// A call of this realm's.
    Call(CallId),
    /// A ping.
    Ping(ControlId, Tick),
    /// Somebody who grants the realm something.
    Grant(ControlId),
    /// A message that waits for its source's chain.
    Hold,
}

impl Asker {
    /// How long it waits for the answer, milliseconds.
    fn patience_ms(&self) -> u64 {
        match self {
            Self::Hold => limits::CHAIN_WAIT_MS,
            Self::Call(_) | Self::Ping(..) | Self::Grant(_) => RESOLVE_MS,
        }
    }
}

/// A question who is at a place.
#[derive(Debug)]
pub(crate) struct Resolution {
    question: Letter,
    askers: Vec<Asker>,
}

/// Resolutions under way, each asked for once.
pub(crate) type Resolving = BTreeMap<Scope, Resolution>;

impl Node {
    /// Asks who is at a place; the answer reaches the asker.
    pub(crate) fn resolve(&mut self, scope: Scope, asker: Asker) {
        let Some(under_way) = self.resolving.get_mut(&scope) else {
            return self.ask_who_is_at(scope, asker);
        };
        let of_holds = under_way.askers.iter().all(|other| *other == Asker::Hold);
        let until = self.now.tick.plus(asker.patience_ms());
        let longer = of_holds && asker != Asker::Hold;
        if !under_way.askers.contains(&asker) {
            under_way.askers.push(asker);
        }
        let (question, pending) = (under_way.question.digest(), Pending::Resolve(scope.clone()));
        if longer && self.waiting.insert(question, until, pending).is_err() {
            self.resolve_failed(&scope, &too_many_open());
        }
    }

    fn ask_who_is_at(&mut self, scope: Scope, asker: Asker) {
        let destination = Place {
            root: scope.root,
            path: scope.path.clone(),
            realm: None,
            node: None,
        };
        let call = self.new_call();
        let content = cbor::encode(&Resolve { known: None });
        let letter = self.write_clear(Kind::Resolve, &destination, call, None, &content);
        let Some(letter) = letter else {
            let failure = CallFailure::new(FailureCode::BadCertificate, "cannot sign");
            return self.unresolved(asker, &failure);
        };
        let (digest, pending) = (letter.digest(), Pending::Resolve(scope.clone()));
        let until = self.now.tick.plus(asker.patience_ms());
        if self.waiting.insert(digest, until, pending).is_err() {
            return self.unresolved(asker, &too_many_open());
        }
        let resolution = Resolution {
            question: letter,
            askers: vec![asker],
        };
        self.resolving.insert(scope.clone(), resolution);
        self.send_question(&scope);
    }

    /// Sends a question, also again while nobody has answered it.
    pub(crate) fn send_question(&mut self, scope: &Scope) {
        let Some(under_way) = self.resolving.get(scope) else {
            return;
        };
        let question = under_way.question.clone();
        let again = self.now.tick.plus(ASK_AGAIN_MS);
        self.timers.set(Timer::Resolve(scope.clone()), again);
        self.launch(question);
    }

    pub(crate) fn resolve_failed(&mut self, scope: &Scope, failure: &CallFailure) {
        for asker in self.askers_of(scope) {
            self.unresolved(asker, failure);
        }
    }

    fn unresolved(&mut self, asker: Asker, failure: &CallFailure) {
        match asker {
            Asker::Call(call) => self.attempt_failed(call, failure.clone()),
            Asker::Ping(control, _) => self.refuse(control, Refusal::Call(failure.clone())),
            Asker::Grant(control) => self.grant_unresolved(control, failure.clone()),
            Asker::Hold => {}
        }
    }

    /// Ends a resolution, and gives who asked for it.
    fn askers_of(&mut self, scope: &Scope) -> Vec<Asker> {
        let ended = self.resolving.remove(scope);
        self.timers.cancel(&Timer::Resolve(scope.clone()));
        ended.map_or_else(Vec::new, |ended| ended.askers)
    }

    /// Takes an answer that proves itself. Who gave it does not matter; what it is about does.
    pub(crate) fn take_resolved(&mut self, asked: &Scope, resolved: Resolved) {
        let checked = self
            .trust
            .check(&resolved.chain, asked.root, self.me.chain(), self.wall());
        let message = match checked {
            Ok(chain) if chain.place().scope() == *asked => {
                self.take_resolved_revocations(resolved.revocations, &chain);
                self.trust.remember(chain);
                self.is_resolved(asked);
                return self.release_holds();
            }
            Ok(_) => "the answer shows another realm".to_owned(),
            Err(error) => format!("the chain of the realm does not stand: {error}"),
        };
        tracing::debug!(message, "a resolution is of no use");
        self.counters.refuse(Refused::Certificate);
        let failure = CallFailure::new(FailureCode::BadCertificate, message);
        self.resolve_failed(asked, &failure);
    }

    /// Revocation lists of the realm that answers; those of realms above it come over links.
    fn take_resolved_revocations(
        &mut self,
        lists: Vec<Signed<RevocationList>>,
        issuer: &VerifiedChain,
    ) {
        let mut news = BTreeSet::new();
        for list in lists {
            let stored = StoredRevocations {
                list,
                issuer: issuer.chain().clone(),
            };
            if !self.trust.knows(&stored) {
                news.extend(self.keep_revocations(stored, issuer));
            }
        }
        self.spread_revocations(&news, None);
    }

    fn is_resolved(&mut self, scope: &Scope) {
        for asker in self.askers_of(scope) {
            match asker {
                Asker::Call(call) => self.call_resolved(call),
                Asker::Ping(control, asked) => self.pong(control, scope, asked),
                Asker::Grant(control) => self.grant_resolved(control, scope),
                Asker::Hold => {}
            }
        }
    }

    fn pong(&mut self, control: ControlId, scope: &Scope, asked: Tick) {
        let now = self.now.wall;
        let Some(realm) = self.trust.chain(scope, now).map(VerifiedChain::realm) else {
            let what = "the chain of the realm no longer stands";
            let failure = CallFailure::new(FailureCode::BadCertificate, what);
            return self.refuse(control, Refusal::Call(failure));
        };
        let response = Response::Pong {
            realm,
            scope: scope.clone(),
            round_trip_ms: self.now.tick.since(asked),
            way: self.way_to(scope),
        };
        self.respond(control, response);
    }

    /// Answers for a child from what it signed, whether it is connected or not.
    pub(crate) fn answer_for_child(&mut self, digest: Digest, header: &Header) -> bool {
        let to = header.destination.scope();
        let is_child =
            to.root == self.me.root() && to.path.parent().as_ref() == Some(self.me.path());
        let Some(label) = to.path.last_label().filter(|_| is_child) else {
            return false;
        };
        let child = self.kin.children.get(&label).filter(|child| child.accepted);
        let Some(chain) = child.and_then(|child| child.chain.clone()) else {
            return false;
        };
        let fresh = self
            .trust
            .check(&chain, to.root, self.me.chain(), self.wall());
        let (now, keeps) = (self.wall(), self.config.custody.keep_for_children);
        let fresh = fresh.is_ok_and(|chain| {
            chain.kem_at(now).is_some() || keeps && chain.stored_kem_at(now).is_some()
        });
        let from = header.source.scope();
        // Where this realm would deny it, the child decides for itself.
        if fresh && self.may_discover(&from, &to).is_ok() {
            self.answer_resolve(digest, header, &chain);
            return true;
        }
        false
    }

    fn may_discover(&mut self, from: &Scope, to: &Scope) -> Result<(), realm_policy::Denial> {
        let resource = Resource::Realm(to);
        let decided = self
            .rules
            .decide(Action::Discover, from, resource, false, self.now.wall);
        decided.map(|_| ())
    }

    /// Answers for this realm, to whom policy lets discover it and to whom it is calling.
    pub(crate) fn answer_for_me(&mut self, digest: Digest, header: &Header) {
        let from = header.source.scope();
        let calling = self.calls.values().any(|out| out.scope == from);
        if let Err(denial) = self.may_discover(&from, &self.me.scope())
            && !calling
        {
            self.counters.refuse(Refused::Denied);
            let reference = Some(self.remember_denial(denial));
            return self.fail_with(None, digest, header, FailureCode::Denied, reference);
        }
        if let Some(chain) = self.me.chain().map(VerifiedChain::shared_chain) {
            self.answer_resolve(digest, header, &chain);
        }
    }

    fn answer_resolve(&mut self, digest: Digest, header: &Header, chain: &Chain) {
        let own = self.trust.lists(Some(&self.me.scope()));
        let mine = self.me.realm();
        let revocations = own
            .into_iter()
            .filter(|stored| stored.list.peek().is_ok_and(|list| list.realm == mine))
            .map(|stored| stored.list.clone())
            .collect();
        let resolved = Resolved {
            chain: chain.clone(),
            revocations,
        };
        self.send_clear(
            Kind::Resolved,
            &header.source,
            header.call,
            Some(digest),
            &cbor::encode(&resolved),
        );
    }

    pub(crate) fn ping(&mut self, control: ControlId, scope: Scope) {
        self.trust.forget(&scope);
        let asked = self.now.tick;
        self.resolve(scope, Asker::Ping(control, asked));
    }
}

fn too_many_open() -> CallFailure {
    CallFailure::new(FailureCode::Overloaded, "too many questions open")
}
