//! `people`, `login`, `logout`.

use std::{io, net::SocketAddr, path::PathBuf};

use realm_client::{
    Client,
    api::{SignInRequest, SignedIn},
    terminal,
};

use crate::{
    cli::{LoginArgs, PeopleCommand},
    environment,
    failure::Failure,
    files,
    session::Session,
    show::Login,
};

/// Letters of a password at most.
const PASSWORD: usize = 1_024;

/// Lists or shows people.
pub(crate) async fn run(session: &Session, command: PeopleCommand) -> Result<(), Failure> {
    let daemon = session.daemon().await?;
    match command {
        PeopleCommand::Ls => session.print(&daemon.ask(daemon.client.people()).await?),
        PeopleCommand::Show { name } => {
            session.print(&daemon.ask(daemon.client.person(&name)).await?)
        }
    }
}

/// Signs in, and keeps what is shown from now on for this user alone.
pub(crate) async fn login(session: &Session, args: LoginArgs) -> Result<(), Failure> {
    let (address, file) = place(session)?;
    let client = session.client_at(address, None).await?;
    let request = SignInRequest {
        name: args.name,
        password: password(session, args.password_file)?,
    };
    let signed_in = client.sign_in(&request).await;
    let signed_in = signed_in.map_err(|error| Failure::Client(error, address.to_string()))?;
    let text = serde_json::to_vec(&signed_in);
    let text = text.map_err(|error| Failure::Json("the sign-in".to_owned(), error))?;
    files::replace_in(&file, &text)?;
    let SignedIn {
        token: _,
        name,
        roles,
        until,
    } = signed_in;
    session.print(&Login { name, roles, until })
}

/// Ends the sign-in, here and at the daemon.
pub(crate) async fn logout(session: &Session) -> Result<(), Failure> {
    let (address, file) = place(session)?;
    let client: Client = session.client_at(address, session.token(address)?).await?;
    let ended = client.sign_out().await;
    files::remove(&file)?;
    let ended = ended.map_err(|error| Failure::Client(error, address.to_string()))?;
    session.print(&ended)
}

/// Where one signs in, and where what is shown there is kept.
fn place(session: &Session) -> Result<(SocketAddr, PathBuf), Failure> {
    let address = session.address()?.ok_or_else(|| {
        let what = "people sign in over TCP: say where the daemon listens".to_owned();
        let help = "realmctl --url http://127.0.0.1:7421 login NAME".to_owned();
        Failure::Usage(what, Some(help))
    })?;
    Ok((address, session.homes()?.sign_in(address)?))
}

fn password(session: &Session, file: Option<PathBuf>) -> Result<String, Failure> {
    if let Some(path) = file {
        let text = files::text(&path)?;
        return Ok(text.trim_end_matches(['\n', '\r']).to_owned());
    }
    if session.global.no_input || !environment::asks() {
        let what = "there is no terminal to ask for the password at".to_owned();
        return Err(Failure::Usage(
            what,
            Some("--password-file FILE".to_owned()),
        ));
    }
    let typed = terminal::ask_silently("password", PASSWORD);
    let typed = typed.map_err(|error| Failure::System("the terminal cannot be read", error))?;
    String::from_utf8(typed.to_vec()).map_err(|_| {
        let wrong = io::Error::new(io::ErrorKind::InvalidData, "not UTF-8");
        Failure::System("the password cannot be read", wrong)
    })
}
