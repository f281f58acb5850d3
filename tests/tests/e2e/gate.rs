//! A loop that stops half-way until it is let go, so that a test can act in between.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
};

use crate::{
    limit::{PATIENCE, within},
    person::Person,
};

/// Both pipes of a loop that waits.
pub(crate) struct Gate {
    begun: BufReader<File>,
    release: File,
}

impl Gate {
    /// Registers the loop `id`. Each run leaves a line in `id/runs`, then waits.
    #[track_caller]
    pub(crate) fn new(person: &Person, realm: &str, id: &str) -> Self {
        let program = "cat > /dev/null\necho run >> runs\necho begun > begun\n\
                       read go < release\nprintf '{\"went\": \"%s\"}' \"$go\"\n";
        let folder = person.sh_loop(realm, id, "once", program);
        let open = |name: &str| {
            let path = folder.join(name);
            person.run("mkfifo", &[path.to_str().unwrap()], "").ok();
            // Open for both, a pipe never waits for its other end.
            File::options().read(true).write(true).open(path).unwrap()
        };
        Self {
            begun: BufReader::new(open("begun")),
            release: open("release"),
        }
    }

    /// Waits until a run has begun.
    #[track_caller]
    pub(crate) fn wait(self) -> Self {
        let mut gate = self;
        within(PATIENCE, "the gated loop begins", move || {
            gate.begun.read_line(&mut String::new()).unwrap();
            gate
        })
    }

    /// Lets one run end.
    pub(crate) fn open(&mut self) {
        self.release.write_all(b"on\n").unwrap();
    }
}

/// How many lines a file has; none if it does not exist.
pub(crate) fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
}
