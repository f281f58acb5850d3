//! Signing in at a directory, and what signing in lets somebody do from then on.

use std::{collections::BTreeSet, sync::Arc};

use http::HeaderMap;
use realm_backends::DirectoryError;
use realm_client::{
    api::{Page, PersonSource, PersonView, Problem, SignInRequest, SignedIn, SignedOut},
    catalogue::Code,
};
use realm_node::{Member as Known, Node, Note, Person, Request as Asked, SignInEnd, SignInNote};
use realm_protocol::{Now, Tick, Timestamp, limits, records::Role};

use super::{
    Answer, Shared,
    extract::{Body, Segment, invalid},
    gate::shown_by,
    invoke::carry_out,
    people::Asker,
    problem::Fail,
    views::time,
};
use crate::{
    config::Origin,
    daemon::Daemon,
    people::{Member, People, Reading, digest},
};

/// Letters of a name and of a password that are looked at.
const LETTERS: usize = 1_024;

/// Lets somebody in who shows a password that the directory knows.
pub(super) async fn sign_in(
    daemon: Shared,
    Body(request): Body<SignInRequest>,
) -> Answer<SignedIn> {
    let SignInRequest { name, password } = request;
    if name.len() > LETTERS || password.len() > LETTERS {
        return Err(invalid("a name or a password is too long"));
    }
    let now = daemon.clock.now();
    let session_ms = daemon
        .config()
        .config
        .ldap
        .as_ref()
        .map(|ldap| ldap.session_ms);
    let Some(session_ms) = session_ms else {
        let what = "this realm has no directory that people sign in at";
        let hint = "realmctl config explain ldap.url";
        return Err(Problem::new(Code::SignInRefused, what)
            .with_hint(hint)
            .into());
    };
    let this = match daemon.sign_ins.may_try(&name, now.tick) {
        Ok(this) => this,
        Err(wait_ms) => {
            refused(&daemon, &typed(&name), "too many times in vain").await?;
            let what = "too many times in vain: wait before the next";
            let hint = format!("in {} s", wait_ms.div_ceil(1_000));
            return Err(Problem::new(Code::SignInRefused, what)
                .with_hint(hint)
                .into());
        }
    };
    let realm = realm_name(&daemon).await?;
    let people = Arc::clone(&daemon.people.borrow());
    let shown = (name.as_str(), password.as_str());
    let told = people
        .directories
        .sign_in(Origin::Ldap, shown, (&realm, now));
    let told = match told.await {
        Ok(told) => told,
        Err(error) => {
            if error == DirectoryError::Refused {
                this.counts();
            }
            refused(&daemon, &typed(&name), &error.to_string()).await?;
            return Err(of_directory(&error));
        }
    };
    let signed_in = let_in(&daemon, &name, told, (session_ms, now)).await;
    this.counts();
    Ok(axum::Json(signed_in?))
}

/// Lets a member in who may do anything here, for so many milliseconds.
pub(super) async fn let_in(
    daemon: &Daemon,
    name: &str,
    (member, reading): (Member, Reading),
    (session_ms, now): (u64, Now),
) -> Result<SignedIn, Fail> {
    if reading.roles.is_empty() {
        let why = "no group has a role here";
        refused(daemon, &member.to_string(), why).await?;
        let what = format!("{member} is in no group that has a role in this realm");
        return Err(Fail::new(Code::SignInRefused, what));
    }
    let person = person_of(&member, &reading);
    tell(daemon, person.clone(), reading.until()).await?;
    let begun = daemon.sign_ins.begin((name, member), session_ms, now.tick);
    let token = begun.map_err(|error| Fail::new(Code::Internal, error.to_string()))?;
    note(daemon, &person.name, SignInEnd::Begun).await?;
    Ok(SignedIn {
        token: token.text().to_owned(),
        roles: words(&person.roles),
        name: person.name,
        until: time(now.wall.plus(session_ms)),
    })
}

/// Ends the sign-in whose token is shown.
pub(super) async fn sign_out(
    daemon: Shared,
    asker: Asker,
    headers: HeaderMap,
) -> Answer<SignedOut> {
    let shown = shown_by(&headers);
    let ended = shown.is_some_and(|shown| daemon.sign_ins.end(shown));
    if let Some(over) = shown.map(digest) {
        daemon.renewals.end(|token| *token == over);
        daemon.renewals.write().await;
    }
    if ended {
        let why = "signed out".to_owned();
        note(&daemon, asker.name(), SignInEnd::Ended(why)).await?;
    }
    Ok(axum::Json(SignedOut { ended }))
}

pub(super) async fn list(daemon: Shared) -> Answer<Page<PersonView>> {
    Ok(axum::Json(Page::whole(views(&daemon))))
}

pub(super) async fn show(daemon: Shared, Segment(name): Segment) -> Answer<PersonView> {
    let found = views(&daemon)
        .into_iter()
        .find(|person| person.name == name);
    found.map(axum::Json).ok_or_else(|| {
        let what = format!("nobody is called `{name}` here, or has signed in");
        Problem::new(Code::NotFound, what)
            .with_hint("realmctl people ls")
            .into()
    })
}

/// Somebody of a directory with what they may do: read again where that is older than so many milliseconds, and told
/// the node.
///
/// # Errors
/// [`Fail`] where the directory knows them no more or cannot be asked.
pub(super) async fn present(daemon: &Daemon, member: &Member, age_ms: u64) -> Result<Person, Fail> {
    let now = daemon.clock.now();
    let realm = realm_name(daemon).await?;
    let people = Arc::clone(&daemon.people.borrow());
    let name = member.to_string();
    match people.directories.read(member, age_ms, (&realm, now)).await {
        Ok(reading) => {
            let person = person_of(member, &reading);
            tell(daemon, person.clone(), reading.until()).await?;
            Ok(person)
        }
        Err(error) => {
            if error == DirectoryError::Refused {
                let nobody = Person {
                    name: name.clone(),
                    roles: BTreeSet::new(),
                };
                let until = now.tick.plus(limits::PERSON_READ_MS);
                tell(daemon, nobody, until).await?;
                if daemon.sign_ins.end_all(member) {
                    let why = format!("{} knows them no more", member.from);
                    note(daemon, &name, SignInEnd::Ended(why)).await?;
                }
                let what = format!("{name} is let in no more, or has to sign in again");
                return Err(Problem::new(Code::SignInRefused, what)
                    .with_hint("realmctl login")
                    .into());
            }
            Err(of_directory(&error))
        }
    }
}

/// Reads again what somebody may do for whom something runs. Whatever is wrong with a directory is counted, and
/// `doctor` says it.
pub(crate) async fn look_again(daemon: &Daemon, member: &Member) {
    let _ = present(daemon, member, limits::PERSON_READ_MS / 2).await;
}

fn person_of(member: &Member, reading: &Reading) -> Person {
    Person {
        name: member.to_string(),
        roles: reading.roles.clone(),
    }
}

pub(super) async fn realm_name(daemon: &Daemon) -> Result<String, Fail> {
    let look = |node: &Node| node.name_of(&node.standing().scope);
    Ok(daemon.handle.read(look).await?)
}

/// Says to the node what somebody may do, and until when that is believed.
async fn tell(daemon: &Daemon, person: Person, until: Tick) -> Result<(), Fail> {
    carry_out(daemon, Asked::Know(Known { person, until })).await
}

pub(super) async fn refused(daemon: &Daemon, person: &str, why: &str) -> Result<(), Fail> {
    tracing::warn!(person, why, "somebody was not let in");
    note(daemon, person, SignInEnd::Refused(why.to_owned())).await
}

/// Whoever types this name for themselves.
fn typed(name: &str) -> String {
    format!("{name}@{}", Origin::Ldap)
}

pub(super) async fn note(daemon: &Daemon, person: &str, what: SignInEnd) -> Result<(), Fail> {
    let person = person.to_owned();
    let note = Note::SignIn(SignInNote { person, what });
    carry_out(daemon, Asked::Note(note)).await
}

pub(super) fn of_directory(error: &DirectoryError) -> Fail {
    match error {
        DirectoryError::Refused => Fail::new(Code::SignInRefused, error.to_string()),
        DirectoryError::Unavailable { .. } => {
            Problem::new(Code::DirectoryUnavailable, error.to_string())
                .with_hint("realmctl doctor")
                .into()
        }
    }
}

fn words<'a>(roles: impl IntoIterator<Item = &'a Role>) -> Vec<String> {
    let words = roles.into_iter().map(|role| role.as_str().to_owned());
    words.collect()
}

/// Everybody who is known here, by name.
fn views(daemon: &Daemon) -> Vec<PersonView> {
    let people = Arc::clone(&daemon.people.borrow());
    let now = daemon.clock.now();
    let named = people.named().map(|(person, uid, token)| PersonView {
        name: person.name.clone(),
        source: PersonSource::Config,
        roles: words(&person.roles),
        uid,
        token,
        groups: Vec::new(),
        read: None,
        sign_ins: None,
        until: None,
    });
    let signed_in = daemon.sign_ins.list(now.tick).into_iter();
    let members = signed_in.map(|(member, good)| member_view(&people, member, good, now));
    let mut all: Vec<PersonView> = named.chain(members).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

fn member_view(
    people: &People,
    member: Member,
    (sign_ins, until): (usize, Tick),
    now: Now,
) -> PersonView {
    let reading = people.directories.reading(&member);
    let ago = |at: Tick| now.wall.minus(now.tick.since(at));
    let ahead = |at: Tick| -> Timestamp { now.wall.plus(at.since(now.tick)) };
    PersonView {
        name: member.to_string(),
        source: match member.from {
            Origin::Ldap => PersonSource::Ldap,
            Origin::Oidc => PersonSource::Oidc,
        },
        roles: reading.iter().flat_map(|it| words(&it.roles)).collect(),
        uid: None,
        token: false,
        read: reading.as_ref().map(|it| time(ago(it.at))),
        groups: reading.into_iter().flat_map(|it| it.groups).collect(),
        sign_ins: Some(sign_ins as u64),
        until: Some(time(ahead(until))),
    }
}
