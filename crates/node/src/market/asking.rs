//! Broadcasts that the frames of runs here ask for.

use realm_broadcast::{
    announcer::Input,
    log::{Conclusion, Ending},
};
use realm_executor::{Announcing, Audience, Body, Broadcast, CallError};
use realm_protocol::{
    BroadcastId, CallId, FailureCode, RunId,
    broadcast::{Levels, Reach},
    budget::Spend,
    json,
};

use super::{BROADCASTS, BroadcastAsked, Wider};
use crate::{ControlId, Node};

/// Particulars of a failure that its caller is told.
const DETAILS: usize = 16;

/// Who waits for a broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// Whoever asked at the local API.
    Control(ControlId),
    /// A frame of a run here, under the call that it asked for the work with.
    Frame(CallId),
}

impl Asker {
    /// The call of the frame that waits.
    pub(super) const fn frame(self) -> Option<CallId> {
        match self {
            Self::Control(_) => None,
            Self::Frame(call) => Some(call),
        }
    }
}

/// How a broadcast begins.
#[derive(Clone, Debug)]
pub(super) struct Begin {
    pub(super) asker: Asker,
    /// The run that asks for it.
    pub(super) parent: Option<RunId>,
    /// Who asks for it by hand.
    pub(super) person: Option<String>,
    /// How many calls and broadcasts led to it.
    pub(super) depth: u64,
    /// The work, where it may be announced again.
    pub(super) work: Option<CallId>,
}

impl Node {
    /// A frame of a run here wants its work announced. What was announced under this call before a
    /// restart goes on, and has somebody who waits for it again.
    pub(crate) fn announce_from_frame(&mut self, announcing: Announcing) {
        let call = announcing.call;
        let asker = Asker::Frame(call);
        let broadcast = self.market.asked_with(call);
        let own = broadcast.and_then(|broadcast| self.market.announced.get_mut(&broadcast));
        if let Some(own) = own {
            own.asker = Some(asker);
            return;
        }
        if let Err((code, message)) = self.announce_for(asker, announcing) {
            self.end_frame_call(call, Err(not_begun(code, message)), Spend::default());
        }
        self.set_market_timer();
    }

    fn announce_for(
        &mut self,
        asker: Asker,
        announcing: Announcing,
    ) -> Result<(), (FailureCode, String)> {
        let Announcing {
            call: _,
            work,
            run,
            contract,
            input,
            timeout_ms,
            depth,
            budget,
        } = announcing;
        let id = contract.manifest.id.clone();
        let Body::Broadcast(said) = &contract.manifest.body else {
            let message = format!("`{id}` does not say how its work is announced");
            return Err((FailureCode::Malformed, message));
        };
        if self.market.announced() >= BROADCASTS {
            let message = format!("{BROADCASTS} broadcasts are under way, as many as may");
            return Err((FailureCode::Overloaded, message));
        }
        let announced = said.loop_id.as_ref().unwrap_or(&id);
        self.may_ask(true)
            .and_then(|()| self.may_announce(announced))
            .map_err(|failure| (failure.code, failure.message))?;
        let first = || said.scope.iter().map(|audience| (audience, said.depth));
        let reach = self.reach(first())?;
        // A second round asks again whom the first one asked.
        let wider = said.wider.as_ref().map(|wider| {
            let besides = wider.scope.iter().map(|audience| (audience, wider.depth));
            self.reach(first().chain(besides))
        });
        let begin = Begin {
            asker,
            parent: Some(run),
            person: None,
            depth,
            work: Some(work),
        };
        let mut asked = BroadcastAsked {
            loop_id: said.loop_id.clone().unwrap_or(id),
            capabilities: said.capabilities.iter().cloned().collect(),
            input,
            reach,
            realms: Vec::new(),
            wider: wider.transpose()?.map(|reach| Wider {
                reach,
                realms: Vec::new(),
            }),
            limits: said.limits.clone(),
            budget,
            window_ms: said.window_ms.min(timeout_ms).max(1),
            award_ms: said.within_ms.min(timeout_ms).max(1),
            execution_ms: said.within_ms.min(timeout_ms).max(1),
            person_ms: None,
            sub_loops: said.sub_loops,
            rule: said.rule,
            at_once: said.at_once,
            aggregation: said.aggregation.clone(),
            aggregator: said.aggregator.as_ref().map(|it| it.loop_id.clone()),
        };
        asked
            .bound_prices()
            .map_err(|lacks| (FailureCode::Budget, lacks))?;
        let begun = self.announce(begin, &asked, contract.clone());
        let begun = begun.map_err(|error| (error.failure(), error.to_string()))?;
        self.carry_out_announcer(begun);
        Ok(())
    }

    /// How far an announcement goes: to those who are near, and to realms that are named however far
    /// they are.
    fn reach<'a>(
        &self,
        scope: impl Iterator<Item = (&'a Audience, u64)>,
    ) -> Result<Reach, (FailureCode, String)> {
        let (mut near, mut realms) = (Levels::default(), Vec::new());
        for (audience, depth) in scope {
            match audience {
                Audience::Children => near.down = near.down.max(1),
                Audience::Subtree => near.down = near.down.max(depth),
                Audience::Peers => {
                    (near.up, near.across) = (Broadcast::DEPTH, near.across.max(depth));
                }
                Audience::Realm(name) => {
                    let found = self.resolve_name(name);
                    let found = found.map_err(|it| (FailureCode::NoRoute, it.to_string()))?;
                    if !realms.contains(&found) {
                        realms.push(found);
                    }
                }
            }
        }
        let besides = Some(near).filter(|near| !realms.is_empty() && *near != Levels::default());
        let all = match realms.is_empty() {
            true => near,
            false => Levels {
                down: Broadcast::DEPTH,
                up: Broadcast::DEPTH,
                across: Broadcast::DEPTH,
            },
        };
        Ok(Reach {
            down: all.down,
            up: all.up,
            across: all.across,
            realms,
            besides,
        })
    }

    /// The run no longer waits for work that it announced: winners are told to stop.
    pub(crate) fn cancel_announced(&mut self, call: CallId) {
        if let Some(broadcast) = self.market.asked_with(call) {
            self.cancel_unasked(broadcast);
        }
    }

    /// Takes back a broadcast that nobody waits for any more.
    pub(super) fn cancel_unasked(&mut self, broadcast: BroadcastId) {
        if let Some(own) = self.market.announced.get_mut(&broadcast) {
            own.asker = None;
            let parent = own.run.parent;
            let waits_ms = self.stopping_for(parent);
            self.tell_announcer(broadcast, Input::Cancel { waits_ms });
            self.set_market_timer();
        }
    }

    /// Gives a frame the end of the work that it announced, and what that has used.
    pub(super) fn tell_frame(
        &mut self,
        call: CallId,
        (run, spent): (RunId, Spend),
        conclusion: &Conclusion,
    ) {
        let output = conclusion.output.as_deref().map(json::parse);
        let result = match (conclusion.ending.failure(), output) {
            (None, Some(Ok(output))) => Ok(output),
            (failure, _) => Err(CallError {
                code: failure.unwrap_or(FailureCode::NotAggregated),
                message: conclusion
                    .reason
                    .clone()
                    .unwrap_or_else(|| "the broadcast has no output".to_owned()),
                details: details(run, conclusion),
                may_have_begun: conclusion.ending != Ending::TooFewBids,
            }),
        };
        self.end_frame_call(call, result, spent);
    }

    fn end_frame_call(
        &mut self,
        call: CallId,
        result: Result<serde_json::Value, CallError>,
        spent: Spend,
    ) {
        let now = self.now;
        self.executor
            .invoke_done(call, result, Some(spent), &self.registry, now);
    }
}

/// Where the broadcast's own trace is, and what became of each slot without a result.
fn details(run: RunId, conclusion: &Conclusion) -> Vec<String> {
    let failed = conclusion.citations.iter().filter_map(|slot| {
        let failure = slot.failure?;
        let (number, bidder) = (slot.slot, slot.bidder);
        Some(format!("slot {number}, {bidder}: {failure}"))
    });
    let trace = std::iter::once(format!("the broadcast is run {run}"));
    trace.chain(failed).take(DETAILS).collect()
}

fn not_begun(code: FailureCode, message: String) -> CallError {
    CallError {
        code,
        message,
        details: Vec::new(),
        may_have_begun: false,
    }
}
