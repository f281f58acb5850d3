//! NATS: two leaf servers at a hub, TLS between servers, and JetStream that syncs each message.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use async_nats::{Client, jetstream};
use futures::StreamExt as _;
use tokio::process::Command;

use crate::{load::Call, process::Program, realms::PAYLOAD};

/// What is asked for.
const SUBJECT: &str = "bench.echo";
/// What is kept.
const KEPT: &str = "bench.kept";
/// How long the servers may take until they carry messages.
const PATIENCE: Duration = Duration::from_secs(15);

/// Whether the server is installed.
pub(crate) fn is_installed() -> bool {
    let version = std::process::Command::new("nats-server")
        .arg("--version")
        .output();
    version.is_ok_and(|output| output.status.success())
}

/// Why the server that is installed cannot sync each message; none if it can.
pub(crate) fn cannot_sync(dir: &Path) -> Result<Option<String>> {
    let path = dir.join("nats-sync.conf");
    fs::write(&path, "jetstream { sync_interval: always }\n")?;
    let mut test = std::process::Command::new("nats-server");
    let output = test.arg("-t").arg("-c").arg(&path).output()?;
    let told = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Ok((!output.status.success()).then_some(told))
}

/// Leaf, hub, leaf, and whoever answers behind the second leaf.
#[derive(Debug)]
pub(crate) struct Servers {
    /// The servers.
    pub(crate) servers: Vec<Program>,
    /// The program that answers.
    pub(crate) answering: Option<Program>,
    near: String,
    far: String,
}

impl Servers {
    /// Starts the three servers; with `store`, the far one has JetStream.
    async fn start(dir: &Path, store: bool) -> Result<Self> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let (cert, key) = (dir.join("nats.pem"), dir.join("nats.key"));
        fs::write(&cert, made.cert.pem())?;
        fs::write(&key, made.signing_key.serialize_pem())?;
        let [hub, leaves, near, far] = free_ports()?;
        let (cert, key) = (cert.display(), key.display());
        let hub = format!(
            "listen: 127.0.0.1:{hub}\nleafnodes {{ listen: 127.0.0.1:{leaves}\n\
             tls {{ cert_file: '{cert}', key_file: '{key}' }} }}\n"
        );
        let leaf = |port| {
            format!(
                "listen: 127.0.0.1:{port}\nleafnodes {{ remotes = [ {{ url: 'tls://localhost:{leaves}'\n\
                 tls {{ ca_file: '{cert}' }} }} ] }}\n"
            )
        };
        let kept = format!(
            "jetstream {{ store_dir: '{}', domain: far, sync_interval: always }}\n",
            dir.join("jetstream").display()
        );
        let far_config = if store { leaf(far) + &kept } else { leaf(far) };
        let mut servers = Vec::new();
        for (name, config) in [("hub", hub), ("near", leaf(near)), ("far", far_config)] {
            let path = dir.join(format!("nats-{name}.conf"));
            fs::write(&path, config)?;
            let mut command = Command::new("nats-server");
            command.arg("-c").arg(&path);
            let log = path.with_extension("log");
            servers.push(Program::start(&mut command, &log)?);
        }
        let url = |port| format!("nats://127.0.0.1:{port}");
        Ok(Self {
            servers,
            answering: None,
            near: url(near),
            far: url(far),
        })
    }

    /// Servers that carry requests, and a program that answers them.
    pub(crate) async fn answering(dir: &Path) -> Result<(Self, Requests)> {
        let mut servers = Self::start(dir, false).await?;
        connect(&servers.far).await?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("nats-echo").arg(&servers.far);
        let log = dir.join("nats-echo.log");
        let (answering, _) = Program::start_and_hear(&mut command, &log).await?;
        servers.answering = Some(answering);
        let client = connect(&servers.near).await?;
        let requests = Requests { client };
        servers.until_answered(&requests).await?;
        Ok((servers, requests))
    }

    /// Servers that keep what is published, each message synced before it is acknowledged.
    pub(crate) async fn keeping(dir: &Path) -> Result<(Self, Publishing)> {
        let servers = Self::start(dir, true).await?;
        let far = jetstream::new(connect(&servers.far).await?);
        let config = jetstream::stream::Config {
            name: "bench".to_owned(),
            subjects: vec![KEPT.to_owned()],
            storage: jetstream::stream::StorageType::File,
            ..Default::default()
        };
        far.create_stream(config)
            .await
            .with_context(|| servers.last_words())?;
        let client = connect(&servers.near).await?;
        let publishing = Publishing { client };
        servers.until_answered(&publishing).await?;
        Ok((servers, publishing))
    }

    /// Process ids of the servers.
    pub(crate) fn pids(&self) -> Result<Vec<u32>> {
        self.servers.iter().map(Program::pid).collect()
    }

    fn last_words(&self) -> String {
        let words: Vec<String> = self.servers.iter().map(Program::last_words).collect();
        words.join("\n")
    }

    /// The leaves tell nobody when they carry interest to each other, so the first call says.
    async fn until_answered(&self, calls: &impl Call) -> Result<()> {
        let started = Instant::now();
        while let Err(error) = calls.call().await {
            if started.elapsed() > PATIENCE {
                bail!("{error:#}\n{}", self.last_words());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

/// Requests from the near leaf.
#[derive(Clone, Debug)]
pub(crate) struct Requests {
    client: Client,
}

impl Call for Requests {
    async fn call(&self) -> Result<()> {
        let answer = self
            .client
            .request(SUBJECT, vec![b'x'; PAYLOAD].into())
            .await?;
        ensure!(
            answer.payload.len() == PAYLOAD,
            "an answer of another length"
        );
        Ok(())
    }
}

/// Messages published at the near leaf, kept at the far one.
#[derive(Clone, Debug)]
pub(crate) struct Publishing {
    client: Client,
}

impl Call for Publishing {
    async fn call(&self) -> Result<()> {
        let answer = self
            .client
            .request(KEPT, vec![b'x'; PAYLOAD].into())
            .await?;
        let answer: serde_json::Value = serde_json::from_slice(&answer.payload)?;
        ensure!(answer.get("seq").is_some(), "not kept: {answer}");
        Ok(())
    }
}

/// Answers every request with what it holds; prints a line once it does.
///
/// # Errors
/// What the client says.
pub(crate) async fn echo(url: &str) -> Result<()> {
    let client = connect(url).await?;
    let mut requests = client.subscribe(SUBJECT).await?;
    client.flush().await?;
    println!("answering");
    while let Some(request) = requests.next().await {
        if let Some(reply) = request.reply {
            client.publish(reply, request.payload).await?;
        }
    }
    Ok(())
}

/// Connects as soon as the server listens.
async fn connect(url: &str) -> Result<Client> {
    let started = Instant::now();
    loop {
        match async_nats::connect(url).await {
            Ok(client) => return Ok(client),
            Err(error) if started.elapsed() > PATIENCE => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Ports that are free now.
fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let mut listeners = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        *port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(ports)
}
