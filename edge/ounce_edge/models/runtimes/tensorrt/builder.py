"""The process that builds one engine: started by `engines`, talks to it in lines of JSON.

Arguments: flavour, path of the model, path to write the engine to, best and most items of a batch.
"""

import json
import os
import sys
from pathlib import Path

from ounce_schemas.errors import OunceError

from ounce_edge.models.runtimes.tensorrt.batch_profile import BatchProfile
from ounce_edge.models.runtimes.tensorrt.building import build_engine
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour, find_tensorrt


def main() -> None:
    """Build, and say how far it is or why not."""
    flavour, model, engine, best, most = sys.argv[1:]

    def tell(phase: str, share: float) -> None:
        print(json.dumps({"phase": phase, "share": share}), flush=True)

    try:
        profile = BatchProfile(int(best), int(most))
        tensorrt = find_tensorrt(Flavour(flavour))
        # The parser looks here for weights in other files, which no digest covers: there are none.
        os.chdir(Path(model).parent)
        built = build_engine(tensorrt, Path(model).read_bytes(), profile, tell)
    except OunceError as e:
        print(json.dumps({"refused": str(e)}), flush=True)
        return
    Path(engine).write_bytes(built)


if __name__ == "__main__":
    main()
