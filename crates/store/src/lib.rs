//! Durable journal, versioned records, queries, and the engines behind them.
