//! Who may do what: a pure decision with its reasons.
