//! Decisions remembered by all that they depend on.

use std::{
    collections::{BTreeMap, VecDeque},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use realm_protocol::limits;

use crate::{Decision, Denial, Permit, Policy, Request, RequestCopy};

/// Permits remembered; at the bound the oldest is forgotten. As many as there are bids in one broadcast: each
/// bidder is a question of its own, at every broadcast.
const PERMITS: usize = limits::BIDS;

/// Permits that a [`Policy`] gave, by question.
///
/// A decision depends on the question, on the policies, and, where any of them sees the time, on that in
/// whole seconds, which is all that policies can see of it. So each permit holds until a policy changes, and
/// where one sees the time for the second it was given in. Denials are not remembered: each is explained.
#[derive(Clone, Debug, Default)]
pub struct Memo {
    generation: u64,
    second: u64,
    /// By hash of the question; questions with one hash displace each other.
    permits: BTreeMap<u64, (RequestCopy, Arc<Permit>)>,
    /// The hashes in the order in which they came, the oldest first.
    order: VecDeque<u64>,
}

impl Memo {
    /// Decides as [`Policy::decide`] does, or remembers that it did.
    ///
    /// # Errors
    /// The [`Denial`].
    pub fn decide(
        &mut self,
        policy: &Policy,
        request: &Request<'_>,
    ) -> Result<Arc<Permit>, Box<Denial>> {
        let second = request.now.as_millis() / 1_000;
        let later = policy.sees_time() && self.second != second;
        if self.generation != policy.generation() || later {
            self.permits.clear();
            self.order.clear();
            self.generation = policy.generation();
            self.second = second;
        }
        let hash = hash(request);
        if let Some((asked, permit)) = self.permits.get(&hash)
            && asked.asks(request)
        {
            return Ok(Arc::clone(permit));
        }
        match policy.decide(request) {
            Decision::Permitted(permit) => {
                let permit = Arc::new(permit);
                let asked = RequestCopy::from(request);
                self.remember(hash, (asked, Arc::clone(&permit)));
                Ok(permit)
            }
            Decision::Denied(denial) => Err(Box::new(denial)),
        }
    }

    fn remember(&mut self, hash: u64, given: (RequestCopy, Arc<Permit>)) {
        if self.permits.insert(hash, given).is_none() {
            self.order.push_back(hash);
        }
        if self.order.len() > PERMITS
            && let Some(oldest) = self.order.pop_front()
        {
            self.permits.remove(&oldest);
        }
    }

    /// Tells how many permits are remembered.
    pub fn len(&self) -> usize {
        self.permits.len()
    }

    /// Tells whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.permits.is_empty()
    }
}

fn hash(request: &Request<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    request.action.hash(&mut hasher);
    request.answer.hash(&mut hasher);
    request.approved.hash(&mut hasher);
    request.granted.hash(&mut hasher);
    request.cost.map(|cost| cost.micros).hash(&mut hasher);
    request.step.hash(&mut hasher);
    request.principal.hash(&mut hasher);
    request.resource.hash(&mut hasher);
    hasher.finish()
}
