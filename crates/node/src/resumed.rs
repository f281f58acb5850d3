//! Calls that may be kept, that were accepted, or that nobody waits for outlive a restart of their
//! caller: their run goes on, and asks again under the same call and key.

use realm_protocol::{
    CallId, Now, Scope,
    journal::{Direction, Run, Table},
    json::Object,
    limits,
};

use crate::{
    Node, UnderWay,
    outbound::{Check, Invoke, Origin, OutCall, Task},
    state::{self, StoredCall, standing},
    storing::Storing,
    timers::Timer,
};

/// A call from before a restart, and the run that waits for it.
pub(crate) type Unfinished = (CallId, StoredCall, Run);

impl Node {
    /// Writes down what a restart needs to go on with a call that outlives it.
    pub(crate) fn note_storable(&mut self, call: CallId) {
        let Some(out) = self.calls.get(&call) else {
            return;
        };
        let Task::Invoke(invoke) = &out.task else {
            return;
        };
        if !is_kept(out) {
            return;
        }
        let until = out.deadline.max(invoke.until);
        let left = self.now.tick.until(until).as_millis();
        let stored = StoredCall {
            run: invoke.run,
            scope: out.scope.clone(),
            address: invoke.address.to_string(),
            key: invoke.key,
            key_created: invoke.key_created,
            until: self.wall().plus(u64::try_from(left).unwrap_or(u64::MAX)),
            events: invoke.events,
            caller: invoke.caller.clone(),
            sealed: invoke.sealed,
            input: self.out.redacts().then(|| invoke.input.clone()),
            storable: invoke.storing != Storing::No,
            budget: invoke.bounds(),
        };
        let row = state::write(&stored);
        self.put(Table::Standing, &standing::call(call), row);
    }

    /// A call has ended: there is nothing to go on with.
    pub(crate) fn forget_storable(&mut self, call: CallId) {
        if self.calls.get(&call).is_some_and(|out| is_kept(out)) {
            self.delete(Table::Standing, &standing::call(call));
        }
    }

    /// Tells the runs that can go on from those that were interrupted. A call goes on while its
    /// time is not over; after a backup was restored none does.
    pub(crate) fn find_unfinished(
        &mut self,
        stored: Vec<(CallId, StoredCall)>,
        under_way: Vec<UnderWay>,
        restored: bool,
    ) -> (Vec<Unfinished>, Vec<UnderWay>) {
        let (mut unfinished, mut interrupted) = (Vec::new(), under_way);
        for (call, stored) in stored {
            let goes_on = !restored && self.wall() < stored.until;
            let at = interrupted.iter().position(|UnderWay { run, .. }| {
                run.id == stored.run && run.call == call && run.direction == Direction::Out
            });
            match at.filter(|_| goes_on) {
                Some(at) => unfinished.push((call, stored, interrupted.swap_remove(at).run)),
                None => self.delete(Table::Standing, &standing::call(call)),
            }
        }
        (unfinished, interrupted)
    }

    /// Goes on with a call: whoever asked is gone, and its run gets the result.
    pub(crate) fn resume(&mut self, (call, stored, run): Unfinished) {
        let input = stored.input.clone().or(run.input);
        let (Ok(address), Some(input)) = (stored.address.parse(), input) else {
            return self.delete(Table::Standing, &standing::call(call));
        };
        let now = self.now;
        let left = stored.until.since(now.wall);
        let longest = match stored.storable {
            true => limits::STORABLE_TTL_MS,
            false => limits::CALL_MAX_MS,
        };
        let invoke = Invoke {
            run: stored.run,
            origin: Origin::Restart,
            address,
            version: run.version,
            input,
            key: stored.key,
            key_created: stored.key_created,
            caller: stored.caller,
            depth: 1,
            started: Now {
                wall: run.started,
                tick: now.tick,
            },
            until: now.tick.plus(left),
            detached: true,
            accepted: None,
            events: stored.events,
            check: Check::Open,
            pinned: None,
            named: None,
            // It may be kept by now: the next attempt takes the place of that.
            storing: match stored.storable {
                true => Storing::Due,
                false => Storing::No,
            },
            sealed: stored.sealed,
            stream: None,
            budget: stored.budget.unwrap_or_default(),
            approvals: Vec::new(),
            approved: Vec::new(),
            root: stored.run,
            bearer: None,
            grant: None,
        };
        self.know_own_child(&stored.scope);
        let task = Task::Invoke(Box::new(invoke));
        let out = OutCall {
            // How many there were is not known, but one may be kept.
            attempts: 1,
            ..OutCall::new(stored.scope, now.tick.plus(left.min(longest)), task)
        };
        self.calls.insert(call, Box::new(out));
        let payload = Object::new().with("until", &stored.until);
        self.note_call(call, "call.resumed", payload);
        if self.is_accepted_already(call) {
            return;
        }
        match self.permit_call(call) {
            Ok(()) => self.timers.set(Timer::Attempt(call), now.tick),
            Err(failure) => self.end_call(call, Err(failure)),
        }
    }

    /// The chain of a child comes from what it signed: a child that is offline cannot be asked.
    fn know_own_child(&mut self, to: &Scope) {
        if let Some(label) = self.child_at(to) {
            self.know_child(&label, to);
        }
    }
}

/// Whether a call that no run of the executor holds outlives this process.
fn is_kept(out: &OutCall) -> bool {
    let Task::Invoke(invoke) = &out.task else {
        return false;
    };
    let own = invoke.origin != Origin::Frame;
    own && (invoke.storing != Storing::No || invoke.detached || invoke.accepted.is_some())
}
