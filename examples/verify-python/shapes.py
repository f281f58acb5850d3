"""Types of the protocol's documents. A shape takes a decoded value, checks it, and gives it back."""

import re

import cbor
from refused import require

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
LOOP_ID = re.compile(r"[A-Za-z0-9_\-/:.]{1,128}")


def uint(value):
    require(type(value) is int and value >= 0, "not an unsigned integer")
    return value


def bstr(value):
    require(type(value) is bytes, "not a byte string")
    return value


def text(value):
    require(type(value) is str, "not text")
    return value


def boolean(value):
    require(type(value) is bool, "not a boolean")
    return value


def size(count):
    def shape(value):
        require(len(bstr(value)) == count, f"not {count} bytes")
        return value

    return shape


def one_of(*numbers):
    def shape(value):
        require(uint(value) in numbers, "a number without a meaning")
        return value

    return shape


def items(of):
    def shape(value):
        require(type(value) is list, "not an array")
        return [of(item) for item in value]

    return shape


def label(value):
    require(LABEL.fullmatch(text(value)), "not a label")
    return value


def path(value):
    labels = text(value).split("/") if value else []
    require(len(labels) <= 8 and len(value) <= 255, "a path that is too long")
    for part in labels:
        label(part)
    return value


def loop_id(value):
    require(LOOP_ID.fullmatch(text(value)), "not a loop id")
    return value


def loop_pattern(value):
    """A loop id, or how ids begin with `*` behind it."""
    if value != "*":
        loop_id(value[:-1] if text(value).endswith("*") else value)
    return value


def record(fields, optional=None):
    """A map with these keys; a reader ignores others from 64 on (CBOR-9, CBOR-10)."""
    optional = optional or {}

    def shape(value):
        require(type(value) is dict, "not a map")
        for key in value:
            known = key in fields or key in optional
            require(known or key >= 64, f"key {key} is not known in this version")
        for key in fields:
            require(key in value, f"key {key} is missing")
        known = fields | optional
        return {key: known[key](item) for key, item in value.items() if key in known}

    return shape


class Signed:
    """A record as it was signed (REC-1 to REC-7)."""

    def __init__(self, payload, signatures, shape):
        self.payload = payload
        self.signatures = signatures
        self.shape = shape

    def read(self):
        return self.shape(cbor.decode(self.payload))


def signed(shape, tags=1):
    def read(value):
        require(type(value) is list and 1 <= len(value) <= 1 + tags, "not a signed record")
        payload, *signatures = value
        require(len(bstr(payload)) <= 16_384, "a record that is too long")
        return Signed(payload, [size(64)(it) for it in signatures], shape)

    return read


digest = public_key = size(32)
time = ms = uint
amount = record({0: text, 1: uint})
budget = record({}, {0: amount, 1: uint, 2: uint})
