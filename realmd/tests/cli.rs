//! The commands that need no daemon, as a person runs them.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;

#[test]
fn init_makes_a_closed_home_and_leaves_the_recovery_key_outside() {
    let place = TempDir::new().unwrap();

    let made = realmd(&place, &["init", "lab"]);

    assert!(made.status.success(), "{}", text(&made.stderr));
    let home = place.path().join("data/realm/lab");
    for dir in [home.clone(), home.join("keys"), home.join("data")] {
        assert_eq!(mode(&dir), 0o700, "{}", dir.display());
    }
    for file in fs::read_dir(home.join("keys")).unwrap() {
        let file = file.unwrap().path();
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    assert_eq!(mode(&place.path().join("lab.recovery")), 0o600);
    let said = text(&made.stdout);
    assert!(
        said.contains("own-tree") && said.contains("realmd run lab"),
        "{said}"
    );
}

#[test]
fn init_refuses_a_recovery_key_inside_the_home_and_leaves_nothing_behind() {
    let place = TempDir::new().unwrap();

    let refused = realmd(
        &place,
        &[
            "init",
            "lab",
            "--home",
            "lab",
            "--recovery",
            "lab/keys/next",
        ],
    );

    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).starts_with("error[RLM-0510]:"));
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn init_leaves_an_existing_home_as_it_is() {
    let place = TempDir::new().unwrap();
    assert!(
        realmd(&place, &["init", "lab", "--home", "lab"])
            .status
            .success()
    );
    let key = fs::read(place.path().join("lab/keys/realm.key")).unwrap();

    let again = realmd(
        &place,
        &[
            "init",
            "lab",
            "--home",
            "lab",
            "--recovery",
            "other.recovery",
        ],
    );

    assert_eq!(again.status.code(), Some(2));
    assert_eq!(
        fs::read(place.path().join("lab/keys/realm.key")).unwrap(),
        key
    );
    assert!(!place.path().join("other.recovery").exists());
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_command_that_helps() {
    let place = TempDir::new().unwrap();
    assert!(
        realmd(&place, &["init", "lab", "--home", "lab"])
            .status
            .success()
    );
    let key = place.path().join("lab/keys/node.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();

    let refused = realmd(&place, &["check", "--home", "lab"]);

    assert_eq!(refused.status.code(), Some(3));
    let said = text(&refused.stderr);
    assert!(said.starts_with("error[RLM-0205]:"), "{said}");
    assert!(said.contains("help: chmod 600 "), "{said}");
}

#[test]
fn a_wrong_configuration_is_shown_with_all_its_problems_at_their_places() {
    let place = TempDir::new().unwrap();
    let file = "name = \"lab\"\nlisten = []\nlog = { levle = \"info\" }\n[limits]\nmax_calls = 0\n";
    fs::write(place.path().join("realm.toml"), file).unwrap();

    let refused = realmd(&place, &["check", "realm.toml"]);

    assert_eq!(refused.status.code(), Some(3));
    assert_eq!(
        text(&refused.stderr),
        "error[RLM-0202]: the configuration has 2 problems\n  \
           realm.toml:3:9: `log.levle` is no key\n    \
             3 | log = { levle = \"info\" }\n      \
               |         ^^^^^\n    \
             help: did you mean `log.level`?\n  \
           realm.toml:5:13: `limits.max_calls` must be from 1 to 65536\n    \
             5 | max_calls = 0\n      \
               |             ^\n\
         help: realmd config schema\n"
    );
}

#[test]
fn variables_lie_over_the_file() {
    let place = TempDir::new().unwrap();
    assert!(
        realmd(&place, &["init", "lab", "--home", "lab"])
            .status
            .success()
    );

    let shown = command(
        &place,
        &["config", "explain", "store.retention", "--home", "lab"],
    )
    .env("REALMD_STORE__RETENTION", "7d")
    .output()
    .unwrap();

    let said = text(&shown.stdout);
    assert!(said.contains("value    \"7d\""), "{said}");
    assert!(said.contains("REALMD_STORE__RETENTION"), "{said}");
}

#[test]
fn a_broken_definition_is_refused_at_its_place() {
    let place = TempDir::new().unwrap();
    fs::write(
        place.path().join("loop.yaml"),
        "id: hello\nversion: 1.0.0\nkind: tol\n",
    )
    .unwrap();

    let refused = realmd(&place, &["check", "loop.yaml"]);

    assert_eq!(refused.status.code(), Some(3));
    assert!(
        text(&refused.stderr).contains("loop.yaml:3:7:"),
        "{}",
        text(&refused.stderr)
    );
}

fn realmd(place: &TempDir, arguments: &[&str]) -> Output {
    command(place, arguments).output().unwrap()
}

fn command(place: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_realmd"));
    command
        .args(arguments)
        .current_dir(place.path())
        .env_clear();
    command.env("XDG_DATA_HOME", place.path().join("data"));
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}
