//! Calling models, HTTP agents and child processes: plain async functions.
