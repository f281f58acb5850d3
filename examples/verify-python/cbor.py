"""The one form of CBOR that the protocol has: rules CBOR-1 to CBOR-16."""

from refused import Refused, require

DEPTH = 32
ITEMS = 4_096
KEYS = 256


def decode(document):
    """Reads a document into int, bytes, str, list, dict, bool and None."""
    reader = _Reader(document)
    value = reader.item(1)
    require(reader.at == len(document), "bytes after the document")
    return value


class _Reader:
    def __init__(self, document):
        self.document = document
        self.at = 0
        self.items = 0

    def take(self, count):
        taken = self.document[self.at : self.at + count]
        require(len(taken) == count, "the document ends inside an item")
        self.at += count
        return taken

    def argument(self, info):
        """The number beside the type: a value, a length or a count, in its shortest form."""
        if info < 24:
            return info
        require(info < 28, "a length that is not definite")
        size = 1 << (info - 24)
        number = int.from_bytes(self.take(size), "big")
        least = 24 if size == 1 else 1 << (4 * size)
        require(number >= least, "a number that is not in its shortest form")
        return number

    def item(self, depth):
        self.items += 1
        require(depth <= DEPTH, "nested too deep")
        require(self.items <= ITEMS, "too many items")
        first = self.take(1)[0]
        kind, info = first >> 5, first & 31
        if kind == 7:
            simple = {20: False, 21: True, 22: None}
            require(info in simple, "a float, or a simple value of another kind")
            return simple[info]
        require(kind != 6, "a tag")
        number = self.argument(info)
        if kind == 0:
            return number
        if kind == 1:
            return -1 - number
        if kind == 2:
            return self.take(number)
        if kind == 3:
            try:
                return self.take(number).decode("utf-8")
            except UnicodeDecodeError:
                raise Refused("text that is not UTF-8") from None
        if kind == 4:
            return [self.item(depth + 1) for _ in range(self.bounded(number))]
        return self.map(self.bounded(number), depth)

    def bounded(self, count):
        require(count <= len(self.document) - self.at, "the document ends inside an item")
        return count

    def map(self, count, depth):
        require(count <= KEYS, "too many keys in a map")
        read, last = {}, -1
        for _ in range(count):
            key = self.item(depth + 1)
            require(type(key) is int and key >= 0, "a key that is no unsigned integer")
            require(key > last, "keys that do not ascend")
            last = key
            read[key] = self.item(depth + 1)
        return read
