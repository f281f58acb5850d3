//! Keepers that were told to end what they keep, and then themselves.

use std::{
    os::fd::{AsFd as _, OwnedFd},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::{
    io::Errno,
    process::{
        Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process, pidfd_open,
        pidfd_send_signal, waitid,
    },
};
use tokio::{runtime::Handle, task::JoinSet};

/// How long a keeper may take to end: two seconds, in which it is looked at so often.
const LOOKS: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(100);
/// Keepers that are waited for; one more is killed at once.
const AT_ONCE: usize = 1_024;

/// The keepers that are waited for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leaving(Arc<Mutex<JoinSet<()>>>);

impl Leaving {
    /// Tells a keeper to end, also one that was stopped. It is killed where it does not, and its program ends with it: that
    /// may be what stops it.
    pub(super) fn ask_to_end(&self, keeper: Pid) -> Result<(), Errno> {
        let ends = pidfd_open(keeper, PidfdFlags::empty());
        kill_process(keeper, Signal::TERM)?;
        kill_process(keeper, Signal::CONT)?;
        let ends = ends?;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while all.try_join_next().is_some() {}
        match Handle::try_current() {
            Ok(_) if all.len() >= AT_ONCE => pidfd_send_signal(&ends, Signal::KILL),
            Ok(runtime) => {
                all.spawn_on(see_off(ends), &runtime);
                Ok(())
            }
            // The daemon ends itself.
            Err(_) => Ok(()),
        }
    }
}

/// Waits for the end of a keeper, and brings it about.
async fn see_off(keeper: OwnedFd) {
    let still = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    for _ in 0..LOOKS {
        let _ = tokio::time::timeout(BETWEEN, std::future::pending::<()>()).await;
        if !matches!(waitid(WaitId::PidFd(keeper.as_fd()), still), Ok(None)) {
            return;
        }
    }
    let _ = pidfd_send_signal(&keeper, Signal::KILL);
}
