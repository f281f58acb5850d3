//! `demo`: seven realms of two organisations, one story.
//!
//! `story` says who there is and what happens, `cast` brings the realms to life as real
//! processes, `scene` plays one call and judges it.

mod cast;
mod process;
mod scene;
mod story;

use realm_client::Exit;

use self::{cast::Cast, scene::Played};
use crate::{
    cli::{DemoArgs, Format},
    failure::Failure,
    output,
    session::Session,
};

/// Plays the story; fails if anything is not as it should be.
pub(crate) async fn run(session: &Session, args: &DemoArgs) -> Result<(), Failure> {
    let mut cast = Cast::gather(session, args.keep).await?;
    let mut all_well = true;
    for scene in story::SCENES {
        let played = scene::play(&mut cast, scene).await?;
        all_well &= played.ok;
        tell(session, &played)?;
    }
    if args.keep {
        session.say("left running:");
        for home in cast.homes() {
            session.say(&format!("  {}", home.display()));
        }
    }
    cast.dismiss().await?;
    if all_well {
        Ok(())
    } else {
        Err(Failure::Told(Exit::Other))
    }
}

fn tell(session: &Session, played: &Played) -> Result<(), Failure> {
    let text = match session.format() {
        Format::Json | Format::Ndjson => output::json_line(played),
        format => output::render(played, format),
    };
    session.print_text(&text.map_err(|error| Failure::Json("the scene".to_owned(), error))?)
}
