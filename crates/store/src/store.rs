//! The handle.

use std::{
    io::Write,
    path::Path,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{self, SyncSender, TrySendError},
    },
    thread,
};

use realm_protocol::{
    CallId, RunId, Timestamp,
    audit::AuditRow,
    journal::{Change, Entry, Event, JournalSeq, Run, Table},
};

use crate::{
    Ack, AppendError, BackupError, BackupReport, CheckReport, EngineKind, OpenError, Options, Page,
    ReadError, RetainError, RunQuery, Unappended, Urgency, audit, backup, check,
    committer::{Command, Committer, Old, QUEUE, QUEUE_BYTES, Queued},
    engine::{self, Batch, Engine, Row},
    files,
    known::Known,
    meta::{self, FORMAT, Meta},
    migrate, query,
    sealer::{self, NoRandomness, Sealer},
    shared::Shared,
    upgrade::{self, STEPS},
};

/// A realm's durable memory. Clones are handles of the same store.
///
/// Reads see what is committed: an entry that was appended but not yet acknowledged may be absent.
/// When the last handle is dropped, what is queued is still written, on the committer's own time;
/// [`Store::stop`] waits for it.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    commands: SyncSender<Command>,
    last: JournalSeq,
}

impl Store {
    /// Opens the store in a directory, making both if they are not there. `acknowledge` is called
    /// on the committer's thread, in order; it must neither block nor wait for this store.
    ///
    /// # Errors
    /// [`OpenError`] when the store is open elsewhere, newer, damaged, or sealed with another key.
    pub fn open(
        dir: &Path,
        options: Options,
        acknowledge: impl Fn(Ack) + Send + 'static,
    ) -> Result<Self, OpenError> {
        let Options {
            realm,
            key,
            cache_bytes,
            engine: kind,
        } = options;
        let sealer = Sealer::new(realm, key);
        files::create_dir(dir)?;
        let lock = files::lock(dir)?;
        let found = files::engine_of(dir)?;
        if let Some(found) = found.filter(|found| *found != kind) {
            return Err(OpenError::OtherEngine { found, asked: kind });
        }
        files::discard(dir, found)?;
        if found.is_none() {
            let engine = engine::create(kind, &files::partial_path(dir, kind), cache_bytes)?;
            begin(engine.as_ref(), &sealer)?;
            drop(engine);
            files::install(dir, kind)?;
        }
        files::mark(dir, kind)?;
        let path = files::store_path(dir, kind);
        let mut engine = engine::open(kind, &path, cache_bytes)?;
        if kind == EngineKind::Redb && holds_erased(engine.as_ref(), &sealer)? {
            migrate::write_anew(dir, engine, &sealer, kind, cache_bytes)?;
            engine = engine::open(kind, &path, cache_bytes)?;
        }
        Self::start(Shared::new(engine, Some(lock), sealer), acknowledge)
    }

    /// Starts the committer on an engine that holds a store.
    pub(crate) fn start(
        shared: Shared,
        acknowledge: impl Fn(Ack) + Send + 'static,
    ) -> Result<Self, OpenError> {
        // The key is proven before anything is changed.
        Meta::read(shared.engine.snapshot()?.as_ref(), &shared.sealer)?;
        upgrade::bring(shared.engine.as_ref(), &shared.sealer, STEPS, FORMAT)?;
        let last = Meta::read(shared.engine.snapshot()?.as_ref(), &shared.sealer)?.last;
        let known = Known::read(&shared.reader().map_err(check::unreadable)?);
        let known = known.map_err(check::unreadable)?;
        let shared = Arc::new(shared);
        let (commands, queue) = mpsc::sync_channel(QUEUE);
        let committer = Committer::new(
            Arc::clone(&shared),
            queue,
            last,
            known,
            Box::new(acknowledge),
        );
        thread::Builder::new()
            .name("store".to_owned())
            .spawn(|| committer.run())?;
        Ok(Self {
            shared,
            commands,
            last,
        })
    }

    /// Queues an entry; never blocks. `seq` is one more than the last entry's, beginning with
    /// [`Store::last_seq`] plus one; a gap poisons the store.
    ///
    /// After [`AppendError::Full`] nothing was taken and the number is still due. The caller, who
    /// kept a copy, offers the same entry under the same number after each [`Ack::Durable`] until
    /// it is taken, and no other before it: the queue shrinks between acknowledgements, they go
    /// on until it is empty, and an empty queue is never full. [`AppendError::Stopped`] and
    /// [`AppendError::Poisoned`] are final.
    ///
    /// # Errors
    /// [`AppendError`], and the entry, when it was not taken: at 1,024 entries or 64 MiB in the queue,
    /// after a stop, after a failure.
    pub fn append(
        &self,
        seq: JournalSeq,
        entry: Entry,
        urgency: Urgency,
    ) -> Result<(), Unappended> {
        let refused = |error, entry| Err(Unappended { error, entry });
        if self.shared.poisoned.load(Ordering::SeqCst) {
            return refused(AppendError::Poisoned, entry);
        }
        let bytes = size(&entry);
        let queued = self.shared.queued.fetch_add(bytes, Ordering::SeqCst);
        // One entry alone is always taken, however large.
        if queued > 0 && queued.saturating_add(bytes) > QUEUE_BYTES {
            self.shared.queued.fetch_sub(bytes, Ordering::SeqCst);
            return refused(AppendError::Full, entry);
        }
        let command = Command::Append(Queued {
            seq,
            entry,
            urgency,
            bytes,
        });
        let (error, command) = match self.commands.try_send(command) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Full(command)) => (AppendError::Full, command),
            Err(TrySendError::Disconnected(command)) if self.is_poisoned() => {
                (AppendError::Poisoned, command)
            }
            Err(TrySendError::Disconnected(command)) => (AppendError::Stopped, command),
        };
        self.shared.queued.fetch_sub(bytes, Ordering::SeqCst);
        match command {
            Command::Append(queued) => refused(error, queued.entry),
            Command::Remove { .. } | Command::Stop(_) | Command::Rest => Ok(()),
        }
    }

    /// The number of the last entry that was durable when the store was opened.
    pub fn last_seq(&self) -> JournalSeq {
        self.last
    }

    /// Says whether the store came from a backup and has had no new KEM key since. The first
    /// durable `Put` into [`Table::Kem`] ends it.
    ///
    /// # Errors
    /// [`ReadError`] when the store cannot be read.
    pub fn restored(&self) -> Result<bool, ReadError> {
        meta::is_restored(self.shared.reader()?.snapshot())
    }

    /// A table's records, by key. One that expired is among them until it is swept.
    ///
    /// # Errors
    /// [`ReadError`] when the store cannot be read; one damaged record fails them all.
    pub fn records(&self, table: Table) -> Result<Vec<Row>, ReadError> {
        self.shared.reader()?.records(table)
    }

    /// Gives a table's records to `take`, by key and one at a time: key, then value. One that
    /// expired is among them until it is swept.
    ///
    /// # Errors
    /// [`ReadError`] when the store cannot be read; one damaged record fails those after it.
    pub fn each_record(
        &self,
        table: Table,
        mut take: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), ReadError> {
        let reader = self.shared.reader()?;
        reader.each_record(table, |key, value| take(key, &value))
    }

    /// One record, even if it expired, until it is swept.
    ///
    /// # Errors
    /// [`ReadError`] when the store cannot be read.
    pub fn record(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        self.shared.reader()?.record(table, key)
    }

    /// One run.
    ///
    /// # Errors
    /// [`ReadError`] when the store cannot be read.
    pub fn run(&self, id: RunId) -> Result<Option<Run>, ReadError> {
        self.shared.reader()?.run(id)
    }

    /// A page of runs, newest first.
    ///
    /// # Errors
    /// [`ReadError`] when the store cannot be read.
    pub fn runs(&self, query: &RunQuery) -> Result<Page<Run>, ReadError> {
        query::runs(&self.shared.reader()?, query)
    }

    /// A run's events from position `from` on, at most `limit`.
    ///
    /// # Errors
    /// [`ReadError`] when the store cannot be read.
    pub fn events(&self, run: RunId, from: u64, limit: usize) -> Result<Vec<Event>, ReadError> {
        self.shared.reader()?.events(run, from, limit)
    }

    /// The index that the next event of a run has: one past its last.
    ///
    /// # Errors
    /// [`ReadError`] when the store cannot be read.
    pub fn next_event(&self, run: RunId) -> Result<u64, ReadError> {
        self.shared.reader()?.next_event(run)
    }

    /// The runs of a call in this realm, oldest first.
    ///
    /// # Errors
    /// [`ReadError`] when the store cannot be read.
    pub fn runs_by_call(&self, call: CallId) -> Result<Vec<Run>, ReadError> {
        self.shared.reader()?.runs_by_call(call)
    }

    /// Entries of the audit log from number `from` on, at most `limit`, each with its number.
    ///
    /// # Errors
    /// [`ReadError`] when the store cannot be read, or an entry in between is missing.
    pub fn audit(&self, from: u64, limit: usize) -> Result<Vec<(u64, AuditRow)>, ReadError> {
        audit::entries(&self.shared.reader()?, from, limit)
    }

    /// The number of the first entry of the audit log that is still there.
    ///
    /// # Errors
    /// [`ReadError`] when the store cannot be read.
    pub fn audit_begin(&self) -> Result<u64, ReadError> {
        audit::begin(&self.shared.reader()?)
    }

    /// The number that the next entry of the audit log has.
    ///
    /// # Errors
    /// [`ReadError`] when the store cannot be read.
    pub fn audit_end(&self) -> Result<u64, ReadError> {
        audit::end(&self.shared.reader()?)
    }

    /// The record of a table with the greatest key that is not above `most`, and that key.
    ///
    /// # Errors
    /// [`ReadError`] when the store cannot be read.
    pub fn last_record(&self, table: Table, most: &[u8]) -> Result<Option<Row>, ReadError> {
        audit::last_record(&self.shared.reader()?, table, most)
    }

    /// The head that the audit log is to begin with where it has more than `keep` entries, so that it
    /// keeps as many at least; none where no head stands early enough.
    ///
    /// # Errors
    /// [`ReadError`] when the store cannot be read.
    pub fn audit_cut(&self, keep: u64) -> Result<Option<u64>, ReadError> {
        audit::cut(&self.shared.reader()?, keep)
    }

    /// Removes what the audit log has before entry `cut`, but for what lies in one row with later
    /// ones: at most 1,024 rows. Gives their number; zero means that none is left. Waits for its
    /// turn and for the disk.
    ///
    /// # Errors
    /// [`RetainError`] when nothing was removed; a failed write poisons the store.
    pub fn cut_audit(&self, cut: u64) -> Result<usize, RetainError> {
        self.remove(Old::Audit(cut), usize::MAX)
    }

    /// Removes runs that ended before `before`, with their events and index rows: at most
    /// `at_most`, fewer where they are large. Gives their number; zero means none is left.
    /// Waits for its turn and for the disk.
    ///
    /// # Errors
    /// [`RetainError`] when nothing was removed; a failed write poisons the store.
    pub fn retain(&self, before: Timestamp, at_most: usize) -> Result<usize, RetainError> {
        self.remove(Old::Runs(before), at_most)
    }

    /// Removes records that expired before `now`, the earliest first: at most `at_most`, and never
    /// more than 1,024 in one call. Gives their number; zero means none is due. Waits for its turn
    /// and for the disk. What is gone stays gone, even if the clock is set back.
    ///
    /// # Errors
    /// [`RetainError`] when nothing was removed; a failed write poisons the store.
    pub fn sweep(&self, now: Timestamp, at_most: usize) -> Result<usize, RetainError> {
        self.remove(Old::Records(now), at_most)
    }

    /// Writes a consistent copy while the store runs. It stays sealed with the store key, and
    /// leaves out [`Table::Kem`], [`Table::Replay`] and [`Table::SignIns`]: a restored realm makes new KEM keys
    /// instead of remembering what it received, and people sign in again.
    ///
    /// # Errors
    /// [`BackupError`] when the store cannot be read or the output not written.
    pub fn backup(&self, out: &mut impl Write) -> Result<BackupReport, BackupError> {
        backup::write(&self.shared.reader()?, out)
    }

    /// Looks for damage while the store runs: opens every value, follows every index row both
    /// ways, and looks for gaps between events. [`crate::check_files`] checks pages too.
    ///
    /// # Errors
    /// [`ReadError`] when the check could not be carried out; damage is in the report.
    pub fn check(&self) -> Result<CheckReport, ReadError> {
        check::check(&self.shared.reader()?)
    }

    /// Writes what is queued, ends the committer, and returns when it let go of the files. Other
    /// handles keep the files open, but nothing is taken any more.
    pub fn stop(self) {
        let (stopped, answer) = mpsc::sync_channel(1);
        if self.commands.send(Command::Stop(stopped)).is_ok() {
            // An error means that the committer ended on its own.
            let _ = answer.recv();
        }
    }

    fn remove(&self, old: Old, at_most: usize) -> Result<usize, RetainError> {
        let (reply, answer) = mpsc::sync_channel(1);
        let command = Command::Remove {
            old,
            at_most,
            reply,
        };
        self.commands
            .send(command)
            .map_err(|_| self.remove_refused())?;
        answer.recv().map_err(|_| self.remove_refused())?
    }

    fn is_poisoned(&self) -> bool {
        self.shared.poisoned.load(Ordering::SeqCst)
    }

    fn remove_refused(&self) -> RetainError {
        if self.is_poisoned() {
            RetainError::Poisoned
        } else {
            RetainError::Stopped
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// Whether the files of a store of this key hold what was erased from it.
fn holds_erased(engine: &dyn Engine, sealer: &Sealer) -> Result<bool, OpenError> {
    let snapshot = engine.snapshot()?;
    Meta::read(snapshot.as_ref(), sealer)?;
    meta::has_erased(snapshot.as_ref()).map_err(check::unreadable)
}

/// Makes an empty store out of an empty engine.
pub(crate) fn begin(engine: &dyn Engine, sealer: &Sealer) -> Result<(), OpenError> {
    let mut batch = Batch::default();
    let mut rng = sealer::generator()?;
    meta::begin(&mut batch, sealer, &mut rng, JournalSeq(0));
    Ok(engine.write(batch.into())?)
}

impl From<NoRandomness> for OpenError {
    fn from(_: NoRandomness) -> Self {
        Self::Randomness
    }
}

/// About how many bytes an entry takes.
fn size(entry: &Entry) -> usize {
    let changes = entry.changes.iter().map(|change| match change {
        Change::Put(_, key, value) | Change::PutUntil(_, key, value, _) => key.len() + value.len(),
        Change::Delete(_, key) => key.len(),
        Change::Erase(_, erased) => erased.by.len(),
        Change::Run(run) => {
            let blobs = run.input.iter().chain(&run.output);
            blobs.map(|blob| blob.len()).sum()
        }
        Change::Event(event) => event.payload.len(),
        Change::Audit(_, row) => {
            let beside = row.details.iter().chain(&row.receipt);
            row.entry.len() + beside.map(|blob| blob.len()).sum::<usize>()
        }
    });
    // Names, ids and times come on top.
    changes.map(|bytes: usize| bytes.saturating_add(256)).sum()
}
