//! `demo`: seven realms of two organisations, one story.
//!
//! `story` says who there is and what happens, `cast` brings the realms to life as real
//! processes, `scene` plays one call and judges it, `secrecy` searches what the relays hold,
//! `market` announces work and kills who wins it, `page` shows it all. `agents` do the work that the story's loops are about.

mod agents;
mod canary;
mod cast;
mod folder;
mod half;
mod market;
mod page;
mod permit;
mod process;
mod progress;
mod random;
mod scene;
mod secrecy;
mod story;

use std::{collections::BTreeMap, io::Write as _, path::PathBuf};

use realm_client::Exit;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use self::{canary::Canary, cast::Cast, progress::Progress, scene::Played};
use crate::{
    cli::{DemoAgent, DemoArgs, Format},
    environment,
    failure::Failure,
    output,
    session::Session,
};

/// Plays the story; fails if anything is not as it should be.
pub(crate) async fn run(session: &Session, args: &DemoArgs) -> Result<(), Failure> {
    let failed = |error| Failure::System("signals cannot be received", error);
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(failed)?;
    // However it ends, dropping the cast ends the processes and removes the folder.
    tokio::select! {
        biased;
        _ = terminate.recv() => Err(Failure::Interrupted),
        _ = hangup.recv() => Err(Failure::Interrupted),
        shown = show(session, args) => shown,
    }
}

/// Is an agent of the demo.
pub(crate) async fn agent(session: &Session, agent: &DemoAgent) -> Result<(), Failure> {
    match agent {
        DemoAgent::Variants => agents::call_variants(session),
        DemoAgent::Prices => agents::serve_prices(session).await,
        DemoAgent::SecondRead { keys, by, endless } => {
            agents::second_read(session, keys, by, *endless).await
        }
    }
}

async fn show(session: &Session, args: &DemoArgs) -> Result<(), Failure> {
    let progress = Progress::new(session);
    let stage = Stage {
        session,
        progress: &progress,
    };
    let started = environment::now_millis();
    let mut cast = Cast::gather(&progress).await?;
    if stage.is_for_people() {
        stage.print(&page::cast(&cast.folder().display().to_string()))?;
    }
    let canary = Canary::new()?;
    let mut all_well = true;
    let mut played: Vec<Played> = Vec::new();
    for (number, scene) in (1..).zip(story::SCENES) {
        progress.moment(&format!("{} calls {}", scene.caller(), scene.address()));
        let denied = played.last().and_then(|played| played.denial.as_ref());
        let scene = scene::play(&mut cast, scene, &canary, denied).await?;
        all_well &= scene.ok;
        stage.tell(&scene, || page::call(number, &scene))?;
        played.push(scene);
    }
    progress.step("searching what everybody holds");
    let carried = played.iter().max_by_key(|played| carries(played, &canary));
    if let Some(carried) = carried {
        let secrecy = secrecy::search(&cast, &canary, carried).await?;
        all_well &= secrecy.ok;
        stage.tell(&secrecy, || page::secrecy(&secrecy))?;
    }
    progress.moment("mercy/cardiology announces work without an address");
    let traded = market::play(&mut cast).await?;
    all_well &= traded.ok;
    stage.tell(&traded, || page::market(&traded))?;
    if args.keep {
        let kept = Kept::of(cast)?;
        stage.tell(&kept, || page::kept(&kept.homes, &kept.stop))?;
    } else {
        progress.step("ending seven daemons");
        cast.dismiss().await?;
    }
    if !all_well {
        progress.say("not everything is as it should be; --keep keeps the homes and their logs");
        return Err(Failure::Told(Exit::Other));
    }
    sum_up(&progress, played.len(), started);
    Ok(())
}

fn sum_up(progress: &Progress<'_>, calls: usize, started: u64) {
    let took = environment::now_millis().saturating_sub(started);
    let (seconds, tenths) = (took / 1_000, took % 1_000 / 100);
    progress.say(&format!(
        "{calls} calls, all as they should be, in {seconds}.{tenths} s"
    ));
}

/// How many realms at the ends recorded the secret in this call.
fn carries(played: &Played, canary: &Canary) -> usize {
    let texts = played.recorded.iter().map(output::json_line);
    texts
        .filter(|text| {
            text.as_ref()
                .is_ok_and(|text| canary.is_in(text.as_bytes()))
        })
        .count()
}

/// What was left running.
#[derive(Debug, Serialize)]
struct Kept {
    /// `kept`, for whoever reads the JSON.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Homes, by the names of their realms.
    homes: BTreeMap<&'static str, PathBuf>,
    /// The script that ends it all and removes the folder.
    stop: PathBuf,
}

impl Kept {
    fn of(cast: Cast) -> Result<Self, Failure> {
        let homes = cast.names().map(|name| (name, cast.home(name))).collect();
        Ok(Self {
            kind: "kept",
            homes,
            stop: cast.keep()?,
        })
    }
}

/// Where the show is printed.
struct Stage<'a> {
    session: &'a Session,
    progress: &'a Progress<'a>,
}

impl Stage<'_> {
    /// Prints one object, or one page.
    fn tell<T: Serialize>(&self, shown: &T, page: impl FnOnce() -> String) -> Result<(), Failure> {
        if self.is_for_people() {
            return self.print(&page());
        }
        let line = output::json_line(shown);
        self.print(&line.map_err(|error| Failure::Json("a scene".to_owned(), error))?)
    }

    fn is_for_people(&self) -> bool {
        matches!(self.session.format(), Format::Table | Format::Wide)
    }

    fn print(&self, text: &str) -> Result<(), Failure> {
        self.progress.aside(|| {
            let mut stdout = anstream::stdout().lock();
            let written = stdout.write_all(text.as_bytes());
            let written = written.and_then(|()| stdout.flush());
            written.map_err(Failure::Output)
        })
    }
}
