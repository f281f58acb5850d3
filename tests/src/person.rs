//! A person who knows what tools did, and says it to runs that ask.

use realm_executor::{Decision, ResumeError};
use realm_node::{ApprovalView, Decide, Person, Refusal, Request, Response};
use realm_protocol::{ApprovalId, CallId, RunId, journal::Status, records::Role};

use crate::{HostId, World, watch::work_key};

impl World {
    /// The runs of a host that stand still.
    pub fn paused(&self, id: HostId) -> Vec<RunId> {
        let runs = self.hosts[id.0].disk.runs.values();
        let paused = runs.filter(|run| run.status == Status::Paused);
        paused.map(|run| run.id).collect()
    }

    /// Lets every run go on that stands still, and tells those that ask what their tool did. Gives
    /// how many there were.
    pub fn resume_all(&mut self) -> usize {
        let hosts = (0..self.hosts.len()).map(HostId);
        let up: Vec<HostId> = hosts.filter(|id| self.is_up(*id)).collect();
        let paused: Vec<(HostId, RunId)> = up
            .into_iter()
            .flat_map(|id| self.paused(id).into_iter().map(move |run| (id, run)))
            .collect();
        for (id, run) in &paused {
            self.resume(*id, *run);
        }
        paused.len()
    }

    fn resume(&mut self, id: HostId, run: RunId) {
        match self.ask_and_wait(id, Request::Resume(run, None)) {
            Response::Done => {}
            Response::Refused(Refusal::Resume(ResumeError::Undecided { call })) => {
                let decision = self.decision(id, run, call);
                match self.ask_and_wait(id, Request::Resume(run, Some(decision))) {
                    Response::Done => {}
                    other => panic!("{run} is not resumed with a decision: {other:?}"),
                }
            }
            // It has gone on meanwhile.
            Response::Refused(Refusal::NotFound { .. }) => {}
            Response::Refused(Refusal::Resume(ResumeError::NotPaused)) => {}
            // Others decide about that.
            Response::Refused(Refusal::Resume(ResumeError::NeedsApproval)) => {}
            other => panic!("{run} is not resumed: {other:?}"),
        }
    }

    /// The calls of a host that wait for an approval, the oldest first.
    pub fn approvals(&self, id: HostId) -> Vec<ApprovalView> {
        let node = self.hosts[id.0].node.as_ref();
        let mut waiting = node.map_or_else(Vec::new, |node| node.approvals(None, false));
        waiting.reverse();
        waiting
    }

    /// Somebody says whether a call may begin.
    pub fn decide(
        &mut self,
        id: HostId,
        approval: ApprovalId,
        (name, role): (&str, Role),
        granted: bool,
    ) -> Response {
        let said = Decide {
            approval,
            person: Person {
                name: name.to_owned(),
                roles: [role].into(),
            },
            granted,
            reason: Some("as agreed".to_owned()),
        };
        self.ask_and_wait(id, Request::Decide(said))
    }

    /// What whoever looks at the tool finds.
    pub fn decision(&self, id: HostId, run: RunId, call: CallId) -> Decision {
        match self.work.get(&(id, work_key(run, call))) {
            None => Decision::Again,
            Some(work) => match &work.gave {
                Some(output) => Decision::Output(output.clone()),
                None => Decision::Fail("it failed".to_owned()),
            },
        }
    }
}
