//! Keys behind a passphrase, and realms that are handed on.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use crate::{daemon::Daemon, person::Person};

const PASSPHRASE: &str = "quite a long passphrase";
const CANARY: &str = "canary-that-no-file-shows";

/// A file that only its owner can read.
fn secret(person: &Person, name: &str, text: &str) -> PathBuf {
    let path = person.write(name, text);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// Every file below a folder, with its content.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut all = Vec::new();
    for path in entries {
        if path.is_dir() {
            all.extend(files(&path));
        } else if path.is_file() {
            let content = fs::read(&path).unwrap();
            all.push((path, content));
        }
    }
    all
}

fn shows(content: &[u8], text: &str) -> bool {
    content
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

#[test]
fn a_realm_behind_a_passphrase_starts_with_a_credential_and_leaves_no_key_on_the_disk() {
    let person = Person::new();
    secret(&person, "right", PASSPHRASE);
    secret(&person, "wrong", "another passphrase");
    person.ctl("init lab --passphrase-file right").ok();
    let home = person.home("lab");

    // Nobody gets in without it, and nobody is told more than that.
    let run = |words: &[&str]| person.run("realmd", words, "");
    run(&["run", "lab"]).fails(3, &["error[RLM-0207]", "help: name a file"]);
    let wrong = run(&["run", "lab", "--passphrase-file", "wrong"]);
    wrong.fails(3, &["error[RLM-0207]", "does not open"]);

    // systemd gives it as a credential.
    let credentials = secret(&person, "credentials/realm-passphrase", PASSPHRASE);
    let credentials = credentials.parent().unwrap();
    let variables = [("CREDENTIALS_DIRECTORY", credentials)];
    let daemon = Daemon::start_with(&person, &home, &variables);
    let input = format!("invoke echo said={CANARY}");
    assert!(person.ctl(&input).ok().contains(CANARY));
    daemon.stop();

    for (path, content) in files(&home) {
        assert!(!shows(&content, CANARY), "{}", path.display());
        assert!(!shows(&content, PASSPHRASE), "{}", path.display());
    }
    for name in ["realm.key", "node.key", "store.key"] {
        let text = fs::read_to_string(home.join("keys").join(name)).unwrap();
        assert!(text.starts_with("realm wrapped key 1\n"), "{name}: {text}");
    }

    // The passphrase changes, the realm is handed on, and it is the same realm.
    secret(&person, "new", "a new passphrase");
    let before = person.ctl("key show -o json").json();
    let change = "key passphrase --passphrase-file right --new-passphrase-file new";
    person.ctl(change).ok();
    let rotate = "key rotate --recovery lab.recovery --passphrase-file";
    person
        .ctl(&format!("{rotate} right"))
        .fails(3, &["error[RLM-0207]"]);
    person.ctl(&format!("{rotate} new")).ok();
    person
        .ctl(&format!("{rotate} new"))
        .fails(3, &["not the recovery key", "realmd key show"]);
    let after = person.ctl("key show -o json").json();
    assert_eq!(after["realm"], before["realm"]);
    assert_eq!(
        (&before["realmKey"]["number"], &after["realmKey"]["number"]),
        (&0.into(), &1.into())
    );
    assert!(person.dir().join("lab.recovery-2").is_file());
    fs::write(credentials.join("realm-passphrase"), "a new passphrase").unwrap();
    let daemon = Daemon::start_with(&person, &home, &variables);
    assert!(person.ctl(&input).ok().contains(CANARY));
    daemon.stop();
}

#[test]
fn a_peer_follows_a_realm_that_was_handed_on_and_an_old_folder_of_keys_does_not_start() {
    let (mercy, lab) = (Person::new(), Person::new());
    let (mercy_daemon, lab_daemon) = (mercy.realm("mercy"), lab.realm("lab"));
    let ticket = lab.ctl("invite --peer --allow *").ok();
    mercy.ctl_with("join -", &ticket).ok();
    mercy.ctl("invoke echo@lab n:=1").ok();
    let keys = lab.home("lab").join("keys");
    let old: Vec<_> = files(&keys);
    lab.ctl("key rotate --recovery lab.recovery")
        .fails(3, &["another daemon runs"]);
    lab_daemon.stop();

    lab.ctl("key rotate --recovery lab.recovery --compromised")
        .ok();
    let lab_daemon = lab.start("lab");
    mercy_daemon.wait_for("link up", 2);

    mercy.ctl("invoke echo@lab n:=2").ok();
    let found = mercy.ctl("doctor -o json").json().to_string();
    assert!(
        found.contains("no realm has shown two successors"),
        "{found}"
    );
    lab_daemon.stop();
    for (path, content) in old {
        fs::write(path, content).unwrap();
    }
    let refused = lab.run("realmd", &["run", "lab"], "");
    refused.fails(3, &["error[RLM-0208]", "help: put the newest keys back"]);
    mercy_daemon.stop();
}

#[test]
fn a_secret_that_a_loop_names_is_in_no_file_and_no_output_of_the_realm() {
    let person = Person::new();
    person.ctl("init lab").ok();
    let home = person.home("lab");
    let key = secret(&person, "genomes", "sk-canary-of-genomes");
    let config = fs::read_to_string(home.join("realm.toml")).unwrap();
    let config = format!(
        "{config}\n[secrets.genomes]\nkey = \"file:{}\"\n",
        key.display()
    );
    fs::write(home.join("realm.toml"), config).unwrap();
    let program = |id: &str, script: &str| {
        let script = person.write(&format!("{id}.sh"), script);
        format!(
            "id: {id}\nversion: 1.0.0\nkind: tool\ninputSchema: {{type: object}}\noutputSchema: {{type: object}}\n\
             tool: {{implementation: process, config: {{argv: [sh, {}], secrets: {{TOKEN: genomes}}}}}}\n",
            script.display()
        )
    };
    let right = program(
        "right",
        "test \"$(printf %s \"$TOKEN\" | wc -c)\" = 20 && echo {}\n",
    );
    let wrong = program("wrong", "echo \"worn out: $TOKEN\" >&2; exit 1\n");
    let path = person.write("loops.yaml", &format!("{right}---\n{wrong}"));

    // Others could read it: nothing begins.
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let check = |part: &str| {
        let check = ["check"];
        person
            .run("realmd", &check, "")
            .fails(3, &["secrets.genomes.key", part]);
    };
    check("chmod 600");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    person.run("realmd", &["check"], "").ok();

    let daemon = person.start("lab");
    person.ctl(&format!("apply -f {}", path.display())).ok();
    person.ctl("invoke right").ok();
    let failed = person.ctl("invoke wrong").fails(8, &["worn out"]);
    assert!(!failed.contains("sk-canary"), "{failed}");
    let shown = [
        "run ls -o json",
        "loop show right -o json",
        "config show -o json",
    ];
    for line in shown {
        assert!(!person.ctl(line).ok().contains("sk-canary"), "{line}");
    }
    assert!(!daemon.log().contains("sk-canary"));
    daemon.stop();
    for (path, content) in files(&home) {
        assert!(!shows(&content, "sk-canary"), "{}", path.display());
    }
    fs::remove_file(&key).unwrap();
    check("cannot be read");
}
