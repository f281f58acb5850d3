"""Receipts of calls (receipts.md): that both sides have signed them, and what they come to."""

import audit
import cbor
from ed25519 import has_signed
from records import MESSAGE, sha256, verify, verify_chain
from refused import Refused, require
from shapes import bstr, digest, items, loop_id, one_of, path, record, signed, size, text, uint

CALL, RESULT, FAILURE = 3, 7, 9
identity = size(16)
place = record({0: digest, 1: path}, {2: digest, 3: digest})
failure_code = one_of(*range(1, 27))
amount = record({0: text, 1: uint})
budget = record({}, {0: amount, 1: uint, 2: uint})
spend = record({0: items(amount), 1: uint, 2: uint, 3: uint})
header = record(
    {
        0: one_of(1), 1: identity, 2: one_of(*range(1, 27)), 3: place, 4: place, 5: uint, 6: uint,
        7: identity, 8: digest, 10: one_of(1, 2, 3), 12: one_of(0, 1, 2, 3), 14: uint,
    },
    {9: digest, 11: one_of(0, 1, 2, 3), 13: size(8), 15: uint, 16: uint, 65: digest},
)
order = record({0: size(16), 1: loop_id, 3: digest, 5: identity, 6: identity}, {2: text, 4: budget})
receipt = record(
    {
        0: identity, 1: digest, 2: place, 3: place, 4: loop_id, 7: digest, 9: one_of(1, 2, 3, 4),
        11: identity, 12: identity, 13: uint, 14: uint, 16: spend, 17: identity,
    },
    {5: text, 6: digest, 8: digest, 10: failure_code, 15: budget},
)


def signature(value):
    """One signature, or that of a Merkle root with the way to it."""
    if type(value) is bytes:
        return size(64)(value)
    require(type(value) is list and len(value) == 3, "not a signature")
    root, index, siblings = size(64)(value[0]), uint(value[1]), items(digest)(value[2])
    require(len(siblings) <= 10 and index >> len(siblings) == 0, "a leaf outside its tree")
    return root, index, siblings


kept = record({0: bstr, 1: record({0: bstr, 1: signature, 2: digest})}, {2: bstr})
statement = record({0: audit.scope, 1: uint, 2: uint})
listing = record({0: digest, 1: uint, 2: uint, 3: digest}, {4: statement})
export = record({0: signed(listing), 1: items(bstr), 2: items(bstr)})


def examine(it):
    """Gives the list, and the receipts by their digests (SETTLE-11 to SETTLE-17)."""
    require(len(it[1]) <= 64 and len(it[2]) <= 512, "too many pages or chains")
    said, signers = it[0].read(), Signers(it[2])
    verify(it[0], ["receipts"], [signers.find(said[0], said[1]).node])
    found = {}
    for page in it[1]:
        encoded = items(bstr)(cbor.decode(page))
        require(len(encoded) <= 512, "too many receipts on a page")
        for one in encoded:
            try:
                own, read = checked(kept(cbor.decode(one)), said[0], signers)
                require(own not in found, "stands there twice")
                require(4 not in said or covers(said[4], said[0], read), "is not of the statement")
            except Refused as refused:
                raise Refused(f"receipt {len(found)}: {refused}") from None
            found[own] = read
    require(said[2] == len(found), "the list is of more or fewer receipts")
    require(said[3] == sha256(b"realm/1/receipt-list\0", *found), "the list is of other receipts")
    return said, found


def checked(it, realm, signers):
    """One receipt that the other side has signed (SETTLE-14 to SETTLE-16)."""
    read, own = receipt(cbor.decode(it[0])), sha256(b"realm/1/receipt\0", it[0])
    said = header(cbor.decode(it[1][0]))
    mine, other = (read[3], read[2]) if said[2] == CALL else (read[2], read[3])
    require(mine.get(2) == realm, "is of two other realms")
    require(same(said[3], other) and same(said[4], mine), "is between others than was signed")
    require(said[7] == read[0], "is of another call")
    require(said[2] in (CALL, RESULT, FAILURE), "was signed in another message")
    require(said.get(65) == (read[1] if said[2] == CALL else own), "is not what was signed")
    currencies = [money[0] for money in read[16][0]]
    require(currencies == sorted(set(currencies)) and len(currencies) <= 8, "spends in disorder")
    require(all(money[1] for money in read[16][0]), "spends nothing of a currency")
    proven = signers.find(said[3].get(2), said[5], said[3])
    require(has_signed_message(proven.node, it[1]), "was not signed by the other side")
    if 2 in it:
        asked = order(cbor.decode(it[2]))
        require(sha256(b"realm/1/order\0", it[2]) == read[1], "stands beside another order")
        agrees = asked[1] == read[4] and asked[3] == read[7] and asked.get(4) == read.get(15)
        require(agrees and (asked[5], asked[6]) == (read[12], read[17]), "is not what was ordered")
    return own, read


def same(one, other):
    return all(one.get(key) == other.get(key) for key in (0, 1, 2))


def has_signed_message(node, it):
    """SIG-1 to SIG-4."""
    signed_input = sha256(it[0]) + it[2]
    if type(it[1]) is bytes:
        return has_signed(node, b"realm/1/envelope\0" + signed_input, it[1])
    root_signature, index, siblings = it[1]
    climbed = sha256(b"\0", signed_input)
    for sibling in siblings:
        pair = (climbed, sibling) if index % 2 == 0 else (sibling, climbed)
        climbed, index = sha256(b"\1", *pair), index >> 1
    return has_signed(node, b"realm/1/envelope-root\0" + climbed, root_signature)


def covers(said, realm, read):
    """SETTLE-17."""
    other = read[2] if read[3].get(2) == realm else read[3]
    above, below = said[0][1], other[1]
    inside = above == "" or below == above or below.startswith(above + "/")
    return said[0][0] == other[0] and inside and said[1] <= read[14] < said[2]


class Signers:
    """Chains of those who signed; each must hold when that was."""

    def __init__(self, chains):
        self.chains = chains

    def find(self, realm, at, place=None):
        for encoded in self.chains:
            try:
                proven = verify_chain(encoded, at)
            except Refused:
                continue
            meant = place is None or proven.is_at(place) and proven.node == place.get(3)
            if proven.realm == realm and meant and proven.scopes & MESSAGE:
                return proven
        raise Refused("no chain proves who signed")


def counted(read):
    """What of a receipt counts: money by currency, tokens, calls, those without a price (SETTLE-10)."""
    money, used, most = dict(), read[16], read.get(15, {})
    for currency, micros in ((it[0], it[1]) for it in used[0]):
        money[currency] = micros
    unpriced = used[3]
    if 0 in most:
        currency, bound = most[0][0], most[0][1]
        spoilt = unpriced > 0 or any(other != currency for other in money)
        micros = bound if spoilt else min(money.get(currency, 0), bound)
        money, unpriced = {currency: micros} if micros else {}, 0
    tokens = min(used[1], most.get(1, used[1]))
    calls = min(used[2], most.get(2, used[2]))
    return money, tokens, calls, unpriced


def bills(found):
    """What the calls of each realm at each other come to."""
    sums = {}
    for read in found.values():
        key = (read[2][0], read[2][1], read[3][0], read[3][1])
        bill = sums.setdefault(key, [0, 0, {}, 0, 0, 0])
        money, tokens, calls, unpriced = counted(read)
        for currency, micros in money.items():
            bill[2][currency] = bill[2].get(currency, 0) + micros
        bill[0] += 1
        bill[1] += read[9] == 1
        bill[3], bill[4], bill[5] = bill[3] + tokens, bill[4] + calls, bill[5] + unpriced
    return sums


def hold_against(said, found, theirs):
    """SETTLE-18."""
    for own, read in theirs.items():
        mine = said[0] in (read[2].get(2), read[3].get(2))
        due = mine and read[9] != 3 and 4 in said and covers(said[4], said[0], read)
        require(not due or own in found, "the statement leaves out a receipt of the other side's")
    every, made = found | theirs, {}
    for read in every.values():
        bounds, (money, tokens, calls, _) = read.get(15, {}), counted(read)
        sums = made.setdefault((read[2].get(2), read[17]), {})
        parts = money if 0 in bounds else {}
        parts |= {1: tokens} if 1 in bounds else {}
        parts |= {2: calls} if 2 in bounds else {}
        for part, used in parts.items():
            sums[part] = sums.get(part, 0) + used
    for read in every.values():
        said_used = {it[0]: it[1] for it in read[16][0]} | {1: read[16][1], 2: read[16][2]}
        for part, used in made.get((read[3].get(2), read[11]), {}).items():
            require(used <= said_used.get(part, 0), "a realm reports less than it spent")
