//! What other realms show of the runs that served this realm's calls, or led on from them.

mod counting;
mod showing;
mod walk;

use realm_protocol::{
    CallId, FailureCode, LoopId, RunId, Scope, limits,
    records::Signed,
    trace::{Onward, TraceAsked, TraceItem, TracePass, TraceShown},
};

pub(crate) use counting::Counted;
use counting::Recounts;
pub use showing::ServedRun;
pub(crate) use showing::Traces;
pub use walk::{TracePart, TraceProof, TraceWalk};

use crate::{
    CallFailure, ControlId, Node, Refusal, Response,
    outbound::{OutCall, Task},
};

/// How long a question may take with all its pages, milliseconds.
const ASK_MS: u64 = 15_000;

/// Which trace is asked for.
#[derive(Clone, Debug)]
pub struct TraceOf {
    /// Who served the call.
    pub realm: Scope,
    /// The call.
    pub call: CallId,
    /// The loop that was called.
    pub loop_id: LoopId,
    /// Who made it, where that is another realm, and its word that this one may ask.
    pub pass: Option<(Scope, Signed<TracePass>)>,
}

/// What a realm has shown of a run. Nothing of it is believed but that this realm says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownTrace {
    /// The realm.
    pub realm: Scope,
    /// Its run.
    pub run: RunId,
    /// The run's events, shown or as digests.
    pub items: Vec<TraceItem>,
    /// Calls of other realms that can be asked about.
    pub onward: Vec<Onward>,
    /// Whether the content of the run was erased.
    pub erased: bool,
}

/// A question for a trace, over all its pages.
#[derive(Debug)]
pub(crate) struct TraceTask {
    control: ControlId,
    asked: TraceOf,
    run: Option<RunId>,
    items: Vec<TraceItem>,
    onward: Vec<Onward>,
    erased: bool,
}

impl TraceTask {
    /// The question for the next page.
    pub(crate) fn content(&self) -> TraceAsked {
        let (caller, pass) = self.asked.pass.clone().unzip();
        TraceAsked {
            call: self.asked.call,
            loop_id: self.asked.loop_id.clone(),
            after: (!self.items.is_empty()).then_some(self.items.len() as u64),
            pass,
            caller,
        }
    }

    /// Takes a page; none where it does not go on from those before.
    fn take(&mut self, page: TraceShown) -> Option<bool> {
        let same = self.run.is_none_or(|run| run == page.run);
        let news = !page.items.is_empty();
        let total = self.items.len().saturating_add(page.items.len());
        let first = self.items.len() as u64;
        let ordered = (first..).zip(&page.items).all(|(index, item)| match item {
            TraceItem::Hidden(_) => true,
            TraceItem::Shown(_, event) => (event.run, event.index) == (page.run, index),
        });
        let onward = self.onward.len().saturating_add(page.onward.len());
        let items = self.items.iter().chain(&page.items);
        let bytes: usize = items.map(payload_bytes).sum();
        let bounded = total <= limits::TRACE_EVENTS
            && onward <= limits::TRACE_EVENTS
            && bytes <= limits::TRACE_BYTES;
        if !same || !ordered || page.more && !news || !bounded {
            return None;
        }
        self.run = Some(page.run);
        self.items.extend(page.items);
        self.onward.extend(page.onward);
        self.erased |= page.erased;
        Some(page.more)
    }
}

fn payload_bytes(item: &TraceItem) -> usize {
    match item {
        TraceItem::Hidden(_) => 0,
        TraceItem::Shown(_, event) => event.payload.len(),
    }
}

impl Node {
    /// Asks a realm what it shows of a run.
    pub(crate) fn ask_for_trace(&mut self, control: ControlId, asked: TraceOf) {
        if self.calls.len() >= self.config.max_calls {
            let limit = self.config.max_calls;
            let what = "calls under way";
            return self.refuse(control, Refusal::Full { what, limit });
        }
        if asked.realm == self.me.scope() {
            let what = "that call came back to this realm: its run here is in `run ls`";
            let failure = CallFailure::new(FailureCode::Expired, what);
            return self.refuse(control, Refusal::Call(failure));
        }
        // Not the call's own id: who passes the question on need not learn what it is about.
        let question = self.new_call();
        let deadline = self.now.tick.plus(ASK_MS);
        let scope = asked.realm.clone();
        let task = TraceTask {
            control,
            asked,
            run: None,
            items: Vec::new(),
            onward: Vec::new(),
            erased: false,
        };
        let out = OutCall::new(scope, deadline, Task::Trace(Box::new(task)));
        self.calls.insert(question, Box::new(out));
        self.try_call(question);
    }

    pub(crate) fn trace_shown(&mut self, question: CallId, page: TraceShown) {
        let Some(out) = self.calls.get_mut(&question) else {
            return;
        };
        out.sent = None;
        let Task::Trace(task) = &mut out.task else {
            return;
        };
        match task.take(page) {
            Some(true) => {
                out.failures = 0;
                self.try_call(question);
            }
            Some(false) => {
                let (control, shown) = shown(task);
                self.drop_question(question);
                if let Some(shown) = shown {
                    self.respond(control, Response::TraceShown(Box::new(shown)));
                }
            }
            None => {
                let what = "the pages of its answer do not go together";
                let failure = CallFailure::new(FailureCode::SchemaOutput, what);
                self.end_call(question, Err(failure));
            }
        }
    }

    /// What a callee's events came to, as its receipt of a call says: `EVENTS:DIGEST`.
    pub(crate) fn trace_root_of(&self, call: CallId) -> Option<String> {
        let receipt = self.calls.get(&call)?.receipt.as_ref()?;
        receipt.trace.as_ref().map(ToString::to_string)
    }

    /// A question came to nothing.
    pub(crate) fn trace_failed(&mut self, task: &TraceTask, failure: CallFailure) {
        self.refuse(task.control, Refusal::Call(failure));
    }
}

/// What a question has come to.
fn shown(task: &mut TraceTask) -> (ControlId, Option<ShownTrace>) {
    let shown = task.run.map(|run| ShownTrace {
        realm: task.asked.realm.clone(),
        run,
        items: std::mem::take(&mut task.items),
        onward: std::mem::take(&mut task.onward),
        erased: task.erased,
    });
    (task.control, shown)
}
