//! Tools that run in containers.

use realm_protocol::limits;
use serde_json::Value;

use super::{
    document::{Reader, Rule, rule},
    node::{Data, Node},
    object::{self, Object},
};
use crate::{Container, ContainerLimits, Image, Pull};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;
/// Units of bytes.
const UNITS: [(&str, u64); 3] = [("KiB", KIB), ("MiB", MIB), ("GiB", GIB)];
/// Thousandths of a processor that one container may be given.
const MILLICPUS: u64 = 256_000;
/// Processes and threads that one container may be given.
const PIDS: u64 = 32_768;

impl Reader<'_> {
    pub(super) fn container(&mut self, mut config: Object<'_>) -> Option<Container> {
        let image = config.need(self, "image", rule!("container.image"));
        let image = image.and_then(|node| self.image(node));
        let argv = config.get("argv").map(|node| {
            let argv = self.texts(node, rule!("process.argv"))?;
            if argv.is_empty() {
                let what = "argv names a program first; without it the image's own is run";
                self.problem(node.at, rule!("process.argv"), what);
            }
            Some(argv)
        });
        let env = config
            .get("env")
            .map(|node| self.text_map(node, rule!("process.env")));
        let pull = self.pull(&mut config, image.as_ref());
        let network = self.network(&mut config);
        let limits = self.container_limits(&mut config);
        let lines = self.lines(&mut config);
        config.finish(self);
        Some(Container {
            image: image?,
            argv: match argv {
                Some(read) => Some(read?),
                None => None,
            },
            env: env.unwrap_or_default(),
            pull: pull?,
            network: network?,
            limits,
            lines: lines?,
        })
    }

    fn image(&mut self, node: &Node) -> Option<Image> {
        const RULE: Rule = rule!("container.image");
        let text = object::text(self, node, RULE)?;
        let image = text.parse::<Image>();
        if let Err(error) = &image {
            let problem = self.new_problem(node.at, RULE, error.to_string());
            let hint = format!(
                "`docker image inspect --format '{{{{.Id}}}} {{{{.RepoDigests}}}}' {text}` shows what pins it"
            );
            self.report(problem.hint(hint));
        }
        image.ok()
    }

    fn pull(&mut self, config: &mut Object<'_>, image: Option<&Image>) -> Option<Pull> {
        const RULE: Rule = rule!("container.pull");
        let Some(node) = config.get("pull") else {
            return Some(Pull::default());
        };
        let names = Pull::ALL.map(|pull| (pull.name(), pull));
        let pull = self.named(node, RULE, "pull policy", &names)?;
        if pull != Pull::Never && image.is_some_and(Image::is_id) {
            let what = "an image's id says nothing about where it can be fetched";
            let problem = self.new_problem(node.at, RULE, what);
            self.report(problem.hint("name it as NAME@sha256:…, or leave `pull` out"));
        }
        Some(pull)
    }

    /// A network of the engine's; `none` is what a container has unless told.
    fn network(&mut self, config: &mut Object<'_>) -> Option<Option<String>> {
        const RULE: Rule = rule!("container.network");
        let Some(node) = config.get("network") else {
            return Some(None);
        };
        let name = object::text(self, node, RULE)?;
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if name == "none" {
            return Some(None);
        }
        if name == "host" || name.is_empty() || !name.bytes().all(known) {
            let what = format!("`{name}` is no network that a container may join");
            let problem = self.new_problem(node.at, RULE, what);
            self.report(
                problem.hint("`docker network ls` lists them; that of the host is not given away"),
            );
        }
        Some(Some(name.to_owned()))
    }

    fn container_limits(&mut self, config: &mut Object<'_>) -> ContainerLimits {
        let mut limits = ContainerLimits::default();
        let most = limits::BACKEND_BYTES as u64;
        for (key, rule, range, held) in [
            (
                "memory",
                rule!("container.memory"),
                (6 * MIB, 1024 * GIB),
                &mut limits.memory,
            ),
            (
                "scratch",
                rule!("container.scratch"),
                (KIB, 1024 * GIB),
                &mut limits.scratch,
            ),
            (
                "output",
                rule!("container.output"),
                (KIB, most),
                &mut limits.output,
            ),
        ] {
            if let Some(node) = config.get(key) {
                *held = self.bytes(node, rule, range).unwrap_or(*held);
            }
        }
        if let Some(node) = config.get("pids") {
            let read = self.count(node, rule!("container.pids"), PIDS);
            limits.pids = read.unwrap_or(limits.pids);
        }
        if let Some(node) = config.get("cpus") {
            let read = self.millicpus(node);
            limits.millicpus = read.unwrap_or(limits.millicpus);
        }
        limits
    }

    fn millicpus(&mut self, node: &Node) -> Option<u64> {
        let number = match &node.data {
            Data::Scalar(Value::Number(number)) => number.as_f64(),
            _ => None,
        };
        let millicpus = number.map(|number| (number * 1_000.0).round());
        let fits = millicpus.filter(|millicpus| (10.0..=MILLICPUS as f64).contains(millicpus));
        if fits.is_none() {
            let what = format!("expected processors, from 0.01 to {}", MILLICPUS / 1_000);
            self.problem(node.at, rule!("container.cpus"), what);
        }
        fits.map(|millicpus| millicpus as u64)
    }

    /// A number of bytes with its unit, as in `64 MiB`.
    fn bytes(&mut self, node: &Node, rule: Rule, (least, most): (u64, u64)) -> Option<u64> {
        let text = object::text(self, node, rule)?;
        let read = UNITS.iter().find_map(|(unit, bytes)| {
            let number: u64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
            number.checked_mul(*bytes)
        });
        let fits = read.filter(|bytes| (least..=most).contains(bytes));
        if fits.is_none() {
            let kib = |bytes: u64| format!("{} KiB", bytes / KIB);
            let what = format!(
                "`{text}` is not from {} to {}, as in `64 MiB`",
                kib(least),
                kib(most)
            );
            self.problem(node.at, rule, what);
        }
        fits
    }
}
