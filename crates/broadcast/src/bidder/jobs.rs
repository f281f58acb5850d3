//! The parts of a realm's agents in broadcasts, and what they come to.

use std::collections::BTreeMap;

use realm_protocol::{BroadcastId, RealmId, limits};

use super::{
    JobId,
    job::{Job, State},
};

/// All parts, counted as they change: what is asked for every announcement looks at none of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Jobs {
    jobs: BTreeMap<JobId, Job>,
    /// What there is of each broadcast, by the root that its announcer is under: a realm may say one id under several.
    parts: BTreeMap<(BroadcastId, RealmId), Part>,
    /// What is open of each root's broadcasts.
    roots: BTreeMap<RealmId, Open>,
    /// What is open of all of them.
    all: Open,
    busy: u64,
}

/// A broadcast that agents have a part in.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    jobs: usize,
    open: usize,
}

/// How much is open.
#[derive(Clone, Copy, Debug, Default)]
struct Open {
    broadcasts: usize,
    jobs: usize,
}

impl Jobs {
    pub(super) fn get(&self, id: &JobId) -> Option<&Job> {
        self.jobs.get(id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&JobId, &Job)> + Clone {
        self.jobs.iter()
    }

    /// Whether an agent has a part in a broadcast.
    pub(super) fn are_of(&self, broadcast: BroadcastId) -> bool {
        let roots = self.parts.range((broadcast, RealmId::new([0; 32]))..);
        let mut of_broadcast = roots.take_while(|((of, _), _)| *of == broadcast);
        of_broadcast.next().is_some()
    }

    /// How many are over, and remembered.
    pub(super) fn over(&self) -> usize {
        self.jobs.len().saturating_sub(self.all.jobs)
    }

    /// How many take room.
    pub(super) fn busy(&self) -> u64 {
        self.busy
    }

    /// Whether another bid may be made for a broadcast of a root, by a realm under its own. Each broadcast counts
    /// once, until all that agents have to do with it is over; those of other trees take no place of the own one's.
    /// Once half of the room is taken, no broadcast takes more than its even share of the rest.
    pub(super) fn have_room(&self, broadcast: BroadcastId, root: RealmId, own: RealmId) -> bool {
        let of_root = self.open_of(root);
        let of_own = self.open_of(own);
        let (most, of_kind) = match root == own {
            true => (limits::OFFERS, of_own),
            false => (limits::OFFERS_PER_ROOT, self.all.less(of_own)),
        };
        let open = self.parts.get(&(broadcast, root)).map_or(0, |it| it.open);
        of_root.has_room(most, open) && of_kind.has_room(limits::OFFERS, open)
    }

    fn open_of(&self, root: RealmId) -> Open {
        self.roots.get(&root).copied().unwrap_or_default()
    }

    pub(super) fn insert(&mut self, id: JobId, job: Job) {
        self.remove(&id);
        self.count(&id, &job);
        self.jobs.insert(id, job);
    }

    pub(super) fn remove(&mut self, id: &JobId) {
        if let Some(job) = self.jobs.remove(id) {
            self.discount(id, &job);
        }
    }

    /// Changes where a job stands; none where there is no such job.
    pub(super) fn change<T>(
        &mut self,
        id: &JobId,
        change: impl FnOnce(&mut State) -> T,
    ) -> Option<T> {
        let mut job = self.jobs.remove(id)?;
        self.discount(id, &job);
        let changed = change(&mut job.state);
        self.count(id, &job);
        self.jobs.insert(id.clone(), job);
        Some(changed)
    }

    fn count(&mut self, (broadcast, _): &JobId, job: &Job) {
        let root = job.announcer.root;
        let part = self.parts.entry((*broadcast, root)).or_default();
        part.jobs = part.jobs.saturating_add(1);
        self.busy = self.busy.saturating_add(u64::from(job.is_busy()));
        if job.is_open() {
            let first = usize::from(part.open == 0);
            part.open = part.open.saturating_add(1);
            for open in [self.roots.entry(root).or_default(), &mut self.all] {
                open.broadcasts = open.broadcasts.saturating_add(first);
                open.jobs = open.jobs.saturating_add(1);
            }
        }
    }

    fn discount(&mut self, (broadcast, _): &JobId, job: &Job) {
        let root = job.announcer.root;
        let Some(part) = self.parts.get_mut(&(*broadcast, root)) else {
            return;
        };
        part.jobs = part.jobs.saturating_sub(1);
        self.busy = self.busy.saturating_sub(u64::from(job.is_busy()));
        if job.is_open() {
            part.open = part.open.saturating_sub(1);
            let last = usize::from(part.open == 0);
            for open in [self.roots.entry(root).or_default(), &mut self.all] {
                open.broadcasts = open.broadcasts.saturating_sub(last);
                open.jobs = open.jobs.saturating_sub(1);
            }
        }
        if part.jobs == 0 {
            self.parts.remove(&(*broadcast, root));
        }
        if self.open_of(root).jobs == 0 {
            self.roots.remove(&root);
        }
    }
}

impl Open {
    fn less(self, other: Self) -> Self {
        Self {
            broadcasts: self.broadcasts.saturating_sub(other.broadcasts),
            jobs: self.jobs.saturating_sub(other.jobs),
        }
    }

    /// Whether one job more is within what so many broadcasts may have open, for one of them that has so many open
    /// itself.
    fn has_room(self, broadcasts: usize, open: usize) -> bool {
        let jobs = broadcasts.saturating_mul(limits::OFFER_AGENTS);
        (open > 0 || self.broadcasts < broadcasts)
            && self.jobs < jobs
            && (open < limits::OFFER_AGENTS || self.jobs < jobs / 2)
    }
}
