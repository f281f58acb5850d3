//! Signing in at the provider: a code that somebody enters at its page, and what becomes of it.

use std::sync::Arc;

use realm_backends::DeviceAnswer as Become;
use realm_client::{
    api::{DeviceAnswer, DeviceQuestion, DeviceSignIn, Problem},
    catalogue::Code,
};

use super::{
    Answer, Shared,
    extract::Body,
    problem::Fail,
    sign_in::{let_in, of_directory, realm_name, refused},
    views::time,
};
use crate::{
    config::{OidcConfig, Origin},
    daemon::Daemon,
    people::{NotBegun, Turn, digest},
};

/// Whoever it is, before it is known who.
const SOMEBODY: &str = "somebody at oidc";

/// Begins a sign-in: gives the code, and where it is entered.
pub(super) async fn begin(daemon: Shared) -> Answer<DeviceSignIn> {
    configured(&daemon)?;
    let now = daemon.clock.now();
    if !daemon.devices.has_room(now.tick) {
        return Err(crowded());
    }
    let people = Arc::clone(&daemon.people.borrow());
    let begun = people.directories.begin(now).await;
    let device = begun.map_err(|error| of_directory(&error))?;
    let device = device.ok_or_else(crowded)?;
    let now = daemon.clock.now();
    let token = daemon
        .devices
        .begin(&device, now.tick)
        .map_err(|error| match error {
            NotBegun::Crowded => crowded(),
            NotBegun::Randomness(error) => Fail::new(Code::Internal, error.to_string()),
        })?;
    Ok(axum::Json(DeviceSignIn {
        device: token.text().to_owned(),
        code: device.user_code,
        url: device.url,
        link: device.link,
        again_in_ms: device.every_ms,
        until: time(now.wall.plus(device.lasts_ms)),
    }))
}

/// Asks what has become of one; the provider is asked only as often as it wants to be.
pub(super) async fn ask(
    daemon: Shared,
    Body(question): Body<DeviceQuestion>,
) -> Answer<DeviceAnswer> {
    let session_ms = configured(&daemon)?.session_ms;
    let shown = question.device.as_str();
    let now = daemon.clock.now();
    let code = match daemon.devices.turn(shown, now.tick) {
        Turn::Now(code) => code,
        Turn::Later => return again(&daemon, shown),
        Turn::Never => return Err(over()),
    };
    let people = Arc::clone(&daemon.people.borrow());
    let somebody = match people.directories.become_of(&code, now).await {
        Ok(Become::SignedIn(account, renewal)) => (account, renewal),
        Ok(Become::Waiting) => return again(&daemon, shown),
        Ok(Become::SlowDown) => {
            daemon.devices.slow_down(shown, now.tick);
            return again(&daemon, shown);
        }
        Ok(Become::Expired) => {
            daemon.devices.end(shown);
            return Err(over());
        }
        Ok(Become::Denied) => {
            daemon.devices.end(shown);
            let why = "they did not want to, at the provider";
            return Err(not_let_in(&daemon, SOMEBODY, why).await?);
        }
        Err(error) => {
            refused(&daemon, SOMEBODY, &error.to_string()).await?;
            return Err(of_directory(&error));
        }
    };
    daemon.devices.end(shown);
    let who = format!("{}@{}", somebody.0.name, Origin::Oidc);
    let realm = realm_name(&daemon).await?;
    let until = now.tick.plus(session_ms);
    let taken = people
        .directories
        .take_in(somebody, until, (&realm, now.tick));
    let Ok(taken) = taken else {
        return Err(not_let_in(&daemon, &who, "the provider calls another so already").await?);
    };
    let name = taken.0.name.clone();
    let signed_in = let_in(&daemon, &who, taken, (session_ms, now)).await?;
    let token = digest(&signed_in.token);
    people
        .directories
        .keep_sign_in(&name, token, until, now.tick)
        .await;
    Ok(axum::Json(DeviceAnswer {
        signed_in: Some(signed_in),
        again_in_ms: None,
    }))
}

fn again(daemon: &Daemon, shown: &str) -> Answer<DeviceAnswer> {
    let now = daemon.clock.now().tick;
    let again_in_ms = daemon.devices.again_in(shown, now).ok_or_else(over)?;
    Ok(axum::Json(DeviceAnswer {
        signed_in: None,
        again_in_ms: Some(again_in_ms),
    }))
}

/// The provider of this realm.
fn configured(daemon: &Daemon) -> Result<OidcConfig, Fail> {
    let oidc = daemon.config().config.oidc.clone();
    oidc.ok_or_else(|| {
        let what = "this realm has no provider that people sign in at";
        let hint =
            "realmctl login NAME, where it has a directory; realmctl config explain oidc.issuer";
        Problem::new(Code::SignInRefused, what)
            .with_hint(hint)
            .into()
    })
}

async fn not_let_in(daemon: &Daemon, who: &str, why: &str) -> Result<Fail, Fail> {
    refused(daemon, who, why).await?;
    Ok(Fail::new(Code::SignInRefused, format!("{who}: {why}")))
}

fn over() -> Fail {
    let what = "this sign-in is over, or there was none";
    Problem::new(Code::SignInOver, what)
        .with_hint("realmctl login")
        .into()
}

fn crowded() -> Fail {
    let what = "too many sign-ins begin now, or wait for their code to be entered";
    Problem::new(Code::SignInRefused, what)
        .with_hint("try again in some minutes")
        .into()
}
