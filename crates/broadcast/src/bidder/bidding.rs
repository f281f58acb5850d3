//! From an announcement to a bid, or to the reason why there is none.

use std::sync::Arc;

use realm_protocol::{
    BroadcastId, Digest, LoopId, Now, Place,
    broadcast::{Announcement, Bid},
    records::Signed,
};

use super::{
    Agent, Bidder, Evaluate, JobId, NoBid, Offer, Output, Terms,
    job::{Announced, Job, State},
    terms::{facts, keeps_to, meets},
};
use crate::{rule::check_announcement, scope::window_below};

/// An announcement that came, verified.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The announcement; its signature is verified.
    pub announcement: Signed<Announcement>,
    /// How long this realm has for its tally, milliseconds.
    pub window_ms: u64,
    /// Agents that can do the work and may bid.
    pub agents: Vec<Agent>,
}

/// How many bids an announcement has led to, until all agents have decided.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Round {
    number: u64,
    asking: u64,
    bids: u64,
}

impl Bidder {
    /// Takes an announcement. Expressions of bids are given to `evaluate`.
    pub fn announced(&mut self, heard: Heard, evaluate: Evaluate<'_>, now: Now) {
        let digest = heard.announcement.digest();
        let Ok(announcement) = heard.announcement.peek().map(Arc::new) else {
            return;
        };
        let broadcast = announcement.broadcast;
        if let Err(error) = check_announcement(&announcement) {
            self.no_bid(broadcast, None, error.into());
            return;
        }
        let number = announcement.round;
        let round = Round {
            number,
            ..Round::default()
        };
        self.rounds.insert(broadcast, round);
        for agent in heard.agents {
            self.consider(&announcement, digest, heard.window_ms, agent, evaluate, now);
        }
        self.say_decided(broadcast);
    }

    fn consider(
        &mut self,
        announcement: &Arc<Announcement>,
        announced: Digest,
        window_ms: u64,
        agent: Agent,
        evaluate: Evaluate<'_>,
        now: Now,
    ) {
        let broadcast = announcement.broadcast;
        let id = (broadcast, agent.agent.clone());
        if self.bids_again(&id, announced) {
            return;
        }
        let job = self.jobs.get(&id);
        if job.is_some_and(|job| job.announcer.realm != announcement.announcer.realm) {
            self.no_bid(broadcast, Some(agent.agent), NoBid::Taken);
            return;
        }
        // Another round may take the place of an earlier one's bid.
        if job.is_some_and(|job| !job.is_offer()) {
            return;
        }
        let (root, own) = (announcement.announcer.root, self.me.root);
        if job.is_none() && !self.jobs.have_room(broadcast, root, own) {
            self.no_bid(broadcast, Some(agent.agent), NoBid::Flooded);
            return;
        }
        let limit_ms = match &agent.terms {
            Terms::Ask { limit_ms, .. } => (*limit_ms).min(window_below(window_ms)),
            Terms::Quote(_) => 0,
        };
        let job = Job {
            announced: Some(announced),
            work: Announced {
                execution_ms: announcement.execution_ms,
                depth: announcement.depth,
                name: announcement.work,
            },
            announcer: announcement.announcer.clone(),
            agent: agent.agent.clone(),
            budget: agent.budget.clone(),
            state: State::Asking {
                announcement: Arc::clone(announcement),
                contract: agent.contract,
                until: now.tick.plus(limit_ms),
            },
        };
        let left = agent.budget.as_ref();
        let left = left.map(|it| self.reservations.left(&agent.agent, it, now.wall));
        self.jobs.insert(id.clone(), job);
        let facts = facts(announcement, window_ms, self.load(), left);
        match agent.terms {
            Terms::Quote(quote) => self.offer(&id, quote.offer(&facts, evaluate), now),
            Terms::Ask { when, .. } => match meets(when.as_deref(), &facts, evaluate) {
                Err(why) => self.offer(&id, Err(why), now),
                Ok(()) => {
                    self.count(broadcast, |round| {
                        round.asking = round.asking.saturating_add(1);
                    });
                    self.outputs.push_back(Output::Ask {
                        broadcast,
                        round: announcement.round,
                        agent: agent.agent,
                        facts: Box::new(facts),
                        limit_ms,
                        depth: announcement.depth,
                    });
                }
            },
        }
    }

    /// Sends the bid once more that was made for the same announcement.
    fn bids_again(&mut self, id: &JobId, announced: Digest) -> bool {
        let Some(job) = self
            .jobs
            .get(id)
            .filter(|job| job.announced == Some(announced))
        else {
            return false;
        };
        match &job.state {
            State::Offered { bid, .. } => {
                let (to, bid) = (job.announcer.clone(), bid.clone());
                self.outputs.push_back(Output::Bid { to, bid });
                self.count(id.0, |round| round.bids = round.bids.saturating_add(1));
            }
            State::Asking { .. } => {
                self.count(id.0, |round| round.asking = round.asking.saturating_add(1));
            }
            _ => {}
        }
        true
    }

    /// An announcer has closed a broadcast: bids for it that have won nothing are out no more.
    pub(super) fn closed(&mut self, from: &Place, broadcast: BroadcastId, now: Now) {
        let lost = self.jobs.iter().filter(|((of, _), job)| {
            *of == broadcast && job.announcer.realm == from.realm && job.is_offer()
        });
        let lost: Vec<JobId> = lost.map(|(id, _)| id.clone()).collect();
        for id in lost {
            let state = self.jobs.get(&id).map(|job| &job.state);
            let asks = matches!(state, Some(State::Asking { .. }));
            self.become_over(&id, now.tick);
            if asks {
                self.count(broadcast, |round| {
                    round.asking = round.asking.saturating_sub(1);
                });
                self.say_decided(broadcast);
            }
        }
    }

    /// Makes an offer a bid, or drops the job.
    fn offer(&mut self, id: &JobId, offer: Result<Offer, NoBid>, now: Now) {
        let Some(job) = self.jobs.get(id) else {
            return;
        };
        let (
            State::Asking {
                announcement,
                contract,
                ..
            },
            Some(announced),
        ) = (&job.state, job.announced)
        else {
            return;
        };
        let kept = offer.and_then(|offer| {
            keeps_to(&offer, announcement)?;
            match self.affords(job, offer.price.as_ref(), now) {
                true => Ok(offer),
                false => Err(NoBid::Budget),
            }
        });
        match kept {
            Ok(offer) => {
                let bid = Box::new(Bid {
                    broadcast: announcement.broadcast,
                    announcement: announced,
                    bidder: self.me.clone(),
                    agent: job.agent.clone(),
                    contract: *contract,
                    price: offer.price,
                    time_ms: offer.time_ms,
                    confidence: offer.confidence,
                    load: self.load(),
                    created: now.wall,
                    expires_ms: self.holds_ms,
                });
                // It counts by the end of the window at the latest, and holds from then on.
                let holds = announcement.window_ms.saturating_add(self.holds_ms);
                let to = job.announcer.clone();
                let state = State::Offered {
                    digest: Signed::unsigned(&*bid).digest(),
                    bid: bid.clone(),
                    until: now.tick.plus(holds),
                };
                self.become_state(id, state);
                self.outputs.push_back(Output::Bid { to, bid });
                self.count(id.0, |round| round.bids = round.bids.saturating_add(1));
            }
            Err(why) => {
                self.jobs.remove(id);
                self.no_bid(id.0, Some(id.1.clone()), why);
            }
        }
    }

    fn no_bid(&mut self, broadcast: BroadcastId, agent: Option<LoopId>, why: NoBid) {
        self.outputs.push_back(Output::NoBid {
            broadcast,
            agent,
            why,
        });
    }

    fn count(&mut self, broadcast: BroadcastId, change: impl FnOnce(&mut Round)) {
        if let Some(round) = self.rounds.get_mut(&broadcast) {
            change(round);
        }
    }

    /// Says how many bids there are, once every agent has decided.
    fn say_decided(&mut self, broadcast: BroadcastId) {
        let decided = self
            .rounds
            .get(&broadcast)
            .filter(|round| round.asking == 0);
        if let Some(round) = decided.copied() {
            self.rounds.remove(&broadcast);
            self.outputs.push_back(Output::Decided {
                broadcast,
                round: round.number,
                bids: round.bids,
            });
        }
    }

    /// Takes an asked agent's answer, or its silence. What it says of an earlier round is no answer to
    /// this one: it was asked anew.
    pub(super) fn answered(&mut self, id: &JobId, round: u64, offer: Option<Offer>, now: Now) {
        let asked = self.jobs.get(id).map(|job| &job.state);
        let waits = matches!(asked, Some(State::Asking { announcement, .. }) if announcement.round == round);
        if waits {
            self.offer(id, offer.ok_or(NoBid::Declined), now);
            self.count(id.0, |round| round.asking = round.asking.saturating_sub(1));
            self.say_decided(id.0);
        }
    }
}
