//! The files of the repository, read once, and what a rule says about them.

use std::{collections::BTreeMap, fs, path::Path};

/// Texts by path from the root, with `/` between the parts.
pub(crate) type Files = BTreeMap<String, String>;

const SKIPPED: [&str; 6] = [
    "target",
    ".git",
    "node_modules",
    ".venv",
    "dist",
    "__pycache__",
];

/// Reads every file of the repository but what Git ignores.
pub(crate) fn files() -> Files {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Files::new();
    read(root, root, &mut files);
    files
}

fn read(root: &Path, folder: &Path, files: &mut Files) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = entry.path();
        if SKIPPED.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        if path.is_dir() {
            read(root, &path, files);
        } else if let Ok(bytes) = fs::read(&path) {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            files.insert(name.to_owned(), text);
        }
    }
}

/// Fails with all complaints, one a line.
#[track_caller]
pub(crate) fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// Fails unless there is one complaint for each of `parts`, in order, with that part in it.
#[track_caller]
pub(crate) fn assert_complaints(complaints: &[String], parts: &[&str]) {
    assert_eq!(complaints.len(), parts.len(), "{complaints:#?}");
    for (complaint, part) in complaints.iter().zip(parts) {
        assert!(complaint.contains(part), "{complaint:?} lacks {part:?}");
    }
}

/// Makes a repository of the given files.
pub(crate) fn of(files: &[(&str, &str)]) -> Files {
    let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
    files.iter().map(owned).collect()
}
