"""What realms say in a broadcast, and what an announcer writes down of it (broadcast.md)."""

import audit
import calls
import cbor
from refused import require
from shapes import (
    amount, boolean, bstr, budget, digest, items, loop_id, one_of, path, record, signed, size, text, uint,
)

broadcast_id = size(16)
place = record({0: digest, 1: path}, {2: digest, 3: digest})
price = record({0: text, 1: uint})
levels = record({0: uint, 1: uint, 2: uint})
reach = record({0: uint, 1: uint, 2: uint, 3: items(record({0: digest, 1: path}))}, {64: levels})
bid_limits = record({}, {0: text, 1: uint, 2: uint, 3: uint})
weights = record({0: uint, 1: uint, 2: uint, 3: uint})
early = record({0: uint}, {1: uint, 2: uint, 3: uint})
rule = record(
    {0: one_of(1, 2, 3, 4, 5), 2: uint, 3: uint, 4: uint, 5: uint}, {1: weights, 6: early, 7: uint}
)
aggregation = record(
    {0: one_of(*range(1, 14)), 1: one_of(1, 2, 3, 4), 4: uint, 6: items(text)},
    {2: uint, 3: uint, 5: uint},
)
announcement = record({
    0: broadcast_id, 1: uint, 2: place, 3: loop_id, 4: digest, 5: digest, 6: digest,
    7: one_of(1, 2, 3), 8: items(loop_id), 9: bid_limits, 10: reach, 11: uint, 12: uint, 13: uint,
    14: rule, 15: aggregation, 16: digest, 17: uint, 18: uint,
}, {64: size(16)})
announce = record({0: signed(announcement), 1: uint, 2: uint, 3: uint}, {4: bstr})
tally = record({0: broadcast_id, 1: uint, 2: uint, 3: uint, 4: uint}, {5: uint})
heard = record({0: audit.scope, 1: uint}, {2: tally})
bid = record(
    {
        0: broadcast_id, 1: digest, 2: place, 3: loop_id, 4: digest, 6: uint, 7: uint, 8: uint,
        9: uint, 10: uint,
    },
    {5: price},
)
spend = record({0: items(amount), 1: uint, 2: uint, 3: uint})
award = record({0: broadcast_id, 1: uint, 2: uint, 3: digest, 4: uint, 5: uint}, {6: budget})
confirm = record({0: broadcast_id, 1: uint, 2: uint, 3: digest, 4: one_of(1, 2, 3, 4, 5, 6)})
lease = record({0: broadcast_id, 1: uint, 2: uint, 3: uint, 4: uint, 5: digest}, {6: bstr})
progress = record(
    {0: broadcast_id, 1: uint, 2: uint, 3: uint, 4: uint}, {64: record({0: uint, 1: uint, 2: uint})}
)
failure_code = one_of(*range(1, 27))
outcome = record(
    {0: broadcast_id, 1: uint, 2: uint, 3: digest, 4: one_of(1, 2, 3), 10: uint},
    {5: digest, 6: failure_code, 7: uint, 8: price, 9: size(16), 65: spend,
     66: record({0: uint, 1: uint})},
)
delivery = record({0: signed(outcome)}, {1: bstr})
of_epoch = record({0: broadcast_id, 1: uint, 2: uint})
cancel = record({0: broadcast_id, 1: uint, 2: uint}, {64: uint})
verdict = record({
    0: broadcast_id, 1: digest, 2: size(32), 3: uint, 4: digest, 5: digest,
    6: items(record({0: uint, 1: uint, 2: digest}, {64: uint})), 7: uint,
}, {64: items(digest)})
close = record({
    0: broadcast_id, 1: uint, 2: uint, 3: signed(verdict), 4: bstr, 5: items(signed(bid)),
})
summary = record({0: bstr, 1: uint})

citation = record(
    {0: uint, 1: digest, 2: digest, 4: one_of(*range(1, 8))}, {3: digest, 5: failure_code}
)
conclusion = record(
    {0: one_of(*range(1, 14)), 3: items(citation), 4: items(uint), 5: items(uint)},
    {1: bstr, 2: text},
)

#: An announcer's entries by number.
ENTRIES = {
    1: ("planned", record({
        0: items(signed(announcement)), 1: size(32), 2: digest, 3: uint, 4: uint, 5: uint, 6: uint,
    }, {7: budget})),
    2: ("announced", record({0: uint, 1: uint})),
    3: ("counted", record({0: signed(bid), 1: uint, 2: uint})),
    4: ("closed", record({0: one_of(1, 2, 3, 4, 5), 1: tally, 2: uint}, {64: items(heard)})),
    5: ("awarded", record({0: uint, 1: uint, 2: digest, 3: uint}, {4: budget})),
    6: ("answered", record({0: uint, 1: uint, 3: uint}, {2: signed(confirm)})),
    7: ("leased", record({0: uint, 1: uint, 2: uint, 3: uint, 4: place, 5: uint})),
    8: ("ended", record({0: uint, 1: uint, 2: one_of(*range(1, 9)), 4: uint}, {3: delivery})),
    9: ("decided", record({0: uint, 1: uint, 2: boolean, 3: uint}, {64: boolean})),
    10: ("unused", record({0: delivery, 1: uint}, {64: boolean})),
    11: ("cancelled", record({0: uint})),
    12: ("finished", record({0: conclusion, 1: uint})),
    13: ("proved", record({0: bstr, 1: uint})),
}

#: What a bidder may see of them, by the same numbers.
SHOWN = ENTRIES | {
    1: ("told", record({0: items(signed(announcement)), 1: items(bstr)})),
    3: ("counted", record({0: signed(bid), 1: uint})),
    6: ("answered", record({0: uint, 1: uint, 2: boolean, 4: uint}, {3: signed(confirm)})),
    7: ("leased", record({0: uint, 1: uint, 2: uint, 3: uint, 4: uint})),
}

seal = record({0: broadcast_id, 1: uint, 2: digest, 3: uint}, {64: digest})
transcript = record({0: signed(seal), 2: items(bstr), 3: bstr}, {1: bstr})
receipt = record({
    0: signed(announcement), 1: signed(bid), 2: items(bstr), 3: boolean, 4: items(bstr),
})


def entry(encoded, known=ENTRIES):
    """The name and the content of an entry."""
    value = cbor.decode(encoded)
    require(type(value) is list and len(value) == 2 and value[0] in known, "not a known entry")
    name, shape = known[value[0]]
    return name, shape(value[1])


def shown(encoded):
    """The name and the content of an entry of a view."""
    return entry(encoded, SHOWN)


def evidence(document):
    """The kind and the content of a file of evidence."""
    value = cbor.decode(document)
    kinds = {
        1: ("transcript", transcript), 2: ("receipt", receipt), 3: ("audit log", audit.export),
        4: ("calls", calls.export), 5: ("contradiction", audit.contradiction), 6: ("view", transcript),
    }
    require(type(value) is list and len(value) == 2 and value[0] in kinds, "no evidence")
    name, shape = kinds[value[0]]
    return name, shape(value[1])
