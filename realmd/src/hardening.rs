//! What the process gives up before it reads a key: core dumps, tracing by others, open modes. What it
//! takes: room for its connections.

use rustix::{
    fs::Mode,
    process::{
        DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit, umask,
    },
};

/// Descriptors, where the system allows as many: links, connections of the local API, agents, files.
const DESCRIPTORS: u64 = 65_536;

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

/// Takes as many descriptors as the system allows; most begin with 1,024, and each connection is one.
pub(crate) fn make_room() {
    let open = getrlimit(Resource::Nofile);
    let allowed = open.maximum.unwrap_or(DESCRIPTORS).min(DESCRIPTORS);
    if open.current.is_some_and(|current| current < allowed) {
        let current = Some(allowed);
        let _ = setrlimit(Resource::Nofile, Rlimit { current, ..open });
    }
}
