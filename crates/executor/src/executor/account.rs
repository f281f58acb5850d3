//! What a frame and all below it may use, and what they have used.

use realm_protocol::{
    FailureCode, LoopId,
    budget::{Amount, Budget, Excess, Spend},
};

use serde_json::Value;

use super::run::budget_value;
use crate::{ApprovalRule, LoopError};

/// Who bounds what a run may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bounder {
    /// Whoever asked on this machine.
    Asker,
    /// The realm where it was asked, or this one where nobody there did.
    Caller,
    /// This realm's configuration, for whoever does not say.
    Configuration,
    /// This realm's configuration, for whoever calls from elsewhere.
    Owner,
    /// The grant that a call of another realm's goes by.
    Grant,
}

/// A budget that a run was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    /// What it may use.
    pub budget: Budget,
    /// Who says so.
    pub by: Bounder,
}

/// Who says what a frame may use.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Run(Bounder),
    Loop(LoopId),
    /// The loop that calls, of this one call.
    Call(LoopId),
}

/// What a frame and all below it may use, and have used.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    bounds: Vec<(Source, Budget)>,
    /// Whom to ask before more than so much is used.
    asked_above: Vec<(Budget, ApprovalRule)>,
    /// What is known to have been used.
    spent: Spend,
    /// What is set aside for what was asked and has not been answered.
    reserved: Spend,
}

impl Account {
    /// The first frame's, which there always is.
    pub(super) fn of_run(given: &[Given]) -> Self {
        let bounds = given.iter().filter(|given| !given.budget.is_unbounded());
        Self {
            bounds: bounds
                .map(|given| (Source::Run(given.by), given.budget))
                .collect(),
            ..Self::default()
        }
    }

    /// Bounds it by what a loop says of itself as well.
    pub(super) fn bound_by(&mut self, loop_id: &LoopId, budget: Budget) {
        if !budget.is_unbounded() {
            self.bounds.push((Source::Loop(loop_id.clone()), budget));
        }
    }

    /// Bounds it by what the loop that calls lets this call use.
    pub(super) fn bound_by_caller(&mut self, caller: &LoopId, budget: Budget) {
        self.bounds.push((Source::Call(caller.clone()), budget));
    }

    /// Has people asked before more is used than a rule says, where it says so.
    pub(super) fn ask_above(&mut self, rule: &ApprovalRule) {
        let above = rule.above.map(|above| (above, rule.clone()));
        self.asked_above.extend(above);
    }

    /// Takes up what was written down: what was set aside counts as used until more is known.
    pub(super) fn take_up(&mut self, spent: Spend) {
        self.spent = spent;
    }

    /// What is written down of it: what is set aside counts as used.
    pub(super) fn held(&self) -> Spend {
        self.spent.clone().plus(&self.reserved)
    }

    /// What is known to have been used.
    pub(super) const fn spent(&self) -> &Spend {
        &self.spent
    }

    /// Everything it is bounded by.
    pub(super) fn budget(&self) -> Budget {
        let bounds = self.bounds.iter().map(|(_, budget)| *budget);
        bounds.fold(Budget::default(), Budget::narrowed)
    }

    /// What is written down of it, where there is anything that a restart must know.
    pub(super) fn to_record(&self) -> Option<Spend> {
        let held = self.held();
        (self.is_bounded() || !held.is_calls_alone()).then_some(held)
    }

    pub(super) fn is_bounded(&self) -> bool {
        !self.bounds.is_empty() || !self.asked_above.is_empty()
    }

    /// Those who are to be asked before something is used, by whether it is within what is left until then.
    pub(super) fn asks(
        &self,
        within: impl Fn(&Budget) -> bool,
    ) -> impl Iterator<Item = &ApprovalRule> {
        let held = self.held();
        let passed = self.asked_above.iter();
        let passed = passed.filter(move |(above, _)| !within(&above.less(&held)));
        passed.map(|(_, rule)| rule)
    }

    /// What may still be used before anybody is asked.
    pub(super) fn left_unasked(&self) -> Budget {
        let held = self.held();
        let bounds = self.asked_above.iter().map(|(above, _)| above.less(&held));
        bounds.fold(Budget::default(), Budget::narrowed)
    }

    pub(super) fn bounds_calls(&self) -> bool {
        self.bounds.iter().any(|(_, budget)| budget.calls.is_some())
    }

    /// What it is bounded by, as traces carry it.
    pub(super) fn shown(&self) -> Option<Value> {
        (!self.bounds.is_empty()).then(|| budget_value(&self.budget()))
    }

    /// What may still be used.
    pub(super) fn left(&self) -> Budget {
        self.budget().less(&self.held())
    }

    /// Whether something may be used; `what` is it.
    pub(super) fn check(&self, wanted: &Spend, what: &str) -> Result<(), LoopError> {
        let held = self.held();
        for (source, budget) in &self.bounds {
            if let Err(excess) = budget.less(&held).check(wanted) {
                return Err(refusal(what, excess, source, *budget));
            }
        }
        Ok(())
    }

    pub(super) fn reserve(&mut self, wanted: &Spend) {
        self.reserved.add(wanted);
    }

    /// What was set aside counts as used no longer: it is asked again, or known what it used.
    pub(super) fn release(&mut self, reserved: &Spend) {
        self.reserved.subtract(reserved);
    }

    pub(super) fn book(&mut self, used: &Spend) {
        self.spent.add(used);
    }

    /// What was set aside before a restart, and counted as used since, is set aside again.
    pub(super) fn set_aside_again(&mut self, reserved: &Spend) {
        self.spent.subtract(reserved);
        self.reserved.add(reserved);
    }
}

/// What a refusal says: what was asked, what was left, and what widens it.
fn refusal(what: &str, excess: Excess, source: &Source, budget: Budget) -> LoopError {
    let whose = match source {
        Source::Run(Bounder::Asker) => "the run's budget".to_owned(),
        Source::Run(Bounder::Caller) => "the budget that the caller gave".to_owned(),
        Source::Run(Bounder::Configuration) => "this realm's budget for a run".to_owned(),
        Source::Run(Bounder::Owner) => "what this realm lets a call of another one use".to_owned(),
        Source::Run(Bounder::Grant) => "what the caller's grant gives".to_owned(),
        Source::Loop(id) => format!("the budget of loop `{id}`"),
        Source::Call(id) => format!("what loop `{id}` lets this call use"),
    };
    let (lacks, flag, member) = match excess {
        Excess::Money { wanted, left } => {
            let wanted = Amount {
                micros: wanted,
                ..left
            };
            let whole = budget.money.unwrap_or(left);
            let lacks = format!("may cost {wanted}, and {left} of {whole} is left of {whose}");
            (lacks, "--budget", "money")
        }
        Excess::Currency { wanted, given } => {
            let lacks = format!("may cost {wanted}, and {whose} is in {given}");
            (lacks, "--budget", "money")
        }
        Excess::Unpriced => {
            let lacks = format!(
                "costs what nobody knows, and {whose} bounds money: `price` of the backend in \
                 realm.toml says it, and a budget of tokens, `--budget-tokens`, needs none"
            );
            (lacks, "--budget-tokens", "tokens")
        }
        Excess::Tokens { wanted, left } => {
            let whole = budget.tokens.unwrap_or(left);
            let lacks =
                format!("may take {wanted} tokens, and {left} of {whole} are left of {whose}");
            (lacks, "--budget-tokens", "tokens")
        }
        Excess::Calls => {
            let whole = budget.calls.unwrap_or(0);
            let lacks = format!("is one call too many: {whose} has {whole}");
            (lacks, "--budget-calls", "calls")
        }
    };
    let widens = match (source, excess) {
        (_, Excess::Unpriced) => String::new(),
        (Source::Run(Bounder::Asker | Bounder::Configuration), _) => {
            format!("; `{flag}` of realmctl invoke sets it")
        }
        (Source::Run(Bounder::Caller), _) => format!("; `{flag}` at the caller gives more"),
        (Source::Run(Bounder::Grant), _) => "; who gave the grant may give more".to_owned(),
        (Source::Run(Bounder::Owner), _) => {
            "; `budget.served` in its owner's realm.toml sets it".to_owned()
        }
        (Source::Loop(_), _) => format!("; `budget.{member}` in its definition sets it"),
        (Source::Call(_), _) => format!("; `budget.{member}` of the step or tool there sets it"),
    };
    LoopError::new(FailureCode::Budget, format!("{what} {lacks}{widens}"))
}
