"""Which announcements can be followed, which bids count, and in which order (ANNOUNCE, BID, RANK)."""

import re

from records import sha256
from refused import require

MILLION = 1_000_000
FIRST, BEST, RANDOM, ALL, WEIGHTED = 1, 2, 3, 4, 5
QUORUM, CONSENSUS = 4, 3
DAY = 24 * 60 * 60 * 1_000


def check_announcement(it):
    """ANNOUNCE-1 to ANNOUNCE-4, and ANNOUNCE-15."""
    limits, rule, made = it[9], it[14], it[15]
    require(2 in it[2], "an announcer without its realm")
    require(it[0] == sha256(b"realm/1/broadcast\0", it[2][2], it[16])[:16], "the broadcast's id")
    require(it[1] in (1, 2), "the round")
    require(it[18] <= 32, "the depth")
    require(1 <= it[11] <= 60_000, "the time that bids are taken")
    require(1 <= it[13] <= 30 * DAY, "the time of the work")
    names = it[8]
    ascending = all(one.encode() < other.encode() for one, other in zip(names, names[1:]))
    require(len(names) <= 16 and ascending, "the capabilities")
    require(len(it[10][3]) <= 64, "the scopes")
    require(0 not in limits or re.fullmatch("[A-Z]{3}", limits[0]), "the currency")
    require(1 not in limits or 0 in limits, "a price without a currency")
    require(1 <= rule[2] <= 256, "the slots")
    require(rule[3] <= 8_192 and max(rule[4], 1) <= rule[5] <= 8_192, "the bids")
    require((1 in rule) == (rule[0] == WEIGHTED), "the weights")
    if 1 in rule:
        require(max(rule[1].values()) <= 1_000, "a weight")
        require(rule[1][0] == 0 or 1 in limits, "a weight for prices without a highest price")
    shares = [limits.get(3), rule.get(6, {}).get(3), made.get(2), made.get(3), made.get(5)]
    require(all(share is None or share <= MILLION for share in shares), "a share above one")
    require(2 in made or (made[0] != 4 and made[1] != 2), "a quorum without its share")
    require(3 in made or made[0] != CONSENSUS, "a consensus without its share")
    require(made[4] <= rule[2], "more results than slots")
    require(len(made[6]) <= 8, "the way to the value")


def micros(bid):
    return bid[5][1] if 5 in bid else 0


def check_bid(bid, size, limits):
    """BID-2 and BID-3, as far as they are about the bid alone."""
    require(size <= 4_096, "a bid that is too long")
    require(bid[7] <= MILLION and bid[8] <= MILLION, "a share above one")
    require(1 <= bid[10] <= 60_000, "how long the bid holds")
    require(5 not in bid or bid[5][0] == limits.get(0), "the currency")
    require(micros(bid) <= limits.get(1, micros(bid)), "the price")
    require(bid[6] <= limits.get(2, bid[6]), "the time")
    require(bid[7] >= limits.get(3, 0), "the confidence")


def is_good(bid, early):
    """Whether a bid is good enough for an early close."""
    return micros(bid) <= early.get(1, micros(bid)) and bid[6] <= early.get(2, bid[6]) and bid[7] >= early.get(3, 0)


def are_enough(rule, counted, good):
    """Whether so many bids, of which so many are good, are enough (BID-7)."""
    decided = rule[0] == FIRST and counted >= rule[2] + rule[3]
    early = 6 in rule and good >= rule[6][0]
    return (decided or early) and counted >= rule[4]


class Quotas:
    """How many bids count from where (BID-5)."""

    def __init__(self, home, rule):
        self.home, self.per_realm, self.counted = home, rule.get(7), {}
        self.per_root = max(rule[5] // 2, rule[4], 1)

    def change(self, place, by):
        for scope in self.above(place):
            self.counted[scope] = self.counted.get(scope, 0) + by

    def has_room(self, place):
        return all(self.counted.get(it, 0) < self.share(it) for it in self.above(place))

    @staticmethod
    def above(place):
        labels = tuple(place[1].split("/")) if place[1] else ()
        return [(place[0], labels[:depth]) for depth in range(len(labels) + 1)]

    def share(self, scope):
        root, labels = scope
        if root == self.home[0]:
            unbounded = scope in self.above(self.home) or self.per_realm is None
            return float("inf") if unbounded else self.per_realm
        return min(64 >> min(len(labels), 3), self.per_root)


def merkle_root(digests):
    """RFC 9162, section 2.1.1, over the digests in ascending order (RANK-1)."""

    def head(leaves):
        if not leaves:
            return sha256()
        if len(leaves) == 1:
            return sha256(b"\0", leaves[0])
        half = 1 << (len(leaves) - 1).bit_length() - 1
        return sha256(b"\1", head(leaves[:half]), head(leaves[half:]))

    return head(sorted(digests))


def below(value, ceiling):
    """How far a value lies below a ceiling, in millionths (RANK-4, RANK-5)."""
    if ceiling == 0:
        return MILLION if value == 0 else 0
    return max(0, MILLION - value * MILLION // ceiling)


class Candidate:
    """What a bid is ranked by."""

    def __init__(self, digest, price, time, confidence, trust, arrival):
        self.digest, self.price, self.time = digest, price, time
        self.confidence, self.trust, self.arrival = confidence, trust, arrival
        self.score = self.tie = None

    def weigh(self, weights, ceilings, secret, root):
        """The score (RANK-4, RANK-5) and the tie (RANK-2)."""
        self.tie = sha256(secret, root, self.digest)
        if weights is not None:
            parts = [below(self.price, ceilings[0]), below(self.time, ceilings[1])]
            parts += [self.confidence, self.trust]
            self.score = sum(weights[at] * part for at, part in enumerate(parts))

    def stands(self, selection):
        """Where it stands but for ties (RANK-3)."""
        if selection == FIRST:
            return (self.arrival,)
        if selection in (BEST, ALL):
            return (self.price, self.time, -self.confidence)
        return (-self.score,) if selection == WEIGHTED else ()


def rank(candidates, selection, weights, ceilings, secret):
    """The root, and the candidates in rank order with their scores and ties (RANK-1 to RANK-5)."""
    root = merkle_root([it.digest for it in candidates])
    for it in candidates:
        it.weigh(weights, ceilings, secret, root)
    return root, sorted(candidates, key=lambda it: (*it.stands(selection), it.tie))


def misplaced(bids, announcement, secret, root):
    """Of bids in the order that somebody gives them, as digest and bid, the first that should stand before
    one that is before it, whatever only the announcer knows (CLOSE-2)."""
    rule = announcement[14]
    selection, weights, scale = rule[0], rule.get(1), ceilings(announcement)
    if selection == FIRST:
        return None
    trusts = weights is not None and weights[3] > 0

    def key(digest, bid, trust):
        it = Candidate(digest, micros(bid), bid[6], bid[7], trust, 0)
        it.weigh(weights, scale, secret, root)
        return it.stands(selection), b"" if trusts else it.tie

    last = None
    for digest, bid in bids:
        if last is not None and last > key(digest, bid, 0):
            return digest
        best = key(digest, bid, MILLION)
        last = best if last is None else max(last, best)
    return None


def ceilings(announcement):
    limits = announcement[9]
    return limits.get(1, 0), limits.get(2, announcement[13])
