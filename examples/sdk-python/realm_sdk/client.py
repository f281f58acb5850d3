"""Calling loops and listening to runs; `Realm` waits, `AsyncRealm` is awaited."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from .api import Api, AsyncApi, InvokeRequest, InvokeResult
from .errors import CallFailed, RealmError
from .place import Place

# The daemon keeps the time of a call.
_TIMEOUT = httpx.Timeout(10, read=None)


@dataclass(frozen=True)
class Event:
    """One event of a run: `trace` with a TraceEvent, `part` of an output that is being made, or at last `end` with an InvokeResult."""

    kind: str
    data: dict[str, Any]
    index: int | None


class _Lines:
    """Puts the lines of a stream of server-sent events together."""

    def __init__(self) -> None:
        self.kind, self.data, self.index = "", "", None

    def take(self, line: str) -> Event | None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self.kind = value
        elif name == "data":
            self.data += value
        elif name == "id":
            self.index = int(value)
        elif not line and self.data:
            event = Event(self.kind, json.loads(self.data), self.index)
            self.__init__()
            return event
        return None


def _request(method: str, path: str, body: Any, query: dict[str, Any] | None, key: str | None) -> dict[str, Any]:
    given = {name: value for name, value in (query or {}).items() if value is not None}
    given = {name: str(value).lower() if isinstance(value, bool) else value for name, value in given.items()}
    headers = {"idempotency-key": key} if key else {}
    request: dict[str, Any] = {"method": method, "url": path, "params": given, "headers": headers}
    if body is not None:
        request["json"] = body
    return request


def _answer(response: httpx.Response) -> Any:
    if response.is_success:
        return response.json()
    if response.headers.get("content-type", "").startswith("application/problem+json"):
        raise RealmError(response.json())
    raise RealmError({"type": "", "title": "", "status": response.status_code, "code": "RLM-0504", "detail": response.text[:200]})


def _invocation(loop: str, input: Any, options: dict[str, Any]) -> InvokeRequest:
    names = {"timeout_ms": "timeoutMs", "idempotency_key": "idempotencyKey"}
    return {"loop": loop, "input": input, **{names.get(name, name): value for name, value in options.items()}}  # type: ignore[typeddict-item]


def _output(result: InvokeResult) -> Any:
    if result["status"] != "ok":
        raise CallFailed(result)
    return result.get("output")


class Realm(Api):
    """A realm of this machine."""

    def __init__(self, home: str | os.PathLike[str] | None = None, *, url: str | None = None, token: str | None = None) -> None:
        self.place = place = Place.of(home, url, token)
        transport = httpx.HTTPTransport(uds=place.socket) if place.socket else None
        self._http = httpx.Client(
            base_url=place.url or "http://realm", headers=place.headers(), transport=transport, timeout=_TIMEOUT, trust_env=False
        )

    def __enter__(self) -> Realm:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def _send(self, method: str, path: str, *, body: Any = None, query: dict[str, Any] | None = None, key: str | None = None) -> Any:
        return _answer(self._http.request(**_request(method, path, body, query, key)))

    def call(self, loop: str, input: Any, **options: Any) -> InvokeResult:
        """Calls `loop` or `loop@realm`, and gives the whole result, failed or not. Options are `timeout_ms`,
        `idempotency_key`, `version`, `detach`, `store`."""
        return self.post_invoke(_invocation(loop, input, options))

    def invoke(self, loop: str, input: Any, **options: Any) -> Any:
        """Calls a loop, and gives its output; raises `CallFailed`."""
        return _output(self.call(loop, input, **options))

    def start(self, loop: str, input: Any, **options: Any) -> str:
        """Calls a loop without waiting, and gives the run's id."""
        return self.call(loop, input, detach=True, **options)["runId"]

    def _listen(self, method: str, path: str, *, headers: dict[str, str] | None = None, body: Any = None) -> Iterator[Event]:
        with self._http.stream(method, path, headers=headers, json=body) as response:
            if not response.is_success:
                response.read()
                _answer(response)
            lines = _Lines()
            for line in response.iter_lines():
                event = lines.take(line)
                if event:
                    yield event

    def stream(self, loop: str, input: Any, **options: Any) -> Iterator[Event]:
        """Calls a loop, and shows its output while it is being made: events `part` with a `text`, and at last `end` with the
        whole result. A part with another `number` than the one before begins the text anew."""
        return self._listen("POST", "/v1/invoke", body={**_invocation(loop, input, options), "stream": True})

    def events(self, run: str, after: int | None = None) -> Iterator[Event]:
        """A run's events as they become durable, from the first or after an index; the last is `end`."""
        headers = {} if after is None else {"last-event-id": str(after)}
        return self._listen("GET", f"/v1/runs/{run}/events", headers=headers)

    def wait(self, run: str) -> Any:
        """Waits for a run's end, and gives its output; raises `CallFailed`."""
        for event in self.events(run):
            if event.kind == "end":
                return _output(event.data)  # type: ignore[arg-type]
        raise ConnectionError(f"the stream of run {run} broke off")


class AsyncRealm(AsyncApi):
    """A realm of this machine, for asyncio."""

    def __init__(self, home: str | os.PathLike[str] | None = None, *, url: str | None = None, token: str | None = None) -> None:
        self.place = place = Place.of(home, url, token)
        transport = httpx.AsyncHTTPTransport(uds=place.socket) if place.socket else None
        self._http = httpx.AsyncClient(
            base_url=place.url or "http://realm", headers=place.headers(), transport=transport, timeout=_TIMEOUT, trust_env=False
        )

    async def __aenter__(self) -> AsyncRealm:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def _send(self, method: str, path: str, *, body: Any = None, query: dict[str, Any] | None = None, key: str | None = None) -> Any:
        return _answer(await self._http.request(**_request(method, path, body, query, key)))

    async def call(self, loop: str, input: Any, **options: Any) -> InvokeResult:
        """As `Realm.call`."""
        return await self.post_invoke(_invocation(loop, input, options))

    async def invoke(self, loop: str, input: Any, **options: Any) -> Any:
        """As `Realm.invoke`."""
        return _output(await self.call(loop, input, **options))

    async def start(self, loop: str, input: Any, **options: Any) -> str:
        """As `Realm.start`."""
        return (await self.call(loop, input, detach=True, **options))["runId"]

    async def _listen(self, method: str, path: str, *, headers: dict[str, str] | None = None, body: Any = None) -> AsyncIterator[Event]:
        async with self._http.stream(method, path, headers=headers, json=body) as response:
            if not response.is_success:
                await response.aread()
                _answer(response)
            lines = _Lines()
            async for line in response.aiter_lines():
                event = lines.take(line)
                if event:
                    yield event

    def stream(self, loop: str, input: Any, **options: Any) -> AsyncIterator[Event]:
        """As `Realm.stream`."""
        return self._listen("POST", "/v1/invoke", body={**_invocation(loop, input, options), "stream": True})

    def events(self, run: str, after: int | None = None) -> AsyncIterator[Event]:
        """As `Realm.events`."""
        headers = {} if after is None else {"last-event-id": str(after)}
        return self._listen("GET", f"/v1/runs/{run}/events", headers=headers)

    async def wait(self, run: str) -> Any:
        """As `Realm.wait`."""
        async for event in self.events(run):
            if event.kind == "end":
                return _output(event.data)  # type: ignore[arg-type]
        raise ConnectionError(f"the stream of run {run} broke off")
