//! What a realm's loops promise, shown to whom policy lets discover them.

use realm_crypto::Opened;
use realm_executor::Registered;
use realm_policy::{Action, Resource};
use realm_protocol::{
    CallId, FailureCode, Kind, LoopId, Scope, Tick,
    cbor::{self, Blob},
    json, limits,
    message::{Contract, ContractsAsked, ContractsGiven},
};

use crate::{
    CallFailure, ContractsOf, ControlId, Node, Refusal, Response,
    known::KnownContract,
    outbound::{Check, OutCall, Task},
    timers::Timer,
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
    asker: Asker,
    pub(crate) loop_id: Option<LoopId>,
    collected: Vec<Contract>,
}

/// Who waits for contracts.
#[derive(Clone, Copy, Debug)]
enum Asker {
    /// A request of the local API.
    Control(ControlId),
    /// A call whose input does not match the contract that is remembered.
    Call(CallId),
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
        let question = self.new_call();
        let deadline = self.now.tick.plus(ASK_MS);
        let asker = Asker::Control(control);
        self.ask_contracts(question, asker, (scope, asked.loop_id), deadline);
    }

    fn ask_contracts(
        &mut self,
        question: CallId,
        asker: Asker,
        (scope, loop_id): (Scope, Option<LoopId>),
        deadline: Tick,
    ) {
        let task = ContractsTask {
            asker,
            loop_id,
            collected: Vec::new(),
        };
        let out = OutCall::new(scope, deadline, Task::Contracts(task));
        self.calls.insert(question, Box::new(out));
        self.try_call(question);
    }

    /// Whether what a call carries may leave. An input that does not match the contract that is
    /// remembered waits until the current one is asked for.
    pub(crate) fn may_leave(&mut self, call: CallId) -> bool {
        let Some(out) = self.calls.get_mut(&call) else {
            return false;
        };
        let Task::Invoke(invoke) = &mut out.task else {
            return true;
        };
        if invoke.check != Check::Open {
            return invoke.check == Check::Done;
        }
        let known = self.known.get(&invoke.meant(&out.scope));
        let matches = known.is_none_or(|known| known.check_input(&invoke.input).is_ok());
        let approved = self.is_as_approved(call);
        let full = self.calls.len() >= self.config.max_calls;
        if approved && (matches || full) {
            self.settle_check(call);
            return true;
        }
        if full {
            let failure = CallFailure::new(FailureCode::Overloaded, "too many calls under way");
            self.end_call(call, Err(failure));
            return false;
        }
        self.ask_for_current(call);
        false
    }

    /// Asks what a loop promises now. The call has half of its time left if there is no answer.
    fn ask_for_current(&mut self, call: CallId) {
        let question = self.new_call();
        let Some(out) = self.calls.get_mut(&call) else {
            return;
        };
        let Task::Invoke(invoke) = &mut out.task else {
            return;
        };
        invoke.check = Check::Asking(question);
        let about = (out.scope.clone(), Some(invoke.address.loop_id.clone()));
        let left = out.deadline.since(self.now.tick);
        let deadline = self.now.tick.plus(ASK_MS.min(left / 2));
        self.ask_contracts(question, Asker::Call(call), about, deadline);
    }

    fn settle_check(&mut self, call: CallId) {
        let task = self.calls.get_mut(&call).map(|out| &mut out.task);
        if let Some(Task::Invoke(invoke)) = task {
            invoke.check = Check::Done;
        }
    }

    /// The callee has said what its loop promises now: an input that does not match stays here.
    fn current_contract_told(&mut self, call: CallId, contracts: &[Contract]) {
        self.settle_check(call);
        if let Err(failure) = self.definition_told(call, contracts.first()) {
            return self.end_call(call, Err(failure));
        }
        let Some(out) = self.calls.get(&call) else {
            return;
        };
        let Task::Invoke(invoke) = &out.task else {
            return;
        };
        let meant = invoke.meant(&out.scope);
        let of_loop = |contract: &&Contract| contract.loop_id == invoke.address.loop_id;
        let told = contracts.iter().find(of_loop);
        let told = told.and_then(|contract| KnownContract::told(contract).ok());
        let known = self.known.get(&meant);
        // Whether another version is the one that was meant only the callee can say.
        let is_meant = |told: &KnownContract| {
            invoke.version.is_none() || known.is_some_and(|known| known.version == told.version)
        };
        let Some(told) = told.filter(|told| is_meant(told)) else {
            return self.try_call(call);
        };
        let checked = told.check_input(&invoke.input);
        let message = format!(
            "the input of `{}` does not match its schema",
            invoke.address.loop_id
        );
        self.known.remember(meant, told);
        match checked {
            Ok(()) => self.try_call(call),
            Err(details) => {
                let failure = CallFailure {
                    details,
                    ..CallFailure::new(FailureCode::SchemaInput, message)
                };
                self.end_call(call, Err(failure));
            }
        }
    }

    /// A question came to nothing. A call that waits for it goes on, and the callee decides; but no
    /// call whose loop must be what was approved.
    pub(crate) fn contracts_failed(&mut self, task: &ContractsTask, failure: CallFailure) {
        match task.asker {
            Asker::Control(control) => self.refuse(control, Refusal::Call(failure)),
            Asker::Call(call) => {
                self.settle_check(call);
                match self.is_as_approved(call) {
                    true => self.try_call(call),
                    false => self.end_call(call, Err(failure)),
                }
            }
        }
    }

    /// Nobody waits for a question's answer any more.
    pub(crate) fn drop_question(&mut self, question: CallId) {
        self.timers.cancel(&Timer::Attempt(question));
        let dropped = self.calls.remove(&question);
        if let Some(digest) = dropped.and_then(|out| out.sent) {
            self.waiting.take(&digest);
        }
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
        let asker = task.asker;
        let contracts = std::mem::take(&mut task.collected);
        let scope = out.scope.clone();
        self.drop_question(call);
        match asker {
            Asker::Control(control) => {
                for contract in &contracts {
                    if let Ok(told) = KnownContract::told(contract) {
                        let meant = (scope.clone(), contract.loop_id.clone(), None);
                        self.known.remember(meant, told);
                    }
                }
                self.respond(control, Response::Contracts(contracts));
            }
            Asker::Call(call) => self.current_contract_told(call, &contracts),
        }
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
        let letter = self.seal_reply(
            (&header.source, header.call, opened.digest()),
            reply_key,
            Kind::Contracts,
            (&content, header.max_reply),
        );
        if let Some(letter) = letter {
            self.launch(letter);
        }
    }

    /// What a caller may see, one page of it. Hidden and absent look alike.
    fn contracts_for(
        &mut self,
        caller: &realm_protocol::Scope,
        loop_id: Option<&LoopId>,
        after: Option<&LoopId>,
    ) -> (Vec<Contract>, bool) {
        let owner = self.me.scope();
        let loop_id = loop_id.map(|name| self.registry.resolve(name));
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
    let schema = |schema| with_schemas.then(|| Blob::from(json::to_bytes(schema)));
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
