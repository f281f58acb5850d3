//! InterRealm's policies: what each of the seven types restricts.

use std::collections::BTreeMap;

use realm_protocol::{RealmName, limits, records::Role};

use super::{
    Problem,
    document::{Reader, Rule},
    mesh::{Names, has_items},
    node::{Data, Node, Place},
    object::{self, Object},
    platform::at,
};
use crate::{
    Extent, Limit, LoopsLet, Restricted, Restriction, Restrictions,
    restriction::{NAME_BYTES, RateLet},
};

/// The policies of a mesh, by name.
pub(super) type Policies = BTreeMap<String, MeshPolicy>;

/// A policy of a mesh: what it restricts, and whether realms below have it too.
pub(super) struct MeshPolicy {
    at: Place,
    /// Nothing where what it asks for always holds here. What stands behind its name where it is more than one thing.
    what: Vec<(&'static str, Restricted)>,
    below: bool,
}

/// The policies of a realm of a mesh and of those above it.
#[derive(Clone, Default)]
pub(super) struct Held {
    /// By name: whether it stands at the realm itself.
    names: BTreeMap<String, bool>,
}

/// The types of policies.
#[derive(Clone, Copy)]
enum Type {
    Access,
    Rate,
    Audit,
    Authentication,
    Authorization,
    Governance,
    Custom,
}

const TYPES: [(&str, Type); 7] = [
    ("capability-access", Type::Access),
    ("rate-limit", Type::Rate),
    ("audit", Type::Audit),
    ("authentication", Type::Authentication),
    ("authorization", Type::Authorization),
    ("data-governance", Type::Governance),
    ("custom", Type::Custom),
];

const ROLES: [(&str, Role); 4] = [
    ("owner", Role::Owner),
    ("operator", Role::Operator),
    ("approver", Role::Approver),
    ("viewer", Role::Viewer),
];

impl Reader<'_> {
    /// The policies of a mesh.
    pub(super) fn mesh_policies(
        &mut self,
        node: &Node,
        names: &Names,
        warnings: &mut Vec<Problem>,
    ) -> Policies {
        let mut policies = Policies::new();
        for item in self.items(node, at!("mesh.policies")).unwrap_or_default() {
            if let Some((name, policy)) = self.mesh_policy(item, names, warnings)
                && policies.insert(name.clone(), policy).is_some()
            {
                let what = format!("there is another policy `{name}`");
                self.problem(item.at, at!("mesh.policies.name"), what);
            }
        }
        policies
    }

    fn mesh_policy(
        &mut self,
        node: &Node,
        names: &Names,
        warnings: &mut Vec<Problem>,
    ) -> Option<(String, MeshPolicy)> {
        let mut whole = Object::of(self, node, at!("mesh.policies"))?;
        let name = whole.need(self, "name", at!("mesh.policies.name"))?;
        let name = self.restriction_name(name, at!("mesh.policies.name"));
        let kind = whole.need(self, "type", at!("mesh.policies.type"))?;
        let kind = self.named(kind, at!("mesh.policies.type"), "type of policies", &TYPES)?;
        let config = match whole.get("config") {
            Some(config) => config.clone(),
            None => Node {
                at: node.at,
                data: Data::Map(Vec::new()),
            },
        };
        let mut config = Object::of(self, &config, at!("mesh.policies.config"))?;
        let mut below = true;
        let what = match kind {
            Type::Access => {
                let children = config.get("applyToChildren");
                let children =
                    children.map(|node| self.flag(node, at!("mesh.policies.applyToChildren")));
                below = children.unwrap_or(Some(true))?;
                vec![("", self.capability_access(&mut config, names)?)]
            }
            Type::Rate => vec![("", self.rate_limit(&mut config)?)],
            Type::Audit => {
                self.audit_policy(&mut config)?;
                Vec::new()
            }
            Type::Authentication => {
                self.authentication(&mut config)?;
                Vec::new()
            }
            Type::Authorization => vec![("", self.authorization(&mut config)?)],
            Type::Governance => self.data_governance(&mut config)?,
            Type::Custom => {
                let handler = config.text(self, "handler", at!("mesh.policies.handler"));
                let handler = handler.unwrap_or("without a name");
                let what = format!(
                    "nobody here knows the handler `{handler}`: in a realm with this policy everything is denied"
                );
                let problem = self.new_problem(node.at, at!("mesh.policies.handler"), what);
                warnings.push(problem.hint("write its rule in Cedar: realmctl policy apply FILE"));
                config.know(&["config"]);
                vec![("", Restricted::Nothing)]
            }
        };
        self.unknown_fields(&config);
        let policy = MeshPolicy {
            at: node.at,
            what,
            below,
        };
        Some((name?, policy))
    }

    /// What a policy or its document is called here too.
    pub(super) fn restriction_name(&mut self, node: &Node, rule: Rule) -> Option<String> {
        let text = object::text(self, node, rule)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if (1..=NAME_BYTES).contains(&text.len()) && text.chars().all(plain) {
            return Some(text.to_owned());
        }
        let what = format!("`{text}` would be the name of a policy here, and cannot be one");
        let problem = self.new_problem(node.at, rule, what);
        self.report(problem.hint(format!(
            "1 to {NAME_BYTES} letters, digits, dashes and underscores"
        )));
        None
    }

    fn capability_access(&mut self, config: &mut Object<'_>, names: &Names) -> Option<Restricted> {
        const ALLOWED: Rule = at!("mesh.policies.allowedCapabilities");
        const MODE: Rule = at!("mesh.policies.mode");
        let allowed = config.get("allowedCapabilities");
        let listed = allowed.map(|node| self.patterns(node, ALLOWED));
        let denied = config.get("deniedCapabilities");
        let denied =
            denied.map(|node| self.patterns(node, at!("mesh.policies.deniedCapabilities")));
        let mode = config.get("mode");
        let modes = [("whitelist", true), ("blacklist", false)];
        let lists = mode.map_or(Some(true), |node| self.named(node, MODE, "mode", &modes))?;
        let mut by_realm = Vec::new();
        let control = config.get("accessControl");
        if lists && allowed.is_none() && control.is_none() {
            let what = "a whitelist without `allowedCapabilities` would let nothing be";
            let problem = self.new_problem(config.at, ALLOWED, what);
            self.report(
                problem.hint("write `allowedCapabilities: []` to mean that, or `mode: blacklist`"),
            );
        }
        if let Some(node) = control {
            let items = self.items(node, at!("mesh.policies.accessControl"))?;
            for item in items {
                by_realm.extend(self.source(item, names));
            }
        }
        if let Some(node) = allowed.filter(|_| !lists) {
            let what = "a blacklist lets everything be that `deniedCapabilities` does not name";
            let problem = self.new_problem(node.at, ALLOWED, what);
            self.report(
                problem.hint("leave `allowedCapabilities` out, or write `mode: whitelist`"),
            );
        }
        Some(Restricted::Loops(LoopsLet {
            everybody: lists.then(|| listed.flatten().unwrap_or_default()),
            by_realm,
            nobody: denied.flatten().unwrap_or_default(),
        }))
    }

    /// A realm or a bridge, and what it may call.
    fn source(&mut self, node: &Node, names: &Names) -> Option<(RealmName, Vec<String>)> {
        const SOURCE: Rule = at!("mesh.policies.source");
        let mut rule = Object::of(self, node, at!("mesh.policies.accessControl"))?;
        let source = rule.need(self, "source", SOURCE)?;
        let loops = rule.need(self, "capabilities", at!("mesh.policies.capabilities"))?;
        let loops = self.patterns(loops, at!("mesh.policies.capabilities"));
        let text = object::text(self, source, SOURCE)?;
        let (kind, name) = text.split_once(':').unwrap_or(("realm", text));
        if !matches!(kind, "realm" | "bridge") {
            let what = format!("`{text}` is no realm, and only realms call each other here");
            let problem = self.new_problem(source.at, SOURCE, what);
            self.report(problem.hint(
                "write realm:ID or bridge:NAME; what people may is said by roles, in an authorization policy",
            ));
            return None;
        }
        let known = names.get(name).filter(|_| kind == "realm").cloned();
        let realm = known.map_or_else(|| name.parse::<RealmName>(), Ok);
        let realm = realm.map_err(|error| self.problem(source.at, SOURCE, error.to_string()));
        Some((realm.ok()?, loops?))
    }

    fn rate_limit(&mut self, config: &mut Object<'_>) -> Option<Restricted> {
        const PER_MINUTE: Rule = at!("mesh.policies.requestsPerMinute");
        const BURST: Rule = at!("mesh.policies.burstSize");
        let per_minute = config.need(self, "requestsPerMinute", PER_MINUTE);
        let per_minute =
            per_minute.and_then(|node| self.count(node, PER_MINUTE, limits::RATE_PER_MINUTE));
        let burst = config.get("burstSize");
        let burst = burst.map_or(Some(1), |node| self.count(node, BURST, limits::RATE_BURST));
        let each = config.get("perMember");
        let each = each.map_or(Some(true), |node| {
            self.flag(node, at!("mesh.policies.perMember"))
        });
        let action = config.get("action");
        let actions = [("reject", false), ("queue", true), ("throttle", true)];
        let waits = action.map_or(Some(false), |node| {
            self.named(node, at!("mesh.policies.action"), "action", &actions)
        });
        let (per_minute, shared) = (per_minute?, !each?);
        Some(Restricted::Rate(RateLet {
            per_minute,
            burst: burst?,
            shared,
            // A minute's calls wait, and one more is refused.
            queue: match waits? {
                true => per_minute.min(limits::RATE_QUEUE),
                false => 0,
            },
        }))
    }

    /// The audit log has every outcome and holds no contents.
    fn audit_policy(&mut self, config: &mut Object<'_>) -> Option<()> {
        const LEVEL: Rule = at!("mesh.policies.logLevel");
        const PAYLOAD: Rule = at!("mesh.policies.includePayload");
        if let Some(node) = config.get("logLevel") {
            let levels = [
                ("none", false),
                ("error", false),
                ("warn", false),
                ("info", true),
                ("debug", true),
            ];
            if !self.named(node, LEVEL, "level", &levels)? {
                let what = "the audit log names every outcome, and cannot be made to name less";
                let problem = self.new_problem(node.at, LEVEL, what);
                self.report(problem.hint("write info, or leave it out"));
            }
        }
        if let Some(node) = config.get("includePayload")
            && self.flag(node, PAYLOAD)?
        {
            let what = "the audit log holds no inputs and no outputs: it is shown to others";
            let problem = self.new_problem(node.at, PAYLOAD, what);
            self.report(problem.hint("leave it out; traces hold them: realmctl trace show RUN"));
        }
        if let Some(node) = config.get("capabilities") {
            self.patterns(node, at!("mesh.policies.capabilities"))?;
        }
        if let Some(node) = config.get("retention") {
            let what = format!(
                "the audit log keeps its newest {} entries, however old they are",
                limits::AUDIT_ENTRIES
            );
            let problem = self.new_problem(node.at, at!("mesh.policies.retention"), what);
            self.report(problem.hint("keep what is older in files: realmctl audit export"));
        }
        Some(())
    }

    /// Every message is signed, and by a certificate.
    fn authentication(&mut self, config: &mut Object<'_>) -> Option<()> {
        const REQUIRED: Rule = at!("mesh.policies.required");
        const TYPES: Rule = at!("mesh.policies.allowedAuthTypes");
        const EXPIRES: Rule = at!("mesh.policies.tokenExpiration");
        if let Some(node) = config.get("required")
            && !self.flag(node, REQUIRED)?
        {
            let problem = self.new_problem(node.at, REQUIRED, "nobody calls here without a name");
            self.report(problem.hint("write true, or leave it out"));
        }
        if let Some(node) = config.get("allowedAuthTypes") {
            let kinds = self.items(node, TYPES)?.iter();
            let kinds: Vec<&str> = kinds.filter_map(Node::text).collect();
            if kinds != ["mtls"] {
                let what = "realms prove who they are by their certificates, in no other way";
                let problem = self.new_problem(node.at, TYPES, what);
                self.report(problem.hint(
                    "write [mtls]; how people log in stands in realm.toml: realmctl config explain people",
                ));
            }
        }
        if let Some(node) = config.get("tokenExpiration") {
            let what = "there are no tokens between realms that could expire";
            let problem = self.new_problem(node.at, EXPIRES, what);
            self.report(problem.hint(
                "permissions end where they are given: realmctl allow REALM invoke LOOP --for 24h",
            ));
        }
        Some(())
    }

    fn authorization(&mut self, config: &mut Object<'_>) -> Option<Restricted> {
        const MODEL: Rule = at!("mesh.policies.model");
        const ROLE: Rule = at!("mesh.policies.roles");
        const CEDAR: &str = "write it in Cedar: realmctl policy apply FILE";
        if let Some(node) = config.get("model") {
            let models = [("rbac", true), ("abac", false), ("custom", false)];
            if !self.named(node, MODEL, "model", &models)? {
                let what = "only roles are taken over";
                let problem = self.new_problem(node.at, MODEL, what);
                self.report(problem.hint(CEDAR));
            }
        }
        if let Some(node) = config.get("attributes") {
            let what = "rules by attributes are not taken over";
            let problem = self.new_problem(node.at, at!("mesh.policies.attributes"), what);
            self.report(problem.hint(CEDAR));
        }
        let mut roles = BTreeMap::new();
        let items = config.get("roles");
        let items = items.map_or(Some(&[][..]), |node| self.items(node, ROLE))?;
        for item in items {
            let mut role = Object::of(self, item, ROLE)?;
            let name = role.need(self, "name", ROLE);
            let name = name.and_then(|node| self.named(node, ROLE, "role here", &ROLES));
            let loops = role.need(self, "capabilities", at!("mesh.policies.capabilities"));
            let loops =
                loops.and_then(|node| self.patterns(node, at!("mesh.policies.capabilities")));
            let held: &mut Vec<String> = roles.entry(name?).or_default();
            held.extend(loops?);
        }
        Some(Restricted::Roles(roles))
    }

    /// How far data goes is how far calls go, and how long it is kept is how long runs are.
    fn data_governance(
        &mut self,
        config: &mut Object<'_>,
    ) -> Option<Vec<(&'static str, Restricted)>> {
        const CLASS: Rule = at!("mesh.policies.dataClassification");
        const ENCRYPTION: Rule = at!("mesh.policies.encryption");
        let classes = [
            ("public", None),
            ("internal", Some(Extent::Tree)),
            ("confidential", Some(Extent::Subtree)),
            ("restricted", Some(Extent::Alone)),
        ];
        let class = config.get("dataClassification");
        let extent = class.map_or(Some(None), |node| {
            self.named(node, CLASS, "classification", &classes)
        });
        if let Some(node) = config.get("encryption") {
            let mut encryption = Object::of(self, node, ENCRYPTION)?;
            // Everything is encrypted, also where it need not be.
            if let Some(node) = encryption.get("required") {
                self.flag(node, ENCRYPTION)?;
            }
            if let Some(node) = encryption.get("algorithm")
                && object::text(self, node, ENCRYPTION)? != SEALED_WITH
            {
                let what = format!("messages and the store are sealed with {SEALED_WITH}");
                let problem = self.new_problem(node.at, ENCRYPTION, what);
                self.report(problem.hint("write that, or leave it out"));
            }
        }
        let kept = match config.get("retention") {
            Some(node) => Some(self.duration(node, at!("mesh.policies.retention"), YEARS_MS)?),
            None => None,
        };
        if let Some(node) = config.get("compliance").filter(|node| has_items(node)) {
            let what = "the name of a framework says nothing that could be held to";
            let problem = self.new_problem(node.at, at!("mesh.policies.compliance"), what);
            self.report(
                problem.hint("write what it asks for as policies, and its name into `description`"),
            );
        }
        let kept = kept.map(|kept| (".kept", Restricted::Limit(Limit::Kept, kept)));
        let within = extent?.map(|extent| ("", Restricted::Within(extent)));
        Some(within.into_iter().chain(kept).collect())
    }

    /// Fields that the format does not have have no effect, and are none.
    fn unknown_fields(&mut self, config: &Object<'_>) {
        for member in config.rest() {
            let what = format!("`{}` is no field of this type of policies", member.key);
            let problem = self.new_problem(member.at, at!("mesh.policies.config"), what);
            self.report(problem.hint("leave it out"));
        }
    }

    /// Names of loops, in which `*` stands for anything.
    fn patterns(&mut self, node: &Node, rule: Rule) -> Option<Vec<String>> {
        let items = self.items(node, rule)?;
        let read = items
            .iter()
            .filter_map(|item| object::text(self, item, rule));
        let read: Vec<String> = read.map(str::to_owned).collect();
        (read.len() == items.len()).then_some(read)
    }

    /// The policies of a realm: its own, and those of the realms above unless it has none of them.
    pub(super) fn held_policies(
        &mut self,
        realm: &mut Object<'_>,
        above: &Held,
        policies: &Policies,
    ) -> Held {
        const INHERITS: Rule = at!("mesh.inheritPolicies");
        const RULE: Rule = at!("mesh.realms.policies");
        let inherits = realm.get("inheritPolicies");
        let inherits = inherits.and_then(|node| self.flag(node, INHERITS));
        let mut held = Held::default();
        if inherits.unwrap_or(true) {
            let below = |name: &&String| policies.get(*name).is_some_and(|policy| policy.below);
            let names = above.names.keys().filter(below);
            held.names = names.map(|name| (name.clone(), false)).collect();
        }
        let own = realm.get("policies");
        let own = own
            .and_then(|node| self.items(node, RULE))
            .unwrap_or_default();
        for item in own {
            let Some(name) = object::text(self, item, RULE) else {
                continue;
            };
            if !policies.contains_key(name) {
                let names: Vec<&str> = policies.keys().map(String::as_str).collect();
                let what = format!("there is no policy `{name}` in this mesh");
                let problem = self.new_problem(item.at, RULE, what);
                self.report(problem.hint(super::values::hint(name, &names)));
            }
            held.names.insert(name.to_owned(), true);
        }
        held
    }

    /// What the policies of a realm restrict there.
    pub(super) fn restrictions(
        &self,
        document: &str,
        held: &Held,
        below: &[(RealmName, Held)],
        policies: &Policies,
    ) -> Restrictions {
        let named = held.names.iter();
        let named = named.filter_map(|(name, own)| Some((name, *own, policies.get(name)?)));
        let all = named.flat_map(|(name, own, policy)| {
            let spared = below
                .iter()
                .filter(move |(_, held)| !held.names.contains_key(name));
            policy.what.iter().map(move |(part, what)| Restriction {
                name: format!("{name}{part}"),
                what: what.clone(),
                // Where it is inherited, the realm above holds those below to it.
                below: own && policy.below,
                spared: spared.clone().map(|(realm, _)| realm.clone()).collect(),
                origin: self.origin(policy.at),
            })
        });
        Restrictions {
            document: document.to_owned(),
            all: all.collect(),
        }
    }

    /// Policies that no realm has.
    pub(super) fn idle_policies<'h>(
        &self,
        policies: &Policies,
        held: impl Iterator<Item = &'h Held> + Clone,
    ) -> Vec<Problem> {
        let idle = policies
            .iter()
            .filter(|(name, _)| !held.clone().any(|held| held.names.contains_key(*name)));
        let told = idle.map(|(name, policy)| {
            let what = format!("no realm has the policy `{name}`, and it holds nowhere");
            let problem = self.new_problem(policy.at, at!("mesh.policies"), what);
            problem.hint("name it in `policies` of a realm; those below have it too")
        });
        told.collect()
    }
}

/// What messages and the store are sealed with.
const SEALED_WITH: &str = "ChaCha20-Poly1305";
/// Longest time that something may be kept, milliseconds.
pub(super) const YEARS_MS: u64 = 3_650 * 24 * 60 * 60 * 1_000;
