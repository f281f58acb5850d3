//! Measures realms beside raw libp2p and NATS, in one run, on one machine.
//!
//! [`jobs`] names what is measured, [`load`] keeps a number of calls in flight and takes their
//! times, [`resources`] reads what processes used, [`report`] prints rows and judges them.
//! [`realms`], [`raw`] and [`nats`] each set up one kind of peer, [`crowd`] many children,
//! [`delay`] a slow link; [`fair`] lets daemons broadcast, [`market`] many realms in this program, and
//! [`machinery`] what they do besides their cryptography; [`governance`] decides and calls by grants; [`streaming`] is shown what a model writes. Everything runs on loopback.

mod arguments;
mod crowd;
mod delay;
mod fair;
mod far;
mod governance;
mod jobs;
mod load;
mod machinery;
mod market;
mod memory;
mod nats;
mod process;
mod raw;
mod realms;
mod report;
mod resources;
mod resume;
mod row;
mod steps;
mod streaming;
mod tools;
mod whole;

use std::{io, process::ExitCode};

use arguments::Role;

fn main() -> ExitCode {
    // An agent lives for one call, so it does nothing else.
    if std::env::args().nth(1).as_deref() == Some("agent") {
        let copied = io::copy(&mut io::stdin().lock(), &mut io::stdout().lock());
        return ExitCode::from(u8::from(copied.is_err()));
    }
    let role = match Role::read(std::env::args().skip(1)) {
        Ok(role) => role,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    // One thread, as a daemon has.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ended = runtime
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(run(role)));
    match ended {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn run(role: Role) -> anyhow::Result<ExitCode> {
    match role {
        Role::Measure(options) => jobs::run(&options).await,
        Role::RawNode { next } => raw::serve(next).await.map(|()| ExitCode::SUCCESS),
        Role::McpServer => tools::serve().await.map(|()| ExitCode::SUCCESS),
        Role::NatsEcho { url } => nats::echo(&url).await.map(|()| ExitCode::SUCCESS),
    }
}
