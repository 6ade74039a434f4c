"""Processes in place of the one that builds engines. The first argument says what happens."""

import json
import os
import shutil
import signal
import sys
import time
from functools import partial
from pathlib import Path

from ounce_edge.models.runtimes.tensorrt.parent import end_with_parent

FLAVOUR, MODEL, ENGINE, BEST, MOST = sys.argv[1:]
BEHAVIOUR = Path(MODEL).read_text()

print("a line of TensorRT's own")
print("[1, 2]")
print(json.dumps({"phase": "building", "share": 0.5}), flush=True)
if BEHAVIOUR == "crash":
    os.kill(os.getpid(), signal.SIGSEGV)
elif BEHAVIOUR == "fail":
    sys.exit("no room " + "x" * 200_000 + " at the end")
elif BEHAVIOUR == "watch":
    end_with_parent(partial(shutil.rmtree, Path(MODEL).parent))
    print(json.dumps({"phase": str(os.getpid()), "share": 0.6}), flush=True)
    time.sleep(600)
elif BEHAVIOUR == "hang":
    time.sleep(600)
elif BEHAVIOUR == "refuse":
    print(json.dumps({"refused": "operator Strange: not known"}))
else:
    Path(ENGINE).write_text(f"engine of {BEHAVIOUR} for {BEST}/{MOST} by {FLAVOUR}")
