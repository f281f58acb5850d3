"""As much of a broadcast as one bidder may see, recomputed (TRANSCRIPT-11 to TRANSCRIPT-14)."""

import cbor
import messages
from aggregation import FAILED, suffices
from ranking import FIRST, are_enough, check_bid, misplaced
from receipt import join
from records import sha256
from refused import require
from transcript import (
    ACTIVE, CANCELLED, CUT, END_NOT_BEGUN, ENOUGH, EXPIRED, FULL, ONCE, RESERVED, RESULT, TOO_FEW_BIDS, WINDOW,
    WITHDRAWN, Slot, ends, follow, open_entries, over_after, over_at, proved, read_rounds, sealing,
)


def examine(view):
    """Gives the broadcast as far as it was recomputed."""
    seal, entries = open_entries(view, messages.shown)
    require(64 in seal, "a view that is sealed for nobody")
    chains = proved(entries)
    broadcast = follow(entries, "told", lambda told: Shown(seal[64], told, chains))
    require(broadcast.conclusion, "a view of a broadcast that has not ended")
    sealing(view, seal, broadcast, chains).check(broadcast.close, "verdict", broadcast.announcement[2])
    return broadcast


class Shown:
    """A broadcast as far as the entries of a view have been read and found right."""

    def __init__(self, reader, told, chains):
        self.reader, self.chains = reader, chains
        pages = sorted((messages.close(cbor.decode(page)) for page in told[1]), key=lambda page: page[1])
        self.verdict, self.digests, winners = join(pages)
        self.close = pages[0][3]
        require(all(page[3].signatures == self.close.signatures for page in pages), "another verdict")
        self.rounds = read_rounds(told[0], self.verdict[2], chains)
        self.announcement = self.rounds[0][1]
        self.id = self.announcement[0]
        require(self.verdict[0] == self.id, "a close of another broadcast")
        self.begun, self.closed_at, self.cut, self.to_be_cut = 0, None, False, False
        self.bids, self.own = {}, {}
        self.slots, self.fates, self.awards = [], {}, []
        self.unused_awards, self.heard, self.conclusion = [], set(), None
        signed = (bid for page in pages for bid in page[5])
        for (won, bid), record in zip(winners, signed):
            chains.check(record, "bid", bid[2])
            self.keeps(bid, 0, len(self.rounds))
            self.bids[won[2]] = (bid, None)

    def keeps(self, bid, size, rounds):
        """The round that a bid answers, if it counts by itself (BID-2, BID-3)."""
        check_bid(bid, size, self.announcement[9])
        answered = [digest for digest, _ in self.rounds[:rounds]]
        require(bid[0] == self.id and bid[1] in answered, "a bid for another announcement")
        return answered.index(bid[1])

    def take(self, name, entry):
        if self.conclusion is not None:
            require(name in ("unused", "proved"), "out of order")
        require(not self.to_be_cut or name in ("cancelled", "unused", "proved"), "out of order")
        getattr(self, name)(entry)

    def told(self, _):
        require(False, "told twice")

    def proved(self, _):
        pass

    def announced(self, entry):
        require(self.closed_at is None, "a round after the bidding")
        require(entry[0] == self.begun + 1 <= len(self.rounds), "a round out of order")
        self.begun, self.announced_at = entry[0], entry[1]

    def counted(self, entry):
        require(self.closed_at is None and self.begun, "a bid after the bidding")
        bid = self.chains.check(entry[0], "bid", entry[0].read()[2])
        size = len(entry[0].payload)
        round_ = self.keeps(bid, size, self.begun)
        require(bid[2][2] == self.reader, "a bid of somebody else")
        earlier = self.own.get(bid[3])
        if earlier is not None:
            later = round_ > self.keeps(self.bids[earlier][0], 0, self.begun)
            require(later, "a second bid of the agent")
            del self.bids[earlier]
        digest = sha256(entry[0].payload)
        self.own[bid[3]] = digest
        self.bids[digest] = (bid, entry[1])

    def closed(self, entry):
        require(self.closed_at is None and self.begun, "the bidding ended out of order")
        counted = set(self.digests)
        require(all(digest in counted for digest in self.own.values()), "a bid that was left out")
        left_out = (at is None and bid[2].get(2) == self.reader for bid, at in self.bids.values())
        require(not any(left_out), "a winner's bid that was not counted")
        shown = [(digest, self.bids[digest][0]) for digest in self.digests if digest in self.bids]
        wronged = misplaced(shown, self.announcement, self.verdict[2], self.verdict[4])
        require(wronged is None, "a bid that should stand before another")
        rule, bids = self.announcement[14], len(self.digests)
        early = entry[0] == WINDOW and entry[2] < over_after(self.announced_at, self.announcement[11])
        few = entry[0] == ENOUGH and not are_enough(rule, bids, bids) or entry[0] == FULL and bids < rule[5]
        require(not early and not few, "closed too early")
        self.to_be_cut = entry[0] == CUT
        if not self.too_few():
            self.slots = [Slot() for _ in self.digests[: self.announcement[14][2]]]
        self.closed_at = entry[2]

    def too_few(self):
        return len(self.digests) < max(self.announcement[14][4], 1)

    def is_own(self, digest):
        return digest in self.bids and self.bids[digest][1] is not None

    def slot(self, entry, epoch, *states):
        """The slot of an entry, in an epoch and one of these states."""
        require(self.closed_at is not None, "out of order")
        require(entry[0] < len(self.slots), "no such slot")
        slot = self.slots[entry[0]]
        require(slot.state in states and slot.epoch == epoch, f"slot {entry[0]} is {slot.state}")
        return slot

    def awarded(self, entry):
        slot = self.slot(entry, entry[1] - 1, "open")
        rule = self.announcement[14]
        require(1 <= entry[1] <= 8, "another epoch")
        require(entry[3] <= self.closed_at + self.announcement[12], "too late")
        withdrawn = (fate[0] == "won" and fate[3] == WITHDRAWN for fate in self.fates.values())
        require(not self.cut and not any(withdrawn), "an award after a cancel")
        require(entry[2] in self.digests and entry[2] not in self.fates, "an award to no bid, or again")
        rank = self.digests.index(entry[2])
        require(rank < rule[2] + rule[3], "neither a winner nor a standby")
        require(all(at > entry[3] or other < rank for other, at in self.awards), "out of rank")
        for digest in self.digests[:rank]:
            if self.is_own(digest) and digest not in self.fates:
                bid, at = self.bids[digest]
                counted = max(at, self.announcement[17])
                require(max(0, entry[3] - counted) >= bid[10], "the reader's bid was passed over")
        self.awards.append((rank, entry[3]))
        slot.state, slot.epoch, slot.holder, slot.awarded = "awarded", entry[1], entry[2], entry[3]
        self.fates[entry[2]] = ["declined", entry[0], entry[1]]

    def answered(self, entry):
        slot = self.slot(entry, entry[1], "awarded")
        reserved = entry[2]
        if self.is_own(slot.holder):
            reserved = False
            if 3 in entry:
                confirm = self.chains.check(entry[3], "confirm", self.bids[slot.holder][0][2], True)
                names = (confirm[0], confirm[1], confirm[2], confirm[3])
                require(names == (self.id, entry[0], entry[1], slot.holder), "of another award")
                reserved = confirm[4] == RESERVED
        else:
            require(3 not in entry, "an answer of somebody else")
        require(reserved == entry[2], "it was answered otherwise")
        slot.state = "reserved" if reserved else "open"

    def leased(self, entry):
        slot = self.slot(entry, entry[1], "reserved", "leased")
        first = slot.state == "reserved"
        require(entry[2] == 0 if first else entry[2] > slot.answers, "not in order")
        require(not self.cut, "a lease after a cancel")
        require(entry[4] + entry[3] <= self.closed_at + self.announcement[13], "longer than the work")
        slot.state, slot.answers = "leased", entry[2]
        slot.over_at = over_at(entry[4], entry[3])
        self.fates[slot.holder] = ["won", entry[0], entry[1], None]

    def ended(self, entry):
        slot = self.slot(entry, entry[1], "reserved", "leased", "asking")
        end, state = entry[2], slot.state
        waited = state == "leased" or state == "asking" and end in (RESULT, END_NOT_BEGUN)
        slot.outcome = None
        if 3 in entry:
            require(self.is_own(slot.holder), "an outcome of somebody else")
            bid = self.bids[slot.holder][0]
            outcome = self.chains.check(entry[3][0], "outcome", bid[2], True)
            names = (outcome[0], outcome[1], outcome[2], outcome[3])
            require(names == (self.id, entry[0], entry[1], slot.holder), "of another award")
            require(waited and end in ends(outcome, entry[3].get(1), bid), "it did not end so")
            slot.outcome = sha256(entry[3][0].payload)
            self.heard.add(slot.outcome)
        elif end == EXPIRED:
            require(state == "leased" and entry[4] >= slot.over_at, "it did not end so")
        elif end == WITHDRAWN:
            require(state == "leased" and self.may_stop(), "it did not end so")
        elif end == END_NOT_BEGUN and state == "reserved":
            late = entry[4] >= over_after(self.closed_at, self.announcement[13])
            require(late or self.may_stop(), "it did not end so")
        else:
            require(waited and not self.is_own(slot.holder), "it did not end so")
        self.fates[slot.holder] = ["won", entry[0], entry[1], end]
        if end == RESULT:
            slot.state = "done"
        elif end == WITHDRAWN or state == "reserved" or self.cut:
            slot.state = "over"
        elif end == END_NOT_BEGUN or self.announcement[7] != ONCE:
            slot.state = "open"
        else:
            slot.state = "asking"

    def may_stop(self):
        """Whether nothing more may be waited for: which results are valid is not shown."""
        done = sum(slot.state == "done" for slot in self.slots)
        return self.cut or suffices(self.announcement[15], done, len(self.slots))

    def decided(self, entry):
        slot = self.slot(entry, entry[1], "asking")
        slot.state = "open" if entry[2] else "over"

    def unused(self, entry):
        outcome = entry[0][0].read()
        require(self.is_own(outcome[3]), "an outcome of somebody else")
        self.chains.check(entry[0][0], "outcome", self.bids[outcome[3]][0][2], True)
        award, known = [outcome[1], outcome[2]], sha256(entry[0][0].payload)
        require(self.fates.get(outcome[3], [None] * 3)[1:3] == award, "an outcome of no award")
        require(award not in self.unused_awards and known not in self.heard, "an outcome twice")
        for at, slot in enumerate(self.slots):
            waits = slot.state in ("awarded", "reserved") and [at, slot.epoch] == award
            require(not waits, "an outcome before its lease")
        self.unused_awards.append(award)
        self.heard.add(known)

    def cancelled(self, _):
        require(self.closed_at is not None and not self.cut, "out of order")
        self.cut, self.to_be_cut = True, False

    def finished(self, entry):
        require(self.closed_at is not None, "out of order")
        require(not any(slot.state in ACTIVE for slot in self.slots), "somebody is waited for")
        said = entry[0]
        require((said[0] == CANCELLED) == self.cut, "another ending")
        require((said[0] == TOO_FEW_BIDS) == (self.too_few() and not self.cut), "another ending")
        require(1 not in said, "an output that nobody but the announcer is to see")
        expected = []
        for at, slot in enumerate(self.slots):
            bid = slot.holder or self.digests[at]
            if said[0] != CANCELLED and self.is_own(bid):
                expected.append((at, bid, slot.outcome, slot.state == "done"))
        cited = [(it[0], it[2], it.get(3), it[4] != FAILED) for it in said[3]]
        require(cited == expected, "the reader is not cited by what came of it")
        winners = [(at, slot.epoch, slot.holder, slot.awarded) for at, slot in enumerate(self.slots) if slot.holder]
        declined = [it for it in self.digests if self.fates.get(it, [None])[0] == "declined"]
        verdict = self.verdict
        require([(it[0], it[1], it[2], it.get(64)) for it in verdict[6]] == winners, "others won")
        require(verdict.get(64) == (declined[:256] or None), "others were not confirmed")
        require(verdict[7] == entry[1], "it closed at another time")
        require(self.begun and verdict[1] == self.rounds[self.begun - 1][0], "another announcement")
        self.conclusion = said

    def seen(self):
        """Every bid in rank order: digest, whether it is shown, whether it is the reader's, fate."""
        rule = self.announcement[14]
        for rank, digest in enumerate(self.digests):
            unawarded = ["standby"] if rank < rule[2] + rule[3] else ["lost"]
            fate = self.fates.get(digest, unawarded)
            yield digest, digest in self.bids, self.is_own(digest), fate


def is_ranked(broadcast):
    """Whether the rule says how bids stand that one can see: *first* goes by what only the announcer knows."""
    return broadcast.announcement[14][0] != FIRST
