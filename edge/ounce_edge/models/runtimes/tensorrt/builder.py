"""The process that builds one engine: started by `engines`, talks to it in lines of JSON.

Arguments: flavour, path of the model, path to write the engine to, best and most items of a batch.
The folder of the model is of this build alone.
"""

import json
import os
import shutil
import sys
from functools import partial
from pathlib import Path

from ounce_schemas.errors import OunceError

from ounce_edge.models.runtimes.tensorrt.batch_profile import BatchProfile
from ounce_edge.models.runtimes.tensorrt.building import build_engine
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour, find_tensorrt
from ounce_edge.models.runtimes.tensorrt.parent import end_with_parent


def main() -> None:
    """Build, and say how far it is or why not."""
    flavour, model, engine, best, most = sys.argv[1:]
    end_with_parent(partial(shutil.rmtree, Path(model).parent, ignore_errors=True))

    def tell(phase: str, share: float) -> None:
        print(json.dumps({"phase": phase, "share": share}), flush=True)

    try:
        profile = BatchProfile(int(best), int(most))
        tensorrt = find_tensorrt(Flavour(flavour))
        # The parser looks here for weights in other files, which no digest covers: there are none.
        os.chdir(Path(model).parent)
        built = build_engine(tensorrt, Path(model).read_bytes(), profile, tell)
        Path(engine).write_bytes(built)
    except OunceError as e:
        print(json.dumps({"refused": str(e)}), flush=True)
    except OSError as e:
        print(
            json.dumps({"refused": f"its engine can't be written: {e.strerror or e}"}), flush=True
        )


if __name__ == "__main__":
    main()
