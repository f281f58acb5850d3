//! Who may do what.

pub(super) mod apply;
mod summary;

use realm_client::{
    api::{
        AllowRequest, Allowed, DisallowRequest, Disallowed, Page, PolicyChecked, PolicyText,
        PolicyView, Problem, Time,
    },
    catalogue::Code,
};
use realm_node::{AllowAsked, CallerName, Node, Refusal, Request, Response};
use realm_policy::{Action, Allow, PolicyProblem, allow_policy};
use realm_protocol::{RealmName, Timestamp};

use self::summary::summary;
use super::{
    Answer, Shared,
    extract::{Body, invalid},
    invoke::unexpected,
    loops::loop_id,
    people::Asker,
    problem::{Fail, policy_faults},
    views::{realm_name, short, time},
};
use crate::daemon::Daemon;

pub(super) async fn allow(
    daemon: Shared,
    asker: Asker,
    Body(request): Body<AllowRequest>,
) -> Answer<Allowed> {
    let AllowRequest {
        caller,
        action,
        loop_id,
        for_ms,
        dry_run,
    } = request;
    if for_ms == Some(0) {
        return Err(invalid("a permission lasts longer than nothing: forMs"));
    }
    whole_realm(&caller, &action, &loop_id)?;
    let caller = caller_name(&caller)?;
    let expires_at = for_ms.map(|for_ms| time(daemon.clock.now().wall.plus(for_ms)));
    if let (CallerName::Realm(caller), Some((id, owner))) = (&caller, loop_id.split_once('@')) {
        let below = Below {
            caller: caller.clone(),
            action: between_realms(&action)?,
            pattern: pattern(id)?,
            owner: realm_name(owner)?,
            expires: for_ms.map(|for_ms| daemon.clock.now().wall.plus(for_ms)),
        };
        return allow_below(&daemon, asker, below, dry_run).await;
    }
    let loops = Loops::read(&caller, &loop_id)?;
    let id = allow_id(&daemon, &caller, parse_action(&action)?, &loops).await?;
    let shortened = shortens(&daemon, id, expires_at, dry_run).await?;
    let Loops { pattern, owner } = loops;
    let asked = Request::Allow(AllowAsked {
        caller,
        action,
        pattern,
        owner,
        for_ms,
        subtree: false,
        dry_run,
    });
    match daemon.handle.ask(asker.asks(asked)).await? {
        Response::Allowed(allowed) => Ok(axum::Json(Allowed {
            policy_id: allowed.id,
            cedar: allowed.cedar,
            expires_at,
            warnings: [shortened, allowed.warnings].concat(),
            dry_run,
        })),
        Response::Refused(refusal) => Err(refusal.into()),
        other => Err(unexpected(&other)),
    }
}

/// Whom a permission is for: `acme/health`, or `agent=reader`.
fn caller_name(text: &str) -> Result<CallerName, Fail> {
    match text.split_once('=') {
        Some(("agent", id)) => Ok(CallerName::Agent(loop_id(id)?)),
        Some(_) => {
            let what = format!("`{}`: a realm, or agent=NAME", short(text));
            Err(invalid(&what))
        }
        None => Ok(CallerName::Realm(realm_name(text)?)),
    }
}

/// The loops that a permission of this realm is about.
struct Loops {
    pattern: String,
    /// The realm that an agent calls there; none for this one.
    owner: Option<RealmName>,
}

impl Loops {
    /// Reads `triage`, `report-*`, and of what an agent may call `triage@lab`, too.
    fn read(caller: &CallerName, text: &str) -> Result<Self, Fail> {
        let (id, owner) = match (caller, text.split_once('@')) {
            (CallerName::Agent(_), Some((id, owner))) => (id, Some(realm_name(owner)?)),
            _ => (text, None),
        };
        let pattern = pattern(id)?;
        Ok(Self { pattern, owner })
    }
}

/// Relaying is about a realm, not about its loops.
fn whole_realm(caller: &str, action: &str, loop_id: &str) -> Result<(), Fail> {
    let (pattern, at) = loop_id.split_once('@').unwrap_or((loop_id, ""));
    if action != "relay" || pattern == "*" {
        return Ok(());
    }
    let caller = short(caller);
    let detail = format!(
        "`relay` lets {caller} send messages through a realm, whatever loop they are for; it \
         takes no loop"
    );
    let loops = if at.is_empty() { "" } else { " '*'@" };
    let problem = Problem::new(Code::PolicyPattern, detail);
    let hint = format!("realmctl allow {caller} relay{loops}{}", short(at));
    Err(problem.with_hint(hint).into())
}

/// What to warn of before a permission is replaced by one that ends sooner. Only shown: done, it
/// would take away silently what was given before.
async fn shortens(
    daemon: &Daemon,
    id: String,
    until: Option<Time>,
    dry_run: bool,
) -> Result<Vec<String>, Fail> {
    let wanted = id.clone();
    let look = move |node: &Node| {
        let mut held = node.policies().filter(|(held, ..)| *held == wanted);
        held.next().map(|(_, cedar, ..)| expiry(cedar))
    };
    let held = daemon.handle.read(look).await?;
    let what = match (held, until) {
        (Some(None), Some(_)) => "the one without end".to_owned(),
        (Some(Some(held)), Some(until)) if held > until => {
            format!("the longer one, which ends {held}")
        }
        _ => return Ok(Vec::new()),
    };
    if dry_run {
        return Ok(vec![format!("it replaces {what}: {id}")]);
    }
    let mut problem = Problem::new(
        Code::RequestInvalid,
        format!("this permission would replace {what}"),
    );
    problem.status = 409;
    Err(problem
        .with_hint(format!("realmctl disallow {id}, and allow again"))
        .into())
}

/// A permission about a realm below this one, which belongs into the word for the subtree.
struct Below {
    caller: RealmName,
    action: Action,
    pattern: String,
    owner: RealmName,
    expires: Option<Timestamp>,
}

/// Permits it in the word for the subtree.
async fn allow_below(
    daemon: &Shared,
    asker: Asker,
    below: Below,
    dry_run: bool,
) -> Answer<Allowed> {
    let expires_at = below.expires.map(time);
    let (policy_id, cedar) = below_policy(daemon, below).await?;
    let shortened = shortens(daemon, policy_id.clone(), expires_at, dry_run).await?;
    let allowed = |warnings| Allowed {
        policy_id: policy_id.clone(),
        cedar: cedar.clone(),
        expires_at,
        warnings,
        dry_run,
    };
    if dry_run {
        return Ok(axum::Json(allowed(shortened)));
    }
    let asked = asker.asks(Request::SetPolicy {
        id: policy_id.clone(),
        cedar: cedar.clone(),
        subtree: true,
    });
    match daemon.handle.ask(asked).await? {
        Response::Refused(refusal) => Err(refusal.into()),
        _ => Ok(axum::Json(allowed(vec![
            "the realm itself must permit it too".to_owned(),
        ]))),
    }
}

async fn below_policy(daemon: &Shared, below: Below) -> Result<(String, String), Fail> {
    let look = move |node: &Node| {
        let owner = node.resolve_name(&below.owner)?;
        let own = node.standing().scope;
        let allow = Allow {
            caller: node.resolve_name(&below.caller)?.into(),
            action: below.action,
            pattern: below.pattern,
            expires: below.expires,
            caller_name: below.caller.to_string(),
            owner: owner.clone(),
        };
        let is_below = own != owner && own.contains(&owner);
        Ok::<_, Refusal>((is_below, allow_policy(&allow), below.owner))
    };
    let (is_below, (id, cedar), owner) = daemon.handle.read(look).await??;
    if !is_below {
        let detail = format!("{owner} is not below this realm, which decides for itself");
        return Err(Fail::new(Code::PolicyPattern, detail));
    }
    Ok((format!("subtree.{id}"), cedar))
}

pub(super) async fn disallow(
    daemon: Shared,
    asker: Asker,
    Body(request): Body<DisallowRequest>,
) -> Answer<Disallowed> {
    let DisallowRequest {
        policy_id,
        caller,
        action,
        loop_id,
        dry_run,
    } = request;
    let unknown = |what: String| {
        let problem = Problem::new(Code::PolicyUnknown, what);
        Fail::from(problem.with_hint("realmctl policy ls"))
    };
    let (ids, missing) = match (policy_id, caller, loop_id) {
        (Some(id), None, None) if action.is_none() => {
            let missing = format!("there is no policy `{}`", short(&id));
            (vec![id], missing)
        }
        (None, Some(caller), Some(loop_id)) => {
            let action = parse_action(action.as_deref().unwrap_or("invoke"))?;
            let caller = caller_name(&caller)?;
            let loops = Loops::read(&caller, &loop_id)?;
            let id = allow_id(&daemon, &caller, action, &loops).await?;
            let missing = format!("there is no policy `{id}`");
            (vec![id], missing)
        }
        (None, Some(caller), None) if action.is_none() => {
            let missing = format!("nothing was allowed to `{}`", short(&caller));
            (allowed_to(&daemon, &caller).await?, missing)
        }
        _ => {
            return Err(invalid(
                "name a policy by policyId, by caller, or by caller, action and loop",
            ));
        }
    };
    let mut found = daemon.handle.read(views).await?;
    found.retain(|view| ids.contains(&view.id) && is_own(&view.level));
    if found.is_empty() {
        return Err(unknown(missing));
    }
    for view in found.iter().filter(|_| !dry_run) {
        let asked = asker.clone().asks(Request::Disallow(view.id.clone()));
        match daemon.handle.ask(asked).await? {
            Response::Done => {}
            Response::Refused(refusal) => return Err(refusal.into()),
            other => return Err(unexpected(&other)),
        }
    }
    Ok(axum::Json(Disallowed {
        removed: found,
        dry_run,
    }))
}

/// Ids of all that `allow` has given a realm or an agent.
async fn allowed_to(daemon: &Daemon, caller: &str) -> Result<Vec<String>, Fail> {
    let caller = caller_name(caller)?;
    let look = move |node: &Node| {
        let line = node.caller_called(&caller)?.entity();
        let given = node.policies().filter(|(id, cedar, ..)| {
            let written = id.strip_prefix("subtree.").unwrap_or(id);
            written.starts_with("allow-") && cedar.contains(&line)
        });
        Ok::<_, Refusal>(given.map(|(id, ..)| id.to_owned()).collect())
    };
    Ok(daemon.handle.read(look).await??)
}

/// The id that the same `allow` gave its policy.
async fn allow_id(
    daemon: &Daemon,
    caller: &CallerName,
    action: Action,
    Loops { pattern, owner }: &Loops,
) -> Result<String, Fail> {
    let (caller, pattern, owner) = (caller.clone(), pattern.clone(), owner.clone());
    let look = move |node: &Node| {
        let allow = Allow {
            caller: node.caller_called(&caller)?,
            action,
            pattern,
            owner: match &owner {
                Some(owner) => node.resolve_name(owner)?,
                None => node.standing().scope,
            },
            expires: None,
            caller_name: caller.to_string(),
        };
        Ok::<_, Refusal>(allow_policy(&allow).0)
    };
    Ok(daemon.handle.read(look).await??)
}

fn is_own(level: &str) -> bool {
    level == "own" || level == "subtree"
}

pub(super) async fn list(daemon: Shared) -> Answer<Page<PolicyView>> {
    Ok(axum::Json(Page::whole(daemon.handle.read(views).await?)))
}

/// Own policies, the word for the subtree, and what comes from above.
fn views(node: &Node) -> Vec<PolicyView> {
    let own = node
        .policies()
        .map(|(id, cedar, subtree, created)| PolicyView {
            id: id.to_owned(),
            level: if subtree { "subtree" } else { "own" }.to_owned(),
            summary: summary(cedar),
            cedar: cedar.to_owned(),
            created_at: Some(time(created)),
            expires_at: expiry(cedar),
        });
    let above = node
        .ceilings()
        .into_iter()
        .map(|(scope, number, cedar)| PolicyView {
            id: number.to_string(),
            level: node.name_of(&scope),
            summary: summary(&cedar),
            cedar,
            created_at: None,
            expires_at: None,
        });
    own.chain(above).collect()
}

/// When a policy that `allow` wrote ends: its only condition on the time.
fn expiry(cedar: &str) -> Option<realm_client::api::Time> {
    let (_, rest) = cedar.split_once("context.now < ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let seconds: u64 = digits.parse().ok()?;
    Some(realm_client::api::Time::from_millis(
        seconds.saturating_mul(1_000),
    ))
}

pub(super) async fn check(
    daemon: Shared,
    Body(request): Body<PolicyText>,
) -> Answer<PolicyChecked> {
    let PolicyText {
        name,
        id,
        text,
        subtree,
    } = request;
    let [documents, above] = daemon
        .handle
        .read(move |node| apply::documents(node, subtree))
        .await?;
    // One without a name takes nothing's place.
    let id = match (id, subtree) {
        (Some(id), true) if !id.starts_with(apply::SUBTREE) => format!("{}{id}", apply::SUBTREE),
        (id, _) => id.unwrap_or_default(),
    };
    let overruled = realm_policy::overruled_with((&id, &text), &documents, &above);
    let conflicts = realm_policy::conflicts((&id, &text), &documents, &above);
    let found: Vec<PolicyProblem> = overruled.into_iter().chain(conflicts).collect();
    let mut errors = policy_faults(&realm_policy::check(&text));
    let mut warnings = policy_faults(&found);
    let own = warnings.iter_mut().zip(&found);
    let own = own.filter(|(_, problem)| problem.id == id);
    for error in errors.iter_mut().chain(own.map(|(warning, _)| warning)) {
        error.file.clone_from(&name);
        let line = error.line.and_then(|line| usize::try_from(line).ok());
        let line = line.and_then(|line| text.lines().nth(line.checked_sub(1)?));
        error.snippet = line.map(str::to_owned);
    }
    Ok(axum::Json(PolicyChecked {
        valid: errors.is_empty(),
        policies: count(&text),
        errors,
        warnings,
    }))
}

/// Policies in Cedar text: each ends with a semicolon outside texts and comments.
fn count(text: &str) -> u64 {
    let (mut count, mut quoted, mut comment, mut last) = (0, false, false, ' ');
    for c in text.chars() {
        match c {
            '\n' => comment = false,
            _ if comment => {}
            '"' if last != '\\' => quoted = !quoted,
            _ if quoted => {}
            '/' if last == '/' => comment = true,
            ';' => count += 1,
            _ => {}
        }
        last = if last == '\\' && c == '\\' { ' ' } else { c };
    }
    count
}

/// An action that one realm may let another do.
fn between_realms(text: &str) -> Result<Action, Fail> {
    let action = parse_action(text)?;
    if Action::BETWEEN_REALMS.contains(&action) {
        return Ok(action);
    }
    let known = Action::BETWEEN_REALMS.map(Action::name).join(", ");
    let detail = format!("`{action}` is not what one realm lets another do: {known}");
    Err(invalid(&detail))
}

pub(super) fn parse_action(text: &str) -> Result<Action, Fail> {
    text.parse()
        .map_err(|error| invalid(&format!("`{}`: {error}", short(text))))
}

/// A loop id in which `*` may stand for anything.
pub(super) fn pattern(text: &str) -> Result<String, Fail> {
    let as_id = text.replace('*', "x");
    match as_id.parse::<realm_protocol::LoopId>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => {
            let detail = format!("`{}` is neither a loop nor a pattern", short(text));
            Err(Fail::new(Code::PolicyPattern, detail))
        }
    }
}
