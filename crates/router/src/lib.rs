//! Which link a header goes to next, and who waits for which reply.
