"""Realm from Python: call loops, listen to runs, serve loops from inside.

`Realm` and `AsyncRealm` speak to the daemon of a realm on this machine; `Agent` attaches to it. The types in
`realm_sdk.api` are those of docs/openapi.json.
"""

from .agent import Agent, Answer, Call, complete, proceed
from .client import AsyncRealm, Event, Realm
from .errors import CallFailed, Category, Failure, RealmError
from .place import Place

__all__ = [
    "Agent",
    "Answer",
    "AsyncRealm",
    "Call",
    "CallFailed",
    "Category",
    "Event",
    "Failure",
    "Place",
    "Realm",
    "RealmError",
    "complete",
    "proceed",
]
