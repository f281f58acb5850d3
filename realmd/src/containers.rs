//! Which engine runs the containers of loops, and which images they are made from.

use std::collections::BTreeMap;

use realm_backends::ContainerRules;
use realm_executor::{Body, Tool};
use realm_node::Node;

use crate::{
    config::{Config, ContainersConfig},
    handle::{Gone, Handle},
    random::{self, NoRandomness},
};

/// Whose containers they are.
#[derive(Clone, Debug)]
pub(crate) struct ContainerOwner {
    realm: String,
    life: String,
}

impl ContainerOwner {
    /// This start of the daemon of a realm.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub(crate) fn begin(realm: String) -> Result<Self, NoRandomness> {
        let life = random::suffix()?;
        Ok(Self { realm, life })
    }

    /// The rules of a configuration; none where it names no engine.
    pub(crate) fn rules(&self, config: &Config) -> Option<ContainerRules> {
        let ContainersConfig {
            socket,
            networks,
            registries,
            old_runtime,
        } = config.containers.clone();
        Some(ContainerRules {
            socket: socket?,
            networks,
            registries,
            old_runtime,
            realm: self.realm.clone(),
            life: self.life.clone(),
        })
    }
}

/// The images that loops run in containers, each with its loops.
///
/// # Errors
/// [`Gone`] when the daemon is stopping.
pub(crate) async fn images(handle: &Handle) -> Result<BTreeMap<String, Vec<String>>, Gone> {
    let look = |node: &Node| {
        let mut images: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for known in node.registry().iter() {
            if let Body::Tool(Tool::Container(container)) = &known.manifest.body {
                let loops = images
                    .entry(container.image.as_str().to_owned())
                    .or_default();
                loops.push(known.manifest.id.to_string());
            }
        }
        images
    };
    handle.read(look).await
}
