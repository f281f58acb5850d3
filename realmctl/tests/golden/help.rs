//! The help of every command, as it was last agreed on.

use clap::{Command, CommandFactory as _};
use realmctl::cli::Cli;

use crate::compare;

#[test]
fn the_help_of_every_command_is_as_agreed() {
    let mut help = String::new();
    let mut command = Cli::command().term_width(100);
    command.build();
    write_help(&mut help, &mut command, "");

    compare("help.txt", &help);
}

#[test]
fn the_command_line_has_no_contradictions() {
    Cli::command().debug_assert();
}

fn write_help(out: &mut String, command: &mut Command, above: &str) {
    let path = format!("{above} {}", command.get_name()).trim().to_owned();
    out.push_str(&format!("# {path}\n{}\n", command.render_long_help()));
    for inner in command
        .get_subcommands_mut()
        .filter(|inner| inner.get_name() != "help" && !inner.is_hide_set())
    {
        // What holds for every command is printed once.
        let globals = inner
            .get_arguments()
            .filter(|argument| argument.is_global_set());
        let globals: Vec<_> = globals.map(|argument| argument.get_id().clone()).collect();
        let mut shown = inner.clone();
        for global in globals {
            shown = shown.mut_arg(global, |argument| argument.hide(true));
        }
        write_help(out, &mut shown, &path);
    }
}
