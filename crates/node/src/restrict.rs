//! What documents of other systems restrict becomes policies and rates of this realm. All that a document made when
//! it was applied before, and makes no more, is taken away.

pub(crate) mod limits;

use std::collections::{BTreeMap, BTreeSet};

use realm_executor::{
    Extent, Limit, LoopsLet, Problem, RateLet, Restricted, Restriction, Restrictions,
};
use realm_policy::{Restraint, restrict_policy};
use realm_protocol::{RealmName, RealmPath, Scope, audit::AuditNote, journal::Table};

use crate::{
    LoopAction, Node, Rate, Refusal,
    state::{self, StoredPolicy, standing},
};
use limits::StoredLimit;

/// What policies for every realm below are called.
const SUBTREE: &str = "subtree.";

/// Documents to be held to.
#[derive(Debug)]
pub struct RestrictAsked {
    /// What each restricts here.
    pub restrictions: Vec<Restrictions>,
    /// Whether to say only what would change.
    pub dry_run: bool,
    /// Who asks, for the audit log.
    pub by: String,
}

/// What becomes of a policy or a rate that a document asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct RestrictReport {
    /// Its id.
    pub id: String,
    /// What is done with it.
    pub action: LoopAction,
    /// As it was.
    pub old: Option<Restricting>,
    /// As it is from now on.
    pub new: Option<Restricting>,
}

/// Something that restricts, as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Restricting {
    /// A policy.
    Policy {
        /// Cedar text.
        cedar: String,
        /// Whether it decides for every realm below instead of this one.
        subtree: bool,
    },
    /// A rate.
    Rate(Rate),
    /// A limit of the realm as a whole.
    Limit(Limit, u64),
}

impl RestrictReport {
    fn of(id: &str, old: Option<&Restricting>, new: Option<&Restricting>) -> Self {
        let action = match (old, new) {
            (None, _) => LoopAction::Created,
            (Some(_), None) => LoopAction::Removed,
            (Some(old), Some(new)) if old == new => LoopAction::Unchanged,
            (Some(_), Some(_)) => LoopAction::Changed,
        };
        Self {
            id: id.to_owned(),
            action,
            old: old.cloned(),
            new: new.cloned(),
        }
    }
}

impl Node {
    /// Holds this realm to documents, to all of each or to nothing.
    pub(crate) fn restrict(
        &mut self,
        asked: &RestrictAsked,
    ) -> Result<Vec<RestrictReport>, Refusal> {
        let (mut old, mut new) = (BTreeMap::new(), BTreeMap::new());
        let mut problems = Vec::new();
        for restrictions in &asked.restrictions {
            let document = &restrictions.document;
            old.extend(self.restricting(document));
            for restriction in &restrictions.all {
                match self.to_restrict(document, restriction) {
                    Ok(kept) => new.extend(kept),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        if !problems.is_empty() {
            return Err(Refusal::Restrictions(problems));
        }
        let ids: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let reports = ids.into_iter();
        let reports = reports.map(|id| RestrictReport::of(id, old.get(id), new.get(id)));
        let reports: Vec<RestrictReport> = reports.collect();
        if !asked.dry_run {
            self.take_restrictions(&reports, &asked.by)?;
        }
        Ok(reports)
    }

    /// What restricts this realm because of a document, by its id.
    fn restricting(&self, document: &str) -> BTreeMap<String, Restricting> {
        let of_document = |id: &str| {
            let id = id.strip_prefix(SUBTREE).unwrap_or(id);
            let rest = id.strip_prefix(document);
            rest.is_some_and(|rest| rest.starts_with('.'))
        };
        let policies = self.policies().filter(|(id, ..)| of_document(id));
        let policies = policies.map(|(id, cedar, subtree, _)| {
            let cedar = cedar.to_owned();
            (id.to_owned(), Restricting::Policy { cedar, subtree })
        });
        let rates = self
            .rates
            .applied()
            .values()
            .filter(|rate| of_document(&rate.name));
        let rates = rates.map(|rate| (rate.name.clone(), Restricting::Rate(rate.clone())));
        let limits = self.limits_set.iter().filter(|(id, _)| of_document(id));
        let limits = limits.map(|(id, (of, most))| (id.clone(), Restricting::Limit(*of, *most)));
        policies.chain(rates).chain(limits).collect()
    }

    /// What a restriction is kept as, by its id.
    fn to_restrict(
        &self,
        document: &str,
        restriction: &Restriction,
    ) -> Result<Vec<(String, Restricting)>, Problem> {
        let id = format!("{document}.{}", restriction.name);
        let restraint = match &restriction.what {
            Restricted::Rate(rate) => {
                let rate = rate_called(id.clone(), *rate);
                return Ok(vec![(id, Restricting::Rate(rate))]);
            }
            Restricted::Limit(of, most) => return Ok(vec![(id, Restricting::Limit(*of, *most))]),
            Restricted::Loops(loops) => self.loops_let(restriction, loops.clone())?,
            Restricted::Roles(roles) => Restraint::Roles(roles.clone()),
            Restricted::Within(Extent::Alone) => Restraint::Alone(self.me.scope()),
            Restricted::Within(Extent::Subtree) => Restraint::Within(self.me.scope()),
            Restricted::Within(Extent::Tree) => Restraint::Within(Scope {
                root: self.me.root(),
                path: RealmPath::ROOT,
            }),
            Restricted::Nothing => Restraint::Nothing,
        };
        let spared = restriction.spared.iter();
        let spared = spared.map(|realm| self.named_in(restriction, realm));
        let spared = spared.collect::<Result<Vec<_>, _>>()?;
        let about = format!("{} of {document}", restriction.name);
        let cedar = restrict_policy(&about, &self.me.scope(), &restraint, &spared);
        let policy = |subtree| Restricting::Policy {
            cedar: cedar.clone(),
            subtree,
        };
        // What keeps calls in this realm alone would keep those below from their own loops.
        let alone = restriction.what == Restricted::Within(Extent::Alone);
        let below = restriction.below && !alone;
        let below = below.then(|| (format!("{SUBTREE}{id}"), policy(true)));
        let own = Some((id, policy(false)));
        Ok(own.into_iter().chain(below).collect())
    }

    fn loops_let(&self, restriction: &Restriction, loops: LoopsLet) -> Result<Restraint, Problem> {
        let LoopsLet {
            everybody,
            by_realm,
            nobody,
        } = loops;
        let by_realm = by_realm.into_iter().map(|(realm, loops)| {
            let scope = self.named_in(restriction, &realm)?;
            Ok((scope, loops))
        });
        Ok(Restraint::Loops {
            everybody,
            by_realm: by_realm.collect::<Result<_, Problem>>()?,
            nobody,
        })
    }

    fn named_in(&self, restriction: &Restriction, realm: &RealmName) -> Result<Scope, Problem> {
        self.resolve_name(realm).map_err(|error| {
            let what = format!("`{}` names `{realm}`: {error}", restriction.name);
            Problem {
                hint: Some("realmctl realm ls; join it first: realmctl join -".to_owned()),
                ..Problem::at(&restriction.origin, "restriction.realm", what)
            }
        })
    }

    fn take_restrictions(&mut self, reports: &[RestrictReport], by: &str) -> Result<(), Refusal> {
        let created = self.wall();
        let mut documents = self.rules.documents().clone();
        let mut rates = self.rates.applied().clone();
        let mut limits = self.limits_set.clone();
        let changed = || {
            let reports = reports.iter();
            reports.filter(|report| report.action != LoopAction::Unchanged)
        };
        for report in changed() {
            let id = &report.id;
            match &report.new {
                Some(Restricting::Policy { cedar, subtree }) => {
                    let policy = StoredPolicy {
                        cedar: cedar.clone(),
                        subtree: *subtree,
                        created,
                    };
                    documents.insert(id.clone(), policy);
                }
                Some(Restricting::Rate(rate)) => drop(rates.insert(id.clone(), rate.clone())),
                Some(Restricting::Limit(of, most)) => {
                    limits.insert(id.clone(), (*of, *most));
                }
                None => {}
            }
            // One name may come to stand for the other kind.
            if !matches!(report.new, Some(Restricting::Policy { .. })) {
                documents.remove(id);
            }
            if !matches!(report.new, Some(Restricting::Rate(_))) {
                rates.remove(id);
            }
            if !matches!(report.new, Some(Restricting::Limit(..))) {
                limits.remove(id);
            }
        }
        crate::rates::all_bounded(&rates)?;
        self.take_documents(documents)?;
        self.rates.set_applied(rates);
        self.limits_set = limits;
        for report in changed() {
            self.write_restriction(report);
            let action = match (&report.new, &report.old) {
                (Some(Restricting::Policy { .. }), _) => "policy.set",
                (Some(Restricting::Rate(_)), _) => "rate.applied",
                (Some(Restricting::Limit(..)), _) => "limit.applied",
                (None, Some(Restricting::Rate(_))) => "rate.removed",
                (None, Some(Restricting::Limit(..))) => "limit.removed",
                (None, _) => "policy.disallowed",
            };
            self.audit(AuditNote {
                person: Some(by.to_owned()),
                ..AuditNote::new(action).about(report.id.clone())
            });
        }
        self.publish_policy();
        Ok(())
    }

    fn write_restriction(&mut self, report: &RestrictReport) {
        let key = report.id.as_bytes();
        match &report.old {
            Some(Restricting::Policy { .. }) => self.delete(Table::Policies, key),
            Some(Restricting::Rate(_)) => self.delete(Table::Rates, key),
            Some(Restricting::Limit(..)) => {
                self.delete(Table::Standing, &standing::limit(&report.id));
            }
            None => {}
        }
        match &report.new {
            Some(Restricting::Policy { .. }) => {
                let row = self.rules.documents().get(&report.id).map(state::write);
                if let Some(row) = row {
                    self.put(Table::Policies, key, row);
                }
            }
            Some(Restricting::Rate(rate)) => self.write_rate(rate),
            Some(Restricting::Limit(of, most)) => {
                let row = state::write(&StoredLimit::new(*of, *most));
                self.put(Table::Standing, &standing::limit(&report.id), row);
            }
            None => {}
        }
    }
}

const fn rate_called(name: String, rate: RateLet) -> Rate {
    let RateLet {
        per_minute,
        burst,
        shared,
        queue,
    } = rate;
    Rate {
        name,
        callers: None,
        loops: BTreeSet::new(),
        per_minute,
        burst,
        shared,
        queue,
    }
}
