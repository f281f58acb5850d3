//! Containers in our own form.

use serde_json::{Map, Value, json};

use super::{put, put_some};
use crate::{Container, ContainerLimits, Pull};

pub(super) fn put_container(config: &mut Map<String, Value>, container: &Container) {
    let Container {
        image,
        argv,
        env,
        pull,
        network,
        limits,
        lines,
    } = container;
    put(config, "image", image.as_str());
    put_some(config, "argv", argv.clone());
    put_some(config, "env", (!env.is_empty()).then(|| json!(env)));
    put_some(
        config,
        "pull",
        (*pull != Pull::default()).then(|| pull.name()),
    );
    put_some(config, "network", network.as_deref());
    let ContainerLimits {
        memory,
        millicpus,
        pids,
        scratch,
        output,
    } = *limits;
    let usual = ContainerLimits::default();
    let kib = |bytes: u64| format!("{} KiB", bytes / 1024);
    put_some(
        config,
        "memory",
        (memory != usual.memory).then(|| kib(memory)),
    );
    let cpus = json!(millicpus as f64 / 1_000.0);
    put_some(
        config,
        "cpus",
        (millicpus != usual.millicpus).then_some(cpus),
    );
    put_some(config, "pids", (pids != usual.pids).then_some(pids));
    put_some(
        config,
        "scratch",
        (scratch != usual.scratch).then(|| kib(scratch)),
    );
    put_some(
        config,
        "output",
        (output != usual.output).then(|| kib(output)),
    );
    put_some(config, "lines", lines.then_some(true));
}
