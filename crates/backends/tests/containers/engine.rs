//! The container engine of this machine, and an image of the probe.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

/// An engine that answers, and the image's id.
pub(crate) struct Engine {
    pub(crate) socket: String,
    pub(crate) image: String,
}

/// What a program printed.
fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the engine is found as docker finds it"
)]
fn host() -> String {
    std::env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///run/docker.sock".to_owned())
}

fn docker(words: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command.args(words);
    command
}

impl Engine {
    /// None, and a word about it, where no engine answers.
    pub(crate) fn of_this_machine() -> Option<Self> {
        let answers = docker(&["info"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let host = host();
        let socket = host.strip_prefix("unix://");
        let (Some(socket), true) = (socket, answers.is_ok_and(|status| status.success())) else {
            // Past the test runner's capture.
            let said =
                b"SKIPPED: containers: no Docker engine answers: apt-get install docker.io\n";
            std::io::stderr().write_all(said).unwrap();
            return None;
        };
        let place = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/containers/probe.c");
        let mut compiler = Command::new("cc");
        compiler
            .args(["-static", "-Os", "-o"])
            .arg(place.path().join("probe"));
        printed(compiler.arg(source));
        let mut archive = Command::new("tar");
        archive
            .arg("-C")
            .arg(place.path())
            .args(["-cf", "-", "probe"]);
        let mut archive = archive.stdout(Stdio::piped()).spawn().unwrap();
        let mut import = docker(&["import", "--change", "VOLUME /kept", "-"]);
        let image = printed(import.stdin(archive.stdout.take().unwrap()));
        archive.wait().unwrap();
        Some(Self {
            socket: socket.to_owned(),
            image,
        })
    }

    /// The containers of a realm, one id a line.
    pub(crate) fn containers(&self, realm: &str) -> String {
        let filter = format!("label=realm.id={realm}");
        printed(&mut docker(&[
            "ps", "--all", "--quiet", "--filter", &filter,
        ]))
    }

    /// A container as a daemon leaves it behind that dies.
    pub(crate) fn leave_behind(&self, realm: &str, life: &str) {
        let labels = [format!("realm.id={realm}"), format!("realm.life={life}")];
        let words = [
            "run",
            "--detach",
            "--network",
            "none",
            "--label",
            &labels[0],
            "--label",
            &labels[1],
        ];
        let mut run = docker(&words);
        printed(run.args([&self.image, "/probe", "hang"]));
    }

    /// Removes the containers of a realm.
    pub(crate) fn remove(&self, realm: &str) {
        for container in self.containers(realm).lines() {
            printed(&mut docker(&["rm", "--force", "--volumes", container]));
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let mut remove = docker(&["image", "rm", "--force", &self.image]);
        let _ = remove.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}
