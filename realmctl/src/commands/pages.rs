//! `completions` and `man`.

use std::{fs, path::Path};

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::{
    cli::{Cli, ManArgs},
    failure::Failure,
    session::Session,
};

/// Prints completions for a shell.
pub(crate) fn completions(session: &Session, shell: Shell) -> Result<(), Failure> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "realmctl", &mut out);
    session.print_text(&String::from_utf8_lossy(&out))
}

/// Prints the manual page, or writes all pages.
pub(crate) fn man(session: &Session, args: &ManArgs) -> Result<(), Failure> {
    if let Some(dir) = &args.dir {
        return write_all(session, dir);
    }
    let mut out = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut out)
        .map_err(Failure::Output)?;
    session.print_text(&String::from_utf8_lossy(&out))
}

fn write_all(session: &Session, dir: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::File(dir.to_owned(), error);
    fs::create_dir_all(dir).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), dir).map_err(failed)?;
    session.say(&format!("wrote the pages to {}", dir.display()));
    Ok(())
}
