"""Says where a text is: search.py TEXT KIND=WHERE..., where KIND is `memory` (of a process), `disk` (a
folder) or `wire` (a file). Prints a line for each; exit code 1 if the text was found anywhere."""

import pathlib
import sys

CHUNK = 1 << 22


def memory(pid: str):
    """The pieces of a process's memory that can be read."""
    with open(f"/proc/{pid}/maps") as maps:
        ranges = [line.split() for line in maps]
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in ranges:
            start, end = (int(at, 16) for at in line[0].split("-"))
            if not line[1].startswith("r") or line[-1] in ("[vvar]", "[vsyscall]"):
                continue
            while start < end:
                try:
                    mem.seek(start)
                    piece = mem.read(min(CHUNK, end - start))
                except (OSError, ValueError, OverflowError):
                    break
                if not piece:
                    break
                yield piece
                start += len(piece)


def files(folder: str):
    """The pieces of every file below a folder."""
    below = pathlib.Path(folder)
    for path in [below] if below.is_file() else sorted(below.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                while piece := file.read(CHUNK):
                    yield piece


def count(pieces, text: bytes):
    """How many bytes there are, and how often the text is in them, also where it spans two pieces."""
    size, found, tail = 0, 0, b""
    for piece in pieces:
        size += len(piece)
        joined = tail + piece
        found += joined.count(text)
        tail = joined[-(len(text) - 1) :]
    return size, found


def main() -> int:
    text, anywhere = sys.argv[1].encode(), False
    for where in sys.argv[2:]:
        kind, _, place = where.partition("=")
        size, found = count(memory(place) if kind == "memory" else files(place), text)
        if size == 0:
            print(f"{kind} {place}: nothing to search", file=sys.stderr)
            return 2
        print(f"{kind}: {size:,} bytes, found {found} times")
        anywhere |= found > 0
    return int(anywhere)


sys.exit(main())
