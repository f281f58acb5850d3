//! Contracts of other realms, as those realms told them.

use std::{collections::BTreeMap, sync::Arc};

use realm_executor::{Effects, ToldSchema, contract_digest};
use realm_protocol::{
    Digest, LoopId, Scope, json, limits,
    message::{CallResult, Contract},
};
use serde_json::Value;
use thiserror::Error;

/// A contract whose digest is that of its schemas and effects.
#[derive(Debug)]
pub(crate) struct KnownContract {
    pub(crate) digest: Digest,
    pub(crate) version: String,
    /// What its loop does besides answering.
    pub(crate) effects: Effects,
    input: ToldSchema,
    output: ToldSchema,
}

/// Why an answer shows no contract that can be believed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum ContractError {
    #[error("the digest of the contract is not that of the schemas and effects that came with it")]
    Digest,
    #[error("a schema of the contract is not strict JSON")]
    Json,
    #[error("only a part of the contract came with the answer")]
    Part,
    #[error("no contract came with the answer, and it is not for the one that the call named")]
    Absent,
}

impl KnownContract {
    fn read(
        (digest, version): (Digest, &str),
        (input, output, effects): (&[u8], &[u8], &str),
    ) -> Result<Arc<Self>, ContractError> {
        let parse = |schema| json::parse(schema).map_err(|_| ContractError::Json);
        let (input, output) = (parse(input)?, parse(output)?);
        if contract_digest(effects, &input, &output) != digest {
            return Err(ContractError::Digest);
        }
        Ok(Arc::new(Self {
            digest,
            version: version.to_owned(),
            effects: effects.parse().unwrap_or(Effects::Once),
            input: ToldSchema::new(input),
            output: ToldSchema::new(output),
        }))
    }

    /// The contract that a Result rests on: the one in it, or the one that the call named.
    pub(crate) fn of_result(
        result: &CallResult,
        named: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, ContractError> {
        let parts = (&result.input_schema, &result.output_schema, &result.effects);
        match parts {
            (Some(input), Some(output), Some(effects)) => {
                Self::read((result.contract, &result.version), (input, output, effects))
            }
            (None, None, None) => named
                .filter(|named| named.digest == result.contract)
                .cloned()
                .ok_or(ContractError::Absent),
            _ => Err(ContractError::Part),
        }
    }

    /// A contract as its realm shows it, if it comes with its schemas.
    pub(crate) fn told(contract: &Contract) -> Result<Arc<Self>, ContractError> {
        match (&contract.input_schema, &contract.output_schema) {
            (Some(input), Some(output)) => Self::read(
                (contract.digest, &contract.version),
                (input, output, &contract.effects),
            ),
            _ => Err(ContractError::Part),
        }
    }

    /// Checks an input, JSON; gives the faults.
    pub(crate) fn check_input(&self, input: &[u8]) -> Result<(), Vec<String>> {
        let input = json::parse(input).map_err(|error| vec![error.to_string()])?;
        self.input.check(&input)
    }

    /// Checks an output; gives the faults.
    pub(crate) fn check_output(&self, output: &Value) -> Result<(), Vec<String>> {
        self.output.check(output)
    }
}

/// What a contract is of: the realm's place, the loop, and the version as callers ask for it.
pub(crate) type Meant = (Scope, LoopId, Option<String>);

/// The contracts of other realms that this one remembers while it runs.
#[derive(Debug, Default)]
pub(crate) struct KnownContracts {
    held: BTreeMap<Meant, (Arc<KnownContract>, u64)>,
    /// Counts uses, to forget the contract used longest ago.
    uses: u64,
}

impl KnownContracts {
    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    pub(crate) fn get(&mut self, meant: &Meant) -> Option<Arc<KnownContract>> {
        let (known, used) = self.held.get_mut(meant)?;
        self.uses = self.uses.saturating_add(1);
        *used = self.uses;
        Some(known.clone())
    }

    pub(crate) fn remember(&mut self, meant: Meant, contract: Arc<KnownContract>) {
        self.uses = self.uses.saturating_add(1);
        self.held.insert(meant, (contract, self.uses));
        if self.held.len() > limits::CONTRACTS {
            let oldest = self.held.iter().min_by_key(|(_, (_, used))| *used);
            if let Some(meant) = oldest.map(|(meant, _)| meant.clone()) {
                self.held.remove(&meant);
            }
        }
    }
}

#[cfg(test)]
mod tests;
