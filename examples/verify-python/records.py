"""Records, who signed them, and chains that prove which node stands for which realm."""

import hashlib

import cbor
from ed25519 import has_signed
from refused import Refused, require
from shapes import (
    boolean, bstr, budget, digest, items, label, loop_id, loop_pattern, one_of, path, public_key, record,
    signed, size, text, uint,
)

SKEW_MS = 5 * 60 * 1_000
OUTLIVES_MS = 90 * 24 * 60 * 60 * 1_000 + SKEW_MS
MESSAGE, ISSUE = 1, 2

admission = record({0: items(path), 1: uint, 2: uint})

scope = record({0: digest, 1: path})
action = record(
    {0: digest, 1: size(16), 2: size(16), 3: text, 7: digest},
    {4: text, 5: digest, 6: digest, 9: scope},
)

#: By name: the keys, and the tags of the signatures in order.
RECORDS = {
    "Inception": (record({0: public_key, 1: digest, 2: uint}), ["inception"]),
    "Succession": (
        record({0: digest, 1: uint, 2: digest, 3: public_key, 4: digest, 5: one_of(1, 2), 6: uint}),
        ["succession"],
    ),
    "NodeCert": (
        record({0: uint, 1: digest, 2: digest, 3: uint, 4: uint, 5: uint, 6: uint}),
        ["node-cert"],
    ),
    "KemRecord": (
        record({0: digest, 1: digest, 2: public_key, 3: one_of(1, 2), 4: uint, 5: uint}),
        ["kem"],
    ),
    "RealmRecord": (record({0: digest, 1: uint, 2: digest, 3: uint}), ["realm"]),
    "ChildCert": (
        record({
            0: uint, 1: digest, 2: label, 3: digest, 4: uint, 5: uint, 6: digest, 7: digest,
            8: record({0: uint, 1: uint, 2: boolean}), 9: uint,
        }),
        ["child-cert", "child-cert-accept"],
    ),
    "Peering": (
        record({
            0: uint, 1: digest, 2: digest, 3: admission, 4: admission, 5: uint, 6: uint, 7: digest, 8: digest,
        }),
        ["peering", "peering-accept"],
    ),
    "RevocationList": (
        record({0: digest, 1: uint, 2: items(uint), 3: uint, 4: digest}),
        ["revocations"],
    ),
    "PolicyRecord": (
        record(
            {0: digest, 1: uint, 2: text, 3: items(record({0: label, 1: digest})), 4: uint, 5: digest},
            {6: digest},
        ),
        ["policy"],
    ),
    "Approval": (
        record(
            {0: size(16), 1: action, 2: one_of(1, 2), 3: text, 4: items(one_of(1, 2, 3, 4)), 6: uint,
             7: uint, 8: digest},
            {5: text},
        ),
        ["approval"],
    ),
    "Grant": (
        record(
            {0: size(16), 1: digest, 2: digest, 3: digest, 4: items(loop_pattern), 7: uint, 8: uint},
            {5: uint, 6: budget, 9: digest, 10: loop_id, 11: size(16)},
        ),
        ["grant"],
    ),
    "TracePass": (record({0: size(16), 1: scope, 2: uint}), ["trace-pass"]),
}


def signed_record(name):
    shape, tags = RECORDS[name]
    return signed(shape, len(tags))


chain = record({
    0: items(record(
        {0: signed_record("Inception"), 1: items(signed_record("Succession")),
         2: signed_record("NodeCert")},
        {3: signed_record("ChildCert")},
    )),
    1: items(signed_record("KemRecord")),
    2: signed_record("RealmRecord"),
})


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def verify(it, tags, keys):
    """Reads a record if these keys have signed it under these tags (REC-3, REC-5, REC-9)."""
    require(len(it.signatures) == len(tags) == len(keys), "a signature is missing or superfluous")
    for signature, tag, key in zip(it.signatures, tags, keys):
        message = b"realm/1/" + tag.encode() + b"\0" + it.payload
        require(has_signed(key, message, signature), "a signature does not verify")
    return it.read()


def verify_record(it, name, *keys):
    return verify(it, RECORDS[name][1], keys)


def history(inception, successions):
    """A realm's id, its keys by epoch, when each began, and before which epoch they are void."""
    first = inception.read()
    verify_record(inception, "Inception", first[0])
    realm = before = sha256(inception.payload)
    keys, began, committed, void = [first[0]], [first[2]], first[1], 0
    require(len(successions) <= 32, "too many successions")
    for number, succession in enumerate(successions, 1):
        read = succession.read()
        require(read[1] == number, "successions out of order")
        require(read[0] == realm, "a succession of another realm")
        require(read[2] == before, "a succession that follows another record")
        require(sha256(read[3]) == committed, "a key that was not committed to")
        verify_record(succession, "Succession", read[3])
        before, committed = sha256(succession.payload), read[4]
        keys.append(read[3])
        began.append(read[6])
        void = number if read[5] == 2 else void
    return realm, keys, began, void


class Proven:
    """What a chain proves: a realm, where it stands, and the node that signs for it."""

    def __init__(self, root, realm, path, node, scopes):
        self.root, self.realm, self.path = root, realm, path
        self.node, self.scopes = node, scopes

    def is_at(self, place):
        return (self.root, self.path, self.realm) == (place[0], place[1], place.get(2))


def verify_chain(encoded, now, root=None):
    """Checks a chain at a time for a reader outside its tree (CHAIN-1 to CHAIN-13)."""
    require(len(encoded) <= 32_768, "a chain that is too long")
    read = chain(cbor.decode(encoded))
    require(1 <= len(read[0]) <= 9, "a chain of no realms, or of too many")
    labels, above = [], None
    for link in read[0]:
        realm, cert = verify_node(link, now)
        if above is None:
            require(3 not in link, "a root with a parent")
            root = root or realm
            require(realm == root, "another root")
            may_certify = True
        else:
            require(3 in link, "a child without a certificate")
            child = verify_child(link[3], above, (realm, cert), now)
            require(may_certify, "a realm above may not certify children")
            may_certify = child[8][2]
            labels.append(child[2])
        above = (realm, cert)
    realm, cert = above
    node, scopes = cert[2], cert[3]
    proven = verify_record(read[2], "RealmRecord", node)
    require((proven[0], proven[2]) == (realm, node), "a realm record of another realm or node")
    require(scopes & ISSUE, "the node may not sign a realm record")
    require(len(read[1]) <= 8, "too many KEM records")
    for kem in read[1]:
        key = verify_record(kem, "KemRecord", node)
        require((key[0], key[1]) == (realm, node), "a KEM record of another realm or node")
        require(scopes & MESSAGE, "the node may not sign KEM records")
    return Proven(root, realm, path("/".join(labels)), node, scopes)


def verify_node(link, now):
    """The realm of a link and its node certificate."""
    realm, keys, began, void = history(link[0], link[1])
    claimed = link[2].read()
    epoch = claimed[6]
    require(epoch < len(keys), "a certificate of an epoch that the chain does not prove")
    require(epoch >= void, "a certificate by a key that was declared compromised")
    cert = verify_record(link[2], "NodeCert", keys[epoch])
    require(cert[1] == realm, "a node certificate of another realm")
    if epoch + 1 < len(keys):
        require(cert[5] <= began[epoch + 1] + OUTLIVES_MS, "a certificate that outlives its key")
    current(cert[4], cert[5], now)
    return realm, cert


def verify_child(it, above, below, now):
    (parent, parent_cert), (child, child_cert) = above, below
    cert = verify_record(it, "ChildCert", parent_cert[2], child_cert[2])
    require((cert[1], cert[3]) == (parent, child), "a child certificate of other realms")
    nodes = (parent_cert[2], child_cert[2])
    require((cert[6], cert[7]) == nodes, "a child certificate of other nodes")
    require(parent_cert[3] & child_cert[3] & ISSUE, "a node may not sign certificates")
    current(cert[4], cert[5], now)
    return cert


def current(not_before, not_after, now):
    require(now + SKEW_MS >= not_before, "a certificate that is not valid yet")
    require(now < not_after, "an expired certificate")


class Chains:
    """The chains of everybody in a file."""

    def __init__(self):
        self.proven = []

    def prove(self, encoded, now):
        self.proven.append(verify_chain(encoded, now))

    def check(self, it, tag, place, anywhere=False):
        """Reads a record if a node that may sign for the realm at that place has signed it."""
        concerned = [
            known for known in self.proven
            if known.is_at(place) or anywhere and known.realm == place.get(2)
        ]
        require(concerned, "no chain proves its realm")
        for known in concerned:
            if known.scopes & MESSAGE:
                try:
                    return verify(it, [tag], [known.node])
                except Refused:
                    continue
        raise Refused("the signature is not by the realm's node")
