//! What came of all of it, held against the rules.

use realm_node::Broadcasted;
use realm_protocol::{CallId, LoopId, Suite};

use super::{
    evidence::{receipts_at, transcript_of},
    furnishing::{DAY_MICROS, Way},
    *,
};
use crate::canary::Canaries;

impl Market {
    /// Checks everything that was said and done.
    pub(super) fn judge(mut self) -> Told {
        let books = match self.world.sessions {
            true => BTreeMap::new(),
            false => Book::read_all(&mut self.world),
        };
        let hosts = (0..self.world.hosts.len()).map(HostId);
        let ledgers: Vec<Ledger> = hosts
            .flat_map(|host| Ledger::read_all(&self.world, host))
            .collect();
        let mut told = Told::default();
        let mut inputs = Canaries::default();
        for asked in &self.asked {
            let of_it: Vec<&Ledger> = ledgers.iter().filter(|it| it.asks(&asked.canary)).collect();
            self.judge_outcome(asked, &of_it, &mut told);
            let mut may_know = BTreeSet::from([self.world.hosts[asked.host.0].realm]);
            for ledger in of_it {
                may_know.extend(self.judge_one(asked, ledger, &books, &mut told));
            }
            let hosts = self.world.hosts.iter().enumerate();
            let known_to = hosts.filter(|(_, host)| may_know.contains(&host.realm));
            let known_to = known_to.map(|(number, _)| HostId(number)).collect();
            inputs.add(&asked.canary, known_to);
        }
        for (number, host) in self.world.hosts.iter().enumerate() {
            if let Some(input) = inputs.seen(&host.disk.bytes(), Some(HostId(number))) {
                let what = format!("{} has the input of broadcast {input}", host.name);
                told.broken.push(what);
            }
        }
        let by_call: BTreeMap<CallId, &Ledger> =
            ledgers.iter().map(|it| (it.run.call, it)).collect();
        if let Some(call) = books.keys().find(|call| !by_call.contains_key(call)) {
            told.broken
                .push(format!("a broadcast without a run: {call}"));
        }
        told.broken.extend(sealed::broken(&self.world, &by_call));
        told.broken.extend(self.paid_too_much(&ledgers));
        for host in (0..self.world.hosts.len()).map(HostId) {
            let shown = receipts_at(&self.world, host, &by_call);
            told.meet("a receipt that proves where a bid stood", shown.proven);
            told.meet("a receipt of a bid that did not count", shown.uncounted);
            told.meet("an award that was lost on its way", shown.lost);
            told.broken.extend(shown.broken);
        }
        for (trick, times) in &self.tricks.played {
            told.meet(&format!("trick: {trick}"), *times);
        }
        let in_sessions = self.world.post.passed.iter();
        let in_sessions = in_sessions.filter(|it| it.header().suite == Suite::Session);
        for it in in_sessions {
            told.meet(&format!("in a session: {:?}", it.header().kind), 1);
        }
        told.broken.extend(invariants::broken(&mut self.world));
        told
    }

    /// Agents that bid within a budget and were paid more than it.
    fn paid_too_much(&self, ledgers: &[Ledger]) -> Vec<String> {
        let mut paid: BTreeMap<(RealmId, LoopId), u64> = BTreeMap::new();
        for (agent, price) in ledgers.iter().flat_map(Ledger::paid) {
            *paid.entry(agent).or_default() += price;
        }
        let bounded = |realm: &RealmId| {
            let mut members = self.members.iter();
            let of = members.find(|it| self.world.hosts[it.host.0].realm == *realm);
            of.is_some_and(|it| it.bids && Way::of(it.host) == Way::Expressions)
        };
        let too_much = paid
            .into_iter()
            .filter(|((realm, _), paid)| *paid > DAY_MICROS && bounded(realm));
        too_much
            .map(|((realm, agent), paid)| format!("{agent} of {realm} was paid {paid} in a day"))
            .collect()
    }

    /// Gives who may know the input.
    fn judge_one(
        &self,
        asked: &Asked,
        ledger: &Ledger,
        books: &BTreeMap<CallId, Book>,
        told: &mut Told,
    ) -> BTreeSet<RealmId> {
        let host = ledger.host;
        told.broken.extend(ledger.broken());
        told.broken.extend(transcript_of(&self.world, ledger).err());
        let book = books.get(&ledger.run.call);
        self.tell(asked, ledger, book, told);
        let mut may_know = ledger.informed();
        if let Some(book) = book {
            let shunned = self.shunned.iter().filter(|(by, _)| *by == host);
            let shunned = shunned.filter_map(|(_, name)| {
                let member = self.members.iter().find(|member| member.name == *name)?;
                Some(self.world.hosts[member.host.0].realm)
            });
            let rules = Rules {
                book,
                canary: &asked.canary,
                ledger,
                shunned: shunned.collect(),
                puppets: self
                    .puppets
                    .iter()
                    .map(|it| self.world.hosts[it.host.0].realm)
                    .collect(),
                aggregator: aggregator_of(asked, ledger),
                crashed: self.crashed.contains(&host),
                broken: Vec::new(),
            };
            told.broken.extend(rules.check());
            may_know.extend(Rules::informed(book));
        }
        may_know
    }

    /// The owner is told what is written down, once, and so is whoever reads the run.
    fn judge_outcome(&self, asked: &Asked, ledgers: &[&Ledger], told: &mut Told) {
        for ledger in ledgers {
            let Some(conclusion) = ledger.conclusion() else {
                continue;
            };
            let status = match conclusion.ending {
                Ending::Output => Status::Completed,
                Ending::Cancelled => Status::Cancelled,
                _ => Status::Failed,
            };
            if ledger.run.status != status {
                let ending = conclusion.ending.name();
                told.broken
                    .push(format!("{ending} leaves {:?}", ledger.run));
            }
        }
        let crashed = self.crashed.contains(&asked.host);
        let outcome = self.world.outcomes.get(&(asked.host, asked.control));
        let mut own = ledgers.iter().filter(|it| it.host == asked.host);
        let is_right = match (outcome.map(|outcome| &outcome.response), asked.what) {
            // Whoever asked a process that died has no answer.
            (None, _) => crashed,
            (Some(Response::Refused(Refusal::UnknownPetname { .. })), What::Broadcast(_)) => {
                told.meet("an unknown name", 1);
                own.next().is_none()
            }
            (Some(Response::Broadcasted(ended)), What::Broadcast(_)) => {
                let first = own.min_by_key(|it| it.announcement.depth);
                first.is_some_and(|ledger| is_told(ended, ledger))
            }
            (Some(Response::Invoked(ended)), What::Stack) => {
                let name = match &ended.result {
                    Ok(_) => "a stack that gives an output",
                    Err(_) => "a stack that fails",
                };
                told.meet(name, 1);
                let mut parts = own.filter(|it| it.run.parent == Some(ended.run));
                let whole = parts.next().is_some_and(ended_well) && parts.all(ended_well);
                ended.result.is_ok() == whole
            }
            _ => false,
        };
        if !is_right {
            told.broken
                .push(format!("the outcome of {asked:?} is {outcome:?}"));
        }
    }
}

fn ended_well(ledger: &&Ledger) -> bool {
    let conclusion = ledger.conclusion();
    conclusion.is_some_and(|it| it.ending == Ending::Output)
}

/// The loop that makes the results of a broadcast one, where one does.
fn aggregator_of(asked: &Asked, ledger: &Ledger) -> Option<Aggregator> {
    match asked.what {
        _ if ledger.announcement.aggregation.strategy != Strategy::Loop => None,
        What::Broadcast(maker) => maker,
        What::Stack => {
            let (_, maker) = ledger.run.loop_id.split_once('-')?;
            Some(Aggregator::of(maker))
        }
    }
}

/// Whether whoever asked was told what is written down.
fn is_told(ended: &Broadcasted, ledger: &Ledger) -> bool {
    let Some(conclusion) = ledger.conclusion() else {
        return false;
    };
    let output = conclusion.output.as_deref();
    let output = output.and_then(|output| realm_protocol::json::parse(output).ok());
    let bids = ledger.counted().len();
    (ended.ending, ended.bids, &ended.output) == (conclusion.ending.name(), bids, &output)
}
