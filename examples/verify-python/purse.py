"""What the awards of a broadcast may use together (ANNOUNCE-16, AWARD-7 to AWARD-9)."""

from refused import require

NOT_BEGUN = 2
MONEY, TOKENS, CALLS = 0, 1, 2


class Share:
    """What one award was given, and what counts of it: money, tokens, calls."""

    def __init__(self, price, given):
        self.currency, self.price = (price[0], price[1]) if price else (None, 0)
        self.given = given
        self.counts = [self.price, given.get(TOKENS, 0), given.get(CALLS, 0)]
        self.said = False


class Purse:
    """A budget, and what counts of each award, by slot and epoch."""

    def __init__(self, budget, limits):
        self.budget, self.awards = budget, {}
        if MONEY in budget and 0 in limits:
            require(limits[0] == budget[MONEY][0], "bids in another currency than the budget")
            require(1 in limits and limits[1] <= budget[MONEY][1], "bids above the budget")

    def left(self, member, whole):
        return max(0, whole - sum(share.counts[member] for share in self.awards.values()))

    def share(self, price, waiting):
        """What an award at this price is given; None where what is left does not bear it."""
        given = {}
        if MONEY in self.budget:
            currency, money = self.budget[MONEY][0], self.budget[MONEY][1]
            cost = price[1] if price else 0
            if cost > self.left(MONEY, money) or cost and price[0] != currency:
                return None
            given[MONEY] = {0: currency, 1: cost}
        for member in (TOKENS, CALLS):
            if member in self.budget:
                given[member] = self.left(member, self.budget[member]) // max(waiting, 1)
        return given

    def set_aside(self, award, price, given):
        self.awards[award] = Share(price, given)

    def release(self, award):
        self.awards.pop(award, None)

    def withdraw(self, award):
        if award in self.awards:
            self.awards[award].price = self.awards[award].counts[MONEY] = 0

    def settle_unused(self, outcome, paid):
        """Counts an outcome that ended no lease, unless the one that did has said it."""
        share = self.awards.get((outcome[1], outcome[2]))
        if share is not None and not share.said:
            self.settle(outcome, paid)

    def settle(self, outcome, paid):
        """Counts what a holder says, at most what it was given; of money nothing but for a result."""
        award = (outcome[1], outcome[2])
        if outcome[4] == NOT_BEGUN:
            self.release(award)
        share = self.awards.get(award)
        if share is None:
            return
        share.said = True
        currency, charged = (outcome[8][0], outcome[8][1]) if 8 in outcome else (None, 0)
        foreign = charged and currency != share.currency
        owed = share.price if foreign else min(charged, share.price)
        share.counts[MONEY] = owed if paid else 0
        spend = outcome.get(65)
        for member in (TOKENS, CALLS):
            most = share.given.get(member)
            if most is not None:
                share.counts[member] = min(spend[member], most) if well_formed(spend) else most


def well_formed(spend):
    """Whether what was used is written as BUDGET-2 says."""
    if spend is None:
        return False
    names = [amount[0] for amount in spend[0]]
    ordered = all(one < other for one, other in zip(names, names[1:]))
    return ordered and len(names) <= 8 and all(amount[1] for amount in spend[0])
