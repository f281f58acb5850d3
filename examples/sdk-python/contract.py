"""Goes through the contract that every client keeps: contract.py FILE, with REALM_HOME, CONTRACT_URL and CONTRACT_TOKEN set."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from realm_sdk import Agent, AsyncRealm, Call, CallFailed, Event, Failure, Realm, RealmError, complete, proceed

CANCELLED = asyncio.Event()


def double(given: dict[str, Any], call: Call) -> Any:
    call.progress({"half": True})
    return {"n": 2 * given["n"]}


async def refuse(given: dict[str, Any]) -> Any:
    raise Failure(given["message"], "business")


def broken(given: Any) -> Any:
    raise ValueError("broken")


async def hang(given: Any, call: Call) -> Any:
    call.progress("begun")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        CANCELLED.set()
        raise


def step(given: dict[str, Any]) -> Any:
    n, to = given["n"], given["to"]
    return proceed({"n": n + 1, "to": to}) if n < to else complete({"n": n})


def keep(given: dict[str, Any], call: Call) -> Any:
    key = f"keeps/{given['name']}"
    if given.get("forget"):
        call.state.pop(key, None)
    if "keep" in given:
        call.state[key] = given["keep"]
    return {"kept": call.state[key]} if key in call.state else {}


def tell(given: dict[str, Any], call: Call) -> Any:
    for word in given["text"].split(" "):
        call.write(f"{word} ")
    return {"text": given["text"]}


def ask(given: dict[str, Any], call: Call) -> Any:
    answers = [call.ask(question, {"n": n}) for n, question in enumerate(given["questions"])]
    return {"granted": [answer.granted for answer in answers], "reasons": [answer.reason for answer in answers]}


HANDLERS = {
    "contract.double": double,
    "contract.refuse": refuse,
    "contract.break": broken,
    "contract.wrong": lambda given: 7,
    "contract.hang": hang,
    "contract.step": step,
    "contract.keep": keep,
    "contract.ask": ask,
    "contract.tell": tell,
    "contract.worth": lambda given: {"worth": len(given["article"])},
    "contract.decline": lambda given: {"worth": 0},
}


OFFERS = {
    "contract.worth": lambda work: {"time": "1s", "confidence": 0.9},
    "contract.decline": lambda work: None,
}


def check(seen: Any, wanted: Any, what: str) -> None:
    if seen != wanted:
        raise AssertionError(f"{what}: {seen!r}, not {wanted!r}")


def judged(outcome: Any, expect: dict[str, Any]) -> None:
    """Compares an output or an error with what is expected."""
    if isinstance(outcome, CallFailed):
        check(outcome.code, expect.get("error"), "error")
        if expect.get("message", "") not in outcome.error["message"]:
            raise AssertionError(f"message: {outcome.error['message']!r}")
    elif isinstance(outcome, RealmError):
        check(outcome.code, expect.get("refused"), "refusal")
    else:
        check(outcome, expect.get("output"), "output")


async def invoke(_: AsyncRealm, case: dict[str, Any]) -> None:
    place = {"url": os.environ["CONTRACT_URL"], "token": os.environ["CONTRACT_TOKEN"]} if case.get("as") == "agent" else {}

    # Both halves of the client do the same.
    def waiting() -> Any:
        with Realm(**place) as realm:
            return realm.invoke(case["loop"], case["input"])

    async def calling() -> Any:
        async with AsyncRealm(**place) as realm:
            return await realm.invoke(case["loop"], case["input"])

    for call in (calling, lambda: asyncio.to_thread(waiting)):
        try:
            outcome: Any = await call()
        except (CallFailed, RealmError) as error:
            outcome = error
        judged(outcome, case["expect"])


async def events(realm: AsyncRealm, case: dict[str, Any]) -> None:
    run = await realm.start(case["loop"], case["input"])
    types, last = [], None
    async for event in realm.events(run):
        types.append(event.data.get("type"))
        last = event
    told = iter(types)
    for wanted in case["expect"]["types"]:
        if wanted not in told:
            raise AssertionError(f"no {wanted} in its place in {types}")
    check(last and last.kind, "end", "last event")
    check(last and last.data["output"], case["expect"]["output"], "output")


async def stream(realm: AsyncRealm, case: dict[str, Any]) -> None:
    # Both halves of the client do the same.
    def waiting() -> list[Event]:
        with Realm() as same:
            return list(same.stream(case["loop"], case["input"]))

    for told in ([event async for event in realm.stream(case["loop"], case["input"])], await asyncio.to_thread(waiting)):
        parts, last = told[:-1], told[-1]
        check({event.kind for event in parts}, {"part"}, "kinds")
        check("".join(event.data["text"] for event in parts), case["expect"]["text"], "text")
        check(last.kind, "end", "last event")
        check(last.data["output"], case["expect"]["output"], "output")


async def asked(realm: AsyncRealm, case: dict[str, Any]) -> None:
    run = await realm.start(case["loop"], case["input"])
    said = iter(case["says"])
    async for event in realm.events(run):
        if event.data.get("type") == "approval.requested":
            (waiting,) = (await realm.get_approvals(run=run))["items"]
            say = next(said)
            check(waiting["input"]["question"], say["question"], "question")
            decide = realm.post_approvals_id_approve if say["granted"] else realm.post_approvals_id_deny
            await decide(waiting["id"], {"reason": say["reason"]})
    check(event.data["output"], case["expect"]["output"], "output")


async def resume(realm: AsyncRealm, case: dict[str, Any]) -> None:
    run = await realm.start(case["loop"], case["input"])
    await realm.wait(run)
    async for event in realm.events(run, after=case["after"]):
        check(event.index, case["expect"]["first"], "index")
        return


async def again(realm: AsyncRealm, case: dict[str, Any]) -> None:
    first = await realm.call(case["loop"], case["input"], idempotency_key=case["key"])
    second = await realm.call(case["loop"], case["input"], idempotency_key=case["key"])
    check(first["callId"] == second["callId"], case["expect"]["same"], "same call")


async def cancel(realm: AsyncRealm, case: dict[str, Any]) -> None:
    run = await realm.start(case["loop"], case["input"])
    async for event in realm.events(run):
        if event.data.get("type") == "log":
            await realm.post_runs_id_cancel(run, {})
    check((await realm.get_runs_id(run))["status"], case["expect"]["status"], "status")
    await asyncio.wait_for(CANCELLED.wait(), 10)


async def claim(realm: AsyncRealm, case: dict[str, Any]) -> None:
    thief = Agent("thief")
    thief.loop(case["loop"])(lambda given: given)
    try:
        await asyncio.wait_for(thief.serve(), 10)
        raise AssertionError("it was not refused")
    except RealmError as error:
        judged(error, case["expect"])


async def info(realm: AsyncRealm, case: dict[str, Any]) -> None:
    check("realm" in await realm.get_status(), True, "realm in status")


DOINGS = {"invoke": invoke, "stream": stream, "ask": asked, "events": events, "resume": resume, "again": again, "cancel": cancel, "claim": claim, "info": info}


async def main() -> None:
    contract = json.load(open(sys.argv[1]))
    asked = contract["agent"]
    agent = Agent(asked["name"], concurrency=asked["concurrency"])
    for one in asked["loops"]:
        definition = one["definition"]
        offer = OFFERS.get(definition["id"])
        serve = agent.bid(definition, offer) if one.get("offers") and offer else agent.loop(definition)
        serve(HANDLERS[definition["id"]])
    serving = asyncio.create_task(agent.serve())
    attached = asyncio.create_task(agent.attached.wait())
    await asyncio.wait({serving, attached}, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
    failed = 0
    async with AsyncRealm() as realm:
        loops = [{"name": f"/{loop['id']}.json", "text": json.dumps(loop)} for loop in contract["loops"]]
        await realm.post_apply({"files": loops})
        for case in contract["cases"]:
            try:
                await DOINGS[case["do"]](realm, case)
                print(f"ok      {case['name']}")
            except Exception as error:
                failed += 1
                print(f"FAILED  {case['name']}: {type(error).__name__}: {error}")
    agent.leave()
    await asyncio.wait_for(serving, 10)
    print(f"{len(contract['cases']) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


asyncio.run(main())
