"""Releases a patient: notes who, in the file that is named."""

import json
import sys

call = json.load(sys.stdin)
with open(sys.argv[1], "a") as released:
    print(call["patient"], file=released)
json.dump({}, sys.stdout)
