//! `rate`.

use realm_client::api::RateRequest;

use crate::{
    cli::{RateArgs, RateCommand},
    failure::Failure,
    session::Session,
};

/// Lists, shows, applies or removes rates.
pub(crate) async fn run(session: &Session, command: RateCommand) -> Result<(), Failure> {
    match command {
        RateCommand::Ls => {
            let daemon = session.daemon().await?;
            session.print(&daemon.ask(daemon.client.rates()).await?)
        }
        RateCommand::Show { name } => {
            let daemon = session.daemon().await?;
            session.print(&daemon.ask(daemon.client.rate(&name)).await?)
        }
        RateCommand::Apply(args) => {
            let request = request(args);
            let daemon = session.daemon_to_change().await?;
            session.print(&daemon.ask(daemon.client.apply_rate(&request)).await?)
        }
        RateCommand::Rm { name } => {
            let daemon = session.daemon_to_change().await?;
            session.print(&daemon.ask(daemon.client.remove_rate(&name)).await?)
        }
    }
}

fn request(args: RateArgs) -> RateRequest {
    let RateArgs {
        name,
        per_minute,
        burst,
        callers,
        loops,
        shared,
        queue,
    } = args;
    RateRequest {
        name,
        callers,
        loops,
        per_minute,
        burst: Some(burst),
        shared: Some(shared),
        queue: Some(queue),
    }
}
