//! `ctx`: which realm is meant where none is named.

use realm_client::homes::Home;

use crate::{
    cli::ContextCommand,
    failure::Failure,
    session::Session,
    show::{Context, Contexts},
};

/// Lists, sets or shows it.
pub(crate) fn run(session: &Session, command: &ContextCommand) -> Result<(), Failure> {
    let homes = session.homes()?;
    match command {
        ContextCommand::Ls => {
            let current = session.home().ok();
            let context = |home: Home| Context {
                current: current.as_ref() == Some(&home),
                home: home.dir.display().to_string(),
                name: home.name,
            };
            let items = homes.list()?.into_iter().map(context).collect();
            session.print(&Contexts { items })
        }
        ContextCommand::Use { name } => {
            let home = homes.set_context(name)?;
            session.say(&format!("realm {} from now on", home.name));
            Ok(())
        }
        ContextCommand::Show => {
            let home = session.home()?;
            let home_dir = home.dir.display().to_string();
            let context = Context {
                name: home.name,
                home: home_dir,
                current: true,
            };
            session.print(&Contexts {
                items: vec![context],
            })
        }
    }
}
