"""Processes in place of the one that builds engines. The first argument says what happens."""

import ctypes
import json
import os
import signal
import sys
import time

from ounce_edge.models.runtimes.parent import end_with_parent

FLAVOUR, MODEL, ENGINE, BEST, MOST = sys.argv[1:]
with os.fdopen(int(MODEL), encoding="utf-8") as file:
    BEHAVIOUR = file.read()

print("a line of TensorRT's own")
print("[1, 2]")
print(json.dumps({"phase": "building", "share": 0.5}), flush=True)
if BEHAVIOUR == "crash":
    os.kill(os.getpid(), signal.SIGSEGV)
elif BEHAVIOUR == "end":
    os.kill(os.getpid(), signal.SIGKILL)
elif BEHAVIOUR == "full":
    print(json.dumps({"failed": "its files can't be written: No space left on device"}))
elif BEHAVIOUR == "fail":
    sys.exit("no room " + "x" * 200_000 + " at the end")
elif BEHAVIOUR == "watch":
    end_with_parent()
    print(json.dumps({"phase": str(os.getpid()), "share": 0.6}), flush=True)
    ctypes.PyDLL(None).sleep(600)  # in C, and no other thread of Python runs
elif BEHAVIOUR == "hang":
    time.sleep(600)
elif BEHAVIOUR == "refuse":
    print(json.dumps({"refused": "operator Strange: not known"}))
else:
    with os.fdopen(int(ENGINE), "w", encoding="utf-8") as file:
        file.write(f"engine of {BEHAVIOUR} for {BEST}/{MOST} by {FLAVOUR}")
    print(json.dumps({"most": 1 if BEHAVIOUR == "large" else int(MOST)}))
