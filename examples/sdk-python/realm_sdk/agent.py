"""Serving loops from inside: an agent that attaches to its realm."""

from __future__ import annotations

import asyncio
import copy
import inspect
import json
import os
import random
import signal
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from .api import RealmMessageAttached
from .errors import Failure, RealmError
from .place import Place

Handler = Callable[..., Any]
# What one message may have: the daemon's own bound.
_MESSAGE_BYTES = 9 * 1024 * 1024
# The realm pings; an agent that hears nothing for so long connects anew.
_SILENCE = 40.0


def proceed(state: Any) -> dict[str, Any]:
    """What a machine's step returns to be called again, with this state."""
    return {"continue": state}


def complete(output: Any) -> dict[str, Any]:
    """What a machine's last step returns."""
    return {"complete": output}


class Answer:
    """What people have said to a question."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.granted: bool = told["granted"]
        self.people: list[str] = told["people"]
        self.reason: str | None = told.get("reason")


class Asks(BaseException):
    """Ends a handler that asks people; it begins anew once they have answered."""

    def __init__(self, question: str, about: Any) -> None:
        super().__init__(question)
        self.said = {"question": question, **({} if about is None else {"about": about})}


class Call:
    """One piece of work."""

    def __init__(self, agent: Agent, message: dict[str, Any], say: Callable[[dict[str, Any]], None]) -> None:
        self.number: int = message["call"]
        self.loop: str = message["loop"]
        self.version: str = message["version"]
        self.key: str = message["key"]
        """The same in every attempt at the same work."""
        self.input: Any = message["input"]
        self.timeout_ms: int = message["timeoutMs"]
        self._answers: list[dict[str, Any]] = message.get("answers") or []
        self._asked = 0
        self.streamed: bool = message.get("stream", False)
        """Whether somebody wants to see what the output is being made of."""
        given: dict[str, Any] = message.get("state") or {}
        self.state: dict[str, Any] = {key: held["value"] for key, held in given.items() if held}
        """What the agent keeps under the keys that the loop names. What is put in, changed or taken out is kept
        with the output, or not at all."""
        self._keeps = message.get("state") is not None
        self._was = copy.deepcopy(self.state)
        self._cancelled = threading.Event()
        self._say = say

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the answer any more. A handler that is a coroutine is cancelled."""
        return self._cancelled.is_set()

    def answer(self, output: Any) -> dict[str, Any]:
        """The words that end it with an output, and with what was changed of its state."""
        said = {"type": "output", "call": self.number, "output": output}
        if self._keeps or self.state:
            keys = self.state.keys() | self._was.keys()
            said["state"] = {
                key: {"value": self.state[key]} if key in self.state else None
                for key in sorted(keys)
                if key not in self.state or key not in self._was or self.state[key] != self._was[key]
            }
        return said

    def ask(self, question: str, about: Any = None) -> Answer:
        """Asks people, and gives what they have said. Where they have said nothing yet the handler ends here, the run waits,
        over restarts, and the handler begins anew: it asks the same questions in the same order, and what it does before
        them it does again. The loop's `asks` says whom it may ask."""
        if self._asked == len(self._answers):
            raise Asks(question, about)
        told = self._answers[self._asked]
        if told["question"] != question:
            raise RuntimeError(f"it asked {told['question']!r} before, and asks {question!r} now")
        self._asked += 1
        return Answer(told)

    def write(self, text: str) -> None:
        """Shows what comes next of the text that the output is being made of, if somebody wants to see it; from any thread."""
        if self.streamed:
            self._say({"type": "part", "call": self.number, "text": text})

    def progress(self, progress: Any) -> None:
        """Says how it goes; from any thread."""
        self._say({"type": "progress", "call": self.number, "progress": progress})


class Agent:
    """An agent: a name, and handlers for loops.

    A handler takes the input, and the `Call` if it takes two arguments; it returns the output. One that is
    no coroutine runs in a thread of its own. `Failure` ends a call as it says, any other exception as
    unknown. The connection is made anew whenever it breaks.
    """

    def __init__(
        self,
        name: str,
        home: str | os.PathLike[str] | None = None,
        *,
        url: str | None = None,
        token: str | None = None,
        concurrency: int = 8,
    ) -> None:
        self.name = name
        self.concurrency = concurrency
        self.attached = asyncio.Event()
        """Set while it is attached."""
        self._place = Place.of(home, url, token)
        self._loops: list[Any] = []
        self._handlers: dict[str, Handler] = {}
        self._leaving = asyncio.Event()

    def loop(self, definition: str | dict[str, Any]) -> Callable[[Handler], Handler]:
        """Serves a loop: the id of a registered one, or a definition, which is registered."""
        loop_id = definition if isinstance(definition, str) else definition["id"]

        def serve(handler: Handler) -> Handler:
            self._loops.append(definition)
            self._handlers[loop_id] = handler
            return handler

        return serve

    def bid(self, definition: dict[str, Any], offer: Callable[[Any], Any], within: str = "1s") -> Callable[[Handler], Handler]:
        """Serves a loop that does announced work. `offer` is asked first: it takes what is known of the work, and returns
        the terms, such as `{"price": "EUR 0.02", "time": "2s", "confidence": 0.9}`, or None for no bid. It is served as a
        loop of its own, `ID.offer`, and has the time `within`."""
        asked = f"{definition['id']}.offer"

        async def terms(work: Any) -> Any:
            offered = offer(work)
            if inspect.isawaitable(offered):
                offered = await offered
            return {"bid": False} if offered is None else offered

        quote = {"id": asked, "version": definition["version"], "effects": "none", "inputSchema": {}, "outputSchema": {"type": "object"}}
        self.loop(quote)(terms)
        return self.loop({**definition, "bid": {"ask": asked, "within": within}})

    def define(self, definition: dict[str, Any]) -> None:
        """Registers a machine whose steps this agent serves."""
        self._loops.append(definition)

    def run(self, ready: Callable[[], None] | None = None) -> None:
        """Serves until the process is told to stop; then answers what it has and leaves. `ready` hears when
        it is first attached."""
        asyncio.run(self._run(ready))

    async def _run(self, ready: Callable[[], None] | None) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.leave)
        waiting = asyncio.create_task(self.attached.wait())
        if ready is not None:
            waiting.add_done_callback(lambda task: task.cancelled() or ready())
        await self.serve()
        waiting.cancel()

    def leave(self) -> None:
        """Takes no more calls; `serve` returns once the last is answered."""
        self._leaving.set()

    async def serve(self) -> None:
        """Serves until `leave`. Raises `RealmError` where the realm refuses it."""
        with ThreadPoolExecutor(self.concurrency) as threads:
            pause = 0.1
            while not self._leaving.is_set():
                try:
                    async with self._connect() as socket:
                        if await self._session(socket, threads):
                            return
                    pause = 0.1
                except (OSError, ConnectionClosed, InvalidHandshake, TimeoutError):
                    pause = min(pause * 2, 5)
                finally:
                    self.attached.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._leaving.wait(), pause * random.uniform(0.5, 1))

    def _connect(self) -> connect:
        bounds: dict[str, Any] = {"max_size": _MESSAGE_BYTES, "compression": None, "ping_interval": 10, "ping_timeout": _SILENCE}
        if self._place.socket:
            return unix_connect(self._place.socket, "ws://realm/v1/agents/attach", **bounds)
        url = f"{self._place.url}/v1/agents/attach".replace("http", "ws", 1)
        return connect(url, proxy=None, **bounds)

    async def _session(self, socket: ClientConnection, threads: ThreadPoolExecutor) -> bool:
        """One connection; gives whether it ended because the agent has left."""
        token = {"token": self._place.token} if self._place.token else {}
        first = {"type": "attach", "agent": self.name, "loops": self._loops, "concurrency": self.concurrency, **token}
        await socket.send(json.dumps(first))
        _attached(json.loads(await socket.recv()))
        self.attached.set()
        words: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def say(said: dict[str, Any]) -> None:
            # Once the loop is closed nobody listens.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(words.put_nowait, said)

        works: dict[int, tuple[Call, asyncio.Task[None]]] = {}
        helpers = [asyncio.create_task(self._tell(socket, words)), asyncio.create_task(self._bid_farewell(say))]
        try:
            async for text in socket:
                message = json.loads(text)
                if message["type"] == "call":
                    call = Call(self, message, say)
                    work = asyncio.create_task(self._work(call, threads, say))
                    works[call.number] = (call, work)
                    work.add_done_callback(lambda _, number=call.number: works.pop(number, None))
                elif message["type"] == "cancel" and message["call"] in works:
                    call, work = works[message["call"]]
                    call._cancelled.set()
                    if inspect.iscoroutinefunction(self._handlers[call.loop]):
                        work.cancel()
                elif message["type"] == "refused":
                    raise RealmError(message["problem"])
            return self._leaving.is_set()
        finally:
            for call, work in list(works.values()):
                call._cancelled.set()
                work.cancel()
            for helper in helpers:
                helper.cancel()

    async def _tell(self, socket: ClientConnection, words: asyncio.Queue[dict[str, Any]]) -> None:
        while True:
            await socket.send(json.dumps(await words.get()))

    async def _bid_farewell(self, say: Callable[[dict[str, Any]], None]) -> None:
        await self._leaving.wait()
        say({"type": "detach"})

    async def _work(self, call: Call, threads: ThreadPoolExecutor, say: Callable[[dict[str, Any]], None]) -> None:
        try:
            output = await self._do(call, threads)
            said = call.answer(output)
            json.dumps(said)
        except Asks as asks:
            said = {"type": "ask", "call": call.number, **asks.said}
        except Failure as failure:
            said = {"type": "failure", "call": call.number, "message": str(failure), "category": failure.category}
            if failure.retry_after_ms is not None:
                said["retryAfterMs"] = failure.retry_after_ms
        except asyncio.CancelledError:
            said = {"type": "failure", "call": call.number, "message": "cancelled", "category": "unknown"}
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
            said = {"type": "failure", "call": call.number, "message": message, "category": "unknown"}
        say(said)

    def _do(self, call: Call, threads: ThreadPoolExecutor) -> Awaitable[Any]:
        handler = self._handlers[call.loop]
        given = (call.input, call) if len(inspect.signature(handler).parameters) > 1 else (call.input,)
        if inspect.iscoroutinefunction(handler):
            return handler(*given)
        return asyncio.get_running_loop().run_in_executor(threads, handler, *given)


def _attached(message: dict[str, Any]) -> RealmMessageAttached:
    if message["type"] == "refused":
        raise RealmError(message["problem"])
    return message  # type: ignore[return-value]
