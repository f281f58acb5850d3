//! Why containers do not run, or did not end well.

use thiserror::Error;

use super::Category;

/// Why a container gave no answer.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ContainerError {
    /// The realm runs no containers.
    #[error(
        "this realm runs no containers: `[containers] socket = \"/run/docker.sock\"` in realm.toml says which engine does"
    )]
    Off,
    /// No engine answers.
    #[error(
        "no container engine answers at {socket}: {reason}; `systemctl start docker` starts Docker's, `containers.socket` in realm.toml says where it is"
    )]
    NoEngine {
        /// Its socket.
        socket: String,
        /// What the system said.
        reason: String,
    },
    /// The daemon's user may not use the engine.
    #[error(
        "the daemon's user may not use the container engine at {socket}: `usermod --append --groups docker USER` lets it from the next login on, and makes it as mighty as root"
    )]
    Forbidden {
        /// Its socket.
        socket: String,
    },
    /// Programs can break out of what starts containers.
    #[error(
        "the engine starts containers by runc {version}, out of which programs can break (CVE-2025-31133): install runc 1.2.8, 1.3.3 or newer, or set `containers.old_runtime = true`"
    )]
    OldRuntime {
        /// The version that the engine tells.
        version: String,
    },
    /// The owner lets no container join this network.
    #[error(
        "containers may not join the network `{network}`: `containers.networks` in realm.toml lists those they may"
    )]
    Network {
        /// The network.
        network: String,
    },
    /// The owner lets nothing be fetched from this registry.
    #[error(
        "no image is fetched from `{registry}`: `containers.registries` in realm.toml lists where from they are; `docker pull {image}` fetches this one by hand"
    )]
    Registry {
        /// The registry.
        registry: String,
        /// The image.
        image: String,
    },
    /// The engine has no such image.
    #[error(
        "the image {image} is not here: `docker pull {image}` or `docker load` fetches it, and so does `pull: missing`"
    )]
    NoImage {
        /// The image.
        image: String,
    },
    /// The image could not be fetched.
    #[error("the image {image} could not be fetched: {reason}")]
    NotFetched {
        /// The image.
        image: String,
        /// What the engine said.
        reason: String,
    },
    /// The engine did not start the container.
    #[error("the container could not be started: {reason}")]
    NotStarted {
        /// What the engine said.
        reason: String,
    },
    /// The container took more memory than it has.
    #[error("the container took more than its {} MiB of memory; `memory` in `tool.config` gives it more", .limit / (1024 * 1024))]
    OutOfMemory {
        /// Its memory, bytes.
        limit: u64,
    },
    /// The engine was lost in between.
    #[error("the container engine at {socket} went away: {reason}")]
    Lost {
        /// Its socket.
        socket: String,
        /// What the connection said.
        reason: String,
    },
}

impl ContainerError {
    pub(super) const fn may_have_begun(&self) -> bool {
        matches!(self, Self::OutOfMemory { .. } | Self::Lost { .. })
    }

    pub(super) const fn category(&self) -> Category {
        match self {
            Self::NoEngine { .. } | Self::NotFetched { .. } | Self::Lost { .. } => {
                Category::Transient
            }
            Self::Off
            | Self::Forbidden { .. }
            | Self::OldRuntime { .. }
            | Self::Network { .. }
            | Self::Registry { .. } => Category::Permission,
            Self::OutOfMemory { .. } => Category::Business,
            Self::NoImage { .. } | Self::NotStarted { .. } => Category::Unknown,
        }
    }
}
