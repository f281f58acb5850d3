//! The configuration in force.

use realm_client::{
    api::{ConfigEntry, ConfigView},
    catalogue::Code,
};

use super::{Answer, Shared, extract::Segment, problem::Fail};
use crate::{config, failure::Explained as _};

pub(super) async fn config(daemon: Shared) -> Answer<ConfigView> {
    let configured = daemon.config();
    Ok(axum::Json(ConfigView {
        file: daemon.home.config().display().to_string(),
        entries: config::entries(&configured.settings),
    }))
}

pub(super) async fn key(daemon: Shared, Segment(key): Segment) -> Answer<ConfigEntry> {
    let configured = daemon.config();
    let entry = config::entry(&configured.settings, &key).map_err(|error| {
        let problem = realm_client::api::Problem::new(Code::NotFound, error.to_string());
        Fail::from(match error.help() {
            Some(help) => problem.with_hint(help),
            None => problem,
        })
    })?;
    Ok(axum::Json(entry))
}
