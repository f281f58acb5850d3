//! What frames use: set aside before anybody is asked, counted when it is known.

use std::iter;

use realm_protocol::{
    CallId,
    budget::{Amount, Budget, Spend},
    json::Object,
};
use serde_json::{Map, Value, json};

use super::{Context, Run};
use crate::{
    ApprovalRule, LoopError, MOCK, ModelRequest,
    executor::{account::Account, action::Cost, frame::Frame},
};

impl Run {
    /// Sets aside the most that a model's answer can use, in every account above; false where people are asked
    /// about it first.
    pub(super) fn reserve_answer(
        &mut self,
        call: CallId,
        request: &ModelRequest,
        cx: &mut Context<'_>,
    ) -> Result<bool, LoopError> {
        let tariff = cx.tariff(&request.backend, request.model.as_deref());
        let wanted = tariff.most(request);
        let what = format!("an answer of backend `{}`", request.backend);
        self.check(call, &wanted, &what)?;
        let rules = self.asks(call, |left| left.check(&wanted).is_ok());
        if self.waits_for_spend(call, Cost::Answer(wanted.clone()), rules, cx) {
            return Ok(false);
        }
        self.reserve(call, wanted, &what, request.backend != MOCK, cx)?;
        Ok(true)
    }

    /// Sets one call aside.
    pub(super) fn reserve_call(
        &mut self,
        call: CallId,
        what: &str,
        durable: bool,
        cx: &mut Context<'_>,
    ) -> Result<(), LoopError> {
        self.reserve(call, Spend::one_call(), what, durable, cx)
    }

    /// Sets aside a share of what is left for work of another realm, and one call; gives the share. It is of what
    /// may be used unasked, as long as there is some; none where people are asked about the rest first.
    pub(super) fn reserve_share(
        &mut self,
        call: CallId,
        what: &str,
        cx: &mut Context<'_>,
    ) -> Result<Option<Budget>, LoopError> {
        let one = Spend::one_call();
        if let Some(frame) = self.frames.get_mut(&call)
            && let Some(given) = frame.given
        {
            // Asked before a restart, and under the same key now: it is the same work.
            let reserved = given.whole().plus(&one);
            frame.reserved = Some(reserved.clone());
            self.each_account(call, |account| account.set_aside_again(&reserved));
            return Ok(Some(given));
        }
        let left = self.left(call);
        self.check(call, &one, what)?;
        let share = self.frames.get(&call).map_or(1, |frame| frame.share_of);
        let share_of = |left: Budget| left.less(&one).share(share);
        let unasked = share_of(left.narrowed(self.left_unasked(call)));
        let mut given = share_of(left);
        let rules = match unasked.is_used_up() {
            true => self.asks(call, |left| !share_of(*left).is_used_up()),
            false => Vec::new(),
        };
        if rules.is_empty() {
            given = unasked;
        }
        if self.waits_for_spend(call, Cost::Share(given), rules, cx) {
            return Ok(None);
        }
        let wanted = given.whole().plus(&one);
        self.reserve(call, wanted, what, true, cx)?;
        if let Some(frame) = self.frames.get_mut(&call) {
            frame.given = Some(given);
        }
        Ok(Some(given))
    }

    fn reserve(
        &mut self,
        call: CallId,
        wanted: Spend,
        what: &str,
        durable: bool,
        cx: &mut Context<'_>,
    ) -> Result<(), LoopError> {
        self.check(call, &wanted, what)?;
        self.each_account(call, |account| account.reserve(&wanted));
        if durable {
            self.keep_accounts(call, &wanted, cx);
        }
        if let Some(frame) = self.frames.get_mut(&call) {
            frame.reserved = Some(wanted);
        }
        Ok(())
    }

    /// Counts what was used of what a frame has set aside; all of it, where nobody knows.
    pub(super) fn settle(&mut self, call: CallId, used: Option<Spend>, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        frame.given = None;
        let Some(reserved) = frame.reserved.take() else {
            return;
        };
        if used.is_none() && !reserved.is_calls_alone() {
            self.event(
                call,
                "call.spend.unknown",
                Object::new().with("spent", &spend_value(&reserved)),
                cx,
            );
        }
        let used = used.unwrap_or_else(|| reserved.clone());
        self.paid(call, &used, cx);
        self.each_account(call, |account| {
            account.release(&reserved);
            account.book(&used);
        });
        if used != reserved {
            self.keep_accounts(call, &reserved, cx);
        }
    }

    /// What may still be used by a frame, by what bounds it and all above.
    pub(super) fn left(&self, call: CallId) -> Budget {
        let left = self.accounts(call).map(Account::left);
        left.fold(Budget::default(), Budget::narrowed)
    }

    /// What may still be used by a frame before anybody is asked, by it and all above.
    fn left_unasked(&self, call: CallId) -> Budget {
        let left = self.accounts(call).map(Account::left_unasked);
        left.fold(Budget::default(), Budget::narrowed)
    }

    /// Whom to ask before a frame uses something, by whether it is within what is left until then.
    fn asks(&self, call: CallId, within: impl Fn(&Budget) -> bool) -> Vec<ApprovalRule> {
        let asks = self
            .accounts(call)
            .flat_map(|account| account.asks(&within));
        asks.cloned().collect()
    }

    /// Whether something bounds how often anybody may be asked for a frame.
    pub(super) fn bounds_calls(&self, call: CallId) -> bool {
        self.accounts(call).any(Account::bounds_calls)
    }

    fn check(&self, call: CallId, wanted: &Spend, what: &str) -> Result<(), LoopError> {
        self.accounts(call)
            .try_for_each(|account| account.check(wanted, what))
    }

    fn each_account(&mut self, call: CallId, mut change: impl FnMut(&mut Account)) {
        let mut at = Some(call);
        while let Some(frame) = at.and_then(|call| self.frames.get_mut(&call)) {
            frame
                .account
                .as_deref_mut()
                .into_iter()
                .for_each(&mut change);
            at = frame.parent.map(|place| place.frame);
        }
    }

    /// Writes down the accounts above a frame: those that a change matters to. Calls alone matter where
    /// they are bounded.
    fn keep_accounts(&mut self, call: CallId, change: &Spend, cx: &mut Context<'_>) {
        let calls_alone = change.is_calls_alone();
        // The frame's own record is written with what it asks, or with what came of it.
        let above: Vec<CallId> = self
            .upwards(call)
            .skip(1)
            .filter(|(_, frame)| {
                let account = frame.account.as_ref();
                account.is_some_and(|account| !calls_alone || account.bounds_calls())
            })
            .map(|(call, _)| call)
            .collect();
        for call in above {
            self.keep(call, cx);
        }
    }

    /// The accounts of a frame and of those above it, its own first.
    fn accounts(&self, call: CallId) -> impl Iterator<Item = &Account> {
        self.upwards(call)
            .filter_map(|(_, frame)| frame.account.as_deref())
    }

    /// A frame and those above it, itself first.
    fn upwards(&self, call: CallId) -> impl Iterator<Item = (CallId, &Frame)> {
        let found = |call| self.frames.get(&call).map(|frame| (call, frame));
        iter::successors(found(call), move |(_, frame)| found(frame.parent?.frame))
    }
}

/// What was used, as traces carry it.
pub fn spend_value(spend: &Spend) -> Value {
    let money = spend.money.iter().map(|money| amount_value(*money));
    let mut value = Map::new();
    value.insert("money".to_owned(), money.collect());
    value.insert("tokens".to_owned(), spend.tokens.into());
    value.insert("calls".to_owned(), spend.calls.into());
    if spend.unpriced > 0 {
        value.insert("unpriced".to_owned(), spend.unpriced.into());
    }
    Value::Object(value)
}

fn amount_value(amount: Amount) -> Value {
    json!({"currency": amount.currency.as_str(), "micros": amount.micros})
}

/// What may be used, as traces carry it.
pub(in crate::executor) fn budget_value(budget: &Budget) -> Value {
    let members = [
        ("money", budget.money.map(amount_value)),
        ("tokens", budget.tokens.map(Value::from)),
        ("calls", budget.calls.map(Value::from)),
    ];
    let given = members.into_iter();
    let given = given.filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(given.collect())
}
