//! Agents that are asked what they offer: a run of a loop of this realm's, with its trace.

use realm_broadcast::bidder::{Input, Offer};
use realm_executor::{OfferTerms, Offered};
use realm_protocol::{BroadcastId, LoopId, RunId, broadcast::Price, cbor::Blob, json};
use serde_json::Value;

use super::call_of;
use crate::{Node, answer::Ending, serve::Asked};

impl Node {
    /// Asks an agent about an announcement.
    pub(super) fn ask_agent(
        &mut self,
        broadcast: BroadcastId,
        agent: LoopId,
        facts: Value,
        limit_ms: u64,
    ) {
        let registered = self.registry.get(&agent);
        let terms = registered.and_then(|it| it.manifest.bid.as_ref());
        let Some(OfferTerms::Ask { loop_id, .. }) = terms.map(|terms| &terms.offer) else {
            return self.agent_offers(broadcast, agent, None);
        };
        let asked = Asked {
            call: call_of(broadcast),
            loop_id: loop_id.clone(),
            facts,
            limit_ms,
            for_whom: (broadcast, agent),
        };
        self.serve_asked(asked);
    }

    /// The run that was to say what an agent offers has ended.
    pub(crate) fn asked_served(
        &mut self,
        (broadcast, agent): &(BroadcastId, LoopId),
        run: RunId,
        ending: &Ending,
    ) {
        let offer = ending.as_ref().ok();
        let offer = offer.and_then(|result| read(&result.output));
        tracing::debug!(%broadcast, %agent, %run, offers = offer.is_some(), "asked");
        self.agent_offers(*broadcast, agent.clone(), offer);
    }

    pub(crate) fn agent_offers(
        &mut self,
        broadcast: BroadcastId,
        agent: LoopId,
        offer: Option<Offer>,
    ) {
        self.tell_bidder(Input::Answered {
            broadcast,
            agent,
            offer,
        });
        self.set_market_timer();
    }
}

/// What a loop that was asked has said.
fn read(output: &Blob) -> Option<Offer> {
    let offered = Offered::read(&json::parse(output).ok()?)?;
    Some(Offer {
        price: offered
            .price
            .map(|(currency, micros)| Price { currency, micros }),
        time_ms: offered.time_ms,
        confidence: offered.confidence,
    })
}
