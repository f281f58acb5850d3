//! A person at a machine: an account of their own, the programs, a folder to work in.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    daemon::Daemon,
    limit::{PATIENCE, output_within},
};

/// The programs under their real names, in a folder of their own: `realmctl` looks for `realmd`
/// beside itself.
pub(crate) fn programs() -> &'static Path {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("programs");
        fs::create_dir_all(&dir).unwrap();
        for (built, name) in [
            (env!("CARGO_BIN_EXE_realmd-under-test"), "realmd"),
            (env!("CARGO_BIN_EXE_realmctl-under-test"), "realmctl"),
        ] {
            let (new, place) = (
                dir.join(format!("{name}.{}", std::process::id())),
                dir.join(name),
            );
            fs::hard_link(built, &new)
                .or_else(|_| fs::copy(built, &new).map(drop))
                .unwrap();
            fs::rename(&new, &place).unwrap();
            // Renaming one link of a file onto another leaves both.
            fs::remove_file(&new).ok();
        }
        dir
    })
}

/// What a command left: its exit code and what it wrote.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) command: String,
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Outcome {
    /// Requires success; gives what was written on standard output, without the last line end.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:#?}");
        self.out.trim_end().to_owned()
    }

    /// Requires this exit code, and these parts in what was said; gives all of it.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, parts: &[&str]) -> String {
        assert_eq!(self.code, code, "{self:#?}");
        for part in parts {
            assert!(self.err.contains(part), "no `{part}` in {self:#?}");
        }
        self.err
    }

    /// Requires success and one JSON document.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        let command = self.command.clone();
        let out = self.ok();
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{command}: {error}: {out}"))
    }
}

/// A person: a home directory that nobody else uses.
#[derive(Debug)]
pub(crate) struct Person {
    dir: TempDir,
    /// What every command begins with: `ip netns exec NAME`.
    prefix: Vec<String>,
    /// Whose files theirs are, if not the tests' own.
    user: Option<u32>,
}

impl Person {
    /// Somebody who never used the programs before.
    pub(crate) fn new() -> Self {
        Self::inside(&[])
    }

    /// As [`Person::new`]; every command runs by way of this one.
    pub(crate) fn inside(prefix: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("realm-").tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let prefix = prefix.iter().map(|&word| word.to_owned()).collect();
        let user = None;
        Self { dir, prefix, user }
    }

    /// Somebody of another number on this machine, which only root can act as. The programs lie in their own folder.
    pub(crate) fn numbered(user: u32) -> Self {
        let number = user.to_string();
        let of = ["setpriv", "--reuid", &number, "--regid", &number];
        let mut person = Self::inside(&of);
        person.user = Some(user);
        let bin = person.dir().join("bin");
        fs::create_dir(&bin).unwrap();
        for name in ["realmd", "realmctl"] {
            fs::copy(programs().join(name), bin.join(name)).unwrap();
        }
        person.own(&bin);
        person.own(person.dir());
        let path = format!("PATH={}:/usr/local/bin:/usr/bin:/bin", bin.display());
        let more = ["--clear-groups", "--", "env", &path];
        person.prefix.extend(more.map(str::to_owned));
        person
    }

    fn own(&self, path: &Path) {
        if self.user.is_some() {
            chown(path, self.user, self.user).unwrap();
        }
    }

    /// The folder commands run in, which is the home directory too.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The home of a realm by its name.
    pub(crate) fn home(&self, realm: &str) -> PathBuf {
        self.dir().join(".local/share/realm").join(realm)
    }

    /// Writes a file, and the folders it lies in.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir().join(name);
        let folder = path.parent().unwrap();
        fs::create_dir_all(folder).unwrap();
        fs::write(&path, text).unwrap();
        self.own(folder);
        self.own(&path);
        path
    }

    /// Gives an agent of a realm a token of its own.
    pub(crate) fn agent_token(&self, home: &Path, agent: &str) -> String {
        let token = format!("{agent}-{}", "t".repeat(40));
        let key = home.join(format!("keys/{agent}.token"));
        fs::write(&key, &token).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        let file = home.join("realm.toml");
        let text = fs::read_to_string(&file).unwrap();
        let table = format!("\n[agents.{agent}]\ntoken = \"file:keys/{agent}.token\"\n");
        fs::write(&file, text + &table).unwrap();
        token
    }

    /// A command as this person would type it.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut words = self.prefix.iter().map(String::as_str).chain([program]);
        let mut command = Command::new(words.next().unwrap());
        #[expect(
            clippy::disallowed_methods,
            reason = "a test finds the machine's programs"
        )]
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .args(words)
            .env_clear()
            .env("PATH", format!("{}:{path}", programs().display()))
            .env("HOME", self.dir())
            .env("NO_COLOR", "1")
            .current_dir(self.dir())
            .stdin(Stdio::null());
        command
    }

    /// Runs `realmctl`.
    #[track_caller]
    pub(crate) fn ctl(&self, line: &str) -> Outcome {
        self.ctl_with(line, "")
    }

    /// Runs `realmctl` with this on its standard input. Words are split at spaces.
    #[track_caller]
    pub(crate) fn ctl_with(&self, line: &str, input: &str) -> Outcome {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.run("realmctl", &words, input)
    }

    /// Runs a program to its end.
    #[track_caller]
    pub(crate) fn run(&self, program: &str, words: &[&str], input: &str) -> Outcome {
        let mut command = self.command(program);
        command.args(words);
        let output = output_within(PATIENCE, command, input);
        Outcome {
            command: format!("{program} {}", words.join(" ")),
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Makes a realm, and runs it.
    #[track_caller]
    pub(crate) fn realm(&self, name: &str) -> Daemon {
        self.ctl(&format!("init {name}")).ok();
        self.start(name)
    }

    /// Runs a realm, and waits until it serves.
    #[track_caller]
    pub(crate) fn start(&self, name: &str) -> Daemon {
        Daemon::start(self, &self.home(name))
    }

    /// Registers a loop that runs a shell program in a folder of its own; gives the folder.
    #[track_caller]
    pub(crate) fn sh_loop(&self, realm: &str, id: &str, effects: &str, program: &str) -> PathBuf {
        let definition = format!(
            "id: {id}\nversion: 1.0.0\nkind: tool\ninputSchema: {{type: object}}\n\
             outputSchema: {{type: object}}\neffects: {effects}\n\
             tool: {{implementation: process, config: {{argv: [sh, main.sh]}}}}\n\
             limits: {{timeout: 30s, concurrency: 16}}\n"
        );
        self.write(&format!("{id}/main.sh"), program);
        let file = self.write(&format!("{id}/loop.yaml"), &definition);
        self.ctl(&format!("-r {realm} apply -f {}", file.display()))
            .ok();
        self.dir().join(id)
    }
}
