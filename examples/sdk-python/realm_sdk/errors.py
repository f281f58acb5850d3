"""What can go wrong."""

from __future__ import annotations

from typing import Literal

from .api import CallError, InvokeResult, Problem

Category = Literal["transient", "validation", "business", "permission", "unknown"]


class RealmError(Exception):
    """The daemon refused a request, or a connection: a problem document."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.code = problem["code"]
        hint = problem.get("hint")
        super().__init__(f"{self.code}: {problem['detail']}" + (f" ({hint})" if hint else ""))


class CallFailed(Exception):
    """A loop was called and gave no output."""

    def __init__(self, result: InvokeResult) -> None:
        self.result = result
        self.error: CallError = result.get("error") or {"code": "RLM-0516", "name": "Internal", "message": "no output"}
        self.code = self.error["code"]
        super().__init__(f"{self.code}: {self.error['message']}")


class Failure(Exception):
    """Raised by a handler: the call ends with this."""

    def __init__(self, message: str, category: Category = "business", retry_after_ms: int | None = None) -> None:
        self.category = category
        self.retry_after_ms = retry_after_ms
        super().__init__(message)
