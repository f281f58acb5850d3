use super::*;

fn names(request: &ApplyRequest, referred: bool) -> Vec<&str> {
    let files = request
        .files
        .iter()
        .filter(|file| file.referred == referred);
    files
        .map(|file| file.name.rsplit('/').next().unwrap())
        .collect()
}

#[test]
fn a_folder_gives_definitions_and_tells_the_files_they_refer_to_apart() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [
        (
            "loop.yaml",
            "id: a\ninputSchema: {$file: in.json}\noutputSchema:\n  $file: 'out.json' # x\n",
        ),
        ("in.json", "{}"),
        ("out.json", "{}"),
        (
            "b.json",
            r#"{"id": "b", "inputSchema": {"$file": "in.json"}}"#,
        ),
        ("main.py", ""),
        (".hidden.yaml", ""),
    ] {
        fs::write(dir.path().join(name), text).unwrap();
    }

    let request = collect(&[dir.path().to_owned()]).unwrap();

    assert_eq!(names(&request, false), ["b.json", "loop.yaml"]);
    assert_eq!(names(&request, true), ["in.json", "out.json"]);
    assert!(
        request
            .files
            .iter()
            .all(|file| Path::new(&file.name).is_absolute())
    );
}

#[test]
fn a_definition_cannot_pick_files_outside_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("secret.json"), "1").unwrap();
    let inner = dir.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let text = format!(
        "a: {{$file: ../secret.json}}\nb: {{$file: {}/secret.json}}\n",
        dir.path().display()
    );
    fs::write(inner.join("loop.yaml"), text).unwrap();

    let request = collect(&[inner]).unwrap();

    assert_eq!(names(&request, false), ["loop.yaml"]);
    assert_eq!(names(&request, true), [] as [&str; 0]);
}
