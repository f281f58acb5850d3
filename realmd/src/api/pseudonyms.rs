//! What people are called in realms of other roots.

use realm_client::{
    api::{EraseRequest, Page, Problem, PseudonymView},
    catalogue::Code,
};
use realm_node::{ForgetAsked, Node, Pseudonym, Request, SignInEnd};
use realm_protocol::{RealmPath, Scope};

use super::{
    Answer, Shared,
    extract::{Body, Segment},
    invoke::carry_out,
    people::Asker,
    problem::Fail,
    runs::blocking,
    sign_in::note,
    views::short,
};
use crate::{config::Origin, daemon::Daemon, people::Member};

pub(super) async fn show(daemon: Shared, Segment(name): Segment) -> Answer<Page<PseudonymView>> {
    let found = of(&daemon, &name).await?;
    if found.is_empty() {
        let what = format!(
            "no other root calls anybody here `{0}`, or has heard of `{0}`",
            short(&name)
        );
        return Err(Problem::new(Code::NotFound, what)
            .with_hint("realmctl people ls")
            .into());
    }
    Ok(axum::Json(Page::whole(found)))
}

pub(super) async fn erase(
    daemon: Shared,
    asker: Asker,
    Segment(name): Segment,
    Body(request): Body<EraseRequest>,
) -> Answer<Page<PseudonymView>> {
    let EraseRequest { dry_run, why } = request;
    let mut found = of(&daemon, &name).await?;
    found.retain(|it| it.name == name);
    if !dry_run {
        let by = asker.name().to_owned();
        let member = Member::named(&name);
        let asked = ForgetAsked {
            name,
            by: by.clone(),
            why,
        };
        // First, as the asker may go away in between: whoever is erased must not stay signed in.
        if let Some(member) = member {
            sign_out(&daemon, &member, &by).await?;
        }
        carry_out(&daemon, asker.asks(Request::ForgetPseudonyms(asked))).await?;
    }
    Ok(axum::Json(Page::whole(found)))
}

/// Whoever is erased is signed in no more, and the provider is asked about them no more.
async fn sign_out(daemon: &Daemon, member: &Member, by: &str) -> Result<(), Fail> {
    let ended = daemon.sign_ins.end_all(member);
    if member.from == Origin::Oidc {
        daemon.renewals.erase(&member.name);
        daemon.renewals.write().await;
    }
    if ended {
        let why = format!("signed out by {by}");
        note(daemon, &member.to_string(), SignInEnd::Ended(why)).await?;
    }
    Ok(())
}

async fn of(daemon: &Daemon, name: &str) -> Result<Vec<PseudonymView>, Fail> {
    let known = daemon.handle.read(|node| node.pseudonyms().clone()).await?;
    let wanted = name.to_owned();
    // Those of many people are derived anew.
    let found = blocking(daemon, move |_| Ok(known.of(&wanted))).await?;
    let views = move |node: &Node| found.into_iter().map(|it| view(node, it)).collect();
    Ok(daemon.handle.read(views).await?)
}

fn view(node: &Node, found: Pseudonym) -> PseudonymView {
    let Pseudonym {
        pseudonym,
        name,
        root,
    } = found;
    let scope = Scope {
        root,
        path: RealmPath::default(),
    };
    PseudonymView {
        pseudonym,
        name,
        realm: node.name_of(&scope),
    }
}
