"""Describes a DNA sequence: its length, how much of it is G or C, and its other strand."""

import json
import sys

call = json.load(sys.stdin)
dna = call["sequence"]
strong = dna.count("G") + dna.count("C")
answer = {
    "length": len(dna),
    "gc": round(strong / len(dna), 3),
    "reverseComplement": dna[::-1].translate(str.maketrans("ACGT", "TGCA")),
}
json.dump(answer, sys.stdout)
