//! Files: definitions that are broken, modes that keep others out, a disk that is full.

use std::{
    fs,
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use crate::{limit::skip, person::Person};

#[test]
fn a_broken_definition_is_shown_at_its_place_and_nothing_of_the_set_is_applied() {
    let person = Person::new();
    let daemon = person.realm("lab");
    let good = "id: good\nversion: 1.0.0\nkind: tool\ninputSchema: {type: object}\n\
                outputSchema: {type: object}\ntool: {implementation: 'builtin:echo'}\n";
    person.write("set/a-good.yaml", good);
    let bad = person.write(
        "set/b-bad.yaml",
        &good.replace("id: good", "id: bad").replace("1.0.0", "one"),
    );

    person.ctl("apply -f set").fails(
        3,
        &[
            "error[RLM-03",
            "nothing was applied",
            "b-bad.yaml:2:10: ",
            "version: one",
            "[loop.version]",
            "help: write three numbers",
        ],
    );
    assert_eq!(person.ctl("loop ls -o name").ok(), "echo");
    let problem = person.ctl("apply -f set -o json");
    assert_eq!(problem.out, "");

    // Two that stand alone and not together, a missing file, no YAML at all: each at its place.
    person.write("set/b-bad.yaml", &good.replace("version: 1", "version: 2"));
    person
        .ctl("apply -f set")
        .fails(3, &["b-bad.yaml:1:", "`good`"]);
    fs::write(
        &bad,
        good.replace("{type: object}", "{$file: nowhere.json}"),
    )
    .unwrap();
    person
        .ctl("apply -f set")
        .fails(3, &["b-bad.yaml:4:", "nowhere.json"]);
    fs::write(&bad, "id: [\n").unwrap();
    person.ctl("apply -f set").fails(3, &["b-bad.yaml:"]);
    person
        .ctl("check set/b-bad.yaml")
        .fails(3, &["b-bad.yaml:"]);
    assert_eq!(person.ctl("loop ls -o name").ok(), "echo");

    fs::remove_file(&bad).unwrap();
    person.ctl("apply -f set").ok();
    assert_eq!(person.ctl("loop ls -o name").ok(), "echo\ngood");
    daemon.stop();
}

#[test]
fn what_comes_with_a_realm_stays_and_what_only_uses_it_can_be_removed() {
    let person = Person::new();
    let daemon = person.realm("lab");
    person.write(
        "own.yaml",
        "id: own\nversion: 1.0.0\nkind: tool\ninputSchema: {type: object}\n\
         outputSchema: {type: object}\ntool: {implementation: 'builtin:echo'}\n",
    );
    person.ctl("apply -f own.yaml").ok();

    person.ctl("loop rm own --yes").ok();
    person
        .ctl("loop rm echo --yes")
        .fails(2, &["loop `echo` is built in"]);

    assert_eq!(person.ctl("loop ls -o name").ok(), "echo");
    daemon.stop();
}

#[test]
fn everything_is_the_owners_alone_whatever_the_umask() {
    let person = Person::inside(&["sh", "-c", "umask 0; exec \"$@\"", "sh"]);
    let daemon = person.realm("lab");
    person.ctl("invoke echo text=hello").ok();
    person.ctl("backup saved").ok();

    let mut found = Vec::new();
    collect(&person.home("lab"), &mut found);
    found.extend([
        person.dir().join("lab.recovery"),
        person.dir().join("saved"),
    ]);
    for path in found {
        let mode = path.symlink_metadata().unwrap().permissions().mode() & 0o7777;
        let wanted = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, wanted, "{}: {mode:o}", path.display());
    }
    daemon.stop();

    // What somebody opened to others is refused, with the command that closes it.
    let key = person.home("lab").join("keys/node.key");
    for (path, loose) in [(person.home("lab"), 0o755), (key, 0o644)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(loose)).unwrap();
        let refused = person.run("realmd", &["run", "lab"], "");
        let told = refused.fails(3, &["error[RLM-0205]", path.to_str().unwrap()]);
        let fix = told
            .lines()
            .find_map(|line| line.strip_prefix("help: "))
            .unwrap();
        person.run("sh", &["-c", fix], "").ok();
    }
    person.start("lab").stop();
}

fn collect(dir: &Path, found: &mut Vec<PathBuf>) {
    found.push(dir.to_owned());
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn another_user_reads_no_key_and_gets_no_answer() {
    if !is_root() {
        skip("only root can act as another user");
        return;
    }
    let person = Person::new();
    let daemon = person.realm("lab");
    let (home, socket) = (daemon.home().to_owned(), daemon.home().join("realmd.sock"));
    let own = person.dir().join("realmctl");
    fs::copy(crate::person::programs().join("realmctl"), &own).unwrap();
    let nobody = |words: &[&str]| {
        let all = [
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
            "--",
        ];
        person.run("setpriv", &[&all, words].concat(), "")
    };
    let status = [
        own.to_str().unwrap(),
        "--home",
        home.to_str().unwrap(),
        "status",
    ];
    for file in [
        "keys/realm.key",
        "keys/store.key",
        "realm.toml",
        "realmd.sock",
    ] {
        let path = home.join(file);
        nobody(&["cat", path.to_str().unwrap()]).fails(1, &["Permission denied"]);
    }
    assert_ne!(nobody(&status).code, 0);

    // Even with every door open, the daemon asks who is there.
    for dir in [
        person.dir().join(".local"),
        person.dir().join(".local/share"),
        home.clone(),
    ] {
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::set_permissions(home.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(home.join("realm.toml"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
    assert!(socket.symlink_metadata().unwrap().file_type().is_socket());
    let refused = nobody(&status);
    assert_ne!(refused.code, 0);
    assert_eq!(refused.out, "");
    daemon.wait_for("another user was turned away", 1);
    person.ctl("status").ok();
    daemon.stop();
}

#[test]
fn a_full_disk_loses_nothing_acknowledged_and_says_what_helps() {
    let person = Person::new();
    person.ctl("init lab").ok();
    let Some(disk) = Disk::mount(&person.home("lab").join("data")) else {
        skip("only root can mount a small disk");
        return;
    };
    let daemon = person.start("lab");
    let folder = person.sh_loop("lab", "note", "once", "cat > last\nprintf '{}'\n");

    let input = format!(r#"{{"text":"{}"}}"#, "x".repeat(60_000));
    let mut acknowledged = Vec::new();
    let refused = loop {
        let done = person.ctl_with("invoke note -i - -o json", &input);
        if done.code != 0 {
            break done;
        }
        acknowledged.push(done.json()["runId"].as_str().unwrap().to_owned());
        assert!(acknowledged.len() < 500, "the disk does not fill");
    };
    refused.fails(1, &["error[RLM-0121]", "help: "]);
    let (status, log) = daemon.ended();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("error[RLM-0705]: the store failed"), "{log}");
    assert!(
        log.contains("help: free space on the disk, then start again"),
        "{log}"
    );

    // With room again, everything that was acknowledged is there.
    disk.grow();
    let daemon = person.start("lab");
    assert!(!acknowledged.is_empty());
    for run in &acknowledged {
        let run = person.ctl(&format!("run show {run} -o json")).json();
        assert_eq!(run["status"], "completed", "{run}");
        assert_eq!(run["input"]["text"].as_str().unwrap().len(), 60_000);
    }
    assert!(folder.join("last").exists());
    daemon.stop();
    assert!(
        person
            .run("realmd", &["store", "check"], "")
            .ok()
            .contains("sound")
    );
}

/// A disk of two MiB over a folder, until it is dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(dir: &Path) -> Option<Self> {
        let options = "size=2m,mode=0700";
        let path = dir.to_str().unwrap();
        let mounted = run("mount", &["-t", "tmpfs", "-o", options, "tmpfs", path]);
        mounted.then(|| Self(dir.to_owned()))
    }

    fn grow(&self) {
        assert!(run(
            "mount",
            &["-o", "remount,size=64m", self.0.to_str().unwrap()]
        ));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &["-l", self.0.to_str().unwrap()]);
    }
}

fn run(program: &str, words: &[&str]) -> bool {
    let output = std::process::Command::new(program).args(words).output();
    output.is_ok_and(|output| output.status.success())
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
