//! Bringing an older store to this program's format, one format at a time.

use crate::{
    OpenError,
    engine::{Batch, Engine},
    meta,
    sealer::Sealer,
};

/// What leads from one format to the next. It writes to the engine only what may be written twice,
/// and gives the rest, which becomes durable together with the new format's number: a crash in
/// between leaves a store of the old format, and the step is taken again.
pub(crate) struct Step {
    /// The format it begins with; it ends with the one after.
    pub(crate) from: u32,
    /// What it does.
    pub(crate) apply: fn(&dyn Engine, &Sealer) -> Result<Batch, OpenError>,
}

/// Every step there has been.
pub(crate) const STEPS: &[Step] = &[
    // Format 2 adds rows of several events, and reads those of one event as before.
    Step {
        from: 1,
        apply: |_, _| Ok(Batch::default()),
    },
    // Format 3 adds groups and rows that point into them, and reads the rows before as they are.
    Step {
        from: 2,
        apply: |_, _| Ok(Batch::default()),
    },
    // Format 4 adds frames of runs under way, and what a restart needs to a run's state.
    Step {
        from: 3,
        apply: |_, _| Ok(Batch::default()),
    },
];

/// Takes the steps from a store's format to `newest`. A store that is newer is refused untouched.
pub(crate) fn bring(
    engine: &dyn Engine,
    sealer: &Sealer,
    steps: &[Step],
    newest: u32,
) -> Result<(), OpenError> {
    loop {
        let found = meta::format(engine.snapshot()?.as_ref())?;
        if found == newest {
            return Ok(());
        }
        if found > newest {
            let known = newest;
            return Err(OpenError::Newer { found, known });
        }
        let step = steps.iter().find(|step| step.from == found);
        let step = step.ok_or(OpenError::Older {
            found,
            known: newest,
        })?;
        let mut last = (step.apply)(engine, sealer)?;
        meta::set_format(&mut last, found.saturating_add(1));
        engine.write(last.into())?;
    }
}
