//! Asking somebody for what must not be seen.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// Asks at the terminal, which shows nothing of the answer; reads one byte more than `most` at most.
///
/// # Errors
/// There is no terminal, or it went away.
pub fn ask_silently(what: &str, most: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let tty = File::options().read(true).write(true).open("/dev/tty")?;
    let silent = Silent::make(&tty)?;
    write!(&tty, "{what}: ")?;
    let mut text = Zeroizing::new(Vec::with_capacity(most.saturating_add(1)));
    let mut byte = Zeroizing::new([0]);
    while text.len() <= most {
        let count = (&tty).read(byte.as_mut_slice())?;
        if count == 0 || *byte == [b'\n'] {
            break;
        }
        text.extend_from_slice(byte.as_slice());
    }
    drop(silent);
    writeln!(&tty)?;
    Ok(text)
}

/// A terminal that shows nothing of what is typed, until this is dropped.
struct Silent<'a> {
    tty: &'a File,
    before: Termios,
}

impl<'a> Silent<'a> {
    fn make(tty: &'a File) -> io::Result<Silent<'a>> {
        let before = tcgetattr(tty)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(tty, OptionalActions::Flush, &silent)?;
        Ok(Self { tty, before })
    }
}

impl Drop for Silent<'_> {
    fn drop(&mut self) {
        // A terminal that went away needs no restoring.
        let _ = tcsetattr(self.tty, OptionalActions::Flush, &self.before);
    }
}
