//! Registering loops from files, checking them, and showing them in our own form.

mod restrictions;

use std::{collections::BTreeMap, sync::Arc};

use realm_backends::Backends;
use realm_client::api::{
    Applied, ApplyAction, ApplyRequest, ApplyResult, Compatibility, DiffResult, Fault,
    ImportResult, Imported, LoopDiff, Problem, SourceFile, ValidateResult, Validated,
};
use realm_executor::{BackendError, Body as LoopBody, MOCK, Manifest, Pull, Tool, Verdict};
use realm_node::{ApplyAsked, ApplyReport, LoopAction, Request, Response, RestrictReport};

use super::{
    Answer, Shared, extract::Body, invoke::unexpected, loops::called, model_tools, people::Asker,
    problem::Fail, yaml,
};
use crate::definitions::{self, Planned};
use restrictions::restrict;

pub(super) async fn apply(
    daemon: Shared,
    asker: Asker,
    Body(request): Body<ApplyRequest>,
) -> Answer<ApplyResult> {
    let dry_run = request.dry_run;
    let restricted = restrict(&daemon, &asker, &request.files, true).await?;
    let changes = |report: &RestrictReport| report.action != LoopAction::Unchanged;
    if !dry_run && restricted.iter().any(changes) {
        // What the loops are refused for is found before anything is changed.
        let first = ApplyRequest {
            dry_run: true,
            ..request.clone()
        };
        register(&daemon, first, asker.name()).await?;
        restrict(&daemon, &asker, &request.files, false).await?;
    }
    let (applied, warnings) = register(&daemon, request, asker.name()).await?;
    Ok(axum::Json(ApplyResult {
        applied,
        restrictions: restricted.iter().map(restrictions::applied).collect(),
        dry_run,
        warnings,
    }))
}

/// Registers what files define, or says what would happen; with what will not do what it seems to.
pub(super) async fn register(
    daemon: &Shared,
    request: ApplyRequest,
    by: &str,
) -> Result<(Vec<Applied>, Vec<Fault>), Fail> {
    let ApplyRequest {
        files,
        dry_run,
        force,
        prune,
        stage,
        why,
    } = request;
    let Planned {
        loops: loaded,
        warnings: said,
        restrictions: _,
    } = checked(daemon, &files).await?;
    let asked = ApplyAsked {
        manifests: loaded.into_iter().map(|(manifest, _)| manifest).collect(),
        dry_run,
        force,
        prune,
        stage,
        by: by.to_owned(),
        why,
    };
    let (applied, mut warnings) = submit(daemon, asked).await?;
    warnings.extend(said.iter().map(|said| definitions::fault(said, &files)));
    Ok((applied, warnings))
}

/// Registers loops as they are.
pub(super) async fn register_all(
    daemon: &Shared,
    manifests: Vec<Manifest>,
    by: &str,
) -> Result<(Vec<Applied>, Vec<Fault>), Fail> {
    let asked = ApplyAsked {
        manifests,
        dry_run: false,
        force: false,
        prune: false,
        stage: false,
        by: by.to_owned(),
        why: None,
    };
    submit(daemon, asked).await
}

async fn submit(daemon: &Shared, asked: ApplyAsked) -> Result<(Vec<Applied>, Vec<Fault>), Fail> {
    let origins: BTreeMap<String, Origin> = asked
        .manifests
        .iter()
        .map(|loop_| (loop_.id.to_string(), Origin::of(loop_)))
        .collect();
    let warnings = asked.manifests.iter();
    let warnings = warnings.filter_map(|loop_| unreachable(loop_, &daemon.backends));
    let mut warnings: Vec<Fault> = warnings.collect();
    let secret_loops = daemon.config().config.secret_loops.clone();
    let unkeyed = |loop_: &Manifest| {
        let mut names = loop_.secrets().into_iter();
        let kept_from = names.find_map(|name| secret_loops.check(name, &loop_.id).err());
        let fault = kept_from.or_else(|| daemon.backends.secret_fault(loop_))?;
        Some(failing(loop_, &fault))
    };
    warnings.extend(asked.manifests.iter().filter_map(unkeyed));
    warnings.extend(asked.manifests.iter().filter_map(model_tools::unapproved));
    warnings.extend(containers(daemon, asked.manifests.iter()).await);
    match daemon.handle.ask(Request::Apply(asked)).await? {
        Response::Applied(reports) => {
            warnings.extend(reports.iter().filter_map(untold));
            let applied = reports.into_iter().map(|report| {
                let origin = origins.get(report.id.as_str()).cloned();
                applied(report, origin.unwrap_or_default())
            });
            Ok((applied.collect(), warnings))
        }
        Response::Refused(refusal) => Err(refusal.into()),
        other => Err(unexpected(&other)),
    }
}

/// What applying files would change, line by line.
pub(super) async fn diff(
    daemon: Shared,
    asker: Asker,
    Body(request): Body<ApplyRequest>,
) -> Answer<DiffResult> {
    let loaded = planned(&daemon, &request.files).await?.loops;
    let restricted = restrict(&daemon, &asker, &request.files, true).await?;
    let restrictions: Vec<_> = restricted.iter().map(restrictions::diff).collect();
    let documents = |manifests: &mut dyn Iterator<Item = &Manifest>| -> BTreeMap<String, String> {
        let texts = manifests.map(|manifest| (manifest.id.to_string(), canonical_yaml(manifest)));
        texts.collect()
    };
    let new = documents(&mut loaded.iter().map(|(manifest, _)| manifest));
    let look = |node: &realm_node::Node| -> Vec<Arc<Manifest>> {
        let known = node.registry().iter();
        known.map(|known| known.manifest.clone()).collect()
    };
    let old = daemon.handle.read(look).await?;
    let old = documents(&mut old.iter().map(|known| &**known));
    let asked = ApplyRequest {
        dry_run: true,
        force: true,
        ..request
    };
    let (applied, warnings) = register(&daemon, asked, asker.name()).await?;
    let loops = applied.into_iter().map(|applied| {
        let text = |of: &BTreeMap<String, String>| of.get(&applied.id).cloned().unwrap_or_default();
        LoopDiff {
            text: differences(&applied.id, &text(&old), &text(&new)),
            applied,
        }
    });
    let loops: Vec<LoopDiff> = loops.collect();
    Ok(axum::Json(DiffResult {
        differs: loops
            .iter()
            .map(|one| one.applied.action)
            .chain(restrictions.iter().map(|one| one.applied.action))
            .any(|action| action != ApplyAction::Unchanged),
        loops,
        restrictions,
        warnings,
    }))
}

pub(super) fn canonical_yaml(manifest: &Manifest) -> String {
    let mut document = manifest.to_json();
    document.sort_all_objects();
    yaml::write(&document)
}

/// The lines in which a definition differs from the one that is applied.
fn differences(id: &str, old: &str, new: &str) -> String {
    let name = |side: &str, text: &str| match text {
        "" => "/dev/null".to_owned(),
        _ => format!("{side}/{id}"),
    };
    let names = (name("applied", old), name("files", new));
    unified((&names.0, old), (&names.1, new))
}

/// The lines in which two texts differ, with three around each.
pub(super) fn unified((from, old): (&str, &str), (to, new): (&str, &str)) -> String {
    let diff = similar::TextDiff::from_lines(old, new);
    diff.unified_diff().header(from, to).to_string()
}

/// What was done with a loop that came from no file.
pub(super) fn changed(report: ApplyReport) -> Applied {
    applied(report, Origin::default())
}

fn applied(report: ApplyReport, origin: Origin) -> Applied {
    let ApplyReport {
        id,
        version,
        digest,
        action,
        replaces,
    } = report;
    let change = replaces.as_ref().map(|replaces| &replaces.change);
    let reasons = change.into_iter().flat_map(|change| &change.differences);
    Applied {
        id: id.to_string(),
        version: version.to_string(),
        action: self::action(action),
        digest: digest.to_string(),
        compatibility: change.map(|change| compatibility(change.verdict())),
        reasons: reasons.map(ToString::to_string).collect(),
        advised: replaces
            .as_ref()
            .and_then(|replaces| Some(replaces.advised.as_ref()?.to_string())),
        replaces: replaces.map(|replaces| replaces.version.to_string()),
        target: origin.target,
        file: origin.file,
    }
}

/// What a verdict is called in the API.
pub(super) fn compatibility(verdict: Verdict) -> Compatibility {
    match verdict {
        Verdict::Compatible => Compatibility::Compatible,
        Verdict::Unknown => Compatibility::Unknown,
        Verdict::Breaking => Compatibility::Breaking,
    }
}

/// A break that the new version does not tell callers of.
fn untold(report: &ApplyReport) -> Option<Fault> {
    let advised = report.replaces.as_ref()?.advised.as_ref()?;
    let (id, version) = (&report.id, &report.version);
    Some(Fault {
        hint: Some(format!("give it version {advised}")),
        ..Fault::new(format!(
            "`{id}` {version} may break callers, who take it for compatible"
        ))
    })
}

/// What was done, as the API says it.
pub(super) fn action(action: LoopAction) -> ApplyAction {
    match action {
        LoopAction::Created => ApplyAction::Created,
        LoopAction::Updated => ApplyAction::Updated,
        LoopAction::Changed => ApplyAction::Changed,
        LoopAction::Unchanged => ApplyAction::Unchanged,
        LoopAction::Removed => ApplyAction::Removed,
        LoopAction::Staged => ApplyAction::Staged,
        LoopAction::Promoted => ApplyAction::Promoted,
        LoopAction::RolledBack => ApplyAction::RolledBack,
        LoopAction::Shared => ApplyAction::Shared,
    }
}

/// Where a definition came from, and what it calls.
#[derive(Clone, Default)]
struct Origin {
    file: Option<String>,
    target: Option<String>,
}

impl Origin {
    fn of(manifest: &Manifest) -> Self {
        Self {
            file: file_of(manifest),
            target: called(&manifest.body).1,
        }
    }
}

/// An agent that calls will not be let through to, or a model that is not here.
fn unreachable(manifest: &Manifest, backends: &Backends) -> Option<Fault> {
    let (models, servers) = (backends.models(), backends.servers());
    let error = match &manifest.body {
        LoopBody::Tool(Tool::Http(http)) => {
            let opened = backends.opened();
            opened.permit(&http.url, &http.allow_private).err()?
        }
        LoopBody::Prompt(prompt) if prompt.backend != MOCK => match models.get(&prompt.backend) {
            Some(model) => model.fault(&prompt.backend)?,
            None => BackendError::Unconfigured {
                id: prompt.backend.clone(),
            },
        },
        LoopBody::Tool(Tool::Mcp(mcp)) => realm_backends::tool_fault(mcp, &servers)?,
        _ => return None,
    };
    Some(failing(manifest, &error))
}

/// Loops whose containers would not start, as the engine tells.
async fn containers<'a>(
    daemon: &Shared,
    manifests: impl Iterator<Item = &'a Manifest>,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    for manifest in manifests {
        let LoopBody::Tool(Tool::Container(container)) = &manifest.body else {
            continue;
        };
        let image = (container.pull == Pull::Never).then(|| container.image.as_str());
        if let Err(error) = daemon.backends.engine(image).await {
            faults.push(failing(manifest, &error));
        }
    }
    faults
}

fn failing(manifest: &Manifest, error: &BackendError) -> Fault {
    Fault {
        file: file_of(manifest),
        ..Fault::new(format!("calls of `{}` will fail: {error}", manifest.id))
    }
}

pub(super) async fn validate(
    daemon: Shared,
    Body(request): Body<ApplyRequest>,
) -> Answer<ValidateResult> {
    let Planned {
        loops: loaded,
        warnings: said,
        restrictions: _,
    } = checked(&daemon, &request.files).await?;
    let agents = loaded.iter();
    let agents = agents.filter_map(|(manifest, _)| unreachable(manifest, &daemon.backends));
    let containers = containers(&daemon, loaded.iter().map(|(manifest, _)| manifest)).await;
    let said = said.iter();
    let said = said.map(|said| definitions::fault(said, &request.files));
    let documents = loaded.iter().map(|(manifest, format)| Validated {
        id: manifest.id.to_string(),
        version: manifest.version.to_string(),
        kind: manifest.kind().to_string(),
        format: (*format).to_owned(),
        file: file_of(manifest),
    });
    Ok(axum::Json(ValidateResult {
        documents: documents.collect(),
        warnings: agents.chain(containers).chain(said).collect(),
    }))
}

pub(super) async fn import(
    daemon: Shared,
    Body(request): Body<ApplyRequest>,
) -> Answer<ImportResult> {
    let loaded = planned(&daemon, &request.files).await?.loops;
    let documents = loaded.iter().map(|(manifest, format)| {
        let document = manifest.to_json();
        Imported {
            id: manifest.id.to_string(),
            format: (*format).to_owned(),
            text: yaml::write(&document),
            notes: manifest
                .metadata
                .keys()
                .filter(|_| *format != "realm")
                .map(|key| format!("`{key}` is kept in metadata; nothing reads it"))
                .collect(),
            document,
        }
    });
    Ok(axum::Json(ImportResult {
        documents: documents.collect(),
    }))
}

/// Loads files, and makes loops of the stacks in them with the capabilities that are here.
async fn planned(daemon: &Shared, files: &[SourceFile]) -> Result<Planned, Fail> {
    let loaded = definitions::load_all(files).map_err(|found| refused(&found, files))?;
    let plan = move |node: &realm_node::Node| {
        let own = node.name_of(&node.scope());
        loaded.plan(node.registry(), Some(&own))
    };
    let planned = daemon.handle.read(plan).await?;
    planned.map_err(|found| refused(&found, files))
}

/// Loads files and checks the loops against each other and against those that are registered.
pub(super) async fn checked(daemon: &Shared, files: &[SourceFile]) -> Result<Planned, Fail> {
    let mut planned = planned(daemon, files).await?;
    let loops = planned.loops.iter();
    let manifests: Vec<Manifest> = loops.map(|(manifest, _)| manifest.clone()).collect();
    let check = move |node: &realm_node::Node| {
        node.registry().validate_set(&manifests)?;
        Ok(manifests
            .iter()
            .flat_map(|it| nowhere(node, it))
            .collect::<Vec<_>>())
    };
    let nowhere = daemon.handle.read(check).await?;
    planned
        .warnings
        .extend(nowhere.map_err(|found: Vec<_>| refused(&found, files))?);
    Ok(planned)
}

/// The targets of a route that lead to no realm that this one knows.
fn nowhere(node: &realm_node::Node, manifest: &Manifest) -> Vec<realm_executor::Problem> {
    let LoopBody::Route(route) = &manifest.body else {
        return Vec::new();
    };
    let targets = route.targets.iter().filter_map(|target| {
        let realm = target.call.loop_id.realm.as_ref()?;
        let why = node.unknown_realm(realm)?;
        let what = format!("the route `{}` leads nowhere: {why}", manifest.id);
        let problem = realm_executor::Problem {
            hint: Some("realmctl realm ls".to_owned()),
            ..realm_executor::Problem::at(&target.call.origin, "route.targets.realm", what)
        };
        Some(problem)
    });
    targets.collect()
}

fn refused(problems: &[realm_executor::Problem], files: &[SourceFile]) -> Fail {
    let faults: Vec<Fault> = problems
        .iter()
        .map(|problem| definitions::fault(problem, files))
        .collect();
    let plural = if faults.len() == 1 { "" } else { "s" };
    let detail = format!("{} problem{plural}; nothing was applied", faults.len());
    Problem::new(definitions::code(problems), detail)
        .with_errors(faults)
        .into()
}

pub(super) fn file_of(manifest: &Manifest) -> Option<String> {
    let file = manifest.origin.file.to_string();
    (!file.is_empty()).then_some(file)
}
