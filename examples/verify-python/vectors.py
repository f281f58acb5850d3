"""Holds this implementation against `protocol/vectors`, those that a verifier needs."""

import json
import pathlib

import aggregation
import audit
import calls
import cbor
import fanout
import messages
import ranking
import receipt
import records
import transcript
import view
from refused import Refused, require
from shapes import items, one_of, record, signed, uint

FOLDER = pathlib.Path(__file__).parent / "../../protocol/vectors"
SELECTIONS = ["", "first", "best", "random", "all", "weighted"]
STRATEGIES = [
    "", "merge", "select", "consensus", "quorum", "vote", "average", "weighted average", "sum", "rank",
    "first valid", "highest confidence", "collect all", "loop",
]
WAITS = ["", "all", "quorum", "majority", "any"]
PARTS = [
    "", "contributed", "dissented", "failed", "unsure", "no value", "not numeric", "no object",
]
MESSAGES = {
    "announcement": messages.announcement, "Announce": messages.announce, "Tally": messages.tally,
    "bid": messages.bid, "Award": messages.award, "confirm": messages.confirm,
    "Lease": messages.lease, "Progress": messages.progress, "outcome": messages.outcome,
    "Result": messages.delivery, "ResultAck": messages.of_epoch, "Cancel": messages.cancel,
    "verdict": messages.verdict, "Close": messages.close, "summary": messages.summary,
}
SHARES = {"quorum": 2, "threshold": 3, "confidence": 5}
HOP = record({0: uint, 1: one_of(1, 2, 3), 2: uint})


def octets(value):
    """Reads hexadecimal, with long runs of one byte as `[byte, count]`."""
    if type(value) is str:
        return bytes.fromhex(value)
    return b"".join(
        octets(part) if type(part) is str else octets(part[0]) * part[1] for part in value
    )


def judge_cbor(case):
    value = cbor.decode(octets(case["hex"]))
    if case.get("as") == "hop":
        HOP(value)


def judge_json(case):
    read = aggregation.parse(octets(case["hex"]))
    require("value" not in case or aggregation.same(read, case["value"]), "read as something else")


def judge_records(case):
    shape, tags = records.RECORDS[case["record"]]
    signed = records.signed_record(case["record"])(cbor.decode(octets(case["hex"])))
    keys = [octets(signer["key"]) for signer in case["signers"]]
    records.verify(signed, tags, keys)
    require(records.sha256(signed.payload) == octets(case["digest"]), "another digest")


def judge_chains(case):
    proven = records.verify_chain(octets(case["hex"]), case["now"], octets(case["root"]))
    found = (proven.realm.hex(), proven.node.hex(), proven.path)
    require(found == (case["realm"], case["node"], case["path"]), "it proves something else")


def judge_broadcast(case):
    kind = case["message"]
    if kind == "slot key":
        name = case.get("work", case["broadcast"])
        parts = (octets(name), case["slot"].to_bytes(8, "big"))
        key = records.sha256(b"realm/1/slot\0", *parts)
        require(key == octets(case["key"]), "another key")
    elif kind == "close":
        receipt.join([messages.close(cbor.decode(octets(page))) for page in case["pages"]])
    else:
        MESSAGES[kind](cbor.decode(octets(case["hex"])))


def judge_ranking(case):
    if "announcement" in case:
        read = messages.announcement(cbor.decode(octets(case["announcement"])))
        return ranking.check_announcement(read)
    candidates = [
        ranking.Candidate(
            octets(bid["bid"]), bid["price"], bid["time"], bid["confidence"], bid["trust"],
            bid["arrival"],
        )
        for bid in case["bids"]
    ]
    require(len(candidates) >= max(case["min_bids"], 1), "too few bids")
    selection, weights = SELECTIONS.index(case["selection"]), case.get("weights")
    scale = (case["highest_price"], case["longest_time"])
    root, ranked = ranking.rank(candidates, selection, weights, scale, octets(case["secret"]))
    found = [{"bid": it.digest.hex(), "score": it.score, "tie": it.tie.hex()} for it in ranked]
    require(root == octets(case["root"]) and found == case["ranked"], "another order")
    winners = min(len(ranked), case["awards"])
    left = min(len(ranked) - winners, case["standbys"])
    require((winners, left) == (case["winners"], case["standbys_left"]), "other winners")


def judge_aggregation(case):
    rule = {0: STRATEGIES.index(case["strategy"]), 1: WAITS.index(case["waiting"])}
    rule |= {4: case["min_results"], 6: case["field"]}
    rule |= {key: case[name] for name, key in SHARES.items() if name in case}
    results = [
        aggregation.Result(slot, result and [result[0]], *(result or [0, 0, 0])[1:])
        for slot, result in enumerate(case["results"])
    ]
    if "enough" in case:
        enough = aggregation.is_enough(rule, results, case["slots"])
        return require(enough == case["enough"], "another answer")
    output = aggregation.aggregate(rule, results)
    require(aggregation.same(output, case["output"]), "another output")
    require([PARTS[result.part] for result in results] == case["parts"], "other parts")


def judge_transcripts(case):
    kind, content = messages.evidence(octets(case["hex"]))
    require(kind == "transcript", "no transcript")
    found = transcript.examine(content)
    bids = [[digest.hex(), score, fate] for digest, score, fate in found.bids()]
    require(bids == case["bids"], "another account of the bids")
    require(len(found.informed) == case["informed"], "others got the input")
    said = found.conclusion
    output = aggregation.parse(said[1]) if 1 in said else None
    require((said[0], output) == (case["ending"], case["output"]), "another ending")


def judge_views(case):
    kind, content = messages.evidence(octets(case["hex"]))
    require(kind == "view", "no view")
    found = view.examine(content)
    bids = [[digest.hex(), shown, own, fate] for digest, shown, own, fate in found.seen()]
    require(bids == case["bids"], "another account of the bids")
    require(found.conclusion[0] == case["ending"], "another ending")


def judge_receipts(case):
    kind, content = messages.evidence(octets(case["hex"]))
    require(kind == "receipt", "no receipt")
    require(receipt.examine(content) == case["standing"], "another standing")


def judge_audit(case):
    if "proof" in case:
        to = signed(audit.head)(cbor.decode(octets(case["head"])))
        return audit.follow(audit.proof(cbor.decode(octets(case["proof"]))), to.read())
    kind, content = messages.evidence(octets(case["hex"]))
    if kind == "contradiction":
        how, known, shown = audit.contradict(content)
        return require([how, [known[1], shown[1]]] == [case["how"], case["counts"]], "another account")
    require(kind == "audit log", "no audit log")
    last, first, shown = audit.examine(content)
    found = (first, last[1], last[2].hex(), len(shown))
    require(found == (case["first"], case["count"], case["root"], case["shown"]), "another account")


def judge_calls(case):
    kind, content = messages.evidence(octets(case["hex"]))
    require(kind == "calls", "no receipts of calls")
    said, found = calls.examine(content)
    if "witness" in case:
        theirs = messages.evidence(octets(case["witness"]))[1]
        calls.hold_against(said, found, calls.examine(theirs)[1])
    bills = [
        [bill[0], bill[1], {"money": bill[2], "tokens": bill[3], "calls": bill[4], "unpriced": bill[5]}]
        for _, bill in sorted(calls.bills(found).items())
    ]
    told = [[bill["receipts"], bill["successes"], bill["counted"]] for bill in case["bills"]]
    require(bills == told, "another bill")


def place(text):
    """ROOT/PATH."""
    root, _, path = text.partition("/")
    return int(root), path.split("/") if path else []


def neighbour(text):
    kind, _, name = text.partition(" ")
    return (kind, int(name) if kind == fanout.PEER else name) if name else kind


def judge_fanout(case):
    if case["question"] == "window":
        return require(fanout.window_below(case["window"]) == case["below"], "another time")
    if case["question"] == "summary":
        bits = octets(case["filter"])
        require(all(fanout.holds(bits, entry) for entry in case["entries"]), "an entry is not there")
        return require(bits == fanout.summary(case["entries"]), "another filter")
    scopes = [place(text) for text in case["realms"]]
    asked = fanout.Asked(place(case["announcer"]), case["reach"], scopes, case.get("besides"))
    # Whoever has said what it can do is left out where that is not asked for.
    able = [name for name in case["neighbours"] if case.get(name, "risk") == "risk"]
    here, came_from = place(case["here"]), neighbour(case["from"])
    left = case["down"], case["up"]
    passes = list(asked.passes(here, came_from, left, [neighbour(name) for name in able]))
    require(passes == [(neighbour(name), *levels) for name, *levels in case["passes"]], "passed to others")


JUDGES = {
    "cbor": judge_cbor, "json": judge_json, "records": judge_records, "chains": judge_chains,
    "broadcast": judge_broadcast, "ranking": judge_ranking, "aggregation": judge_aggregation,
    "transcripts": judge_transcripts, "views": judge_views, "receipts": judge_receipts, "audit": judge_audit,
    "calls": judge_calls, "fanout": judge_fanout,
}
#: Cases about what a verifier of files does not do.
LEFT_OUT = {"cbor": lambda case: case.get("as") == "bye"}
# A file has no reader with a chain of its own, and does not say what was revoked.
LEFT_OUT["chains"] = lambda case: "own" in case or case["revoked"] or "seal_to" in case


def run():
    for name, judge in JUDGES.items():
        book = json.loads((FOLDER / f"{name}.json").read_text())
        left_out = LEFT_OUT.get(name, lambda case: False)
        counted = 0
        for kind in ("valid", "invalid"):
            for case in book[kind]:
                if left_out(case):
                    continue
                check(name, judge, case, kind == "valid")
                counted += 1
        print(f"{name}: {counted} vectors hold")


def check(name, judge, case, valid):
    try:
        judge(case)
    except Refused as refused:
        assert not valid, f"{name}, {case['name']}: {refused}"
    else:
        assert valid, f"{name}, {case['name']}: taken, and is to be refused"


if __name__ == "__main__":
    run()
