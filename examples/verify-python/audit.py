"""A part of a realm's audit log (audit.md)."""

import cbor
from records import Chains, sha256, verify_chain
from refused import Refused, require
from shapes import bstr, digest, items, one_of, path, record, signed, size, text, uint

scope = record({0: digest, 1: path})
price = record({0: text, 1: uint})
identity = size(16)
entry = record(
    {0: uint, 1: digest, 2: uint, 3: text, 4: one_of(1, 2, 3, 4), 15: digest},
    {
        5: text, 6: text, 7: scope, 8: identity, 9: identity, 10: identity, 11: digest, 12: digest,
        13: price, 14: uint,
    },
)
details = record({0: size(16)}, {1: text, 2: digest, 3: digest, 4: text})
head = record({0: digest, 1: uint, 2: digest, 3: uint})
item = record({}, {0: bstr, 1: bstr, 2: digest})
export = record(
    {0: signed(head), 1: uint, 2: bstr, 3: digest, 4: items(bstr), 5: items(signed(head))}, {6: bstr}
)
proof = record({0: signed(head), 1: bstr, 2: bstr})
contradiction = record({0: signed(head), 1: signed(head), 2: uint}, {3: bstr})
ZEROS = bytes(32)


def digest_of(encoded):
    """AUDIT-2."""
    return sha256(b"\0realm/1/audit-entry\0", encoded)


class Tree:
    """The roots of a tree's complete subtrees, the largest first (AUDIT-7, AUDIT-8)."""

    def __init__(self, count=0, peaks=()):
        self.count, self.peaks = count, list(peaks)

    def push(self, root, level=0):
        """Adds a leaf, or a complete subtree of 2^level leaves."""
        count = self.count >> level
        while count & 1:
            root = sha256(b"\1", self.peaks.pop(), root)
            count >>= 1
        self.peaks.append(root)
        self.count += 1 << level

    def root(self):
        if not self.peaks:
            return sha256()
        root = self.peaks[-1]
        for left in reversed(self.peaks[:-1]):
            root = sha256(b"\1", left, root)
        return root


def frontier(count, octets, wrong):
    """The tree with so many leaves (AUDIT-8)."""
    require(len(octets) == 32 * count.bit_count(), wrong)
    return Tree(count, digests(octets))


def digests(octets):
    return [octets[at : at + 32] for at in range(0, len(octets), 32)]


def follow(it, to):
    """Whether a log goes on to a head (AUDIT-23)."""
    begin, wrong = it[0].read(), "it does not lead to the head"
    tree = frontier(begin[1], it[1], wrong)
    require(tree.root() == begin[2] and begin[3] == 0, wrong)
    require(len(it[2]) % 32 == 0, wrong)
    for root in digests(it[2]):
        left = to[1] - tree.count
        require(left > 0, wrong)
        level = left.bit_length() - 1
        while tree.count % (1 << level):
            level -= 1
        tree.push(root, level)
    require((tree.count, tree.root()) == (to[1], to[2]), wrong)


def contradict(it):
    """How the second head contradicts the first, and both (AUDIT-24)."""
    known, shown = it[0].read(), it[1].read()
    require(known[0] == shown[0], "the two heads are of two realms")
    require(3 in it, "there is no chain")
    now = max(known[3], shown[3])
    proven = verify_chain(it[3], now)
    chains = Chains()
    chains.prove(it[3], now)
    for one in (it[0], it[1]):
        chains.check(one, "audit-head", {0: proven.root, 1: proven.path, 2: known[0]}, True)
    if known[1] == shown[1] and known[2] != shown[2]:
        return "other", known, shown
    require(shown[1] < known[1], "the two heads contradict nothing")
    require(shown[3] > known[3] > 0, "the shorter head was not signed after the longer one")
    return "shorter", known, shown


def examine(it):
    """Gives the last head, the first place, and the entries that are shown with their details."""
    last, heads = signed_heads(it)
    first = it[1]
    tree = before(it, heads + [last])
    places = read(it, first)
    if len(places) < last[1] - first:
        raise Refused(f"entry {first + len(places)} is missing")
    if len(places) > last[1] - first:
        raise Refused(f"entry {last[1]} is one more than was signed")
    linked(it, places, tree, last)
    rooted(places, tree, heads + [last], first)
    return last, first, [(shown, beside) for _, shown, beside in places if shown is not None]


def signed_heads(it):
    """AUDIT-12, AUDIT-13."""
    require(6 in it, "there is no chain")
    claimed = it[0].read()
    proven = verify_chain(it[6], claimed[3])
    chains = Chains()
    chains.prove(it[6], claimed[3])
    place = {0: proven.root, 1: proven.path, 2: claimed[0]}
    last = chains.check(it[0], "audit-head", place, True)
    require(len(it[5]) <= 513, "too many heads")
    heads, least = [], it[1]
    for one in it[5]:
        checked = chains.check(one, "audit-head", place, True)
        require(checked[0] == last[0], "a head of another realm")
        require(least <= checked[1] <= last[1], "a head that does not belong here")
        least = checked[1]
        heads.append(checked)
    return last, heads


def before(it, heads):
    """AUDIT-14."""
    first = it[1]
    wrong = f"what is said of the log before entry {first} is not what was signed"
    tree = frontier(first, it[2], wrong)
    if first == 0:
        require(it[3] == ZEROS, wrong)
    else:
        require(any(one[1] == first and one[2] == tree.root() for one in heads), wrong)
    return tree


def read(it, first):
    """Each place as its digest, its entry and its details, both where they are shown (AUDIT-15)."""
    require(len(it[4]) <= 64, "too many pages")
    places = []
    for page in it[4]:
        on_page = items(item)(cbor.decode(page))
        require(len(on_page) <= 512, "too many items on a page")
        for one in on_page:
            at = first + len(places)
            try:
                places.append(place(one, at))
            except Refused as refused:
                raise Refused(f"entry {at} {refused}") from None
    return places


def place(one, at):
    if 0 not in one:
        require(set(one) == {2}, "is neither shown nor a digest")
        return one[2], None, None
    require(2 not in one, "is shown and a digest")
    try:
        shown = entry(cbor.decode(one[0]))
    except Refused as refused:
        raise Refused(f"does not read: {refused}") from None
    require(shown[0] != at + 1, "is missing")
    require(shown[0] == at, f"stands elsewhere: here is entry {shown[0]}")
    beside = None
    if 1 in one:
        bound = sha256(b"realm/1/audit-details\0", one[1])
        require(bound == shown[15], "has other details")
        beside = details(cbor.decode(one[1]))
    return digest_of(one[0]), shown, beside


def linked(it, places, tree, last):
    """AUDIT-17: which of two neighbours was changed."""
    first, previous = it[1], it[3]
    for at, (own, shown, _) in enumerate(places):
        if shown is not None and shown[1] != previous:
            after = places[at + 1][1] if at + 1 < len(places) else None
            if after is not None:
                followed = after[1] == own
            else:
                followed = leads(places, at, tree, last)
            if followed and at > 0:
                raise Refused(f"entry {first + at - 1} was changed")
            if followed and first > 0:
                raise Refused(f"what is said of the log before entry {first} is not what was signed")
            raise Refused(f"entry {first + at} was changed")
        previous = own


def leads(places, at, tree, last):
    """Whether the signed root comes of what an entry says of the item before it."""
    whole = Tree(tree.count, tree.peaks)
    for number, (own, _, _) in enumerate(places):
        whole.push(places[at][1][1] if number == at - 1 else own)
    return whole.root() == last[2]


def rooted(places, tree, heads, first):
    """AUDIT-16."""
    rest, right = iter(places), first
    for one in heads:
        while tree.count < one[1]:
            tree.push(next(rest)[0])
        if tree.root() != one[2]:
            alone = right == one[1] - 1
            every = one is heads[-1] and all(shown is not None for _, shown, _ in places)
            if alone or every:
                raise Refused(f"entry {one[1] - 1} was changed")
            raise Refused(f"something in entries {right} to {one[1] - 1} was changed")
        right = one[1]
