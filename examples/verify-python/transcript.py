"""A broadcast recomputed from its transcript (TRANSCRIPT-1 to TRANSCRIPT-10, TRANSCRIPT-15 to TRANSCRIPT-17)."""

import cbor
import messages
from aggregation import (
    AVERAGE, FAILED, LOOP, MERGE, SUM, WEIGHTED, NotOne, Result, aggregate, is_enough, parse, same,
)
from ranking import Candidate, Quotas, are_enough, ceilings, check_announcement, check_bid, is_good, micros, rank
from records import Chains, sha256
from purse import Purse
from refused import Refused, require

RESERVED = 1
NONE, IDEMPOTENT, ONCE = 1, 2, 3
DONE, NOT_BEGUN, BROKEN = 1, 2, 3
RESULT, END_NOT_BEGUN, END_FAILED, EXPIRED, OVERCHARGED, MISMATCHED, FORGED, WITHDRAWN = range(1, 9)
OUTPUT, TOO_FEW_BIDS, AGGREGATOR_FAILED, CANCELLED, UNLIKE = 1, 2, 11, 12, 13
#: The failure that is cited for each end without a result (TRANSCRIPT-9).
CODES = {
    END_NOT_BEGUN: 5, EXPIRED: 20, OVERCHARGED: 15, MISMATCHED: 12, FORGED: 18, WITHDRAWN: 17,
}
OFFLINE, LOOP_FAILED, BUDGET = 2, 14, 15
#: How long an announcer waits past a lease's end (LEASE-4), milliseconds.
GRACE = 5_000
WINDOW, ENOUGH, FULL, TALLIED, CUT = range(1, 6)
ACTIVE = ("awarded", "reserved", "leased", "asking")


def open_entries(transcript, read):
    """The entries that the seal was made for, in order (TRANSCRIPT-1)."""
    seal = transcript[0].read()
    digests = [transcript[3][at : at + 32] for at in range(0, len(transcript[3]), 32)]
    require(sha256(transcript[3]) == seal[2], "the digests are not those that were signed")
    require(len(digests) == seal[1], "not as many digests as were signed")
    require(len(transcript[2]) <= 64, "too many pages")
    entries = []
    for page in transcript[2]:
        encoded = cbor.decode(page)
        require(type(encoded) is list and len(encoded) <= 1_024, "not a page of entries")
        entries += encoded
    for number, encoded in enumerate(entries):
        known = number < len(digests) and type(encoded) is bytes
        require(known and sha256(encoded) == digests[number], f"entry {number} is another")
    require(len(entries) == len(digests), f"entry {len(entries)} is missing")
    return seal, [read(encoded) for encoded in entries]


def examine(transcript):
    """Gives the broadcast as it was recomputed."""
    seal, entries = open_entries(transcript, messages.entry)
    require(64 not in seal, "a transcript that is sealed for one reader")
    chains = proved(entries)
    broadcast = follow(entries, "planned", lambda planned: Broadcast(planned, chains))
    sealing(transcript, seal, broadcast, chains)
    return broadcast


def proved(entries):
    """The chains in entries (TRANSCRIPT-8)."""
    chains = Chains()
    for number, (name, entry) in enumerate(entries):
        if name == "proved":
            named(number, lambda: chains.prove(entry[0], entry[1]))
    return chains


def follow(entries, first, begin):
    """What the first entry begins, and the others make of it."""
    require(entries and entries[0][0] == first, "entry 0 begins nothing")
    broadcast = named(0, lambda: begin(entries[0][1]))
    for number, (name, entry) in enumerate(entries[1:], 1):
        named(number, lambda: broadcast.take(name, entry))
    return broadcast


def sealing(transcript, seal, broadcast, chains):
    """The chains by which the seal is the announcer's (TRANSCRIPT-8)."""
    require(seal[0] == broadcast.id, "the seal is of another broadcast")
    if 1 in transcript:
        chains = Chains()
        chains.prove(transcript[1], seal[3])
    chains.check(transcript[0], "transcript", broadcast.announcement[2])
    return chains


def named(number, step):
    """Says which entry is wrong."""
    try:
        return step()
    except Refused as refused:
        raise Refused(f"entry {number}: {refused}") from None


def read_rounds(signed_rounds, secret, chains):
    """Each round's digest and announcement (TRANSCRIPT-2)."""
    require(len(signed_rounds) in (1, 2), "one round or two")
    rounds = []
    for number, signed in enumerate(signed_rounds, 1):
        read = chains.check(signed, "announcement", signed.read()[2])
        check_announcement(read)
        first = rounds[0][1] if rounds else read
        require(read[1] == number, "rounds out of order")
        require(first | {1: number, 10: read[10]} == read, "rounds that differ")
        rounds.append((sha256(signed.payload), read))
    require(sha256(secret) == rounds[0][1][16], "another secret")
    return rounds


def ends(outcome, output, bid):
    """How an outcome may end a lease; what the schema says only who has it can tell (TRANSCRIPT-6)."""
    if 8 in outcome:
        agreed = 5 in bid and bid[5][0] == outcome[8][0]
        if outcome[8][1] > (bid[5][1] if agreed else 0):
            return (OVERCHARGED,)
    if outcome[4] == NOT_BEGUN:
        return (END_NOT_BEGUN,)
    if outcome[4] == BROKEN:
        return (END_FAILED,)
    if output is None or sha256(output) != outcome.get(5):
        return (FORGED,)
    return (RESULT, MISMATCHED)


def over_after(began, lasts):
    """When what began then and lasts so long was over at the earliest: clocks are set (TRANSCRIPT-16)."""
    return began + max(0, lasts - max(10, lasts // 100))


def over_at(granted, lasts_ms):
    """When a lease may be taken for expired (LEASE-4, TRANSCRIPT-6)."""
    return over_after(granted, lasts_ms + GRACE)


class Entrant:
    """A bid that counts."""

    def __init__(self, signed, bid, at, candidate):
        self.signed, self.bid, self.at, self.candidate = signed, bid, at, candidate


class Slot:
    """A slot, and where it stands."""

    def __init__(self):
        self.state, self.epoch, self.holder = "open", 0, None
        self.over_at = self.answers = 0
        self.result = self.outcome = self.code = None


class Broadcast:
    """A broadcast as far as its entries have been read and found right."""

    def __init__(self, planned, chains):
        self.chains = chains
        self.plan = planned
        self.rounds = read_rounds(planned[0], planned[1], chains)
        self.announcement = self.rounds[0][1]
        self.id = self.announcement[0]
        require(planned[3] and planned[4] and planned[5], "a wait, a lease or a number of nothing")
        self.purse = Purse(planned.get(7, {}), self.announcement[9])
        self.phase, self.round = "planned", 0
        self.entrants, self.by_agent, self.arrivals = {}, {}, 0
        self.quotas = Quotas(self.announcement[2], self.announcement[14])
        self.slots, self.ranked, self.fates = [], [], {}
        self.informed, self.results, self.withdrawn = [], 0, None
        self.unused_awards, self.heard = [], set()
        self.conclusion, self.cut, self.aggregates = None, False, False

    def take(self, name, entry):
        if self.phase == "finished":
            require(name in ("unused", "proved"), "out of order")
        require(not self.cut or name in ("cancelled", "unused", "proved"), "out of order")
        getattr(self, name)(entry)

    def planned(self, _):
        raise Refused("a second plan")

    def proved(self, _):
        pass

    def announced(self, entry):
        require(self.phase in ("planned", "bidding"), "a round after the bidding")
        require(entry[0] == self.round + 1 <= len(self.rounds), "a round out of order")
        require(entry[0] == 1 or len(self.entrants) < max(self.announcement[14][4], 1), "bids enough")
        self.phase, self.round, self.announced_at = "bidding", entry[0], entry[1]

    def counted(self, entry):
        require(self.phase == "bidding", "a bid after the bidding")
        signed = entry[0]
        bid = self.chains.check(signed, "bid", signed.read()[2])
        limits, rule = self.announcement[9], self.announcement[14]
        check_bid(bid, len(signed.payload), limits)
        answered = [digest for digest, _ in self.rounds[: self.round]]
        require(bid[0] == self.id and bid[1] in answered, "a bid for another announcement")
        agent = (bid[2][2], bid[3])
        earlier = self.entrants.get(self.by_agent.get(agent))
        if earlier is None:
            require(len(self.entrants) < rule[5], "more bids than are taken")
            require(self.quotas.has_room(bid[2]), "more bids than count from there")
        else:
            later = answered.index(bid[1]) > answered.index(earlier.bid[1])
            require(later, "a second bid of the agent")
            del self.entrants[sha256(earlier.signed.payload)]
            self.quotas.change(earlier.bid[2], -1)
        digest = sha256(signed.payload)
        candidate = Candidate(digest, micros(bid), bid[6], bid[7], entry[1], self.arrivals)
        self.by_agent[agent] = digest
        self.entrants[digest] = Entrant(signed, bid, entry[2], candidate)
        self.quotas.change(bid[2], 1)
        self.arrivals += 1

    def closed(self, entry):
        require(self.phase == "bidding", "the bidding ended out of order")
        rule, bids = self.announcement[14], [entrant.bid for entrant in self.entrants.values()]
        if entry[0] == WINDOW:
            require(entry[2] >= over_after(self.announced_at, self.announcement[11]), "closed too early")
        elif entry[0] == ENOUGH:
            good = sum(is_good(bid, rule[6]) for bid in bids) if 6 in rule else 0
            require(are_enough(rule, len(bids), good), "not enough good bids")
        elif entry[0] == FULL:
            require(len(bids) >= rule[5], "not as many bids as are taken")
        elif entry[0] == TALLIED:
            met = (2 in heard and heard[1] >= heard[2][3] for heard in entry.get(64, []))
            require(all(met), "a neighbour has told nothing, or of more bids than came")
        self.cut = entry[0] == CUT
        candidates = [entrant.candidate for entrant in self.entrants.values()]
        weights, scale = rule.get(1), ceilings(self.announcement)
        _, self.ranked = rank(candidates, rule[0], weights, scale, self.plan[1])
        if not self.too_few():
            self.slots = [Slot() for _ in self.ranked[: rule[2]]]
        self.phase, self.closed_at = "working", entry[2]

    def too_few(self):
        return len(self.ranked) < max(self.announcement[14][4], 1)

    def slot(self, entry, *states):
        """The slot of an entry, in its epoch and one of these states."""
        require(self.phase == "working", "out of order")
        require(entry[0] < len(self.slots), "no such slot")
        slot = self.slots[entry[0]]
        require(slot.state in states, f"slot {entry[0]} is {slot.state}")
        return slot

    def awarded(self, entry):
        slot = self.slot(entry, "open")
        plan = self.plan
        require(entry[1] == slot.epoch + 1 <= 8, "another epoch")
        require(entry[3] <= self.closed_at + self.announcement[12], "too late")
        active = sum(slot.state in ACTIVE for slot in self.slots)
        require(active < plan[5], "more slots at a time than planned")
        require(not self.stops(), "an award though nothing more is waited for")
        require(entry[2] == self.next_bid(entry[3]), "not the next bid")
        price = self.entrants[entry[2]].bid.get(5)
        given = self.share(price)
        require(given is not None, "more than the budget has left")
        require(entry.get(4, {}) == given and (4 not in entry or given), "another budget")
        self.purse.set_aside((entry[0], entry[1]), price, given)
        slot.state, slot.epoch, slot.holder = "awarded", entry[1], entry[2]
        self.fates[entry[2]] = ["declined", entry[0], entry[1]]
        self.aggregates = False

    def stops(self):
        """Whether nothing more is waited for: after a cancel, or by AGG-11."""
        return self.withdrawn is not None or self.has_enough()

    def has_enough(self):
        return is_enough(self.announcement[15], self.results_by_slot(), len(self.slots))

    def results_by_slot(self):
        return [Result(at, *(slot.result or (None, 0, 0))) for at, slot in enumerate(self.slots)]

    def owes_an_award(self, now):
        """Whether the broadcast must not end yet (TRANSCRIPT-15)."""
        waits = any(slot.state == "open" and slot.epoch < 8 for slot in self.slots)
        lasts = min(self.announcement[12], self.announcement[13])
        digest = self.next_bid(now)
        if self.stops() or not waits or digest is None or now >= over_after(self.closed_at, lasts):
            return False
        entrant = self.entrants[digest]
        holds = now < over_after(entrant.at, entrant.bid[10])
        return holds and self.share(entrant.bid.get(5)) is not None

    def unawarded(self):
        """Winners and standbys that have had no award, in rank order."""
        rule = self.announcement[14]
        eligible = self.ranked[: rule[2] + rule[3]]
        return [it.digest for it in eligible if it.digest not in self.fates]

    def next_bid(self, now):
        """AWARD-1."""
        for digest in self.unawarded():
            entrant = self.entrants[digest]
            if max(0, now - entrant.at) < entrant.bid[10]:
                return digest
        return None

    def share(self, price):
        """What an award at this price is given (AWARD-7)."""
        waiting = sum(slot.state == "open" and slot.epoch < 8 for slot in self.slots)
        return self.purse.share(price, waiting)

    def unleased(self):
        """The failure that is cited where no lease ended (TRANSCRIPT-9)."""
        for digest in self.unawarded()[:1]:
            if self.share(self.entrants[digest].bid.get(5)) is None:
                return BUDGET
        return OFFLINE

    def answered(self, entry):
        slot = self.slot(entry, "awarded")
        require(entry[1] == slot.epoch, "another epoch")
        slot.state = "open"
        if 2 in entry:
            confirm = self.chains.check(entry[2], "confirm", self.entrants[slot.holder].bid[2], True)
            names = (confirm[0], confirm[1], confirm[2], confirm[3])
            require(names == (self.id, entry[0], slot.epoch, slot.holder), "of another award")
            if confirm[4] == RESERVED:
                slot.state = "reserved"
        if slot.state == "open":
            self.purse.release((entry[0], entry[1]))

    def leased(self, entry):
        slot = self.slot(entry, "reserved", "leased")
        bidder = self.entrants[slot.holder].bid[2]
        first = slot.state == "reserved"
        require(entry[1] == slot.epoch, "another epoch")
        require(entry[2] == 0 if first else entry[2] > slot.answers, "not in order")
        require(entry[3] <= self.plan[4], "longer than planned")
        require(entry[4] == bidder, "a lease to another realm")
        require(entry[5] + entry[3] <= self.closed_at + self.announcement[13], "longer than the work")
        require(not self.stops(), "a lease though nothing more is waited for")
        if first:
            self.informed.append(bidder)
        slot.state, slot.answers = "leased", entry[2]
        slot.over_at = over_at(entry[5], entry[3])
        self.fates[slot.holder] = ["won", entry[0], entry[1], None]

    def ended(self, entry):
        slot = self.slot(entry, "leased", "reserved", "asking")
        require(entry[1] == slot.epoch, "another epoch")
        outcome = self.judge(slot, entry)
        if outcome:
            self.purse.settle(outcome, entry[2] == RESULT)
        elif entry[2] == END_NOT_BEGUN:
            self.purse.release((entry[0], entry[1]))
        elif entry[2] == WITHDRAWN:
            self.purse.withdraw((entry[0], entry[1]))
        self.fates[slot.holder] = ["won", entry[0], entry[1], entry[2]]
        said = outcome.get(6) if outcome else None
        slot.code = CODES.get(entry[2], said or LOOP_FAILED)
        slot.outcome = sha256(entry[3][0].payload) if 3 in entry else None
        if slot.outcome:
            self.heard.add(slot.outcome)
        if entry[2] == RESULT:
            confidence = outcome.get(7, self.entrants[slot.holder].bid[7])
            slot.result = ([parse(entry[3][1])], confidence, self.results)
            slot.state = "done"
            self.results += 1
        elif entry[2] == WITHDRAWN or self.withdrawn is not None or outcome is None and entry[2] == END_NOT_BEGUN:
            slot.state = "over"
        elif entry[2] == END_NOT_BEGUN or self.announcement[7] != ONCE:
            slot.state = "open"
        else:
            slot.state = "asking"

    def judge(self, slot, entry):
        """Checks that a lease ended as its outcome says, or as its time does; gives the outcome."""
        end = entry[2]
        if 3 not in entry:
            expired = end == EXPIRED and slot.state == "leased" and entry[4] >= slot.over_at
            withdrawn = end == WITHDRAWN and slot.state == "leased" and self.stops()
            late = entry[4] >= over_after(self.closed_at, self.announcement[13])
            given_back = end == END_NOT_BEGUN and slot.state == "reserved" and (late or self.stops())
            require(expired or withdrawn or given_back, "it did not end so")
            return None
        bid = self.entrants[slot.holder].bid
        outcome = self.chains.check(entry[3][0], "outcome", bid[2], True)
        names = (outcome[0], outcome[1], outcome[2], outcome[3])
        require(names == (self.id, entry[0], slot.epoch, slot.holder), "of another award")
        waited = slot.state == "leased" or (
            slot.state == "asking" and end in (RESULT, END_NOT_BEGUN)
        )
        enough = self.withdrawn is None and self.has_enough()
        require(waited and not enough, "nobody waited for it")
        require(end in ends(outcome, entry[3].get(1), bid), "it did not end so")
        return outcome

    def decided(self, entry):
        slot = self.slot(entry, "asking")
        require(entry[1] == slot.epoch, "another epoch")
        slot.state = "open" if entry[2] else "over"

    def unused(self, entry):
        outcome = entry[0][0].read()
        bidder = self.entrants.get(outcome[3])
        require(bidder is not None, "an outcome for a bid that was not counted")
        award = [outcome[1], outcome[2]]
        require(self.fates.get(outcome[3], [None] * 3)[1:3] == award, "an outcome of no award")
        slot = self.slots[outcome[1]] if outcome[1] < len(self.slots) else None
        waits = slot and slot.epoch == outcome[2] and slot.state in ("awarded", "reserved")
        require(not waits, "an outcome of an award that has no lease yet")
        known = sha256(entry[0][0].payload)
        require(award not in self.unused_awards and known not in self.heard, "an outcome twice")
        self.unused_awards.append(award)
        self.heard.add(known)
        self.chains.check(entry[0][0], "outcome", bidder.bid[2], True)
        if not self.is_busy() and not self.owes_an_award(entry[1]):
            self.aggregates = True
        paid = not entry.get(64) and RESULT in ends(outcome, entry[0].get(1), bidder.bid)
        self.purse.settle_unused(outcome, paid)

    def is_busy(self):
        return any(slot.state in ACTIVE for slot in self.slots)

    def cancelled(self, _):
        require(self.phase == "working" and self.withdrawn is None, "out of order")
        leased = (at for at, slot in enumerate(self.slots) if slot.state == "leased")
        self.withdrawn, self.cut = list(leased), False

    def finished(self, entry):
        require(self.phase == "working", "out of order")
        require(not self.is_busy(), "somebody is waited for")
        require(self.aggregates or not self.owes_an_award(entry[1]), "a bid is left to be awarded")
        said = entry[0]
        ending, output, citations = self.settle(said)
        require(said[0] == ending, "another ending")
        cited = [[it[0], it[1], it[2], it.get(3), it[4], it.get(5)] for it in said[3]]
        require(cited == citations, "other citations")
        if ending == OUTPUT and self.announcement[15][0] != LOOP:
            require(1 in said and same(parse(said[1]), output), "another output")
        if ending != OUTPUT:
            require(1 not in said, "an output without a right to one")
        spoke = [at for at in self.withdrawn or [] if self.slots[at].outcome is not None]
        silent = [at for at in self.withdrawn or [] if self.slots[at].outcome is None]
        require((said[4], said[5]) == (spoke, silent), "others confirmed the cancel")
        self.conclusion, self.phase = said, "finished"

    def settle(self, said):
        """What the slots come to (TRANSCRIPT-7)."""
        if self.withdrawn is not None:
            return CANCELLED, None, []
        if self.too_few():
            return TOO_FEW_BIDS, None, []
        rule = self.announcement[15]
        results = self.results_by_slot()
        try:
            output, ending = aggregate(rule, results), OUTPUT
        except NotOne as refused:
            output, ending = None, refused.ending
        if ending == OUTPUT and rule[0] == LOOP and said[0] == AGGREGATOR_FAILED:
            ending = AGGREGATOR_FAILED
        # What the schema says only who has it can tell.
        if ending == OUTPUT and rule[0] in (MERGE, AVERAGE, WEIGHTED, SUM) and said[0] == UNLIKE:
            ending = UNLIKE
        return ending, output, [self.cite(result) for result in results]

    def cite(self, result):
        slot = self.slots[result.slot]
        bid = slot.holder or self.ranked[result.slot].digest
        bidder = self.entrants[bid].bid[2][2]
        code = (slot.code or self.unleased()) if result.part == FAILED else None
        return [result.slot, bidder, bid, slot.outcome, result.part, code]

    def fate(self, rank, candidate):
        """What became of a bid."""
        rule = self.announcement[14]
        unawarded = ["standby"] if rank <= rule[2] + rule[3] else ["lost"]
        return self.fates.get(candidate.digest, unawarded)

    def bids(self):
        """Every bid in rank order: digest, score, fate."""
        numbered = enumerate(self.ranked, 1)
        return [(it.digest, it.score, self.fate(rank, it)) for rank, it in numbered]
