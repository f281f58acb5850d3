"""An agent that counts: words of a text, and up, as the step of a machine. Its steps are noted in a file."""

import sys
from pathlib import Path
from typing import Any

from realm_sdk import Agent, Call, complete, proceed

notes = Path(sys.argv[1])
agent = Agent("counter", concurrency=4)


@agent.loop(
    {
        "id": "count-words",
        "version": "1.0.0",
        "description": "Counts the words of a text.",
        "effects": "none",
        "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
        "outputSchema": {"type": "object", "properties": {"words": {"type": "integer"}}, "required": ["words"]},
    }
)
def count_words(given: dict[str, Any], call: Call) -> dict[str, Any]:
    words = given["text"].split()
    call.progress({"seen": len(words)})
    return {"words": len(words)}


@agent.loop(
    {
        "id": "count-step",
        "version": "1.0.0",
        "description": "One step of `count-up`.",
        "effects": "idempotent",
        "inputSchema": {"type": "object", "required": ["n", "to"]},
        "outputSchema": {},
    }
)
async def count_step(state: dict[str, int]) -> dict[str, Any]:
    with notes.open("a") as file:
        print(state["n"], file=file)
    if state["n"] < state["to"]:
        return proceed({**state, "n": state["n"] + 1})
    return complete({"counted": state["n"]})


agent.define(
    {
        "id": "count-up",
        "version": "1.0.0",
        "description": "Counts from `n` to `to`, over the deaths of daemon and agent.",
        "kind": "machine",
        "limits": {"timeout": "10m"},
        "inputSchema": {"type": "object", "required": ["n", "to"]},
        "outputSchema": {"type": "object"},
        "machine": {"loopId": "count-step"},
    }
)

if __name__ == "__main__":
    agent.run(ready=lambda: print("attached", flush=True))
