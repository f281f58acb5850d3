"""What a bidder's receipt shows (CLOSE, RECEIPT)."""

import cbor
import messages
from ranking import merkle_root, misplaced
from records import Chains, sha256
from refused import Refused, require


def join(pages):
    """The verdict, the digests in rank order and the winners' bids of a close (CLOSE-1)."""
    pages = sorted(pages, key=lambda page: page[1])
    require(pages and pages[0][2] == len(pages), "pages are missing")
    for at, page in enumerate(pages):
        same = page[3].payload == pages[0][3].payload and page[2] == len(pages)
        require(page[1] == at and same, "pages of another close")
    verdict = pages[0][3].read()
    joined = b"".join(page[4] for page in pages)
    require(len(joined) % 32 == 0, "half a digest")
    digests = [joined[at : at + 32] for at in range(0, len(joined), 32)]
    require(verdict[0] == pages[0][0] and verdict[3] == len(digests), "other digests")
    require(verdict[5] == sha256(joined), "another order")
    require(verdict[4] == merkle_root(digests), "another root")
    bids = [bid for page in pages for bid in page[5]]
    require(len(bids) == len(verdict[6]), "not one bid for each winner")
    for won, bid in zip(verdict[6], bids):
        counted = sha256(bid.payload) == won[2] and won[2] in digests
        require(counted, f"the bid that won slot {won[0]} is not there")
    return verdict, digests, [(won, bid.read()) for won, bid in zip(verdict[6], bids)]


def examine(receipt):
    """Gives rank, number of bids and slot; none where the broadcast is not closed."""
    announcement, bid = receipt[0].read(), receipt[1].read()
    answers = bid[1] == sha256(receipt[0].payload) and bid[0] == announcement[0]
    require(answers, "the bid does not answer the announcement")
    pages = [messages.close(cbor.decode(page)) for page in receipt[2]]
    closed = join(pages) if pages else None
    chains = Chains()
    for chain in receipt[4]:
        try:
            chains.prove(chain, bid[9])
        except Refused:
            require(closed is not None, "a chain that did not hold")
            chains.prove(chain, closed[0][7])
    chains.check(receipt[0], "announcement", announcement[2])
    chains.check(receipt[1], "bid", bid[2])
    if closed is None:
        return None
    chains.check(pages[0][3], "verdict", announcement[2])
    return stands(announcement, bid, sha256(receipt[1].payload), receipt[3], closed)


def stands(announcement, bid, digest, awarded, closed):
    """CLOSE-2."""
    verdict, digests, winners = closed
    require(verdict[0] == announcement[0], "a close of another broadcast")
    require(sha256(verdict[2]) == announcement[16], "another secret")
    require(digest in digests, "the bid was not counted")
    own, slot = digests.index(digest), None
    for won, other in winners:
        if won[2] == digest:
            slot = won[0]
        elif digests.index(won[2]) < own:
            pair = [(won[2], other), (digest, bid)]
            wronged = misplaced(pair, announcement, verdict[2], verdict[4])
            require(wronged is None, f"the bid stands before the winner of slot {won[0]}")
        else:
            late = max(0, won.get(64, verdict[7]) - announcement[17]) >= bid[10]
            excused = awarded or late or digest in verdict.get(64, [])
            require(excused, f"the bid stands before the winner of slot {won[0]}, and won nothing")
    return [own + 1, len(digests), slot]
