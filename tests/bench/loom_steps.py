"""Counts up in loom-runner, as `count` does in Realm: prints the seconds that the steps took."""

import asyncio
import os
import sys
import tempfile
import time
from dataclasses import dataclass

from loom_agent import AgentRunner, Complete, Continue, SQLiteCheckpointStore


@dataclass(frozen=True)
class State:
    n: int
    to: int


async def step(state, _context):
    if state.n + 1 >= state.to:
        return Complete({"n": state.n + 1})
    return Continue(State(state.n + 1, state.to))


def main():
    steps = int(sys.argv[1])
    with tempfile.TemporaryDirectory(dir=sys.argv[2]) as folder:
        runner = AgentRunner(
            step=step,
            store=SQLiteCheckpointStore(os.path.join(folder, "runs.sqlite")),
            encode_state=lambda state: {"n": state.n, "to": state.to},
            decode_state=lambda data: State(**data),
            encode_result=lambda result: result,
            decode_result=lambda data: data,
        )
        begun = time.monotonic()
        run = runner.start(run_id="count", initial_state=State(0, steps), max_steps=steps + 1)
        ended = asyncio.run(run)
        took = time.monotonic() - begun
    assert ended.result == {"n": steps}, ended
    print(took)


main()
