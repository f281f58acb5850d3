//! From the process's start to its exit code.

use std::{io::Write as _, process::ExitCode};

use clap::{CommandFactory as _, error::ErrorKind};
use clap_complete::CompleteEnv;
use realm_client::Exit;

use crate::{
    cli::{Cli, Command},
    commands,
    failure::{self, Failure},
    interrupt::interrupted,
    session::Session,
};

/// Runs the program: reads the command line, does what it says, gives the exit code.
pub fn main() -> ExitCode {
    // A shell that asks for completions is answered, and the process ends.
    CompleteEnv::with_factory(Cli::command).complete();
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match run(cli) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            if !failure.is_silent() {
                // Nobody is left to tell when stderr is gone.
                write!(anstream::stderr(), "{}", failure::tell(&failure)).ok();
            }
            ExitCode::from(failure.exit())
        }
    }
}

fn usage(error: &clap::Error) -> ExitCode {
    error.print().ok();
    let asked = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    ExitCode::from(if asked { Exit::Ok } else { Exit::Usage }.code())
}

fn run(cli: Cli) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::System("the runtime cannot be started", error))?;
    let session = Session::new(cli.global);
    // A call that is waited for is cancelled first.
    let stops_itself = matches!(cli.command, Command::Invoke(_));
    let code = runtime.block_on(async {
        tokio::select! {
            biased;
            // First, so that the signal is only taken over once there is something to wait for:
            // until then, as while stdin is read, it ends the process as usual.
            done = commands::run(&session, cli.command) => done,
            () = interrupted(), if !stops_itself => Err(Failure::Interrupted),
        }
    });
    // A read of stdin that nobody waits for any more must not hold the process.
    runtime.shutdown_background();
    code
}
