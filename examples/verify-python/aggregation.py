"""Results made one (AGG). JSON numbers count as IEEE 754 doubles, and sums as whole millionths."""

import json
from fractions import Fraction

from refused import Refused, require

MERGE, SELECT, CONSENSUS, QUORUM, VOTE, AVERAGE, WEIGHTED, SUM, RANK = range(1, 10)
FIRST_VALID, CONFIDENT, COLLECT, LOOP = range(10, 14)
CONTRIBUTED, DISSENTED, FAILED, UNSURE, NO_VALUE, NOT_NUMERIC, NOT_AN_OBJECT = range(1, 8)
MILLION = 1_000_000
MOST = (2**53 - 1) * MILLION

#: Endings of a broadcast that has no output, by number.
TOO_FEW_RESULTS, NO_CONSENSUS, NO_QUORUM = 3, 4, 5
ENDINGS = {NOT_NUMERIC: 6, NOT_AN_OBJECT: 7, NO_VALUE: 8}
NO_WEIGHT, TOO_LARGE = 9, 10


class NotOne(Refused):
    """Results that cannot be made one, and the ending that is."""

    def __init__(self, ending, why):
        super().__init__(why)
        self.ending = ending


class Result:
    """What a slot gave."""

    def __init__(self, slot, output, confidence, arrival):
        self.slot, self.output = slot, output
        self.confidence, self.arrival = confidence, arrival
        self.value = self.part = None


def parse(document):
    """Reads JSON as JSON-1 to JSON-5 have it."""

    def members(pairs):
        read = dict(pairs)
        require(len(read) == len(pairs), "a member name twice")
        return read

    def whole(text):
        require(abs(int(text)) < 2**53, "an integer past 2^53 - 1")
        return int(text)

    def double(text):
        require(abs(float(text)) != float("inf"), "a number past the doubles")
        return float(text)

    def constant(text):
        raise Refused(f"{text} is no number")

    def depth(value):
        inner = value.values() if type(value) is dict else value if type(value) is list else []
        return 1 + max(map(depth, inner), default=0) if type(value) in (dict, list) else 0

    try:
        value = json.loads(
            document.decode("utf-8"), object_pairs_hook=members, parse_int=whole,
            parse_float=double, parse_constant=constant,
        )
        # Half of a surrogate pair is no character, and does not encode.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise Refused(f"not JSON: {error}") from None
    require(depth(value) <= 64, "nested too deep")
    return value


def is_number(value):
    return type(value) in (int, float)


def same(one, other):
    """AGG-3."""
    if is_number(one) and is_number(other):
        return float(one) == float(other)
    if type(one) is not type(other):
        return False
    if type(one) is list:
        return len(one) == len(other) and all(map(same, one, other))
    if type(one) is dict:
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    return one == other


def millionths(value):
    """A double rounded, half to even, to whole millionths; none for what does not count (AGG-1)."""
    if not is_number(value):
        return None
    read = round(Fraction(float(value)) * MILLION)
    return read if abs(read) <= MOST else None


def number(count):
    """Millionths as a JSON number (AGG-7)."""
    require(abs(count) <= MOST, "a sum past 2^53 - 1")
    return count // MILLION if count % MILLION == 0 else float(Fraction(count, MILLION))


def judge(rule, result):
    """What keeps a result from counting, or none; sets the value that is compared."""
    if result.output is None:
        return FAILED
    output = result.output[0]
    if result.confidence > MILLION or (5 in rule and result.confidence < rule[5]):
        return UNSURE
    result.value = output
    for name in rule[6]:
        if type(result.value) is not dict or name not in result.value:
            return NO_VALUE
        result.value = result.value[name]
    if rule[0] == MERGE and type(output) is not dict:
        return NOT_AN_OBJECT
    if rule[0] in (AVERAGE, WEIGHTED, SUM, RANK) and millionths(result.value) is None:
        return NOT_NUMERIC
    return None


def share_of(whole, share):
    return -(-whole * share // MILLION)


def is_enough(rule, results, slots):
    """Whether nobody else is waited for (AGG-11)."""
    return suffices(rule, sum(judge(rule, result) is None for result in results), slots)


def suffices(rule, valid, slots):
    """Whether so many valid results are as many as are waited for (AGG-11)."""
    return valid >= max(slots if rule[1] == 1 else 0, needed(rule, slots))


def needed(rule, slots):
    """The fewest valid results that are made one (AGG-2)."""
    quorum = share_of(slots, rule.get(2, MILLION))
    return max({1: 1, 2: quorum, 3: slots // 2 + 1, 4: 1}[rule[1]], rule[4], 1)


def aggregate(rule, results):
    """The output. Sets each result's part in it, also where there is none. Outputs are in lists of
    one, so that null is one as well."""
    for result in results:
        result.part = judge(rule, result) or CONTRIBUTED
    valid = [result for result in results if result.part == CONTRIBUTED]
    if len(valid) < needed(rule, len(results)):
        shapes = [result.part for result in results if result.part in ENDINGS]
        ending = ENDINGS[shapes[0]] if shapes else TOO_FEW_RESULTS
        raise NotOne(ending, f"{len(valid)} valid results")
    return STRATEGIES[rule[0]](rule, valid, len(results))


def by_one(chosen, valid):
    for result in valid:
        result.part = CONTRIBUTED if same(result.value, chosen.value) else DISSENTED
    return chosen.output[0]


def groups(valid):
    """Results that say the same; the largest group first, then the one with the smallest slot."""
    found = []
    for result in valid:
        for group in found:
            if same(group[0].value, result.value):
                group.append(result)
                break
        else:
            found.append([result])
    return sorted(found, key=lambda group: (-len(group), group[0].slot))


def agreed(valid, whole, share, ending):
    first, *others = groups(valid)
    alone = not others or len(others[0]) < len(first)
    if not alone or len(first) < share_of(whole, share):
        raise NotOne(ending, f"{len(first)} of {whole} agree")
    return by_one(first[0], valid)


def counted(rule, valid, _):
    """AGG-7 and AGG-8."""
    numbers = [millionths(result.value) for result in valid]
    if rule[0] == SUM:
        total = sum(numbers)
    else:
        shares = [result.confidence if rule[0] == WEIGHTED else 1 for result in valid]
        if sum(shares) == 0:
            raise NotOne(NO_WEIGHT, "no weight")
        weighted = sum(share * one for share, one in zip(shares, numbers))
        total = round(Fraction(weighted, sum(shares)))
    if abs(total) > MOST:
        raise NotOne(TOO_LARGE, "a sum past 2^53 - 1")
    output = [json.loads(json.dumps(valid[0].output[0]))]
    place, name = output, 0
    for step in rule[6]:
        place, name = place[name], step
    place[name] = number(total)
    return output[0]


def merged(_, valid, __):
    """AGG-10."""
    into = {}
    for result in valid:
        if not add_members(into, json.loads(json.dumps(result.output[0]))):
            result.part = DISSENTED
    return into


def add_members(into, members):
    agreed_on = True
    for name, value in members.items():
        if name not in into:
            into[name] = value
        elif type(into[name]) is dict and type(value) is dict:
            agreed_on &= add_members(into[name], value)
        elif type(into[name]) is list and type(value) is list:
            for item in value:
                if not any(same(known, item) for known in into[name]):
                    into[name].append(item)
        else:
            agreed_on &= same(into[name], value)
    return agreed_on


def for_loop(result):
    confidence = number(result.confidence)
    return {"slot": result.slot, "confidence": confidence, "output": result.output[0]}


STRATEGIES = {
    MERGE: merged,
    SELECT: lambda rule, valid, _: by_one(valid[0], valid),
    CONSENSUS: lambda rule, valid, _: agreed(valid, len(valid), rule.get(3, MILLION), NO_CONSENSUS),
    QUORUM: lambda rule, valid, slots: agreed(valid, slots, rule.get(2, MILLION), NO_QUORUM),
    VOTE: lambda rule, valid, _: by_one(groups(valid)[0][0], valid),
    AVERAGE: counted,
    WEIGHTED: counted,
    SUM: counted,
    RANK: lambda rule, valid, _: [
        it.output[0] for it in sorted(valid, key=lambda it: (-millionths(it.value), it.slot))
    ],
    FIRST_VALID: lambda rule, valid, _: by_one(min(valid, key=lambda it: it.arrival), valid),
    CONFIDENT: lambda rule, valid, _: by_one(
        min(valid, key=lambda it: (-it.confidence, it.slot)), valid
    ),
    COLLECT: lambda rule, valid, _: [it.output[0] for it in valid],
    LOOP: lambda rule, valid, _: [for_loop(it) for it in valid],
}
