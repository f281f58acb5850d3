//! Registering loops from files, checking them, and showing them in our own form.

use std::collections::BTreeMap;

use realm_client::api::{
    Applied, ApplyAction, ApplyRequest, ApplyResult, Fault, ImportResult, Imported, Problem,
    SourceFile, ValidateResult, Validated,
};
use realm_executor::{BackendError, Body as LoopBody, Manifest, Tool};
use realm_node::{ApplyAsked, LoopAction, Request, Response};

use super::{
    Answer, Shared, extract::Body, invoke::unexpected, loops::called, problem::Fail, yaml,
};
use crate::{
    definitions::{self, Loaded},
    handle::OWNER,
};

pub(super) async fn apply(
    daemon: Shared,
    Body(request): Body<ApplyRequest>,
) -> Answer<ApplyResult> {
    let ApplyRequest {
        files,
        dry_run,
        force,
        prune,
    } = request;
    let loaded = checked(&daemon, &files).await?;
    let origins: BTreeMap<String, Origin> = loaded
        .iter()
        .map(|(loop_, _)| (loop_.id.to_string(), Origin::of(loop_)))
        .collect();
    let warnings = loaded.iter().filter_map(|(loop_, _)| unreachable(loop_));
    let warnings = warnings.collect();
    let manifests = loaded.into_iter().map(|(manifest, _)| manifest).collect();
    match daemon
        .handle
        .ask(Request::Apply(ApplyAsked {
            manifests,
            dry_run,
            force,
            prune,
            by: OWNER.to_owned(),
        }))
        .await?
    {
        Response::Applied(reports) => {
            let applied = reports.into_iter().map(|report| {
                let origin = origins.get(report.id.as_str()).cloned().unwrap_or_default();
                Applied {
                    action: action(report.action),
                    digest: report.digest.to_string(),
                    target: origin.target,
                    file: origin.file,
                    id: report.id.to_string(),
                    version: report.version.to_string(),
                }
            });
            Ok(axum::Json(ApplyResult {
                applied: applied.collect(),
                dry_run,
                warnings,
            }))
        }
        Response::Refused(refusal) => Err(refusal.into()),
        other => Err(unexpected(&other)),
    }
}

/// What was done, as the API says it.
pub(super) fn action(action: LoopAction) -> ApplyAction {
    match action {
        LoopAction::Created => ApplyAction::Created,
        LoopAction::Updated => ApplyAction::Updated,
        LoopAction::Changed => ApplyAction::Changed,
        LoopAction::Unchanged => ApplyAction::Unchanged,
        LoopAction::Removed => ApplyAction::Removed,
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
fn unreachable(manifest: &Manifest) -> Option<Fault> {
    let error = match &manifest.body {
        LoopBody::Tool(Tool::Http(http)) => {
            realm_backends::address::target(&http.url, &http.allow_private).err()?
        }
        LoopBody::Prompt(prompt) if prompt.backend != "mock" => BackendError::Unconfigured {
            id: prompt.backend.clone(),
        },
        _ => return None,
    };
    Some(Fault {
        file: file_of(manifest),
        ..Fault::new(format!("calls of `{}` will fail: {error}", manifest.id))
    })
}

pub(super) async fn validate(
    daemon: Shared,
    Body(request): Body<ApplyRequest>,
) -> Answer<ValidateResult> {
    let loaded = checked(&daemon, &request.files).await?;
    let documents = loaded.iter().map(|(manifest, format)| Validated {
        id: manifest.id.to_string(),
        version: manifest.version.to_string(),
        kind: manifest.kind().to_string(),
        format: (*format).to_owned(),
        file: file_of(manifest),
    });
    Ok(axum::Json(ValidateResult {
        documents: documents.collect(),
        warnings: loaded
            .iter()
            .filter_map(|(manifest, _)| unreachable(manifest))
            .collect(),
    }))
}

pub(super) async fn import(Body(request): Body<ApplyRequest>) -> Answer<ImportResult> {
    let files = &request.files;
    let loaded = definitions::load_all(files).map_err(|found| refused(&found, files))?;
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

/// Loads files and checks the loops against each other and against those that are registered.
async fn checked(daemon: &Shared, files: &[SourceFile]) -> Result<Loaded, Fail> {
    let loaded = definitions::load_all(files).map_err(|found| refused(&found, files))?;
    let manifests: Vec<Manifest> = loaded
        .iter()
        .map(|(manifest, _)| manifest.clone())
        .collect();
    let check = move |node: &realm_node::Node| node.registry().validate_set(&manifests);
    daemon
        .handle
        .read(check)
        .await?
        .map_err(|found| refused(&found, files))?;
    Ok(loaded)
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

fn file_of(manifest: &Manifest) -> Option<String> {
    let file = manifest.origin.file.to_string();
    (!file.is_empty()).then_some(file)
}
