"""Whom an announcement is passed to, for how long, and what a summary holds (ANNOUNCE, SUMMARY).

A place is a pair: a root, and the labels of a path. A neighbour is `here`, `parent`, or a pair of `child` and
its label or `peer` and its root.
"""

from records import sha256
from refused import require

FILTER_BYTES = 512
HERE, PARENT, CHILD, PEER = "here", "parent", "child", "peer"


def window_below(window):
    """ANNOUNCE-9: a tenth less, rounded up, and at least 10 ms less."""
    return max(0, window - max(-(-window // 10), 10))


def summary(entries):
    """SUMMARY-1."""
    bits = bytearray(FILTER_BYTES)
    for entry in entries:
        for byte, bit in places(entry):
            bits[byte] |= bit
    return bytes(bits)


def places(entry):
    digest = sha256(entry.encode())
    for at in range(4):
        number = int.from_bytes(digest[2 * at:2 * at + 2], "big") % (8 * FILTER_BYTES)
        yield number // 8, 1 << number % 8


def holds(bits, entry):
    require(len(bits) == FILTER_BYTES, "a filter of another length")
    return all(bits[byte] & bit for byte, bit in places(entry))


class Asked:
    """Whom an announcement asks: levels down, up and across, scopes, and the levels beside them."""

    def __init__(self, announcer, reach, scopes, besides):
        self.announcer, self.scopes, self.besides = announcer, scopes, besides
        self.down, self.up, self.across = reach

    def passes(self, here, came_from, left, neighbours):
        """Each neighbour that it is passed to, with the levels down and up that it has from there (ANNOUNCE-7)."""
        for neighbour in neighbours:
            levels = self.levels(here, came_from, left, neighbour)
            if levels and min(levels) >= 0 and self.asks_behind(here, neighbour):
                yield (neighbour, *levels)

    def levels(self, here, came_from, left, to):
        rising = came_from == HERE or came_from[0] == CHILD
        down, up = left
        if to == came_from:
            return None
        if to[0] == CHILD:
            return down - 1, 0
        if to == PARENT and rising:
            return self.down, up - 1
        if to[0] == PEER and rising and not here[1]:
            return self.across - 1, 0
        return None

    def asks_behind(self, here, to):
        """ANNOUNCE-8: whether a scope that is named has realms behind a neighbour, or it is near itself."""
        if not self.scopes:
            return True
        there = self.place_of(here, to)
        if to == PARENT:
            named = any(not contains(here, scope) for scope in self.scopes)
        elif to[0] == PEER:
            named = any(scope[0] == there[0] for scope in self.scopes)
        else:
            named = any(contains(scope, there) or contains(there, scope) for scope in self.scopes)
        return named or self.is_near(there)

    def place_of(self, here, to):
        root, path = here
        if to == PARENT:
            return root, path[:-1]
        return (to[1], []) if to[0] == PEER else (root, path + [to[1]])

    def is_near(self, there):
        """ANNOUNCE-17."""
        if self.besides is None:
            return False
        down, up, across = self.besides
        (home_root, home), (root, path) = self.announcer, there
        if root != home_root:
            return len(path) + 1 <= across and len(home) <= up
        shared = 0
        while shared < min(len(home), len(path)) and home[shared] == path[shared]:
            shared += 1
        return len(path) - shared <= down and len(home) - shared <= up


def contains(scope, place):
    return scope[0] == place[0] and place[1][:len(scope[1])] == scope[1]
