//! `demo`: seven realms of two organisations, one story.

use crate::{cli::DemoArgs, failure::Failure, session::Session};

/// Runs the story.
pub(crate) async fn run(_session: &Session, _args: &DemoArgs) -> Result<(), Failure> {
    Err(Failure::Unsupported("demo"))
}
