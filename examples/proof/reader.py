"""Reads an electrocardiogram: notes under which key it works, then gives an opinion. With `--stuck` it
never gets so far."""

import json
import os
import pathlib
import sys
import time

by, folder = sys.argv[1], pathlib.Path(sys.argv[2])
call = json.load(sys.stdin)
key = os.environ["REALM_IDEMPOTENCY_KEY"]
with (folder / "begun").open("a") as begun:
    print(by, key, call["patient"], file=begun)
if "--stuck" in sys.argv:
    time.sleep(3600)
# The side effect: one report for one key, whoever writes it.
with (folder / "reports").open("a") as reports:
    print(by, key, file=reports)
json.dump({"opinion": "no sign of ischaemia", "by": by}, sys.stdout)
