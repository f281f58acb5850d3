//! Looking for damage.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

use realm_protocol::RunId;
use thiserror::Error;

use crate::{
    EngineError, OpenError, Options, ReadError, Tree, engine, files,
    layout::{self, KeyRange},
    meta::{self, Meta},
    pointer::RunPointer,
    reader::Reader,
    sealer::{self, Sealer},
    shared::Shared,
};

/// Problems a report lists; further ones are only counted.
const LISTED: usize = 100;

/// What a check saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Records that opened.
    pub records: u64,
    /// Runs that opened.
    pub runs: u64,
    /// Events that opened.
    pub events: u64,
    /// Index rows that were followed.
    pub index_rows: u64,
    /// The first 100 problems.
    pub problems: Vec<Problem>,
    /// Problems in all.
    pub problems_found: u64,
}

impl CheckReport {
    /// Says whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problems_found == 0
    }

    fn add(&mut self, problem: Problem) {
        self.problems_found += 1;
        if self.problems.len() < LISTED {
            self.problems.push(problem);
        }
    }
}

/// One thing that is wrong with a store.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Problem {
    /// The engine's own checksums do not hold.
    #[error("pages of the store are damaged")]
    Pages,
    /// The engine cannot walk a tree to its end.
    #[error("the {0} cannot be read to their end")]
    Tree(Tree),
    /// A row does not open or does not decode.
    #[error("a row of {tree} is damaged")]
    Row {
        /// Where it is.
        tree: Tree,
        /// Its key.
        key: Vec<u8>,
    },
    /// No index row points at a run where one should.
    #[error("run {run} is missing from {index}")]
    NotIndexed {
        /// The run.
        run: RunId,
        /// The index.
        index: Tree,
    },
    /// No index row says when a record expires, so that it never would.
    #[error("an expiring record is missing from the records by expiry")]
    NeverExpires {
        /// The record's key among the records.
        key: Vec<u8>,
    },
    /// An index row points at nothing, or at something it does not describe.
    #[error("a row of {index} points at nothing of the kind")]
    Dangling {
        /// The index.
        index: Tree,
        /// The row's key.
        key: Vec<u8>,
    },
    /// Events are missing before this one.
    #[error("run {run} has no event {expected}, but event {found}")]
    Gap {
        /// The run.
        run: RunId,
        /// The position that was due.
        expected: u64,
        /// The position that came.
        found: u64,
    },
    /// Something of a run is there, but not the run.
    #[error("run {0} is missing, but not all that it left")]
    Orphan(RunId),
}

/// Checks a store that no process has open: its pages, and if they are sound all that [`crate::Store::check`]
/// does. Nothing is written; not even what could be repaired.
///
/// # Errors
/// [`OpenError`] when the store is so damaged, or so new, that it does not open, is open
/// elsewhere, or is not there.
pub fn check_files(dir: &Path, options: Options) -> Result<CheckReport, OpenError> {
    let Options {
        realm,
        key,
        cache_bytes,
        engine: kind,
    } = options;
    // A folder without a store gets no lock file from looking.
    let found = files::engine_of(dir)?.ok_or(io::Error::from(io::ErrorKind::NotFound))?;
    if found != kind {
        return Err(OpenError::OtherEngine { found, asked: kind });
    }
    let lock = files::lock(dir)?;
    let scratch = Scratch(files::scratch_path(dir, kind));
    files::remove(&scratch.0)?;
    let path = files::store_path(dir, kind);
    let mut engine = engine::open_detached(kind, &path, &scratch.0, cache_bytes)?;
    if !engine.verify()? {
        // What damaged pages still show is not worth a walk.
        let mut report = CheckReport::default();
        report.add(Problem::Pages);
        return Ok(report);
    }
    let shared = Shared::new(engine, Some(lock), Sealer::new(realm, key));
    Meta::read(shared.engine.snapshot()?.as_ref(), &shared.sealer)?;
    let reader = shared.reader().map_err(unreadable)?;
    check(&reader).map_err(unreadable)
}

/// The place of a copy, which goes when the check ends.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is removed when the store opens.
        let _ = files::remove(&self.0);
    }
}

pub(crate) fn unreadable(error: ReadError) -> OpenError {
    match error {
        ReadError::Engine(error) => error.into(),
        other => OpenError::Corrupt(Some(other.into())),
    }
}

pub(crate) fn check(reader: &Reader<'_>) -> Result<CheckReport, ReadError> {
    let mut check = Check {
        reader,
        report: CheckReport::default(),
        orphans: BTreeSet::new(),
    };
    check.tree(Tree::Meta, |check, key, value| {
        meta::check_row(check.reader.sealer(), key, value)
    })?;
    check.tree(Tree::Records, Check::record)?;
    check.tree(Tree::Runs, Check::run)?;
    check.tree(Tree::Groups, Check::group)?;
    let mut trace = Trace::default();
    check.tree(Tree::Events, |check, key, value| {
        check.event(key, value, &mut trace)
    })?;
    for index in Tree::INDEXES {
        check.tree(*index, |check, key, _| check.index_row(*index, key))?;
    }
    check.tree(Tree::ByExpiry, |check, key, _| check.expiry_row(key))?;
    Ok(check.report)
}

struct Check<'a> {
    reader: &'a Reader<'a>,
    report: CheckReport,
    /// Runs that are missing and are listed already.
    orphans: BTreeSet<RunId>,
}

/// How far a run's events have been followed.
#[derive(Default)]
struct Trace {
    run: Option<RunId>,
    next: u64,
}

impl<'a> Check<'a> {
    /// Walks a tree. A row that fails is a problem; a tree that cannot be walked is one too.
    fn tree(
        &mut self,
        tree: Tree,
        mut row: impl FnMut(&mut Self, &[u8], &[u8]) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let reader = self.reader;
        let Some(rows) = tolerate(reader.rows(tree, &KeyRange::all()))? else {
            self.report.add(Problem::Tree(tree));
            return Ok(());
        };
        let mut last = None;
        for next in rows {
            let next = tolerate(next.map_err(ReadError::Engine))?;
            // Keys that do not rise are damage too, and might never end.
            let next = next.filter(|(key, _)| last.as_ref().is_none_or(|last| last < key));
            let Some((key, value)) = next else {
                self.report.add(Problem::Tree(tree));
                return Ok(());
            };
            last = Some(key.clone());
            if tolerate(row(self, &key, &value))?.is_none() {
                self.report.add(Problem::Row { tree, key });
            }
        }
        Ok(())
    }

    fn record(&mut self, key: &[u8], value: &[u8]) -> Result<(), ReadError> {
        self.reader.sealer().open(Tree::Records, key, value)?;
        self.report.records += 1;
        let Some(until) = sealer::expiry(value) else {
            return Ok(());
        };
        let row = layout::expiry_key(until, key);
        if self.reader.snapshot().get(Tree::ByExpiry, &row)?.is_none() {
            let key = key.to_vec();
            self.report.add(Problem::NeverExpires { key });
        }
        Ok(())
    }

    fn run(&mut self, key: &[u8], value: &[u8]) -> Result<(), ReadError> {
        let run = self.reader.open_run(key, value)?;
        if run.id.as_bytes().as_slice() != key {
            return Err(ReadError::Damaged(Tree::Runs));
        }
        self.report.runs += 1;
        self.report.events += self.reader.first_events(run.id, value)?.len() as u64;
        for (index, key) in layout::index_rows(&run) {
            if self.reader.snapshot().get(index, &key)?.is_none() {
                self.report.add(Problem::NotIndexed { run: run.id, index });
            }
        }
        Ok(())
    }

    /// Looks whether what a group holds is what rows point at. A state that no row points at was
    /// superseded, and then the row points at a later one.
    fn group(&mut self, key: &[u8], value: &[u8]) -> Result<(), ReadError> {
        let damaged = || ReadError::Damaged(Tree::Groups);
        let number = layout::group_of(key).ok_or_else(damaged)?;
        let group = self.reader.sealer().open_group(key, value)?;
        for (slot, run, first) in group.items() {
            let state = self.reader.snapshot().get(Tree::Runs, run.as_bytes())?;
            let Some(state) = state else {
                self.orphan(run);
                continue;
            };
            let pointer = RunPointer::read(&state);
            let (tree, key) = match first {
                None if pointer
                    .as_ref()
                    .is_none_or(|at| (at.group, at.slot) < (number, slot)) =>
                {
                    (Tree::Runs, run.as_bytes().to_vec())
                }
                Some(first) if !self.is_pointed_at(run, first, pointer.as_ref())? => {
                    (Tree::Events, layout::event_key(run, first))
                }
                _ => continue,
            };
            self.report.add(Problem::Row { tree, key });
        }
        Ok(())
    }

    /// Whether events of a run have a row, or lie beside its state and need none.
    fn is_pointed_at(
        &self,
        run: RunId,
        first: u64,
        pointer: Option<&RunPointer>,
    ) -> Result<bool, ReadError> {
        let beside = first == 0 && pointer.is_some_and(|pointer| pointer.events > 0);
        let key = layout::event_key(run, first);
        Ok(beside || self.reader.snapshot().get(Tree::Events, &key)?.is_some())
    }

    fn orphan(&mut self, run: RunId) {
        if self.orphans.len() == LISTED || self.orphans.insert(run) {
            self.report.add(Problem::Orphan(run));
        }
    }

    fn event(&mut self, key: &[u8], value: &[u8], trace: &mut Trace) -> Result<(), ReadError> {
        let (run, index) = layout::event_of(key).ok_or(ReadError::Damaged(Tree::Events))?;
        if trace.run != Some(run) {
            let state = self.reader.snapshot().get(Tree::Runs, run.as_bytes())?;
            let beside = state.as_deref().and_then(RunPointer::read);
            *trace = Trace {
                run: Some(run),
                next: beside.map_or(0, |pointer| pointer.events.into()),
            };
            if state.is_none() {
                self.orphan(run);
            }
        }
        if index != trace.next {
            self.report.add(Problem::Gap {
                run,
                expected: trace.next,
                found: index,
            });
        }
        // A row that does not open is one problem, and not a gap before the next.
        trace.next = index.saturating_add(1);
        let events = self.reader.open_events(key, value)?.len() as u64;
        trace.next = index.saturating_add(events);
        self.report.events += events;
        Ok(())
    }

    fn index_row(&mut self, index: Tree, key: &[u8]) -> Result<(), ReadError> {
        self.report.index_rows += 1;
        let id = layout::run_of(key).ok_or(ReadError::Damaged(index))?;
        // A run that does not open was reported where it stands.
        let run = match self.reader.run(id) {
            Err(ReadError::Damaged(_)) => return Ok(()),
            other => other?,
        };
        let described = run.is_some_and(|run| {
            let rows = layout::index_rows(&run);
            rows.iter().any(|(tree, row)| *tree == index && row == key)
        });
        if !described {
            let key = key.to_vec();
            self.report.add(Problem::Dangling { index, key });
        }
        Ok(())
    }

    fn expiry_row(&mut self, key: &[u8]) -> Result<(), ReadError> {
        self.report.index_rows += 1;
        let index = Tree::ByExpiry;
        let (until, record) = layout::expiry_of(key).ok_or(ReadError::Damaged(index))?;
        if self.reader.expiry(record)? != Some(until) {
            let key = key.to_vec();
            self.report.add(Problem::Dangling { index, key });
        }
        Ok(())
    }
}

/// Tells damage, which a check reports and passes over, from what ends it.
fn tolerate<T>(result: Result<T, ReadError>) -> Result<Option<T>, ReadError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(ReadError::Damaged(_) | ReadError::Engine(EngineError::Corrupt(_))) => Ok(None),
        Err(error) => Err(error),
    }
}
