//! The levels that decide.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock},
};

use cedar_policy::{Authorizer, Decision as Verdict, PolicyId, PolicySet};
use realm_protocol::{RealmId, Scope, limits, records::Role};

use crate::{
    Action, Decision, Denial, Level, LevelAnswer, LevelSays, Permit, PolicyProblem, PolicyUse,
    Request, approval,
    check::{Strictness, parse},
    entities::Question,
    inside_policies,
    timed::sees_time,
};

/// Bytes of a document's id, where a person chooses it.
pub const MAX_POLICY_ID: usize = 96;

/// Documents a realm may have of its own; more is refused by [`Policy::set_own`].
pub const MAX_DOCUMENTS: usize = 1_024;

/// Everything that decides at one realm: the ceilings of its ancestors and its own documents.
///
/// Starts with nothing, and so denies everything.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Counts changes, so that what was decided before one is not taken for what holds after.
    generation: u64,
    ancestors: usize,
    ceilings: BTreeMap<usize, Ceiling>,
    own: Rules,
    /// What `own` is made of, so that an edit compiles only what it changes.
    documents: Documents,
    /// The roots whose trees this realm peers with.
    peers: BTreeSet<RealmId>,
}

#[derive(Clone, Debug)]
struct Ceiling {
    scope: Scope,
    realm: RealmId,
    number: u64,
    rules: Rules,
}

/// Documents that compile, by their ids.
type Documents = BTreeMap<String, Arc<Document>>;

/// A document, and what it compiles to.
#[derive(Debug)]
struct Document {
    text: String,
    set: PolicySet,
    sees_time: bool,
}

/// What stands beside the documents of every realm, compiled once.
static INSIDE: LazyLock<Documents> = LazyLock::new(|| {
    let inside = inside_policies().into_iter();
    let compiled =
        inside.filter_map(|(id, text)| Document::compile(&id, text).ok().map(|it| (id, it)));
    compiled.collect()
});

impl Document {
    fn compile(id: &str, text: String) -> Result<Arc<Self>, Vec<PolicyProblem>> {
        let set = parse(id, &text, Strictness::Validated)?;
        let sees_time = sees_time(&text);
        Ok(Arc::new(Self {
            text,
            set,
            sees_time,
        }))
    }
}

/// One level's policies. Problems deny everything.
#[derive(Clone, Debug, Default)]
struct Rules {
    set: PolicySet,
    /// What a person calls each policy.
    names: BTreeMap<PolicyId, String>,
    /// Who has to approve what a policy permits, where it asks for a person.
    demanded: BTreeMap<PolicyId, Role>,
    problems: Vec<String>,
    /// Whether any policy may decide otherwise at another time.
    sees_time: bool,
}

impl Policy {
    /// Starts with no documents and no ceilings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces this realm's own documents: policy id to Cedar text. What [`inside_policies`] gives
    /// stands beside them.
    ///
    /// # Errors
    /// Every [`PolicyProblem`] in any of them; nothing is replaced then.
    pub fn set_own(
        &mut self,
        documents: BTreeMap<String, String>,
    ) -> Result<(), Vec<PolicyProblem>> {
        (self.own, self.documents) = Rules::of_own(documents, &self.documents)?;
        self.note_change();
        Ok(())
    }

    /// Replaces this realm's own documents by some that were taken once. If any of them holds no more,
    /// nobody knows what it forbade, and everything is denied.
    ///
    /// # Errors
    /// Every [`PolicyProblem`] in any of them; they are replaced all the same.
    pub fn set_own_as_kept(
        &mut self,
        documents: BTreeMap<String, String>,
    ) -> Result<(), Vec<PolicyProblem>> {
        let taken = self.set_own(documents);
        if let Err(problems) = &taken {
            self.own = Rules::failing(problems);
            self.note_change();
        }
        taken
    }

    /// Counts the changes of these policies so far.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Tells whether the same question may be decided otherwise at another time.
    pub fn sees_time(&self) -> bool {
        let ceilings = self.ceilings.values();
        let mut rules = ceilings.map(|ceiling| &ceiling.rules).chain([&self.own]);
        rules.any(|rules| rules.sees_time)
    }

    fn note_change(&mut self) {
        self.generation = self.generation.saturating_add(1);
    }

    /// Says how many ancestors this realm has. Until each has its ceiling, everything is denied.
    pub fn set_ancestors(&mut self, ancestors: usize) {
        self.ancestors = ancestors.min(limits::PATH_DEPTH);
        self.note_change();
    }

    /// Says with which roots this realm peers.
    pub fn set_peers(&mut self, peers: BTreeSet<RealmId>) {
        if self.peers != peers {
            self.peers = peers;
            self.note_change();
        }
    }

    /// Replaces the ceiling of the ancestor `depth` levels below the root.
    ///
    /// The text is parsed, not validated: a newer ancestor may name what this version does not
    /// know, and a policy that then fails denies by itself.
    ///
    /// # Errors
    /// Every [`PolicyProblem`]; the ceiling is replaced all the same, and denies everything until
    /// a better one comes. Deeper than a tree can be is an error and changes nothing.
    pub fn set_ceiling(
        &mut self,
        depth: usize,
        scope: Scope,
        realm: RealmId,
        number: u64,
        text: &str,
    ) -> Result<(), Vec<PolicyProblem>> {
        if depth >= limits::PATH_DEPTH {
            let what = format!(
                "an ancestor is at most {} below its root",
                limits::PATH_DEPTH - 1
            );
            return Err(vec![PolicyProblem::whole(String::new(), what)]);
        }
        let mut rules = Rules::default();
        let added = parse("", text, Strictness::Parsed).and_then(|set| rules.add_record(&set));
        rules.sees_time = sees_time(text);
        if let Err(problems) = &added {
            rules = Rules::failing(problems);
        }
        let ceiling = Ceiling {
            scope,
            realm,
            number,
            rules,
        };
        self.ceilings.insert(depth, ceiling);
        self.note_change();
        added
    }

    /// Forgets the ceilings of the ancestor at `depth` and of all below it.
    pub fn clear_ceilings_from(&mut self, depth: usize) {
        self.ceilings.split_off(&depth);
        self.note_change();
    }

    /// Decides: the ceilings from the root down, then this realm's own documents. All must
    /// permit; the first that does not is the denial's level.
    ///
    /// What somebody or something inside this realm asks, its own documents permit, and the realms above
    /// can only forbid. Who administers it is its own matter alone.
    pub fn decide(&self, request: &Request<'_>) -> Decision {
        let denied = |level, refusal: Refusal| {
            Decision::Denied(Denial {
                request: request.into(),
                level,
                determining: refusal.determining,
                errors: refusal.errors,
            })
        };
        let question = match Question::new(request, &self.peers) {
            Ok(question) => question,
            Err(error) => return denied(Level::Own, Refusal::error(error.to_string())),
        };
        let mut policies = Vec::new();
        let mut approvals = BTreeSet::new();
        let levels = match request.action {
            Action::Administer => 0,
            _ => self.levels(),
        };
        let inside = request.is_inside();
        for depth in 0..levels {
            let Some(ceiling) = self.ceilings.get(&depth) else {
                if inside {
                    continue;
                }
                return denied(Level::Missing { depth }, Refusal::default());
            };
            let asked = match ceiling.rules.ask(&question) {
                Err(refusal) if inside && refusal.is_silence() => Ok(BTreeSet::new()),
                asked => asked,
            };
            match asked {
                Ok(demanded) => approvals.extend(demanded),
                Err(refusal) => {
                    let scope = ceiling.scope.clone();
                    let number = ceiling.number;
                    return denied(Level::Ceiling { scope, number }, refusal);
                }
            }
            policies.push(PolicyUse {
                realm: ceiling.realm,
                number: ceiling.number,
            });
        }
        match self.own.ask(&question) {
            Ok(demanded) => {
                approvals.extend(demanded);
                let approvals = approvals.into_iter().collect();
                Decision::Permitted(Permit::new(request, policies, approvals))
            }
            Err(refusal) => denied(Level::Own, refusal),
        }
    }
}

impl Policy {
    /// What each level says by itself, the root's first and this realm's own last, whatever the others say.
    pub fn explain(&self, request: &Request<'_>) -> Vec<LevelSays> {
        let Ok(question) = Question::new(request, &self.peers) else {
            return Vec::new();
        };
        let levels = match request.action {
            Action::Administer => 0,
            _ => self.levels(),
        };
        let above = (0..levels).map(|depth| match self.ceilings.get(&depth) {
            None => LevelSays::silent(Level::Missing { depth }),
            Some(ceiling) => {
                let (scope, number) = (ceiling.scope.clone(), ceiling.number);
                ceiling
                    .rules
                    .says(Level::Ceiling { scope, number }, &question)
            }
        });
        above
            .chain([self.own.says(Level::Own, &question)])
            .collect()
    }

    /// How many levels stand above, as far as is known.
    fn levels(&self) -> usize {
        let deepest = self.ceilings.last_key_value();
        let deepest = deepest.map_or(0, |(depth, _)| depth + 1);
        deepest.max(self.ancestors)
    }
}

/// Why one level does not permit.
#[derive(Debug, Default)]
struct Refusal {
    determining: Vec<String>,
    errors: Vec<String>,
}

impl Refusal {
    /// Whether nothing forbids it, and nothing permits it either.
    fn is_silence(&self) -> bool {
        self.determining.is_empty() && self.errors.is_empty()
    }

    fn error(error: String) -> Self {
        Self {
            determining: Vec::new(),
            errors: vec![error],
        }
    }
}

impl Rules {
    /// This realm's own documents, and those that stand beside them. What is `known` by the same text is
    /// not compiled again.
    fn of_own(
        documents: BTreeMap<String, String>,
        known: &Documents,
    ) -> Result<(Self, Documents), Vec<PolicyProblem>> {
        if documents.len() > MAX_DOCUMENTS {
            let what = format!("more than {MAX_DOCUMENTS} policies");
            return Err(vec![PolicyProblem::whole(String::new(), what)]);
        }
        let mut own = Self::default();
        let mut compiled = Documents::new();
        let mut problems = Vec::new();
        let inside = inside_policies().into_iter();
        for (id, text) in inside.chain(documents) {
            let mut known = [known, &INSIDE].into_iter().filter_map(|it| it.get(&id));
            let document = match known.find(|it| it.text == text) {
                Some(document) => Ok(Arc::clone(document)),
                None => Document::compile(&id, text),
            };
            let added = document.and_then(|document| {
                own.add_document(&id, &document)?;
                Ok(document)
            });
            match added {
                Ok(document) => drop(compiled.insert(id, document)),
                Err(found) => problems.extend(found),
            }
        }
        match problems.is_empty() {
            true => Ok((own, compiled)),
            false => Err(problems),
        }
    }

    /// What denies everything, because of these.
    fn failing(problems: &[PolicyProblem]) -> Self {
        Self {
            problems: problems.iter().map(ToString::to_string).collect(),
            ..Self::default()
        }
    }

    /// Adds a document of this realm; all its policies go by the document's id.
    fn add_document(&mut self, id: &str, document: &Document) -> Result<(), Vec<PolicyProblem>> {
        self.sees_time |= document.sees_time;
        for policy in document.set.policies() {
            let unique = PolicyId::new(format!("{id}#{}", policy.id()));
            self.add(policy.new_id(unique), id.to_owned())?;
        }
        Ok(())
    }

    /// Adds an ancestor's record; its policies go by their `@id` or their place in the text.
    fn add_record(&mut self, set: &PolicySet) -> Result<(), Vec<PolicyProblem>> {
        for policy in set.policies() {
            let name = policy.annotation("id").map(ToOwned::to_owned);
            let name = name.unwrap_or_else(|| policy.id().to_string());
            self.add(policy.clone(), name)?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        policy: cedar_policy::Policy,
        name: String,
    ) -> Result<(), Vec<PolicyProblem>> {
        let id = policy.id().clone();
        if let Some(role) = approval::demanded(&policy) {
            self.demanded.insert(id.clone(), role);
        }
        let added = self.set.add(policy);
        added.map_err(|error| vec![PolicyProblem::whole(name.clone(), error.to_string())])?;
        self.names.insert(id, name);
        Ok(())
    }

    /// Permits only if a policy permits, none forbids, and none fails; gives the roles of those who
    /// have to approve.
    fn ask(&self, question: &Question) -> Result<BTreeSet<Role>, Refusal> {
        if !self.problems.is_empty() {
            return Err(Refusal {
                determining: Vec::new(),
                errors: self.problems.clone(),
            });
        }
        let authorizer = Authorizer::new();
        let response = authorizer.is_authorized(&question.request, &self.set, &question.entities);
        let errors = response.diagnostics().errors();
        let mut errors: Vec<String> = errors.map(|error| self.explain(error)).collect();
        if response.decision() == Verdict::Allow && errors.is_empty() {
            let permits = response.diagnostics().reason();
            let demanded = permits.filter_map(|id| self.demanded.get(id));
            return Ok(demanded.copied().collect());
        }
        errors.sort();
        let forbids = match response.decision() {
            Verdict::Allow => Vec::new(),
            Verdict::Deny => response
                .diagnostics()
                .reason()
                .map(|id| self.name(id))
                .collect(),
        };
        let mut determining: Vec<String> = forbids;
        determining.sort();
        determining.dedup();
        Err(Refusal {
            determining,
            errors,
        })
    }

    /// What it says, with the policies that say so.
    fn says(&self, level: Level, question: &Question) -> LevelSays {
        let says = |answer, policies, errors| LevelSays {
            level: level.clone(),
            answer,
            policies,
            errors,
        };
        match self.ask(question) {
            Ok(_) => {
                let response = Authorizer::new().is_authorized(
                    &question.request,
                    &self.set,
                    &question.entities,
                );
                let permits = response.diagnostics().reason().map(|id| self.name(id));
                let permits: BTreeSet<String> = permits.collect();
                says(
                    LevelAnswer::Permits,
                    permits.into_iter().collect(),
                    Vec::new(),
                )
            }
            Err(refusal) if !refusal.errors.is_empty() => {
                says(LevelAnswer::Fails, refusal.determining, refusal.errors)
            }
            Err(refusal) if refusal.determining.is_empty() => LevelSays::silent(level.clone()),
            Err(refusal) => says(LevelAnswer::Forbids, refusal.determining, Vec::new()),
        }
    }

    fn name(&self, id: &PolicyId) -> String {
        self.names
            .get(id)
            .cloned()
            .unwrap_or_else(|| id.to_string())
    }

    fn explain(&self, error: &cedar_policy::AuthorizationError) -> String {
        let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
        format!("{}: {}", self.name(error.policy_id()), error.inner())
    }
}
