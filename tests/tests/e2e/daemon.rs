//! One running daemon.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read},
    os::unix::{fs::PermissionsExt as _, net::UnixDatagram},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread,
};

use rustix::process::{Signal, kill_process};

use crate::{
    http::Socket,
    limit::{PATIENCE, exit_within, pid},
    person::Person,
};

/// A daemon in the foreground of some terminal. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Option<Child>,
    home: PathBuf,
    log: Arc<Log>,
}

impl Daemon {
    /// Runs `realmd run --home HOME`, and waits until it says that it serves.
    #[track_caller]
    pub(crate) fn start(person: &Person, home: &Path) -> Self {
        Self::start_with(person, home, &[])
    }

    /// As [`Daemon::start`], with these variables in its environment.
    #[track_caller]
    pub(crate) fn start_with(person: &Person, home: &Path, variables: &[(&str, &Path)]) -> Self {
        let mut command = person.command("realmd");
        command.envs(variables.iter().copied());
        Self::start_by(command, person, home)
    }

    /// As [`Daemon::start`], by a command that is `realmd` so far.
    #[track_caller]
    pub(crate) fn start_by(mut command: Command, person: &Person, home: &Path) -> Self {
        let notices = Notices::open(person.dir());
        let mut child = command
            .args(["run", "--home", home.to_str().unwrap()])
            .env("NOTIFY_SOCKET", &notices.path)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Log::read(child.stderr.take().unwrap());
        let home = home.to_owned();
        let daemon = Self {
            child: Some(child),
            home,
            log,
        };
        notices.wait_for_ready(&daemon);
        daemon
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Its home.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// Its local API.
    pub(crate) fn api(&self) -> Socket {
        Socket::new(self.home.join("realmd.sock"))
    }

    /// Waits until it has logged this so many times since it started.
    #[track_caller]
    pub(crate) fn wait_for(&self, part: &str, times: usize) {
        let text = self.log.text.lock().unwrap();
        let lacks = |text: &mut String| text.matches(part).count() < times;
        let waited = self.log.grown.wait_timeout_while(text, PATIENCE, lacks);
        let (text, timeout) = waited.unwrap();
        // Not while the lock is held: dropping the daemon reads the log.
        let missing = timeout.timed_out().then(|| text.clone());
        drop(text);
        assert!(missing.is_none(), "not {times} times `{part}`");
    }

    /// Has it read the configuration again, for this many times since it started.
    #[track_caller]
    pub(crate) fn reload(&self, times: usize) {
        self.signal(Signal::HUP);
        self.wait_for("the configuration was read again", times);
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.text.lock().unwrap().clone()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child {
            kill_process(pid(child), signal).unwrap();
        }
    }

    /// Ends it as a power cut would, without a chance to tidy up.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    /// Asks it to stop, and waits; it must end well, and must not have logged an error.
    #[track_caller]
    pub(crate) fn stop(self) {
        self.signal(Signal::TERM);
        let (status, log) = self.ended();
        assert!(status.success(), "{status}: {log}");
        assert!(!log.contains(r#""level":"ERROR""#), "{log}");
    }

    /// Waits until it ends; gives how, and everything it logged.
    #[track_caller]
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let status = exit_within(PATIENCE, self.child.take().unwrap());
        (status, self.log.whole())
    }

    fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.end();
        if thread::panicking() {
            eprintln!("{}:\n{}", self.home.display(), self.log.whole());
        }
    }
}

/// What a daemon writes on standard error, as it comes.
#[derive(Debug, Default)]
struct Log {
    text: Mutex<String>,
    is_over: Mutex<bool>,
    grown: Condvar,
    over: Condvar,
}

impl Log {
    fn read(stream: impl Read + Send + 'static) -> Arc<Self> {
        let log = Arc::new(Self::default());
        let writer = Arc::clone(&log);
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let mut text = writer.text.lock().unwrap();
                text.push_str(&line);
                text.push('\n');
                writer.grown.notify_all();
            }
            *writer.is_over.lock().unwrap() = true;
            writer.over.notify_all();
        });
        log
    }

    /// Everything, once the daemon has ended.
    fn whole(&self) -> String {
        let is_over = self.is_over.lock().unwrap();
        // A program the daemon left behind may hold the pipe: what is there is then all.
        drop(
            self.over
                .wait_timeout_while(is_over, PATIENCE, |over| !*over)
                .unwrap(),
        );
        self.text.lock().unwrap().clone()
    }
}

/// The service manager's end of a `NOTIFY_SOCKET`.
struct Notices {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Notices {
    fn open(dir: &Path) -> Self {
        let path = dir.join("notify");
        // Left by the daemon before.
        fs::remove_file(&path).ok();
        let socket = UnixDatagram::bind(&path).unwrap();
        // The daemon may be another user's.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        Self { socket, path }
    }

    #[track_caller]
    fn wait_for_ready(&self, daemon: &Daemon) {
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut notice = [0; 4096];
        loop {
            let size = self.socket.recv(&mut notice);
            let size = size.unwrap_or_else(|error| panic!("{}: {error}", daemon.home.display()));
            let mut lines = notice[..size].split(|byte| *byte == b'\n');
            if lines.any(|line| line == b"READY=1") {
                return;
            }
        }
    }
}
