//! What the process gives up before it reads a key: core dumps, tracing by others, open modes.

use rustix::{
    fs::Mode,
    process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit, umask},
};

/// Closes the process to other users. A kernel that refuses is named in the log later, by
/// `doctor`; the files' own modes hold all the same.
pub(crate) fn harden() {
    umask(Mode::RWXG | Mode::RWXO);
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // Both only narrow what others may do; a kernel without them is no less safe than before.
    let _ = setrlimit(Resource::Core, none);
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}
