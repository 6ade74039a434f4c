"""The process that builds one engine: started by `engines`, talks to it in lines of JSON. All that
TensorRT says of errors goes to its standard error.

Arguments: flavour, numbers of the open files of the model and for the engine, best and most items
of a batch.
"""

import json
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from ounce_schemas.errors import OunceError, RuntimeAbsentError

from ounce_edge.models.runtimes.parent import end_with_parent
from ounce_edge.models.runtimes.tensorrt.batch_profile import BatchProfile
from ounce_edge.models.runtimes.tensorrt.building import BuildFailedError, build_engine
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour, find_tensorrt


def main() -> None:
    """Build, and say how far it is, what was built, or why nothing was."""
    flavour, model, engine, best, most = sys.argv[1:]
    end_with_parent()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        profile = BatchProfile(int(best), int(most))
        tensorrt = find_tensorrt(Flavour(flavour))
        with os.fdopen(int(model), "rb") as file:
            content = file.read()
        _leave_folders()
        built = build_engine(
            tensorrt, content, profile, lambda phase, share: _tell(phase=phase, share=share)
        )
        with os.fdopen(int(engine), "wb") as file:
            file.write(built.engine)
        _tell(most=built.most)
    except (BuildFailedError, RuntimeAbsentError) as e:
        _tell(failed=str(e))
    except OunceError as e:
        _tell(refused=str(e))
    except OSError as e:
        _tell(failed=f"its files can't be written: {e.strerror or e}")


def _leave_folders() -> None:
    """Work in a folder that is gone: in its own the parser would look for weights in other files,
    which no digest covers."""
    folder = tempfile.mkdtemp(prefix="ounce-engine-")
    os.chdir(folder)
    Path(folder).rmdir()


def _tell(**said: Any) -> None:
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
