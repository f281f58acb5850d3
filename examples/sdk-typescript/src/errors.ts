// What can go wrong.

import type { CallError, FailureCategory, InvokeResult, Problem } from "./api.js";

/** The daemon refused a request, or a connection: a problem document. */
export class RealmError extends Error {
  readonly code: string;

  constructor(readonly problem: Problem) {
    super(`${problem.code}: ${problem.detail}${problem.hint ? ` (${problem.hint})` : ""}`);
    this.code = problem.code;
  }
}

/** A loop was called and gave no output. */
export class CallFailed extends Error {
  readonly code: string;
  readonly error: CallError;

  constructor(readonly result: InvokeResult) {
    const error = result.error ?? { code: "RLM-0516", name: "Internal", message: "no output" };
    super(`${error.code}: ${error.message}`);
    this.error = error;
    this.code = error.code;
  }
}

/** Thrown by a handler: the call ends with this. */
export class Failure extends Error {
  constructor(
    message: string,
    readonly category: FailureCategory = "business",
    readonly retryAfterMs?: number,
  ) {
    super(message);
  }
}
