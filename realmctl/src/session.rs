//! What one command works with: its realm, its daemon, its output.

use std::{
    io::{self, BufRead as _, Write as _},
    net::SocketAddr,
    path::PathBuf,
};

use realm_client::{
    Client, ClientError,
    api::{LinkState, LoopQuery, LoopSummary, SignedIn},
    homes::{Home, Homes, Selection},
};

use crate::{
    cli::{Format, Global},
    environment, escape,
    failure::Failure,
    files,
    output::{self, Show},
};

/// Neighbours that are asked for their loops.
const NEIGHBOURS: usize = 8;

/// What one command works with.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) global: Global,
}

/// A realm's daemon that answers.
#[derive(Debug)]
pub(crate) struct Daemon {
    pub(crate) client: Client,
    pub(crate) home: Home,
    /// What `realmd run` takes for this realm.
    run: String,
}

impl Daemon {
    /// Waits for an answer.
    pub(crate) async fn ask<T>(
        &self,
        answer: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, Failure> {
        answer
            .await
            .map_err(|error| Failure::Client(error, self.run.clone()))
    }

    /// The loops of this realm, or those of another that this one may see: page after page, until there
    /// are so many.
    pub(crate) async fn loops(
        &self,
        realm: Option<String>,
        enough: usize,
    ) -> Result<Vec<LoopSummary>, Failure> {
        let mut query = LoopQuery {
            realm,
            ..LoopQuery::default()
        };
        let mut all = Vec::new();
        loop {
            let page = self.ask(self.client.loops(&query)).await?;
            let grows = !page.items.is_empty();
            all.extend(page.items);
            query.cursor = page.next.filter(|_| grows && all.len() < enough);
            if query.cursor.is_none() {
                return Ok(all);
            }
        }
    }

    /// The neighbours that are connected, as many as are asked for what they have.
    pub(crate) async fn neighbours(&self) -> Result<Vec<String>, Failure> {
        let peers = self.ask(self.client.peers()).await?.items.into_iter();
        let connected = peers.filter(|peer| peer.link.state == LinkState::Connected);
        Ok(connected.take(NEIGHBOURS).map(|peer| peer.name).collect())
    }
}

impl Session {
    pub(crate) fn new(global: Global) -> Self {
        Self { global }
    }

    /// The session of a command that may watch: what is watched in JSON has a document a line.
    pub(crate) fn watching(&self, watch: bool) -> Self {
        let mut global = self.global.clone();
        if watch && global.output == Some(Format::Json) {
            global.output = Some(Format::Ndjson);
        }
        Self::new(global)
    }

    /// The folders of this user.
    pub(crate) fn homes(&self) -> Result<Homes, Failure> {
        Ok(Homes::new(&environment::folders())?)
    }

    /// The realm that is meant.
    pub(crate) fn home(&self) -> Result<Home, Failure> {
        let selection = Selection {
            name: self.global.realm.clone(),
            home: self.global.home.clone(),
        };
        Ok(self.homes()?.select(&selection)?)
    }

    /// The address of the daemon that is meant, if it is named by one. What is shown there is not encrypted, so
    /// it is one of this machine.
    pub(crate) fn address(&self) -> Result<Option<SocketAddr>, Failure> {
        let Global {
            url, realm, home, ..
        } = &self.global;
        let named = url.is_some() || realm.is_some() || home.is_some();
        let usual = || environment::url().filter(|_| !named);
        let Some(url) = url.clone().or_else(usual) else {
            return Ok(None);
        };
        let text = url.strip_prefix("http://").unwrap_or(&url);
        let text = text.strip_suffix('/').unwrap_or(text);
        let text = text.replace("localhost:", "127.0.0.1:");
        let address = text.parse().ok();
        let own = address.filter(|address: &SocketAddr| address.ip().is_loopback());
        own.map(Some).ok_or_else(|| {
            let what =
                format!("`{url}` is no address of this machine such as http://127.0.0.1:7421");
            let help = "ssh -L 7421:127.0.0.1:7421 HOST".to_owned();
            Failure::Usage(what, Some(help))
        })
    }

    /// What this user has to show at an address: nothing before they have signed in.
    pub(crate) fn token(&self, address: SocketAddr) -> Result<Option<String>, Failure> {
        let file = self.homes()?.sign_in(address)?;
        let Some(text) = files::own(&file)? else {
            return Ok(None);
        };
        let kept: Result<SignedIn, _> = serde_json::from_str(&text);
        let kept = kept.map_err(|error| Failure::Json(file.display().to_string(), error))?;
        Ok(Some(kept.token))
    }

    /// A daemon at an address, with what is shown there.
    pub(crate) async fn client_at(
        &self,
        address: SocketAddr,
        token: Option<String>,
    ) -> Result<Client, Failure> {
        let client = Client::over_tcp(address, token).await;
        let client = client.map_err(|error| Failure::Client(error, address.to_string()))?;
        Ok(self.timed(client))
    }

    fn timed(&self, client: Client) -> Client {
        match self.global.timeout {
            Some(timeout) => client.with_timeout(timeout.duration()),
            None => client,
        }
    }

    /// The daemon of the realm that is meant.
    pub(crate) async fn daemon(&self) -> Result<Daemon, Failure> {
        if let Some(address) = self.address()? {
            let client = self.client_at(address, self.token(address)?).await?;
            self.detail(&format!("daemon at {address}"));
            let home = Home {
                name: address.to_string(),
                dir: PathBuf::new(),
            };
            let run = address.to_string();
            return Ok(Daemon { client, home, run });
        }
        let home = self.home()?;
        let run = self.run_argument(&home)?;
        let client = Client::connect(home.socket()).await;
        let client = client.map_err(|error| Failure::Client(error, run.clone()))?;
        let client = self.timed(client);
        self.detail(&format!("daemon at {}", home.socket().display()));
        Ok(Daemon { client, home, run })
    }

    fn run_argument(&self, home: &Home) -> Result<String, Failure> {
        let usual = self
            .homes()?
            .home(&home.name)
            .is_ok_and(|dir| dir == home.dir);
        Ok(if usual {
            home.name.clone()
        } else {
            format!("--home {}", home.dir.display())
        })
    }

    /// As [`Self::daemon`], for what changes the realm: names it on stderr first.
    pub(crate) async fn daemon_to_change(&self) -> Result<Daemon, Failure> {
        let daemon = self.daemon().await?;
        self.say_realm(&daemon);
        Ok(daemon)
    }

    /// Names the realm that is about to be changed.
    pub(crate) fn say_realm(&self, daemon: &Daemon) {
        self.say(&format!("realm {}", daemon.home.name));
    }

    /// Prints data on stdout.
    pub(crate) fn print<T: Show + ?Sized>(&self, value: &T) -> Result<(), Failure> {
        let text = output::render(value, self.format())
            .map_err(|error| Failure::Json("the answer".to_owned(), error))?;
        self.print_text(&text)
    }

    /// Prints text on stdout that is safe already.
    pub(crate) fn print_text(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        let written = stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush());
        written.map_err(Failure::Output)
    }

    /// How data is printed.
    pub(crate) fn format(&self) -> Format {
        self.global.output.unwrap_or_default()
    }

    /// Talks on stderr, unless told to be quiet.
    pub(crate) fn say(&self, text: &str) {
        if !self.global.quiet {
            // Talk is not worth failing for.
            writeln!(anstream::stderr(), "{}", escape::text(text)).ok();
        }
    }

    /// Writes text of elsewhere on stderr as it comes, unless told to be quiet.
    pub(crate) fn write(&self, text: &str) {
        if !self.global.quiet {
            let mut stderr = anstream::stderr();
            write!(stderr, "{}", escape::text(text)).ok();
            stderr.flush().ok();
        }
    }

    /// Talks on stderr, if told to say more.
    pub(crate) fn detail(&self, text: &str) {
        if self.global.verbose {
            self.say(text);
        }
    }

    /// Says that there are more pages.
    pub(crate) fn say_next(&self, next: Option<&String>) {
        if let Some(cursor) = next {
            self.say(&format!("more: add --cursor {cursor}"));
        }
    }

    /// Asks whether to go on with what cannot be taken back.
    pub(crate) fn confirm(&self, what: &str) -> Result<(), Failure> {
        if self.global.yes {
            return Ok(());
        }
        let unconfirmed = || Failure::Unconfirmed(what.to_owned());
        if self.global.no_input || !environment::asks() {
            return Err(unconfirmed());
        }
        write!(anstream::stderr(), "{} [y/N] ", escape::line(what)).map_err(Failure::Output)?;
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        read.map_err(|error| Failure::System("stdin cannot be read", error))?;
        let yes = matches!(answer.trim(), "y" | "Y" | "yes");
        if yes { Ok(()) } else { Err(unconfirmed()) }
    }
}
