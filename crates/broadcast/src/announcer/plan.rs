//! What an announcer is given: announcements, input, and how it deals with winners.

use realm_protocol::{
    Digest, FailureCode,
    broadcast::{Announcement, BidLimits},
    budget::Budget,
    cbor::{Blob, CborError},
    limits,
    records::Signed,
};
use thiserror::Error;

use crate::{
    log::Planned,
    rule::{RuleError, check_announcement},
    scope::FanOut,
};

/// One round: its announcement, and whom it is passed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// The announcement, signed.
    pub announcement: Signed<Announcement>,
    /// Whom it is passed to, the realm itself too where its own agents are asked; of the second round
    /// nobody before it begins, because links come and go.
    pub fan: FanOut,
}

/// A broadcast before it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The first round and, if there may be one, the second, which is wider.
    pub rounds: Vec<Round>,
    /// What ties are broken by; the announcements hold its digest.
    pub secret: [u8; 32],
    /// Input, JSON; it leaves with leases alone.
    pub input: Blob,
    /// How long an award waits for its confirmation, milliseconds.
    pub confirm_ms: u64,
    /// How long a lease is, milliseconds.
    pub lease_ms: u64,
    /// Slots that are worked on at a time.
    pub at_once: u64,
    /// How long a person is waited for who must say whether to go on, milliseconds.
    pub person_ms: u64,
    /// What all awards together may use; none for no bound.
    pub budget: Option<Budget>,
}

/// Why a broadcast cannot begin, or not go on.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PlanError {
    /// There is no round, or more than two.
    #[error("a broadcast has one round or two")]
    Rounds,
    /// An announcement does not read.
    #[error("the announcement of a round does not read: {0}")]
    Unreadable(#[from] CborError),
    /// An announcement breaks a rule.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// The rounds differ in more than their reach, or are not in order.
    #[error("the rounds of a broadcast differ in round and reach alone")]
    Different,
    /// The secret is not the one announced.
    #[error("the secret does not have the digest that is announced")]
    Secret,
    /// A time or a number is zero, or too large.
    #[error("an award waits, a lease lasts and slots are worked on for at least 1")]
    Zero,
    /// The budget has money, and bids may cost more of it, or another currency.
    #[error("bids may cost more than the budget has, or in another currency")]
    Budget,
    /// The input is larger than a lease can carry.
    #[error("the input has more than {} bytes", limits::WORK_BYTES)]
    Input,
    /// The log of another broadcast, or no log.
    #[error("what was written down is not the beginning of this broadcast")]
    Log,
}

impl PlanError {
    /// What it is to whoever asked for the broadcast.
    pub const fn failure(&self) -> FailureCode {
        match self {
            Self::Input => FailureCode::TooLarge,
            _ => FailureCode::Malformed,
        }
    }
}

impl Plan {
    /// Reads the announcements and checks that they can be followed.
    pub(crate) fn check(&self) -> Result<Vec<Announcement>, PlanError> {
        let rounds: Result<Vec<Announcement>, CborError> = self
            .rounds
            .iter()
            .map(|it| it.announcement.peek())
            .collect();
        let rounds = rounds?;
        let first = match rounds.as_slice() {
            [first] | [first, _] => first.clone(),
            _ => return Err(PlanError::Rounds),
        };
        for (number, round) in (1..).zip(&rounds) {
            check_announcement(round)?;
            let alike = Announcement {
                round: number,
                reach: round.reach.clone(),
                ..first.clone()
            };
            if alike != *round {
                return Err(PlanError::Different);
            }
        }
        if Digest::of(&[&self.secret]) != first.commitment {
            return Err(PlanError::Secret);
        }
        if self.confirm_ms == 0 || self.lease_ms == 0 || self.at_once == 0 {
            return Err(PlanError::Zero);
        }
        if !keeps_to(&first.limits, self.budget) {
            return Err(PlanError::Budget);
        }
        if self.input.len() > limits::WORK_BYTES {
            return Err(PlanError::Input);
        }
        Ok(rounds)
    }

    /// The entry that begins a log.
    pub(crate) fn entry(&self) -> Planned {
        Planned {
            rounds: self
                .rounds
                .iter()
                .map(|it| it.announcement.clone())
                .collect(),
            secret: self.secret,
            input: Digest::of(&[&self.input]),
            confirm_ms: self.confirm_ms,
            lease_ms: self.lease_ms,
            at_once: self.at_once,
            person_ms: self.person_ms,
            budget: self.budget,
        }
    }
}

/// Whether no bid within these limits costs more than a budget has, or another currency.
fn keeps_to(limits: &BidLimits, budget: Option<Budget>) -> bool {
    let money = budget.and_then(|budget| budget.money);
    let (Some(money), Some(currency)) = (money, &limits.currency) else {
        return true;
    };
    let within = limits.price.is_some_and(|most| most <= money.micros);
    currency == money.currency.as_str() && within
}
