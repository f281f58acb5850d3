//! Results of this realm's broadcasts that a loop of its own makes one.

use realm_broadcast::announcer::Input;
use realm_protocol::{
    BroadcastId, Digest, FailureCode, RunId, budget::Spend, cbor::Blob, json, json::Object,
};
use serde_json::Value;

use crate::{
    Node,
    serve::{Asked, Purpose},
};

impl Node {
    /// Gives results to the loop that makes them one.
    pub(super) fn aggregate_by_loop(&mut self, broadcast: BroadcastId, results: Value) {
        let call = self.new_call();
        let own = self.market.announced.get(&broadcast);
        let aggregator = own.and_then(|own| {
            let announced = own.rounds.first()?.peek().ok()?;
            let limits = (announced.execution_ms, own.depth, own.announcer.left());
            Some((own.aggregator.clone()?, limits))
        });
        let Some((loop_id, (limit_ms, depth, budget))) = aggregator else {
            return self.not_aggregated(broadcast, FailureCode::LoopNotFound);
        };
        self.serve_asked(Asked {
            call,
            loop_id,
            input: results,
            limit_ms,
            depth: depth.saturating_add(1),
            key: Some(Digest::of(&[b"realm/1/aggregate", broadcast.as_bytes()])),
            budget,
            purpose: Purpose::Aggregate(broadcast),
        });
    }

    /// Holds what results were made against the contract: each of them was what it says, and what is made of them
    /// may be something else.
    pub(super) fn check_made(&mut self, broadcast: BroadcastId, output: &Value) {
        let own = self.market.announced.get(&broadcast);
        let why = own.and_then(|own| {
            let problems = own.contract.check_output(output).err()?;
            let loop_id = &own.run.loop_id;
            let told =
                format!("the results, made one, do not match the output schema of `{loop_id}`");
            let told = std::iter::once(told).chain(problems);
            Some(told.collect::<Vec<_>>().join("; "))
        });
        self.tell_announcer(broadcast, Input::Checked(why));
    }

    /// Ends the run that makes results one, where it still does; tells whether it did.
    pub(super) fn stop_aggregating(&mut self, broadcast: BroadcastId) -> bool {
        let runs = self.serving.runs_that(|it| it.aggregates(broadcast));
        for run in &runs {
            self.executor
                .cancel(*run, "its broadcast has ended", self.now);
        }
        !runs.is_empty()
    }

    /// Counts what the loop has used that makes results one; all that was left, where nobody knows.
    pub(super) fn count_aggregation(&mut self, broadcast: BroadcastId, spent: Option<Spend>) {
        if let Some(own) = self.market.announced.get_mut(&broadcast) {
            own.aggregated = spent.unwrap_or_else(|| own.announcer.left().whole());
        }
    }

    /// The loop has made results one. They must be what the announced contract says.
    pub(super) fn aggregated(&mut self, broadcast: BroadcastId, output: &Blob) {
        let own = self.market.announced.get(&broadcast);
        let matches = own.zip(json::parse(output).ok());
        let matches =
            matches.is_some_and(|(own, output)| own.contract.check_output(&output).is_ok());
        let result = match matches {
            true => Ok(output.clone()),
            false => Err(FailureCode::SchemaOutput),
        };
        self.tell_aggregated(broadcast, result);
    }

    pub(super) fn not_aggregated(&mut self, broadcast: BroadcastId, code: FailureCode) {
        self.tell_aggregated(broadcast, Err(code));
    }

    fn tell_aggregated(&mut self, broadcast: BroadcastId, result: Result<Blob, FailureCode>) {
        self.tell_announcer(broadcast, Input::Aggregated(result));
        self.set_market_timer();
    }

    /// Which run made the results one, in the trace.
    pub(super) fn note_aggregated(&mut self, broadcast: BroadcastId, run: RunId) {
        let payload = Object::new().with("run", &run);
        self.note_broadcast(broadcast, "broadcast.aggregated", payload);
    }
}
