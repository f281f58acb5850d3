//! The policies that decide here, and the denials they made.

use std::{collections::BTreeMap, sync::Arc};

use realm_policy::{
    Action, Decision, Denial, Memo, Permit, Policy, PolicyProblem, Request, Resource,
};
use realm_protocol::{Label, RealmId, Scope, Timestamp, records::PolicyRecord};

use crate::state::{StoredCeiling, StoredPolicy};

/// Denials remembered for `policy why`; beyond, the oldest are forgotten.
pub(crate) const DENIALS: usize = 1_024;

/// The policy documents, compiled.
#[derive(Debug)]
pub(crate) struct Rules {
    documents: BTreeMap<String, StoredPolicy>,
    ceilings: BTreeMap<usize, StoredCeiling>,
    /// Petnames that the realms above give, the nearest realm's last.
    petnames: Vec<(Label, RealmId)>,
    policy: Policy,
    memo: Memo,
    denials: BTreeMap<String, (Timestamp, Denial)>,
}

impl Rules {
    pub(crate) fn new() -> Self {
        Self {
            documents: BTreeMap::new(),
            ceilings: BTreeMap::new(),
            petnames: Vec::new(),
            policy: Policy::new(),
            memo: Memo::default(),
            denials: BTreeMap::new(),
        }
    }

    pub(crate) fn documents(&self) -> &BTreeMap<String, StoredPolicy> {
        &self.documents
    }

    /// Takes the documents, if all of them compile that are not as they were. One that was kept and compiles no
    /// more stays, and everything is denied until it is replaced or removed.
    pub(crate) fn set_documents(
        &mut self,
        documents: BTreeMap<String, StoredPolicy>,
    ) -> Result<(), Vec<PolicyProblem>> {
        let changed = |id: &String| self.documents.get(id) != documents.get(id);
        let mut found = subtree_problems(&documents, changed);
        if found.is_empty() {
            match self.policy.set_own(own_texts(&documents)) {
                Ok(()) => {
                    self.documents = documents;
                    return Ok(());
                }
                Err(problems) => found = problems,
            }
        } else if let Err(problems) = Policy::new().set_own(own_texts(&documents)) {
            found.extend(problems);
        }
        let as_it_was = |problem: &PolicyProblem| {
            let held = self.documents.get(&problem.id);
            held.is_some() && held == documents.get(&problem.id)
        };
        found.retain(|problem| !as_it_was(problem));
        if !found.is_empty() {
            return Err(found);
        }
        self.keep_documents(documents);
        Ok(())
    }

    /// Takes documents that were taken once. Those that compile no more stay, named in the log, and
    /// everything that they may have governed is denied.
    pub(crate) fn keep_documents(&mut self, documents: BTreeMap<String, StoredPolicy>) {
        let own = self.policy.set_own_as_kept(own_texts(&documents));
        let below = subtree_problems(&documents, |_| true);
        for problem in own.err().into_iter().flatten() {
            tracing::error!(%problem, "a stored policy does not compile: everything is denied");
        }
        for problem in below {
            tracing::error!(%problem, "a stored policy does not compile: every realm below denies everything");
        }
        self.documents = documents;
    }

    /// The word for every realm below, as one Cedar text.
    pub(crate) fn subtree_text(&self) -> String {
        subtree_text(&self.documents)
    }

    /// Bytes of Cedar that would be published for every realm below with these documents.
    pub(crate) fn subtree_bytes(documents: &BTreeMap<String, StoredPolicy>) -> usize {
        subtree_text(documents).len()
    }

    pub(crate) fn ceilings(&self) -> impl Iterator<Item = &StoredCeiling> {
        self.ceilings.values()
    }

    /// The number of the policy record held from a realm above; none if it is another's.
    pub(crate) fn ceiling_number(&self, scope: &Scope, realm: RealmId) -> Option<u64> {
        let held = self.ceilings.get(&scope.path.depth())?;
        let record = held.record.peek().ok()?;
        (held.scope == *scope && record.realm == realm).then_some(record.number)
    }

    /// Takes the policy record of a realm above.
    ///
    /// # Errors
    /// What does not compile; the record is held all the same, and denies everything.
    pub(crate) fn set_ceiling(
        &mut self,
        ceiling: StoredCeiling,
        record: &PolicyRecord,
    ) -> Result<(), Vec<PolicyProblem>> {
        let depth = ceiling.scope.path.depth();
        let set = self.policy.set_ceiling(
            depth,
            ceiling.scope.clone(),
            record.realm,
            record.number,
            &record.cedar,
        );
        self.ceilings.insert(depth, ceiling);
        let held = self.ceilings.values();
        let records = held.filter_map(|held| held.record.peek().ok());
        self.petnames = records
            .flat_map(|record| record.petnames)
            .map(|petname| (petname.name, petname.root))
            .collect();
        set
    }

    /// Petnames that realms above have given, the nearest realm's last.
    pub(crate) fn petnames_above(&self) -> &[(Label, RealmId)] {
        &self.petnames
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Says with whom this realm peers.
    pub(crate) fn set_peers<T>(&mut self, peers: &BTreeMap<RealmId, T>) {
        self.policy.set_peers(peers.keys().copied().collect());
    }

    /// How many realms stand above: each must have said what its subtree may do.
    pub(crate) fn set_ancestors(&mut self, ancestors: usize) {
        self.policy.set_ancestors(ancestors);
    }

    /// Decides, or remembers having decided.
    pub(crate) fn decide(
        &mut self,
        action: Action,
        principal: &Scope,
        resource: Resource<'_>,
        answer: bool,
        now: Timestamp,
    ) -> Result<Arc<Permit>, Denial> {
        self.decide_request(&Request {
            answer,
            ..Request::new(action, principal.into(), resource, now)
        })
    }

    /// Decides anything that can be asked, or remembers having decided.
    pub(crate) fn decide_request(&mut self, request: &Request<'_>) -> Result<Arc<Permit>, Denial> {
        let decided = self.memo.decide(&self.policy, request);
        decided.map_err(|denial| *denial)
    }

    /// Remembers a denial; gives the reference of one that is forgotten for it.
    pub(crate) fn remember_denial(
        &mut self,
        reference: String,
        at: Timestamp,
        denial: Denial,
    ) -> Option<String> {
        self.denials.insert(reference, (at, denial));
        if self.denials.len() <= DENIALS {
            return None;
        }
        let oldest = self.denials.iter().min_by_key(|(_, (at, _))| *at);
        let oldest = oldest.map(|(reference, _)| reference.clone())?;
        self.denials.remove(&oldest);
        Some(oldest)
    }

    /// The reference of a denial of the same by the same level, if one is remembered.
    pub(crate) fn reference_of(&self, denial: &Denial) -> Option<String> {
        let same = |held: &Denial| {
            let (asked, held_asked) = (&denial.request, &held.request);
            asked.action == held_asked.action
                && asked.principal == held_asked.principal
                && (&asked.resource, &asked.step) == (&held_asked.resource, &held_asked.step)
                && (&denial.level, &denial.determining) == (&held.level, &held.determining)
        };
        let mut held = self.denials.iter();
        let found = held.find(|(_, (_, held))| same(held));
        found.map(|(reference, _)| reference.clone())
    }

    /// Whether a policy forbids it, rather than none permitting it.
    pub(crate) fn forbids(
        &self,
        action: Action,
        principal: &Scope,
        resource: Resource<'_>,
        now: Timestamp,
    ) -> bool {
        let request = Request::new(action, principal.into(), resource, now);
        match self.policy.decide(&request) {
            Decision::Permitted(_) => false,
            Decision::Denied(denial) => !denial.determining.is_empty() || !denial.errors.is_empty(),
        }
    }

    pub(crate) fn denials(&self) -> impl Iterator<Item = &Denial> {
        self.denials.values().map(|(_, denial)| denial)
    }

    pub(crate) fn denial(&self, reference: &str) -> Option<&Denial> {
        self.denials.get(reference).map(|(_, denial)| denial)
    }
}

fn own_texts(documents: &BTreeMap<String, StoredPolicy>) -> BTreeMap<String, String> {
    let own = documents.iter().filter(|(_, document)| !document.subtree);
    own.map(|(id, document)| (id.clone(), document.cedar.clone()))
        .collect()
}

/// What does not compile of those documents for every realm below that are to be looked at.
fn subtree_problems(
    documents: &BTreeMap<String, StoredPolicy>,
    looked_at: impl Fn(&String) -> bool,
) -> Vec<PolicyProblem> {
    let subtree = documents.iter().filter(|(_, document)| document.subtree);
    let problems = subtree
        .filter(|(id, _)| looked_at(id))
        .flat_map(|(id, document)| {
            let problems = realm_policy::check(&document.cedar).into_iter();
            problems.map(|problem| PolicyProblem {
                id: id.clone(),
                ..problem
            })
        });
    problems.collect()
}

fn subtree_text(documents: &BTreeMap<String, StoredPolicy>) -> String {
    let subtree = documents.iter().filter(|(_, document)| document.subtree);
    let texts = subtree
        .map(|(id, document)| (id.clone(), document.cedar.clone()))
        .collect();
    realm_policy::subtree_text(&texts)
}
