//! How a typed loop runs: registry, frames, schemas, budgets, trace.
