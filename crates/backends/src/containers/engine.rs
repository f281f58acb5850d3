//! One engine: what it is asked, and what its answers mean.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bollard::{
    API_DEFAULT_VERSION, Docker,
    errors::Error,
    models::{
        ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, ImageInspect,
        ResourcesUlimits,
    },
    query_parameters::{
        CreateContainerOptionsBuilder, CreateImageOptionsBuilder, ListContainersOptionsBuilder,
        RemoveContainerOptionsBuilder,
    },
};
use futures::TryStreamExt as _;
use realm_executor::{Container, ContainerError, ContainerLimits, ContainerRequest, Image, Pull};
use tokio::{net::UnixStream, sync::OnceCell};

use super::{
    ContainerRules,
    held::{Held, Removals},
    runtime,
};
use crate::backends::with_key;

/// Seconds until an engine has answered one request; fetching an image is many answers.
const ANSWER: u64 = 60;
/// Who a container's program is: nobody.
const USER: &str = "65534:65534";
/// Folder that it may write to, which goes with it.
const SCRATCH: &str = "/tmp";
/// Label that names the realm of a container.
const REALM: &str = "realm.id";
/// Label that names the start of the daemon that made it.
const LIFE: &str = "realm.life";
/// Files that it may have open.
const OPEN_FILES: i64 = 1_024;
/// Characters that are kept of what an engine says.
const SAID: usize = 500;

/// What an engine says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineView {
    /// Its version.
    pub version: String,
    /// The version of what starts its containers, if it tells.
    pub runtime: Option<String>,
}

#[derive(Debug)]
pub(super) struct Engine {
    rules: ContainerRules,
    removals: Arc<Removals>,
    /// Containers made so far.
    made: AtomicU64,
    /// Whether those of earlier daemons are gone.
    swept: OnceCell<()>,
}

impl Engine {
    pub(super) fn new(rules: ContainerRules) -> Self {
        Self {
            rules,
            removals: Arc::default(),
            made: AtomicU64::new(0),
            swept: OnceCell::new(),
        }
    }

    pub(super) const fn rules(&self) -> &ContainerRules {
        &self.rules
    }

    pub(super) fn removals(&self) -> &Removals {
        &self.removals
    }

    fn socket(&self) -> String {
        self.rules.socket.display().to_string()
    }

    /// The connection to the engine was lost while it was in use.
    pub(super) fn lost(&self, error: &Error) -> ContainerError {
        ContainerError::Lost {
            socket: self.socket(),
            reason: said(error),
        }
    }

    /// A client of the engine, which answers.
    pub(super) async fn connect(&self) -> Result<Docker, ContainerError> {
        let no_engine = |reason: String| ContainerError::NoEngine {
            socket: self.socket(),
            reason,
        };
        let answers = UnixStream::connect(&self.rules.socket).await;
        answers.map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => ContainerError::Forbidden {
                socket: self.socket(),
            },
            _ => no_engine(error.to_string()),
        })?;
        let client = Docker::connect_with_unix(&self.socket(), ANSWER, API_DEFAULT_VERSION);
        client.map_err(|error| no_engine(said(&error)))
    }

    pub(super) async fn look(&self, image: Option<&str>) -> Result<EngineView, ContainerError> {
        let docker = self.connect().await?;
        let view = self.trust(&docker).await?;
        if let Some(image) = image {
            self.image(&docker, image)
                .await?
                .ok_or_else(|| no_image(image))?;
        }
        Ok(view)
    }

    /// What the engine is, unless programs can break out of what starts its containers.
    async fn trust(&self, docker: &Docker) -> Result<EngineView, ContainerError> {
        let told = docker.version().await.map_err(|error| self.lost(&error))?;
        let components = told.components.unwrap_or_default();
        let runtime = components
            .into_iter()
            .find(|component| component.name.contains("runc"));
        let runtime = runtime.map(|component| component.version);
        match runtime {
            Some(version) if !self.rules.old_runtime && runtime::leaks(&version) => {
                Err(ContainerError::OldRuntime { version })
            }
            runtime => Ok(EngineView {
                version: told.version.unwrap_or_default(),
                runtime,
            }),
        }
    }

    async fn image(
        &self,
        docker: &Docker,
        image: &str,
    ) -> Result<Option<ImageInspect>, ContainerError> {
        match docker.inspect_image(image).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(self.lost(&error)),
        }
    }

    /// The image, fetched if its container says so.
    async fn fetched(
        &self,
        docker: &Docker,
        container: &Container,
    ) -> Result<ImageInspect, ContainerError> {
        let image = container.image.as_str();
        let found = self.image(docker, image).await?;
        match (container.pull, found) {
            (Pull::Never | Pull::Missing, Some(found)) => return Ok(found),
            (Pull::Never, None) => return Err(no_image(image)),
            (Pull::Missing, None) | (Pull::Always, _) => {}
        }
        self.may_fetch(&container.image)?;
        let options = CreateImageOptionsBuilder::new().from_image(image).build();
        let mut fetching = docker.create_image(Some(options), None, None);
        let not_fetched = |error: Error| ContainerError::NotFetched {
            image: image.to_owned(),
            reason: said(&error),
        };
        while fetching.try_next().await.map_err(not_fetched)?.is_some() {}
        self.image(docker, image)
            .await?
            .ok_or_else(|| no_image(image))
    }

    /// Whether the engine may be sent to where an image would come from: it asks whatever host a name begins with.
    fn may_fetch(&self, image: &Image) -> Result<(), ContainerError> {
        let Some(registry) = image.registry() else {
            return Err(no_image(image.as_str()));
        };
        match self
            .rules
            .registries
            .iter()
            .any(|listed| listed == registry)
        {
            true => Ok(()),
            false => Err(ContainerError::Registry {
                registry: registry.to_owned(),
                image: image.as_str().to_owned(),
            }),
        }
    }

    /// Makes the container of a call, which does not run yet.
    pub(super) async fn create(&self, wanted: &ContainerRequest) -> Result<Held, ContainerError> {
        let container = &wanted.container;
        if let Some(network) = &container.network
            && !self.rules.networks.contains(network)
        {
            let network = network.clone();
            return Err(ContainerError::Network { network });
        }
        let docker = self.connect().await?;
        self.trust(&docker).await?;
        self.sweep(&docker).await?;
        let image = self.fetched(&docker, container).await?;
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let name = format!("realm-{}-{number}", self.rules.life);
        let held = Held::new(docker.clone(), name.clone(), Arc::clone(&self.removals));
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        let made = docker.create_container(Some(options), self.body(wanted, image));
        made.await.map_err(|error| match status(&error) {
            Some(404) => no_image(container.image.as_str()),
            _ => not_started(&error),
        })?;
        held.is_made();
        Ok(held)
    }

    fn body(&self, wanted: &ContainerRequest, image: ImageInspect) -> ContainerCreateBody {
        let Container {
            image: pinned,
            argv,
            env,
            pull: _,
            network,
            limits,
            lines: _,
        } = &wanted.container;
        let env = with_key(env.clone(), wanted.key);
        let env = env.iter().map(|(name, value)| format!("{name}={value}"));
        let labels = [(REALM, &self.rules.realm), (LIFE, &self.rules.life)];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.clone()));
        let volumes = image.config.and_then(|config| config.volumes);
        ContainerCreateBody {
            image: Some(pinned.as_str().to_owned()),
            // What the image would run, or the owner's words without any of the image's.
            entrypoint: argv.clone(),
            cmd: argv.is_some().then(Vec::new),
            env: Some(env.collect()),
            labels: Some(labels.into_iter().collect()),
            user: Some(USER.to_owned()),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            open_stdin: Some(true),
            stdin_once: Some(true),
            tty: Some(false),
            network_disabled: Some(network.is_none()),
            healthcheck: Some(HealthConfig {
                test: Some(vec!["NONE".to_owned()]),
                ..HealthConfig::default()
            }),
            host_config: Some(confined(
                network.as_deref(),
                *limits,
                volumes.unwrap_or_default(),
            )),
            ..ContainerCreateBody::default()
        }
    }

    /// Removes what earlier daemons of this realm have left behind, once.
    pub(super) async fn sweep(&self, docker: &Docker) -> Result<(), ContainerError> {
        let swept = self.swept.get_or_try_init(|| self.remove_leftovers(docker));
        swept.await.copied()
    }

    async fn remove_leftovers(&self, docker: &Docker) -> Result<(), ContainerError> {
        let label = format!("{REALM}={}", self.rules.realm);
        let filters = [("label".to_owned(), vec![label])].into_iter().collect();
        let options = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&filters)
            .build();
        let found = docker.list_containers(Some(options)).await;
        let found = found.map_err(|error| self.lost(&error))?;
        let options = RemoveContainerOptionsBuilder::new()
            .force(true)
            .v(true)
            .build();
        for container in found {
            let labels = container.labels.unwrap_or_default();
            let left = labels.get(LIFE) != Some(&self.rules.life);
            let Some(id) = container.id.filter(|_| left) else {
                continue;
            };
            let removed = docker.remove_container(&id, Some(options.clone())).await;
            // Another may be removing it.
            removed
                .or_else(|error| match status(&error) {
                    Some(404 | 409) => Ok(()),
                    _ => Err(error),
                })
                .map_err(|error| self.lost(&error))?;
        }
        Ok(())
    }
}

/// What a container is kept from, and what it may take.
fn confined(network: Option<&str>, limits: ContainerLimits, volumes: Vec<String>) -> HostConfig {
    let ContainerLimits {
        memory,
        millicpus,
        pids,
        scratch,
        output: _,
    } = limits;
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let bound = |name: &str, most: i64| ResourcesUlimits {
        name: Some(name.to_owned()),
        soft: Some(most),
        hard: Some(most),
    };
    let folder = format!("rw,noexec,nosuid,nodev,mode=1777,size={scratch}");
    // Where the image wants a volume, on the host's disk and without bounds, it gets a scratch folder.
    let folders = volumes.into_iter().chain([SCRATCH.to_owned()]);
    HostConfig {
        network_mode: Some(network.unwrap_or("none").to_owned()),
        readonly_rootfs: Some(true),
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        privileged: Some(false),
        memory: Some(number(memory)),
        // With the memory itself: none of it is swapped.
        memory_swap: Some(number(memory)),
        nano_cpus: Some(number(millicpus.saturating_mul(1_000_000))),
        pids_limit: Some(number(pids)),
        ulimits: Some(vec![bound("nofile", OPEN_FILES), bound("core", 0)]),
        tmpfs: Some(folders.map(|path| (path, folder.clone())).collect()),
        log_config: Some(HostConfigLogConfig {
            typ: Some("none".to_owned()),
            config: None,
        }),
        ..HostConfig::default()
    }
}

/// The engine would not start a container.
pub(super) fn not_started(error: &Error) -> ContainerError {
    ContainerError::NotStarted {
        reason: said(error),
    }
}

fn no_image(image: &str) -> ContainerError {
    ContainerError::NoImage {
        image: image.to_owned(),
    }
}

const fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// What an engine said, or what became of asking it.
fn said(error: &Error) -> String {
    let text = match error {
        Error::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        error => error.to_string(),
    };
    text.chars().take(SAID).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_fetched_from_the_registries_that_the_owner_lists_alone() {
        let engine = |registries: &[&str]| {
            Engine::new(ContainerRules {
                socket: "/nowhere".into(),
                networks: Vec::new(),
                registries: registries.iter().map(ToString::to_string).collect(),
                old_runtime: false,
                realm: "lab".to_owned(),
                life: "one".to_owned(),
            })
        };
        let image = |name: &str| -> Image { format!("{name}sha256:{:064}", 0).parse().unwrap() };
        let fetches = |engine: &Engine, name: &str| engine.may_fetch(&image(name)).is_ok();
        let (none, two) = (
            engine(&[]),
            engine(&["docker.io", "registry.example.org:5000"]),
        );

        for name in [
            "alpine@",
            "library/alpine@",
            "registry.example.org:5000/lab/count@",
        ] {
            assert!(fetches(&two, name), "{name}");
            assert!(!fetches(&none, name), "{name}");
        }
        for name in [
            "registry.example.org/lab/count@",
            "169.254.169.254/latest@",
            "localhost/count@",
            "internal:80/count@",
            "",
        ] {
            assert!(!fetches(&two, name), "{name}");
        }
    }
}
