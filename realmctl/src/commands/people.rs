//! `people`, `login`, `logout`.

use std::{io, net::SocketAddr, path::PathBuf, time::Duration};

use realm_client::{
    Client, ClientError,
    api::{DeviceQuestion, SignInRequest, SignedIn},
    terminal,
};
use tokio::time::interval;

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
/// Shortest wait between two questions whether a code was entered.
const LEAST: Duration = Duration::from_millis(100);

/// Lists or shows people.
pub(crate) async fn run(session: &Session, command: PeopleCommand) -> Result<(), Failure> {
    let daemon = session.daemon().await?;
    match command {
        PeopleCommand::Ls => session.print(&daemon.ask(daemon.client.people()).await?),
        PeopleCommand::Show { name } => {
            session.print(&daemon.ask(daemon.client.person(&name)).await?)
        }
        PeopleCommand::Who { name } => {
            session.print(&daemon.ask(daemon.client.pseudonyms(&name)).await?)
        }
    }
}

/// Signs in, and keeps what is shown from now on for this user alone.
pub(crate) async fn login(session: &Session, args: LoginArgs) -> Result<(), Failure> {
    let (address, file) = place(session)?;
    let client = session.client_at(address, None).await?;
    let signed_in = match args.name {
        Some(name) => {
            let password = password(session, args.password_file)?;
            client.sign_in(&SignInRequest { name, password }).await
        }
        None => by_code(session, &client).await,
    };
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

/// Shows a code that is entered at the provider's page, and waits until it was.
async fn by_code(session: &Session, client: &Client) -> Result<SignedIn, ClientError> {
    let begun = client.begin_sign_in().await?;
    session.say(&format!("open   {}", begun.url));
    session.say(&format!("enter  {}", begun.code));
    if let Some(link) = begun.link {
        session.say(&format!("or     {link}"));
    }
    let question = DeviceQuestion {
        device: begun.device,
    };
    let mut again_in_ms = begun.again_in_ms;
    loop {
        let wait = Duration::from_millis(again_in_ms).max(LEAST);
        // The first tick of an interval comes at once.
        let mut ticks = interval(wait);
        ticks.tick().await;
        ticks.tick().await;
        let answer = client.ask_sign_in(&question).await?;
        if let Some(signed_in) = answer.signed_in {
            return Ok(signed_in);
        }
        again_in_ms = answer.again_in_ms.unwrap_or_default();
    }
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
        let help = "realmctl --url http://127.0.0.1:7421 login".to_owned();
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
