//! What a realm's loops promise, shown to whom policy lets discover them.

use realm_crypto::Opened;
use realm_executor::Registered;
use realm_policy::{Action, Resource};
use realm_protocol::{
    CallId, Kind, LoopId,
    cbor::{self, Blob},
    flags, json, limits,
    message::{Contract, ContractsAsked, ContractsGiven},
};
use realm_router::Backoff;

use crate::{
    ContractsOf, ControlId, Node, Refusal, Response,
    outbound::{OutCall, Task},
    relay::Release,
};

/// Bytes of contracts in one answer; the rest follows on the next page.
const PAGE_BYTES: usize = 48 * 1024;
/// Contracts a question collects; what lies beyond is asked for one by one.
const CONTRACTS: usize = limits::LOOPS;
/// How long a question may take, milliseconds.
const ASK_MS: u64 = 15_000;

/// A question for contracts, over all its pages.
#[derive(Debug)]
pub(crate) struct ContractsTask {
    pub(crate) control: ControlId,
    pub(crate) loop_id: Option<LoopId>,
    collected: Vec<Contract>,
}

impl ContractsTask {
    /// Where the next page begins.
    pub(crate) fn after(&self) -> Option<LoopId> {
        self.collected
            .last()
            .map(|contract| contract.loop_id.clone())
    }
}

impl Node {
    pub(crate) fn contracts_of(&mut self, control: ControlId, asked: ContractsOf) {
        let scope = match self.resolve_name(&asked.realm) {
            Ok(scope) => scope,
            Err(refusal) => return self.refuse(control, refusal),
        };
        if scope == self.me.scope() {
            let contracts = self.contracts_for(&scope, asked.loop_id.as_ref(), None).0;
            return self.respond(control, Response::Contracts(contracts));
        }
        if self.calls.len() >= self.config.max_calls {
            let limit = self.config.max_calls;
            return self.refuse(
                control,
                Refusal::Full {
                    what: "calls under way",
                    limit,
                },
            );
        }
        let call = CallId::new(self.random());
        let task = ContractsTask {
            control,
            loop_id: asked.loop_id,
            collected: Vec::new(),
        };
        let out = OutCall {
            scope,
            deadline: self.now.tick.plus(ASK_MS),
            attempts: 0,
            failures: 0,
            backoff: Backoff::RETRY,
            sent: None,
            via: None,
            last: None,
            task: Task::Contracts(task),
        };
        self.calls.insert(call, out);
        self.try_call(call);
    }

    pub(crate) fn contracts_given(&mut self, call: CallId, given: ContractsGiven) {
        let Some(out) = self.calls.get_mut(&call) else {
            return;
        };
        out.sent = None;
        let Task::Contracts(task) = &mut out.task else {
            return;
        };
        let news = !given.contracts.is_empty();
        task.collected.extend(given.contracts);
        if given.more && news && task.collected.len() < CONTRACTS {
            out.failures = 0;
            return self.try_call(call);
        }
        let control = task.control;
        let contracts = std::mem::take(&mut task.collected);
        self.calls.remove(&call);
        self.timers.cancel(&crate::timers::Timer::Attempt(call));
        self.respond(control, Response::Contracts(contracts));
    }

    pub(crate) fn answer_contracts(&mut self, opened: &Opened, asked: &ContractsAsked) {
        let header = opened.header();
        let Some(reply_key) = opened.reply_key() else {
            return;
        };
        let caller = header.source.scope();
        let (contracts, more) =
            self.contracts_for(&caller, asked.loop_id.as_ref(), asked.after.as_ref());
        let content = cbor::encode(&ContractsGiven { contracts, more });
        self.send_reply(
            (&header.source, header.call, opened.digest()),
            reply_key,
            (Kind::Contracts, Some(flags::ANSWER)),
            (&content, header.max_reply),
            Release::Now,
        );
    }

    /// What a caller may see, one page of it. Hidden and absent look alike.
    fn contracts_for(
        &self,
        caller: &realm_protocol::Scope,
        loop_id: Option<&LoopId>,
        after: Option<&LoopId>,
    ) -> (Vec<Contract>, bool) {
        let owner = self.me.scope();
        let mut contracts = Vec::new();
        let mut bytes: usize = 0;
        for registered in self.registry.iter() {
            let id = &registered.manifest.id;
            let wanted =
                loop_id.is_none_or(|wanted| wanted == id) && after.is_none_or(|after| id > after);
            let resource = Resource::Loop { owner: &owner, id };
            let now = self.now.wall;
            if !wanted
                || self
                    .rules
                    .decide(Action::Discover, caller, resource, false, now)
                    .is_err()
            {
                continue;
            }
            let contract = contract_of(registered, loop_id.is_some());
            bytes = bytes.saturating_add(cbor::encode(&contract).len());
            if bytes > PAGE_BYTES && !contracts.is_empty() {
                return (contracts, true);
            }
            contracts.push(contract);
        }
        (contracts, false)
    }
}

/// The public face of a loop.
fn contract_of(registered: &Registered, with_schemas: bool) -> Contract {
    let manifest = &registered.manifest;
    let schema = |schema| with_schemas.then(|| Blob(json::to_bytes(schema)));
    Contract {
        loop_id: manifest.id.clone(),
        version: manifest.version.to_string(),
        digest: registered.contract,
        description: manifest.description.clone(),
        input_schema: schema(&manifest.input_schema),
        output_schema: schema(&manifest.output_schema),
        effects: registered.effects.name().to_owned(),
        kind: manifest.kind().name().to_owned(),
    }
}
