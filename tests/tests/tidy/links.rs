//! Links between documents: every relative one leads somewhere, to the heading it names.

use std::collections::BTreeSet;

use crate::repository::{Files, assert_complaints, assert_none, files, of};

/// A link and where it stands.
struct Link {
    line: usize,
    target: String,
}

/// Finds `[text](target)` and `[label]: target` outside code.
fn links(text: &str) -> Vec<Link> {
    let mut links = Vec::new();
    for (line, prose) in prose(text) {
        let mut add = |rest: &str| {
            let end = rest.find([')', ' ', '>']).unwrap_or(rest.len());
            let target = rest[..end].trim_start_matches('<').to_owned();
            links.push(Link { line, target });
        };
        for (at, mark) in prose.match_indices("](") {
            add(&prose[at + mark.len()..]);
        }
        if let Some((_, target)) = prose.split_once("]: ").filter(|_| prose.starts_with('[')) {
            add(target);
        }
    }
    links
}

/// Gives the lines outside fences, without code spans, and their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        let outside: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        (!fenced).then_some((at + 1, outside))
    })
}

/// Gives the anchors of all headings, as code forges make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.starts_with("```");
        let title = line.trim_start_matches('#');
        if fenced || title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let base = anchor(title.trim());
        let again = (1..).map(|number| format!("{base}-{number}"));
        let free = std::iter::once(base.clone())
            .chain(again)
            .find(|name| !anchors.contains(name));
        anchors.extend(free);
    }
    anchors
}

fn anchor(title: &str) -> String {
    let kept = title.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        _ if c.is_alphanumeric() => Some(c.to_ascii_lowercase()),
        _ => None,
    });
    kept.collect()
}

/// Resolves a relative path against the folder of `from`; nothing where it leaves the repository.
fn resolve(from: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

fn broken_links(files: &Files) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| path.ends_with(".md")) {
        for link in links(text) {
            if let Some(reason) = broken(files, path, &link.target) {
                complaints.push(format!("{path}:{}: {}: {reason}", link.line, link.target));
            }
        }
    }
    complaints
}

fn broken(files: &Files, from: &str, target: &str) -> Option<&'static str> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    if target.starts_with('/') {
        return Some("is not relative");
    }
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let to = match path {
        "" => from.to_owned(),
        path => match resolve(from, path) {
            Some(to) => to,
            None => return Some("leaves the repository"),
        },
    };
    let Some(text) = files.get(&to) else {
        let folder = format!("{to}/");
        let is_folder = files.keys().any(|path| path.starts_with(&folder));
        return (!is_folder).then_some("no such file");
    };
    (!heading.is_empty() && !anchors(text).contains(heading)).then_some("no such heading")
}

#[test]
fn every_relative_link_resolves() {
    assert_none(&broken_links(&files()));
}

#[test]
fn broken_links_are_noticed() {
    let files = of(&[
        (
            "docs/a.md",
            "# A B\n[x](b.md) [x](b.md#c-d) [x](#a-b) [x](../src) [x](https://example.org)\n\
             `[code](nowhere.md)`\n```\n[code](nowhere.md)\n```\n\
             [x](c.md)\n[x](b.md#e)\n[x](../../out.md)\n[x](/docs/b.md)\n[r]: d.md\n",
        ),
        ("docs/b.md", "## C: `d`!\n```\n# e\n```\n"),
        ("src/lib.rs", ""),
    ]);
    let parts = [
        "docs/a.md:7: c.md: no such file",
        "no such heading",
        "leaves the repository",
        "is not relative",
        "docs/a.md:11: d.md",
    ];
    assert_complaints(&broken_links(&files), &parts);
}
