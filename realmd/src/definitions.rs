//! Files of definitions: loading them, and saying what is wrong with them.

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
};

use realm_client::{
    api::{Fault, SourceFile},
    catalogue::Code,
};
use realm_executor::{
    Body, Manifest, Mesh, PlatformRealm, Problem, Registry, Restrictions, Stack, Tool, load,
};
use realm_protocol::RealmName;

/// Loops, each with the format it was written in.
pub(crate) type Loaded = Vec<(Manifest, &'static str)>;

/// What files define.
pub(crate) struct Definitions {
    loops: Loaded,
    stacks: Vec<Stack>,
    meshes: Vec<Mesh>,
    realms: Vec<PlatformRealm>,
}

/// Loops that files lead to in one realm, and what of them will not do what it seems to.
pub(crate) struct Planned {
    pub(crate) loops: Loaded,
    pub(crate) restrictions: Vec<Restrictions>,
    pub(crate) warnings: Vec<Problem>,
}

impl Definitions {
    /// Makes loops of stacks, with the capabilities that loops here have and those of the files, and takes
    /// the part of meshes that is of the realm of this name; nothing of them where there is none yet.
    ///
    /// # Errors
    /// Every stack that cannot work, and every mesh without this realm, with the reason.
    pub(crate) fn plan(
        self,
        registry: &Registry,
        own: Option<&str>,
    ) -> Result<Planned, Vec<Problem>> {
        let Self {
            mut loops,
            stacks,
            meshes,
            realms,
        } = self;
        let mut warnings = Vec::new();
        let mut restrictions = Vec::new();
        for (mesh, own) in meshes.into_iter().zip(own.into_iter().cycle()) {
            let (routes, restricted) = part_of(own, mesh, &mut warnings)?;
            loops.extend(routes);
            restrictions.extend(restricted);
        }
        for (realm, own) in realms.into_iter().zip(own.into_iter().cycle()) {
            restrictions.push(limits_of(own, realm)?);
        }
        let new: Vec<Manifest> = loops.iter().map(|(new, _)| new.clone()).collect();
        let planned = registry.plan_stacks(&stacks, &new)?;
        loops.extend(planned.into_iter().map(|planned| (planned, STACK)));
        Ok(Planned {
            loops,
            restrictions,
            warnings,
        })
    }
}

impl Definitions {
    /// The loops that every realm of every mesh among the files would get, and what of the meshes will not do
    /// what it seems to.
    pub(crate) fn meshes(&self) -> (Vec<(&RealmName, &[Manifest])>, Vec<Problem>) {
        let realms = self.meshes.iter().flat_map(|mesh| &mesh.realms);
        let realms = realms.map(|(name, routes)| (name, routes.as_slice()));
        let warnings = self.meshes.iter().flat_map(|mesh| mesh.warnings.clone());
        (realms.collect(), warnings.collect())
    }
}

/// The routes that a mesh has for the realm of this name, and what its policies restrict there.
fn part_of(
    own: &str,
    mesh: Mesh,
    warnings: &mut Vec<Problem>,
) -> Result<(Loaded, Option<Restrictions>), Vec<Problem>> {
    let Mesh {
        mut realms,
        mut restrictions,
        warnings: found,
        origin,
    } = mesh;
    let name = realms.keys().find(|name| name.to_string() == own).cloned();
    let restricted = name.as_ref().and_then(|name| restrictions.remove(name));
    let Some(loops) = name.and_then(|name| realms.remove(&name)) else {
        let names: Vec<String> = realms.keys().map(ToString::to_string).collect();
        let what = format!(
            "the mesh has the realms {}, and this one is `{own}`",
            names.join(", ")
        );
        let hint = format!("give one of them the realmId of this realm, `{own}`");
        return Err(vec![Problem {
            hint: Some(hint),
            ..Problem::at(&origin, "mesh.realm", what)
        }]);
    };
    warnings.extend(found);
    let routes = loops.into_iter().map(|route| (route, MESH)).collect();
    Ok((routes, restricted))
}

/// What a realm of the Platform's restricts this one to, if they are called the same.
fn limits_of(own: &str, realm: PlatformRealm) -> Result<Restrictions, Vec<Problem>> {
    let PlatformRealm {
        name,
        restrictions,
        origin,
    } = realm;
    if own == name || own.rsplit('/').next() == Some(name.as_str()) {
        return Ok(restrictions);
    }
    let what = format!("these are the limits of a realm `{name}`, and this one is `{own}`");
    let problem = Problem::at(&origin, "realm.metadata.name", what);
    let hint = Some(format!("apply it there: realmctl -r {name} apply -f FILE"));
    Err(vec![Problem { hint, ..problem }])
}

/// What the routes that a mesh becomes were written as.
pub(crate) const MESH: &str = "mesh";

/// What the loops that a stack becomes were written as.
const STACK: &str = "stack";

/// Reads every definition among the files. A process runs in the folder of the file that defines
/// it, unless that says otherwise.
///
/// # Errors
/// Every problem of every file.
pub(crate) fn load_all(files: &[SourceFile]) -> Result<Definitions, Vec<Problem>> {
    let texts: BTreeMap<PathBuf, &str> = files
        .iter()
        .map(|file| (normal(Path::new(&file.name)), file.text.as_str()))
        .collect();
    let mut loops = Vec::new();
    let mut stacks = Vec::new();
    let mut meshes = Vec::new();
    let mut realms = Vec::new();
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| !file.referred) {
        let folder = Path::new(&file.name).parent().filter(|_| file.name != "-");
        let folder = folder.map(Path::to_owned);
        let beside = |name: &str| {
            let path = folder.as_deref().unwrap_or(Path::new("")).join(name);
            texts.get(&normal(&path)).map(|text| (*text).to_owned())
        };
        match load(&file.name, &file.text, &beside) {
            Ok(loaded) => {
                loops.extend(loaded.loops.into_iter().map(|mut manifest| {
                    settle(&mut manifest, folder.as_deref());
                    let format = format_of(&manifest, &file.text);
                    (manifest, format)
                }));
                stacks.extend(loaded.stacks);
                meshes.extend(loaded.meshes);
                realms.extend(loaded.realms);
            }
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() {
        Ok(Definitions {
            loops,
            stacks,
            meshes,
            realms,
        })
    } else {
        Err(problems)
    }
}

/// Gives a process its working directory.
fn settle(manifest: &mut Manifest, folder: Option<&Path>) {
    let cwd = match &mut manifest.body {
        Body::Tool(Tool::Process(process)) => &mut process.cwd,
        Body::Tool(Tool::Commands(commands)) => &mut commands.cwd,
        _ => return,
    };
    let Some(folder) = folder else {
        return;
    };
    let settled = match &*cwd {
        None => folder.to_owned(),
        Some(cwd) => normal(&folder.join(cwd)),
    };
    *cwd = settled.to_str().map(str::to_owned);
}

/// Which format a loop was written in: LSEM names its loops, the sketch has types.
fn format_of(manifest: &Manifest, text: &str) -> &'static str {
    if text.contains("loopstacks.io/v1") || text.contains("interrealm.io/v1alpha1") {
        STACK
    } else if !manifest.metadata.contains_key("name") {
        "realm"
    } else if text.contains("kind") {
        "lsem"
    } else {
        "loopstacks"
    }
}

/// A path without `.` and `..`, as it is written; no link is followed.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

/// The catalogue entry of a set of problems: that of the first.
pub(crate) fn code(problems: &[Problem]) -> Code {
    let rule = problems.first().map_or("", |problem| problem.rule);
    match rule.rsplit('.').next().unwrap_or_default() {
        "syntax" | "empty" => Code::DefinitionSyntax,
        "format" | "dialect" => Code::DefinitionFormat,
        "schema" | "inputSchema" | "outputSchema" => Code::DefinitionSchema,
        "file" | "$file" | "unknown" | "reference" => Code::DefinitionReference,
        _ => Code::DefinitionRule,
    }
}

/// A problem as the API tells it, with the line it stands on.
pub(crate) fn fault(problem: &Problem, files: &[SourceFile]) -> Fault {
    let known = |number: usize| u32::try_from(number).ok().filter(|number| *number > 0);
    let text = files
        .iter()
        .find(|file| file.name == problem.file)
        .map(|file| &file.text);
    let line = |text: &String| {
        text.lines()
            .nth(problem.line.checked_sub(1)?)
            .map(str::to_owned)
    };
    Fault {
        pointer: None,
        file: (!problem.file.is_empty()).then(|| problem.file.clone()),
        line: known(problem.line),
        column: known(problem.column),
        rule: Some(problem.rule.to_owned()),
        message: problem.what.clone(),
        hint: problem.hint.clone(),
        snippet: text.and_then(line),
    }
}

/// Adds the files that definitions may refer to: JSON and YAML files beside them, as far as they
/// are of sensible size. Without a daemon nobody else sends them along.
pub(crate) fn with_referred(files: &[SourceFile]) -> Vec<SourceFile> {
    let mut all = files.to_vec();
    let folders: std::collections::BTreeSet<PathBuf> = files
        .iter()
        .filter_map(|file| Path::new(&file.name).parent().map(Path::to_owned))
        .collect();
    for folder in folders {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            let name = path.display().to_string();
            let known = all.iter().any(|file| file.name == name);
            let end = path.extension().and_then(|end| end.to_str());
            let small = path
                .metadata()
                .is_ok_and(|found| found.len() <= REFERRED_BYTES);
            if known || !small || !matches!(end, Some("json" | "yaml" | "yml")) {
                continue;
            }
            if let Ok(text) = std::fs::read_to_string(&path) {
                all.push(SourceFile {
                    name,
                    text,
                    referred: true,
                });
            }
        }
    }
    all
}

/// Largest file that a definition refers to, bytes.
const REFERRED_BYTES: u64 = 1024 * 1024;
