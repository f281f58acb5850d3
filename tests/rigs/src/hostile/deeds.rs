//! What each kind of attack does, on the attackers' own threads.

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use anyhow::Context as _;
use realm_protocol::{FailureCode, Kind, link::Frame};
use tokio::{sync::Mutex, task::JoinSet};

use super::{
    attack::{Enough, Tally},
    eve::Eve,
    strangers::{Door, Knock, crowd_from_one_address, crowd_in},
    strikes::{Prey, Strike, beat, session_call},
    wire::Link,
};
use crate::pace::{ms, now, pause};

/// Knocks at once.
pub(super) const WIDTH: usize = 4;
/// Knocks of a kind at least: what a process needs besides tells nothing about one of them.
const KNOCKS: u64 = 16;
/// Connections of a crowd that come at once.
const CROWD: usize = 512;
/// Strikes between two rests, and the rest: a little less than a peer may send.
pub(super) const VOLLEY: (usize, Duration) = (10, ms(220));
/// Longest wait for what comes back.
const ANSWERS: Duration = Duration::from_secs(5);
/// Silence after which a link is gone, and more.
const SILENCE: Duration = Duration::from_secs(15);

/// Gets what is needed to strike: a session, and messages that were served.
pub(super) async fn prepare(eve: &mut Eve) -> anyhow::Result<Prey> {
    let mut link = eve.connect().await?;
    let mut session = eve.begin_session(&mut link).await?;
    let served = eve.envelope()?;
    let served_in_session = session_call(eve, &mut session)?;
    for envelope in [&served, &served_in_session] {
        link.send(&Frame::Envelope(envelope.clone()).encode())
            .await?;
        let asked = envelope.digest();
        let wanted = |frame| match frame {
            Frame::Envelope(envelope) => {
                let header = envelope.peek().ok()?;
                (header.answers == Some(asked)).then_some(header.kind)
            }
            _ => None,
        };
        let kind = link.wait_for(wanted).await.context("no answer")?;
        anyhow::ensure!(kind == Kind::Result, "answered with {kind:?}");
    }
    let other = Eve::new(1_000, [127, 0, 0, 1].into(), "127.0.0.1:1".parse()?)?;
    Ok(Prey {
        other: other.place.root,
        session,
        served,
        served_in_session,
    })
}

pub(super) async fn knock_on(
    knock: Knock,
    door: Arc<Door>,
    enough: Enough,
) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    let mut tasks = JoinSet::new();
    while !enough.is_said() || tally.attempts < KNOCKS {
        while tasks.len() < WIDTH {
            tasks.spawn((knock.one)(Arc::clone(&door)));
        }
        if let Some(done) = tasks.join_next().await {
            tally.note(done?);
        }
    }
    while let Some(done) = tasks.join_next().await {
        tally.note(done?);
    }
    Ok(tally)
}

pub(super) async fn strike_at(
    strike: &Strike,
    eve: Arc<Mutex<(Eve, Prey)>>,
    enough: Enough,
) -> anyhow::Result<Tally> {
    let mut guard = eve.lock().await;
    let (eve, prey) = &mut *guard;
    if strike.reason == Some("replay") {
        *prey = prepare(eve).await?;
    }
    let mut link = eve.connect().await?;
    let mut attempts = 0;
    while !enough.is_said() || attempts == 0 {
        for _ in 0..VOLLEY.0 {
            let bytes = (strike.make)(eve, prey)?;
            link.send(&bytes).await?;
            attempts += 1;
        }
        pause(VOLLEY.1).await;
    }
    Ok(Tally {
        attempts,
        wrong: Vec::new(),
        failures: heard(&mut link, strike.code, attempts).await,
    })
}

/// The failures that came back, after waiting for those that should.
async fn heard(
    link: &mut Link,
    code: Option<FailureCode>,
    attempts: u64,
) -> BTreeMap<FailureCode, u64> {
    let begun = now();
    loop {
        let failures = link.heard().failures;
        let came = code.is_none_or(|code| failures.get(&code) >= Some(&attempts));
        if came || begun.elapsed() > ANSWERS {
            return failures;
        }
        pause(ms(20)).await;
    }
}

pub(super) async fn flood(eve: Arc<Mutex<(Eve, Prey)>>, enough: Enough) -> anyhow::Result<Tally> {
    let guard = eve.lock().await;
    let (eve, prey) = &*guard;
    let mut link = eve.connect().await?;
    let frame = Frame::Envelope(prey.served.clone()).encode();
    let mut attempts = 0;
    while !enough.is_said() || attempts < 1_000 {
        link.send(&frame).await?;
        attempts += 1;
    }
    Ok(Tally {
        attempts,
        ..Tally::default()
    })
}

pub(super) async fn flood_from_one_address(
    door: Arc<Door>,
    enough: Enough,
) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    while !enough.is_said() || tally.attempts == 0 {
        tally.note(crowd_from_one_address(Arc::clone(&door)).await);
    }
    Ok(tally)
}

/// A peer that is let in, sends some calls, and neither reads nor writes any more.
pub(super) async fn fall_silent(eve: Arc<Mutex<(Eve, Prey)>>) -> io::Result<bool> {
    let mut guard = eve.lock().await;
    let (eve, _) = &mut *guard;
    let mut link = eve.connect().await.map_err(io::Error::other)?;
    for _ in 0..50 {
        let envelope = eve.envelope().map_err(io::Error::other)?;
        link.send(&Frame::Envelope(envelope).encode()).await?;
    }
    link.send(&beat()).await?;
    link.freeze(true);
    pause(SILENCE).await;
    link.freeze(false);
    Ok(link.is_closed(Duration::from_secs(2)).await)
}

pub(super) async fn crowd(
    door: Arc<Door>,
    connections: usize,
    shakes_hands: bool,
) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    let mut tasks = JoinSet::new();
    for number in 0..connections {
        if tasks.len() >= CROWD
            && let Some(done) = tasks.join_next().await
        {
            tally.note(done?);
        }
        tasks.spawn(crowd_in(Arc::clone(&door), number, shakes_hands));
    }
    while let Some(done) = tasks.join_next().await {
        tally.note(done?);
    }
    Ok(tally)
}
