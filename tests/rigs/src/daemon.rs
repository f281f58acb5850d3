//! One real daemon: started, killed, stopped, and asked whether its store is sound.

use std::{
    fs::File,
    net::{IpAddr, Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use realm_client::Client;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    net::UnixDatagram,
    process::{Child, Command},
    time::timeout,
};

/// Longest wait for a program to start, to end, or to check a store.
const PATIENCE: Duration = Duration::from_secs(60);

/// The programs of a run.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    /// The daemon.
    pub(crate) realmd: PathBuf,
    /// This very program, which is the agent too.
    pub(crate) rig: PathBuf,
    /// The engine of the stores: `redb`.
    pub(crate) engine: String,
    /// The address that daemons listen on, each at a port of its own.
    pub(crate) host: IpAddr,
}

impl Programs {
    /// Takes the daemon's program, and what it stores with.
    pub(crate) fn new(realmd: &Path, engine: &str) -> anyhow::Result<Self> {
        let found = realmd.canonicalize();
        Ok(Self {
            realmd: found.with_context(|| format!("no daemon at {}", realmd.display()))?,
            rig: std::env::current_exe()?,
            engine: engine.to_owned(),
            host: Ipv4Addr::LOCALHOST.into(),
        })
    }
}

/// A daemon with a home of its own. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    programs: Programs,
    label: String,
    home: PathBuf,
    /// Holds the log, the notify socket and the recovery key.
    aside: PathBuf,
    child: Option<Child>,
    /// Where it says that it serves, and that it stops.
    notices: Option<UnixDatagram>,
}

impl Daemon {
    /// Makes a realm at `home`; what a daemon leaves outside of its home lies in `aside`.
    pub(crate) async fn init(
        programs: &Programs,
        label: &str,
        home: &Path,
        aside: &Path,
    ) -> anyhow::Result<Self> {
        let daemon = Self {
            programs: programs.clone(),
            label: label.to_owned(),
            home: home.to_owned(),
            aside: aside.to_owned(),
            child: None,
            notices: None,
        };
        let recovery = aside.join(format!("{label}.recovery"));
        let mut command = daemon.command();
        // A port that is free now.
        let host = programs.host;
        let port = TcpListener::bind((host, 0))?.local_addr()?.port();
        let listen = format!("/ip4/{host}/tcp/{port}");
        command.args(["init", label, "--listen", &listen, "--recovery"]);
        command.arg(recovery);
        let output = timeout(PATIENCE, command.output()).await??;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "realmd init {label}: {told}");
        Ok(daemon)
    }

    /// The realm's own label.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// The daemon's process id, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.programs.realmd);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", &self.aside)
            .env("NO_COLOR", "1")
            .env("REALMD_STORE__ENGINE", &self.programs.engine)
            .arg("--home")
            .arg(&self.home)
            .current_dir(&self.aside)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs it until it says that it serves.
    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        self.start_with(&[]).await
    }

    /// As [`Daemon::start`], with more in its environment.
    pub(crate) async fn start_with(&mut self, extra: &[(String, String)]) -> anyhow::Result<()> {
        let label = &self.label;
        let log = self.log_path();
        let log = File::options().append(true).create(true).open(log)?;
        let mut command = self.command();
        let notices = self.aside.join(format!("{label}.notify"));
        // Left by the daemon before.
        std::fs::remove_file(&notices).ok();
        let socket = self.notices.insert(UnixDatagram::bind(&notices)?);
        command
            .arg("run")
            .env("NOTIFY_SOCKET", &notices)
            .envs(extra.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::null())
            .stderr(log);
        let child = self.child.insert(command.spawn()?);
        let mut notice = [0; 4096];
        let served = async {
            loop {
                tokio::select! {
                    size = socket.recv(&mut notice) => {
                        let told = notice.get(..size?).unwrap_or_default();
                        if told.split(|byte| *byte == b'\n').any(|line| line == b"READY=1") {
                            return Ok(());
                        }
                    }
                    status = child.wait() => bail!("ended while starting: {}", status?),
                }
            }
        };
        let served = timeout(PATIENCE, served).await;
        let served = served.map_err(anyhow::Error::from).and_then(|it| it);
        served.with_context(|| format!("{label} does not start; its log ends\n{}", self.log_end()))
    }

    fn log_path(&self) -> PathBuf {
        self.aside.join(format!("{}.log", self.label))
    }

    /// The last lines it logged.
    pub(crate) fn log_end(&self) -> String {
        let log = std::fs::read(self.log_path()).unwrap_or_default();
        let end = log.len().saturating_sub(4_000);
        String::from_utf8_lossy(log.get(end..).unwrap_or_default()).into_owned()
    }

    /// Connects to its local API. The client stays good across restarts.
    pub(crate) async fn client(&self) -> anyhow::Result<Client> {
        Ok(Client::connect(self.home.join("realmd.sock")).await?)
    }

    /// Ends it without a chance to tidy up.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// Asks it to stop, and waits; it must end well.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        if let Some(pid) = self.pid().and_then(|pid| Pid::from_raw(pid.cast_signed())) {
            kill_process(pid, Signal::TERM)?;
            let status = self.ended().await?;
            ensure!(
                status.success(),
                "{}: {status}\n{}",
                self.label,
                self.log_end()
            );
        }
        Ok(())
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<ExitStatus> {
        let child = self.child.as_mut().context("it does not run")?;
        let status = timeout(PATIENCE, child.wait()).await;
        let status = status.with_context(|| format!("{} does not end", self.label))?;
        self.child = None;
        Ok(status?)
    }

    /// Looks through its store while no daemon has it open; none if it is sound, else what was said.
    pub(crate) async fn damage(&self) -> anyhow::Result<Option<String>> {
        let mut command = self.command();
        command.args(["store", "check"]);
        let output = timeout(PATIENCE, command.output()).await??;
        let told = [output.stdout, output.stderr].concat();
        let told = String::from_utf8_lossy(&told).into_owned();
        Ok((!output.status.success()).then(|| format!("{}: {told}", self.label)))
    }
}
