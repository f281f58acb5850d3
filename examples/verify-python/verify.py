"""Says what a file of evidence proves: `verify.py FILE`. Receipts of calls can be held against those of
the other side: `verify.py FILE THEIRS`. Exit 1 if something is wrong."""

import pathlib
import sys

import audit
import calls
import messages
import receipt
import transcript
import view
from refused import Refused, require

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def name(identity):
    """The text of an id (ID-2)."""
    bits = int.from_bytes(identity, "big") << (-len(identity) * 8 % 5)
    count = -(-len(identity) * 8 // 5)
    return "".join(ALPHABET[bits >> 5 * at & 31] for at in reversed(range(count)))


def tell(kind, content):
    if kind == "calls":
        return tell_calls(*calls.examine(content))
    if kind == "receipt":
        standing = receipt.examine(content)
        if standing is None:
            print("right: the broadcast is not closed yet")
        else:
            rank, counted, slot = standing
            won = "won nothing" if slot is None else f"won slot {slot}"
            print(f"right: the bid was counted, stands at {rank} of {counted}, and {won}")
        return
    if kind == "audit log":
        last, first, shown = audit.examine(content)
        print(f"right: entries {first} to {last[1] - 1} of {name(last[0])}, {len(shown)} shown")
        return
    if kind == "contradiction":
        how, known, shown = audit.contradict(content)
        said = {"other": "was told anew", "shorter": "was cut short, or an old one was put back"}[how]
        print(f"right: the audit log of {name(known[0])} {said}: {known[1]} entries, then {shown[1]}")
        return
    if kind == "view":
        return tell_view(view.examine(content))
    broadcast = transcript.examine(content)
    print(f"right: broadcast {name(broadcast.id)}, {len(broadcast.informed)} got the input")
    for rank, (bid, _, fate) in enumerate(broadcast.bids(), 1):
        print(rank, name(bid), *(part for part in fate if part is not None))
    if broadcast.conclusion and 1 in broadcast.conclusion:
        print(broadcast.conclusion[1].decode("utf-8"))


def tell_view(broadcast):
    seen = list(broadcast.seen())
    own = sum(is_own for _, _, is_own, _ in seen)
    shown = sum(is_shown for _, is_shown, _, _ in seen)
    print(f"right: of {len(seen)} bids that counted {own} are the reader's")
    if view.is_ranked(broadcast):
        print(f"recomputed: the {shown} bids that are shown stand by the rule")
    print("recomputed: awards went by rank, and none passed over the reader's bid while it held")
    if shown < len(seen):
        print(f"not proven: where {len(seen) - shown} bids stand of which the digests alone are shown")
    print("not proven: what others answered and gave, and so what the outcome is made of")
    for rank, (bid, _, is_own, fate) in enumerate(seen, 1):
        print(rank, name(bid), *(part for part in fate if part is not None), *["own"] * is_own)


def tell_calls(said, found):
    for file in sys.argv[2:]:
        kind, content = messages.evidence(pathlib.Path(file).read_bytes())
        require(kind == "calls", "receipts are held against receipts alone")
        calls.hold_against(said, found, calls.examine(content)[1])
    print(f"right: {len(found)} receipts that {name(said[0])} shows")
    for (root, path, other, below), bill in sorted(calls.bills(found).items()):
        money = ", ".join(f"{currency} {micros}" for currency, micros in sorted(bill[2].items()))
        parts = (f"{name(root)}/{path}", f"{name(other)}/{below}", bill[0], money or "nothing", bill[3])
        print("{} at {}: {} calls, {} (millionths), {} tokens".format(*parts))


def main():
    try:
        tell(*messages.evidence(pathlib.Path(sys.argv[1]).read_bytes()))
    except Refused as refused:
        print(f"wrong: {refused}")
        sys.exit(1)


if __name__ == "__main__":
    main()
