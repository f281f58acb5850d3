//! What is announced, by whom, and who meddles with it afterwards.

use super::{furnishing::LIST, *};

/// Whoever is asked beside realms that are named.
const CHILDREN: Levels = Levels {
    down: 1,
    up: 0,
    across: 0,
};

const EVERYBODY: Reach = Reach {
    down: 4,
    up: 4,
    across: 5,
    realms: Vec::new(),
    besides: None,
};

impl Market {
    /// Announces something.
    pub(super) fn announce(&mut self) {
        let announcers: Vec<HostId> = self.announcers.iter().copied().collect();
        let host = announcers[self.world.random(announcers.len() as u64) as usize];
        if !self.world.is_up(host) {
            return;
        }
        let everybody: Vec<HostId> = (0..self.world.hosts.len()).map(HostId).collect();
        let canary = self.world.canary(&everybody);
        let number = self.asked.len();
        let mut input = json!({"n": number, "question": canary});
        if self.world.sessions {
            input["long"] = json!("x".repeat(sealed::LONG));
        }
        let (what, request) = match self.world.random(6) {
            0 => {
                let (stack, _) = STACKS[self.world.random(STACKS.len() as u64) as usize];
                let request = World::invoke_within(stack, input, LONGEST_MS);
                (What::Stack, request)
            }
            _ => {
                let mut asked = self.broadcast(host, input);
                self.provoke(&mut asked);
                let maker = asked.aggregator.as_ref();
                let maker = maker.map(|maker| Aggregator::of(maker.as_str()));
                let request = Request::Broadcast(Box::new(asked));
                (What::Broadcast(maker), request)
            }
        };
        let control = self.world.ask(host, request);
        self.asked.push(Asked {
            host,
            control,
            canary,
            what,
        });
    }

    /// Names that a host could confine its broadcast to: of realms of its own tree, and of others'
    /// roots.
    fn names_for(&mut self, host: HostId) -> Vec<RealmName> {
        let own = self.members[host.0].name.split('/').next();
        let own = own.unwrap_or_default().to_owned();
        let known = |it: &&Member| {
            let root = it.name.split('/').next().unwrap_or_default();
            root == own || it.parent.is_none()
        };
        let known: Vec<String> = self
            .members
            .iter()
            .filter(known)
            .map(|it| it.name.clone())
            .collect();
        let some = 1 + self.world.random(3);
        let mut pick = || &known[self.world.random(known.len() as u64) as usize];
        (0..some).map(|_| pick().parse().expect("a name")).collect()
    }

    /// Somebody takes a broadcast back, or decides about work that may have begun.
    pub(super) fn meddle(&mut self) {
        if self.asked.is_empty() || self.world.random(4) > 0 {
            return;
        }
        let asked = &self.asked[self.world.random(self.asked.len() as u64) as usize];
        let (host, canary) = (asked.host, asked.canary.clone());
        let ledger = Ledger::find(&self.world, host, &canary);
        let Some(run) = ledger.map(|it| it.run).filter(|_| self.world.is_up(host)) else {
            return;
        };
        let request = match (run.status, self.world.random(3)) {
            (Status::Paused, 0) => {
                Request::Resume(run.id, Some(Decision::Fail("it is lost".to_owned())))
            }
            (Status::Paused, _) => Request::Resume(run.id, Some(Decision::Again)),
            (Status::Running, 0) => Request::Cancel(run.id),
            _ => return,
        };
        self.world.ask(host, request);
    }

    /// Makes endings likely that hardly come by themselves.
    fn provoke(&mut self, asked: &mut BroadcastAsked) {
        if self.world.random(2) == 0 {
            return;
        }
        let mut compare = |field: &str| asked.aggregation.field = vec![field.to_owned()];
        match asked.aggregation.strategy {
            Strategy::Merge => asked.loop_id = LIST.parse().expect("a loop id"),
            Strategy::Sum => {
                compare("score");
                asked.input["score"] = json!(9_007_199_254_740_991_u64);
                asked.rule.awards = 6;
            }
            Strategy::WeightedAverage => {
                compare("score");
                asked.input["confidence"] = json!(0);
                asked.aggregation.confidence = None;
            }
            Strategy::Consensus | Strategy::Quorum => {
                compare("verdict");
                asked.aggregation.threshold = Some(1_000_000);
                asked.rule.awards = 6;
                if asked.aggregation.strategy == Strategy::Consensus {
                    Self::ask_many(asked);
                }
            }
            _ => {}
        }
    }

    /// Makes it likely that several do the work.
    fn ask_many(asked: &mut BroadcastAsked) {
        asked.loop_id = "see".parse().expect("a loop id");
        asked.capabilities.clear();
        asked.realms.clear();
        asked.reach = EVERYBODY;
        asked.budget = Budget::default();
        asked.limits.price = Some(1_000_000);
        asked.limits.confidence = None;
        asked.rule.min_bids = 3;
        asked.rule.max_bids = 100;
        asked.rule.early = None;
        asked.rule.per_realm = None;
        asked.aggregation.waiting = Waiting::All;
        asked.execution_ms = 30_000;
    }

    fn broadcast(&mut self, host: HostId, input: Value) -> BroadcastAsked {
        let loops = ["see", "see", "see", "buy", "buy", "try", "list"];
        let loop_id = loops[self.world.random(7) as usize];
        let many = self.members.len() as u64;
        let realms = match self.world.random(6) {
            0 => self.names_for(host),
            _ => Vec::new(),
        };
        // Each has its turn, so that a few seeds try all of them.
        let strategy = Strategy::ALL[self.turn % Strategy::ALL.len()];
        self.turn += 1;
        let mut below = |bound: u64| self.world.random(bound);
        let selections = [
            Selection::First,
            Selection::Best,
            Selection::Random,
            Selection::All,
            Selection::Weighted,
        ];
        let selection = selections[below(5) as usize];
        let weights = Weights {
            price: below(1_001),
            time: below(1_001),
            confidence: below(1_001),
            trust: 0,
        };
        let awards = [1, 2, 3, 4, 6][below(5) as usize];
        let min_bids = [1, 1, 1, 2, 4][below(5) as usize];
        let rule = Rule {
            selection,
            weights: (selection == Selection::Weighted).then_some(weights),
            awards,
            standbys: below(4),
            min_bids,
            max_bids: min_bids + [1, 20, 100][below(3) as usize],
            early: (below(4) == 0).then(|| EarlyClose {
                enough: min_bids + below(3),
                price: Some(500_000),
                time_ms: None,
                confidence: None,
            }),
            per_realm: [None, None, Some(1), Some(3)][below(4) as usize],
        };
        let waits = [
            Waiting::All,
            Waiting::All,
            Waiting::Majority,
            Waiting::Any,
            Waiting::Quorum,
        ];
        let waiting = waits[below(5) as usize];
        let field = match strategy {
            Strategy::Average | Strategy::WeightedAverage | Strategy::Sum | Strategy::Rank => {
                ["score", "score", "score", "verdict"].get(below(4) as usize)
            }
            Strategy::Merge | Strategy::Loop | Strategy::CollectAll => None,
            _ => ["verdict", "verdict", "tags"].get(below(4) as usize),
        };
        let aggregation = Aggregation {
            strategy,
            waiting,
            quorum: Some(200_000 + below(800_001)),
            threshold: Some(300_000 + below(700_001)),
            min_results: [1, 1, 1 + below(awards)][below(3) as usize],
            confidence: [None, None, Some(500_000)][below(3) as usize],
            field: field.map(|it| (*it).to_owned()).into_iter().collect(),
        };
        // One that nobody declares.
        let capability = (below(12) == 0).then(|| "no.such".parse().expect("a capability"));
        let maker = ["sum", "sum", "babble", "botch"][below(4) as usize];
        let aggregator = (strategy == Strategy::Loop).then(|| maker.parse().expect("a loop id"));
        BroadcastAsked {
            loop_id: loop_id.parse().expect("a loop id"),
            capabilities: capability.into_iter().collect(),
            input,
            reach: Reach {
                down: 1 + below(4),
                up: below(5),
                across: below(5),
                realms: Vec::new(),
                besides: (!realms.is_empty() && below(2) == 0).then_some(CHILDREN),
            },
            realms: realms.clone(),
            wider: (below(3) == 0).then_some(Wider {
                reach: EVERYBODY,
                realms,
            }),
            limits: BidLimits {
                currency: Some("EUR".to_owned()),
                price: Some([200_000, 1_000_000, 1_000_000, 1_000_000][below(4) as usize]),
                time_ms: [None, Some(6_000)][below(2) as usize],
                confidence: [None, Some(300_000)][below(2) as usize],
            },
            budget: match below(3) {
                0 => Budget {
                    money: Some(Amount {
                        currency: "EUR".parse().expect("a currency"),
                        micros: 100_000 + below(1_500_000),
                    }),
                    tokens: (below(2) == 0).then(|| below(1_000)),
                    calls: None,
                },
                _ => Budget::default(),
            },
            window_ms: [100, 300, 600][below(3) as usize] + below(2_000) + many,
            award_ms: 1_000 + below(20_000),
            execution_ms: 5_000 + below(25_000),
            person_ms: None,
            sub_loops: true,
            rule,
            at_once: None,
            aggregation,
            aggregator,
        }
    }
}
