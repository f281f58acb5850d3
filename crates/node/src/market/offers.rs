//! What loops of this realm are asked in the market, each by a run with its trace: what an agent
//! offers, and what the results of a broadcast come to.

use realm_broadcast::bidder::{Input, Offer};
use realm_executor::{OfferTerms, Offered};
use realm_protocol::{FailureCode, RunId, broadcast::Price, budget::Budget, cbor::Blob, json};
use serde_json::Value;

use crate::{
    Node,
    answer::Ending,
    serve::{Asked, Purpose, Question},
};

impl Node {
    /// Asks an agent about an announcement.
    pub(super) fn ask_agent(
        &mut self,
        question: Question,
        facts: Value,
        (limit_ms, depth): (u64, u64),
    ) {
        let call = self.new_call();
        let registered = self.registry.get(&question.agent);
        let terms = registered.and_then(|it| it.manifest.bid.as_ref());
        let Some(OfferTerms::Ask { loop_id, .. }) = terms.map(|terms| &terms.offer) else {
            return self.agent_offers(question, None);
        };
        let asked = Asked {
            call,
            loop_id: loop_id.clone(),
            input: facts,
            limit_ms,
            depth: depth.saturating_add(1),
            key: None,
            budget: Budget::default(),
            purpose: Purpose::Offer(question),
        };
        self.serve_asked(asked);
    }

    /// A loop that the market asked has ended.
    pub(crate) fn asked_served(&mut self, purpose: &Purpose, run: RunId, ending: &Ending) {
        if let Purpose::Aggregate(broadcast) = purpose {
            let spent = match ending {
                Ok(result) => &result.spent,
                Err(failure) => &failure.spent,
            };
            self.count_aggregation(*broadcast, spent.clone());
        }
        match (purpose, ending) {
            (Purpose::Offer(question), Ok(result)) => {
                let offer = read(&result.output);
                tracing::debug!(?question, %run, offers = offer.is_some(), "asked");
                self.agent_offers(question.clone(), offer);
            }
            (Purpose::Aggregate(broadcast), Ok(result)) => {
                self.note_aggregated(*broadcast, run);
                self.aggregated(*broadcast, &result.output);
            }
            (purpose, Err(failure)) => self.asked_in_vain(purpose, failure.code),
        }
    }

    /// A loop that the market asked had answered before a restart.
    pub(crate) fn asked_before(
        &mut self,
        purpose: &Purpose,
        run: Option<RunId>,
        result: Result<Blob, FailureCode>,
    ) {
        if let Purpose::Aggregate(broadcast) = purpose {
            self.count_aggregation(*broadcast, None);
        }
        match (purpose, result) {
            (Purpose::Aggregate(broadcast), Ok(output)) => {
                if let Some(run) = run {
                    self.note_aggregated(*broadcast, run);
                }
                self.aggregated(*broadcast, &output);
            }
            // Offers are asked for without a key: there is no earlier answer.
            (purpose, result) => {
                let code = result.err().unwrap_or(FailureCode::LoopFailed);
                self.asked_in_vain(purpose, code);
            }
        }
    }

    /// A loop that the market asked says nothing.
    pub(crate) fn asked_in_vain(&mut self, purpose: &Purpose, code: FailureCode) {
        match purpose {
            Purpose::Offer(question) => self.agent_offers(question.clone(), None),
            Purpose::Aggregate(broadcast) => self.not_aggregated(*broadcast, code),
        }
    }

    fn agent_offers(&mut self, question: Question, offer: Option<Offer>) {
        let Question {
            broadcast,
            round,
            agent,
        } = question;
        self.tell_bidder(Input::Answered {
            broadcast,
            round,
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
