//! Ends of calls that were accepted: told again and again until the caller has them.

use realm_executor::Outcome;
use realm_protocol::{
    CallId, FailureCode, Kind, RealmId, RunId,
    cbor::{self, Blob},
    journal::Table,
    limits,
    message::{Accepted, Stage},
    receipt::CallReceipt,
};
use realm_router::Backoff;

use crate::{
    CallFailure, Node,
    answer::{Ending, failure_body, result_for, too_large},
    outbound::{OutCall, Task},
    state::{self, AcceptedCaller, Delivery, standing},
    timers::Timer,
};

/// How long an end that was sent waits to be acknowledged, milliseconds.
pub(crate) const ACKNOWLEDGE_MS: u64 = 10_000;
/// When an end is sent again.
pub(crate) const AGAIN: Backoff = Backoff::new(2_000, 60_000);

impl Delivery {
    pub(crate) fn kind(&self) -> Kind {
        if self.failed {
            Kind::Failure
        } else {
            Kind::Result
        }
    }
}

impl OutCall {
    /// Whether it may be sent to this realm: an end is for the one that called, whoever has come to
    /// stand in its place.
    pub(crate) fn is_for(&self, realm: RealmId) -> bool {
        match &self.task {
            Task::Deliver(delivery) => delivery.to.source.realm == Some(realm),
            Task::Tell(tell) => tell.realm.is_none_or(|of| of == realm),
            _ => true,
        }
    }
}

impl Node {
    /// Tells a caller how the run ended that its call was accepted for.
    pub(crate) fn deliver_end(
        &mut self,
        run: RunId,
        to: AcceptedCaller,
        (outcome, ending): (Option<&Outcome>, &Ending),
    ) {
        let most = to.max_reply.min(limits::BODY_BYTES as u64);
        let fits = |content: &[u8]| u64::try_from(content.len()).is_ok_and(|bytes| bytes <= most);
        let receipt = match ending {
            Ok(result) => result.receipt.clone(),
            Err(failure) => failure.receipt.clone(),
        };
        let told = match ending {
            Ok(result) => {
                // A caller that has restarted does not know the contract any more that it named.
                let whole = result_for(result, outcome, None, to.hops);
                let short = || result_for(result, outcome, to.contract, to.hops);
                let content = Some(cbor::encode(&whole)).filter(|content| fits(content));
                let content = content.unwrap_or_else(|| cbor::encode(&short()));
                match fits(&content) {
                    true => Ok(content),
                    false => Err(CallFailure {
                        receipt: receipt.clone(),
                        ..too_large(content.len())
                    }),
                }
            }
            Err(failure) => Err(failure.clone()),
        };
        let (failed, content) = match told {
            Ok(content) => (false, content),
            Err(failure) => (true, cbor::encode(&failure_body(&failure, to.header))),
        };
        let delivery = Delivery {
            run,
            to,
            failed,
            content: Blob::from(content),
            receipt: receipt.map(|receipt| CallReceipt::digest(&receipt)),
            until: self.now.wall.plus(limits::DELIVERY_MS),
        };
        let row = standing::delivery(run, delivery.to.call);
        self.put_until(
            Table::Standing,
            &row,
            state::write(&delivery),
            delivery.until,
        );
        self.begin_delivery(delivery);
    }

    /// Takes up the ends that were not acknowledged before a restart.
    pub(crate) fn recover_deliveries(&mut self, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            if delivery.until <= self.now.wall {
                let row = standing::delivery(delivery.run, delivery.to.call);
                self.delete(Table::Standing, &row);
            } else {
                self.begin_delivery(delivery);
            }
        }
    }

    fn begin_delivery(&mut self, delivery: Delivery) {
        let call = self.new_call();
        let scope = delivery.to.source.scope();
        let left = delivery.until.since(self.now.wall);
        let task = Task::Deliver(Box::new(delivery));
        let out = OutCall {
            backoff: AGAIN,
            ..OutCall::new(scope, self.now.tick.plus(left), task)
        };
        self.calls.insert(call, Box::new(out));
        self.try_call(call);
    }

    /// An end was not acknowledged, or what takes a call back has not left: it is sent again, to
    /// whoever is there by then.
    pub(crate) fn deliver_again(&mut self, call: CallId, failure: CallFailure) {
        let random = self.random_word();
        let Some(out) = self.calls.get_mut(&call) else {
            return;
        };
        let stale = matches!(
            failure.code,
            FailureCode::Timeout | FailureCode::BadCertificate
        );
        let wait = out.backoff.delay_ms(random);
        let again = self.now.tick.plus(wait).min(out.deadline);
        // The caller may have restarted: it has no session any more, and perhaps other keys.
        out.session = None;
        out.no_session = true;
        out.last = Some(Box::new(failure));
        let scope = out.scope.clone();
        if stale {
            self.trust.forget(&scope);
        }
        self.timers.set(Timer::Attempt(call), again);
    }

    /// The caller has the end.
    pub(crate) fn delivered(&mut self, call: CallId) {
        self.timers.cancel(&Timer::Attempt(call));
        if let Some(Task::Deliver(delivery)) = self.calls.remove(&call).map(|out| out.task) {
            self.end_delivery(&delivery, None);
        }
    }

    /// An end was told, or its time is over.
    pub(crate) fn end_delivery(&mut self, delivery: &Delivery, failure: Option<CallFailure>) {
        let row = standing::delivery(delivery.run, delivery.to.call);
        self.delete(Table::Standing, &row);
        if let Some(failure) = failure {
            let to = self.name_of(&delivery.to.source.scope());
            tracing::warn!(run = %delivery.run, %to, %failure, "a caller was never told the end");
        }
    }

    /// The end of a run is asked for: it is sent now, if it is not under way.
    pub(crate) fn end_is_due(
        &mut self,
        run: RunId,
        call: CallId,
        realm: Option<RealmId>,
    ) -> Option<Accepted> {
        let mut calls = self.calls.iter();
        let (id, out) = calls.find(|(_, out)| match &out.task {
            Task::Deliver(delivery) => delivery.run == run && delivery.to.is_of(call, realm),
            _ => false,
        })?;
        let (id, until) = (*id, self.now.wall);
        if out.sent.is_none() {
            self.timers.set(Timer::Attempt(id), self.now.tick);
        }
        Some(Accepted {
            run,
            contract: None,
            until,
            stage: Stage::Ended,
        })
    }
}
