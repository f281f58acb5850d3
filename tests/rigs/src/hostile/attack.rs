//! One attack after the other, each while an honest realm calls.

use std::{
    collections::BTreeMap,
    future::Future,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use realm_protocol::{FailureCode, link::Frame};
use tokio::{runtime::Handle, sync::Mutex, task::JoinSet};

use super::{
    deeds::{
        VOLLEY, WIDTH, crowd, fall_silent, flood, flood_from_one_address, knock_on, prepare,
        strike_at,
    },
    eve::Eve,
    strangers::{Door, Knock, QUICK, SLOW},
    strikes::{Prey, STRIKES, Strike},
    verdict::{Bound, Row},
    victim::{Counts, Honest, Noticed, Victim},
};
use crate::{
    daemon::Daemon,
    pace::{ms, now, pause},
};

/// Longest wait until the victim has counted what was sent.
const SETTLE: Duration = Duration::from_secs(5);

/// What an attack did.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Knocks or strikes.
    pub(crate) attempts: u64,
    /// What the victim should have done otherwise.
    pub(crate) wrong: Vec<String>,
    /// Failures that came back, by code.
    pub(crate) failures: BTreeMap<FailureCode, u64>,
}

impl Tally {
    pub(super) fn note(&mut self, done: io::Result<bool>) {
        self.attempts += 1;
        match done {
            Ok(true) => {}
            Ok(false) => self.wrong.push("not refused as it should be".to_owned()),
            Err(error) => self.wrong.push(error.to_string()),
        }
    }
}

/// Whether an attack has gone on for long enough.
#[derive(Clone, Debug, Default)]
pub(crate) struct Enough(Arc<AtomicBool>);

impl Enough {
    pub(super) fn is_said(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The victim, its honest caller, and what was seen until now.
pub(crate) struct Siege {
    victim: Victim,
    honest: Honest,
    attackers: Handle,
    /// Honest calls during each attack, at least.
    pub(super) calls: usize,
    /// Only attacks whose names hold this are run.
    pub(super) only: String,
    pub(super) calm: Noticed,
    pub(super) rows: Vec<Row>,
    /// The realm that strikes, once it has what it strikes with.
    eve: Option<Arc<Mutex<(Eve, Prey)>>>,
}

impl Siege {
    /// Nothing has happened yet.
    pub(crate) fn new(victim: Victim, honest: Honest, attackers: Handle, calls: usize) -> Self {
        Self {
            victim,
            honest,
            attackers,
            calls,
            only: String::new(),
            calm: Noticed::default(),
            rows: Vec::new(),
            eve: None,
        }
    }

    /// Runs every attack that leaves the victim running.
    pub(crate) async fn all(
        &mut self,
        door: Arc<Door>,
        mut eve: Eve,
        connections: usize,
    ) -> anyhow::Result<()> {
        // The first calls find the way, and begin a session.
        self.honest.call(self.calls / 2 + 50).await;
        let prey = prepare(&mut eve).await?;
        let eve = Arc::new(Mutex::new((eve, prey)));
        self.eve = Some(Arc::clone(&eve));
        for knock in QUICK {
            self.knock(knock, &door).await?;
        }
        let one_address = {
            let door = Arc::clone(&door);
            move |enough| flood_from_one_address(door, enough)
        };
        let counter = "realm_connections_refused_total{reason=\"address\"}";
        let name = "20 at once from one address";
        self.under(
            name,
            Bound::Strangers,
            Expected::counter(counter, 12),
            one_address,
        )
        .await?;
        for strike in &STRIKES {
            self.strike(strike, &eve).await?;
        }
        let flood = {
            let eve = Arc::clone(&eve);
            move |enough| flood(eve, enough)
        };
        let rate = Expected::any("realm_refused_total{reason=\"rate\"}");
        self.under("as fast as it can", Bound::Peer, rate, flood)
            .await?;
        self.wait_out(&door, &eve).await?;
        // Which bound meets a link depends on how fast links come about; one must meet each.
        let every = Expected::counter("realm_connections_refused_total", 1);
        let silent = Expected::any("realm_connections_refused_total{reason=\"handshakes\"}");
        for (what, shakes_hands, expected) in
            [("connections", false, silent), ("links", true, every)]
        {
            let door = Arc::clone(&door);
            let attack = move |_| crowd(door, connections, shakes_hands);
            let name = format!("{connections} {what}");
            self.under(&name, Bound::Strangers, expected, attack)
                .await?;
        }
        Ok(())
    }

    async fn knock(&mut self, knock: Knock, door: &Arc<Door>) -> anyhow::Result<()> {
        let door = Arc::clone(door);
        let expected = knock
            .counter
            .map_or(Expected::default(), |counter| Expected::counter(counter, 1));
        let bound = match knock.name {
            "a frame of 4 GiB declared" => Bound::Frame,
            _ => Bound::Strangers,
        };
        let attack = move |enough| knock_on(knock, door, enough);
        self.under(knock.name, bound, expected, attack).await
    }

    async fn strike(
        &mut self,
        strike: &'static Strike,
        eve: &Arc<Mutex<(Eve, Prey)>>,
    ) -> anyhow::Result<()> {
        let reason = strike.reason;
        let counter = reason.map(|reason| format!("realm_refused_total{{reason=\"{reason}\"}}"));
        let expected = Expected {
            counter,
            each: 1,
            code: strike.code,
        };
        let eve = Arc::clone(eve);
        let attack = move |enough| strike_at(strike, eve, enough);
        self.under(strike.name, Bound::Peer, expected, attack).await
    }

    /// All that waits for the victim's patience to end, at the same time.
    async fn wait_out(
        &mut self,
        door: &Arc<Door>,
        eve: &Arc<Mutex<(Eve, Prey)>>,
    ) -> anyhow::Result<()> {
        let (door, eve) = (Arc::clone(door), Arc::clone(eve));
        let attack = move |_| async move {
            let mut tally = Tally::default();
            let mut tasks = JoinSet::new();
            for knock in SLOW {
                for _ in 0..WIDTH {
                    let done = (knock.one)(Arc::clone(&door));
                    tasks.spawn(async move { (knock.name, done.await) });
                }
            }
            tasks.spawn(async move { ("a peer that falls silent", fall_silent(eve).await) });
            while let Some(done) = tasks.join_next().await {
                let (name, done) = done?;
                let before = tally.wrong.len();
                tally.note(done);
                for wrong in tally.wrong.iter_mut().skip(before) {
                    *wrong = format!("{name}: {wrong}");
                }
            }
            Ok(tally)
        };
        let name = "5 ways to stall, and a half-open link";
        let expected = Expected::any("realm_connections_refused_total{reason=\"handshake\"}");
        self.under(name, Bound::Strangers, expected, attack).await
    }

    /// What was served before a restart is refused after it.
    pub(crate) async fn replay_over_restart(&mut self, daemon: &mut Daemon) -> anyhow::Result<()> {
        let eve = self.eve.clone().context("it has struck before")?;
        {
            // What is recorded must not be too old by itself.
            let mut guard = eve.lock().await;
            guard.1 = prepare(&mut guard.0).await?;
        }
        daemon.stop().await?;
        daemon.start().await?;
        self.victim.pid = daemon.pid().context("it runs")?;
        let attack = move |_| async move {
            let mut guard = eve.lock().await;
            let (eve, prey) = &mut *guard;
            let mut link = eve.connect().await?;
            for _ in 0..10 {
                link.send(&Frame::Envelope(prey.served.clone()).encode())
                    .await?;
            }
            // What is sent leaves in the background.
            pause(VOLLEY.1).await;
            Ok(Tally {
                attempts: 10,
                ..Tally::default()
            })
        };
        let expected = Expected::counter("realm_refused_total{reason=\"replay\"}", 1);
        let calls = std::mem::take(&mut self.calls);
        let name = "a message sent again after a restart";
        self.under(name, Bound::Peer, expected, attack).await?;
        self.calls = calls;
        Ok(())
    }

    /// Runs one attack while the honest realm calls, and writes down what was seen.
    async fn under<F>(
        &mut self,
        name: &str,
        bound: Bound,
        expected: Expected,
        attack: impl FnOnce(Enough) -> F,
    ) -> anyhow::Result<()>
    where
        F: Future<Output = anyhow::Result<Tally>> + Send + 'static,
    {
        if !name.contains(&self.only) {
            return Ok(());
        }
        let calm = self.honest.call(self.calls / 2).await;
        self.calm.times.extend(calm.times);
        self.calm.failed.extend(calm.failed);
        let before = self.victim.counts().await?;
        let rss = self.victim.rss_kib()?;
        let enough = Enough::default();
        let task = self.attackers.spawn(attack(enough.clone()));
        let mut noticed = Noticed::default();
        let mut peak = rss;
        while !task.is_finished() {
            let some = self.honest.call(10.min(self.calls)).await;
            noticed.times.extend(some.times);
            noticed.failed.extend(some.failed);
            peak = peak.max(self.victim.rss_kib()?);
            if noticed.times.len() + noticed.failed.len() >= self.calls {
                enough.0.store(true, Ordering::Relaxed);
                pause(ms(1)).await;
            }
        }
        let tally = task.await?.with_context(|| name.to_owned())?;
        let after = self.settle(&before, &expected, tally.attempts).await?;
        peak = peak.max(self.victim.rss_kib()?);
        let row = Row::new(
            name,
            bound,
            &expected,
            tally,
            (&before, &after),
            (rss, peak),
            noticed,
        );
        eprintln!("{}", row.line(None));
        self.rows.push(row);
        Ok(())
    }

    /// Waits until the victim has counted everything, and gives its counters.
    async fn settle(
        &self,
        before: &Counts,
        expected: &Expected,
        attempts: u64,
    ) -> anyhow::Result<Counts> {
        let begun = now();
        loop {
            let after = self.victim.counts().await?;
            if expected.is_counted(before, &after, attempts) || begun.elapsed() > SETTLE {
                return Ok(after);
            }
            pause(ms(20)).await;
        }
    }
}

/// What the victim should count or answer.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    /// The counter of these refusals, or how those that count them begin; none where only the end of
    /// the connection tells.
    pub(crate) counter: Option<String>,
    /// How much an attempt adds to it; zero where any number is right but none.
    pub(crate) each: u64,
    /// The code that each is answered with.
    pub(crate) code: Option<FailureCode>,
}

impl Expected {
    fn counter(name: &str, each: u64) -> Self {
        Self {
            counter: Some(name.to_owned()),
            each,
            code: None,
        }
    }

    fn any(name: &str) -> Self {
        Self::counter(name, 0)
    }

    /// Whether as much was counted as was tried.
    pub(crate) fn is_counted(&self, before: &Counts, after: &Counts, attempts: u64) -> bool {
        let Some(counter) = &self.counter else {
            return true;
        };
        added(before, after, counter) >= (attempts * self.each).max(1)
    }
}

/// By how much the counters that begin so have grown, together.
pub(crate) fn added(before: &Counts, after: &Counts, counter: &str) -> u64 {
    let names = after.keys().filter(|name| name.starts_with(counter));
    let grown = names.map(|name| {
        let read = |counts: &Counts| counts.get(name).copied().unwrap_or_default();
        read(after).saturating_sub(read(before))
    });
    grown.sum()
}
