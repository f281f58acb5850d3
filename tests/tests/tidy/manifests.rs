//! The manifests: members, what they depend on, and that versions stand in one place.

use toml_edit::{DocumentMut, Item};

use crate::repository::{Files, assert_complaints, assert_none, files, of};

/// One member of the workspace.
pub(crate) struct Member {
    /// The folder, from the root.
    pub(crate) folder: String,
    /// The package's name.
    pub(crate) package: String,
    /// What it depends on, of every kind, with the declaration.
    pub(crate) dependencies: Vec<(String, Item)>,
    manifest: DocumentMut,
}

impl Member {
    /// Tells whether the package depends on `other` in any way.
    pub(crate) fn depends_on(&self, other: &Member) -> bool {
        self.dependencies
            .iter()
            .any(|(name, _)| *name == other.package)
    }
}

/// Reads the members' manifests; the root has none of its own, and neither are packages that are
/// workspaces of their own members.
pub(crate) fn members(files: &Files) -> Vec<Member> {
    let manifests = files
        .iter()
        .filter_map(|(path, text)| Some((path.strip_suffix("/Cargo.toml")?, text)))
        .filter(|(_, text)| !text.lines().any(|line| line == "[workspace]"));
    manifests
        .map(|(folder, text)| member(folder, text))
        .collect()
}

fn member(folder: &str, text: &str) -> Member {
    let manifest: DocumentMut = text.parse().unwrap();
    let package = manifest["package"]["name"].as_str().unwrap().to_owned();
    let dependencies = ["dependencies", "dev-dependencies", "build-dependencies"]
        .iter()
        .flat_map(|kind| entries(manifest.get(kind)))
        .collect();
    Member {
        folder: folder.to_owned(),
        package,
        dependencies,
        manifest,
    }
}

/// Gives the entries of a table; none where there is no table.
fn entries(table: Option<&Item>) -> Vec<(String, Item)> {
    let table = table.and_then(Item::as_table_like);
    let entries = table.into_iter().flat_map(|table| table.iter());
    entries
        .map(|(name, item)| (name.to_owned(), item.clone()))
        .collect()
}

/// Versions, sources and lints are the workspace's to say.
fn own_versions_and_lints(files: &Files) -> Vec<String> {
    let mut complaints = Vec::new();
    for member in members(files) {
        let own = &member.package;
        for (name, declared) in &member.dependencies {
            let inherited = declared.get("workspace").and_then(Item::as_bool) == Some(true);
            if !inherited {
                complaints.push(format!("{own}: {name} lacks `workspace = true`"));
            }
        }
        let lints = member
            .manifest
            .get("lints")
            .and_then(|it| it.get("workspace"));
        if lints.and_then(Item::as_bool) != Some(true) {
            complaints.push(format!("{own}: lacks `[lints] workspace = true`"));
        }
        if member.manifest.contains_key("target") {
            complaints.push(format!("{own}: depends on something for one target only"));
        }
    }
    complaints
}

/// Gives what the workspace declares for all of its members.
pub(crate) fn shared_dependencies(files: &Files) -> Vec<(String, Item)> {
    let root: DocumentMut = files["Cargo.toml"].parse().unwrap();
    entries(root["workspace"].get("dependencies"))
}

/// Whatever the workspace names comes from the registry or from its own folders.
fn sources_from_elsewhere(files: &Files) -> Vec<String> {
    shared_dependencies(files)
        .iter()
        .filter(|(_, declared)| declared.get("git").is_some() || declared.get("registry").is_some())
        .map(|(name, _)| format!("Cargo.toml: {name} comes from elsewhere"))
        .collect()
}

/// What nobody depends on is no dependency.
fn unused_by_members(files: &Files) -> Vec<String> {
    let members = members(files);
    let is_used = |name: &String| {
        let mut all = members.iter().flat_map(|member| &member.dependencies);
        all.any(|(used, _)| used == name)
    };
    shared_dependencies(files)
        .iter()
        .filter(|(name, _)| !is_used(name))
        .map(|(name, _)| format!("Cargo.toml: no member depends on {name}"))
        .collect()
}

#[test]
fn versions_and_lints_stand_in_the_workspace_alone() {
    let files = files();
    assert_none(&own_versions_and_lints(&files));
    assert_none(&sources_from_elsewhere(&files));
    assert_none(&unused_by_members(&files));
}

#[test]
fn a_version_of_its_own_and_missing_lints_are_noticed() {
    let files = of(&[(
        "crates/a/Cargo.toml",
        "[package]\nname = \"a\"\n[dependencies]\nb = \"1\"\nc.workspace = true\n",
    )]);
    assert_complaints(&own_versions_and_lints(&files), &["a: b", "[lints]"]);
}

#[test]
fn a_dependency_from_git_or_of_nobody_is_noticed() {
    let files = of(&[
        (
            "Cargo.toml",
            "[workspace.dependencies]\na = \"1\"\nb = { git = \"https://example.org/b\" }\n",
        ),
        (
            "c/Cargo.toml",
            "[package]\nname = \"c\"\n[dependencies]\nb.workspace = true\n",
        ),
    ]);
    assert_complaints(&sources_from_elsewhere(&files), &["b comes from elsewhere"]);
    assert_complaints(&unused_by_members(&files), &["depends on a"]);
}
