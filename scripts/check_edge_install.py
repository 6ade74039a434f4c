"""Show that an environment with the `edge` extra alone serves, and holds no training library.

Usage: python -m scripts.check_edge_install EDGE_ENVIRONMENT

Runs in the development environment, which trains one model and starts a Kafka; the worker is the
one of EDGE_ENVIRONMENT.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from ounce_schemas.documents import TEST_SPLIT_FILE
from ounce_schemas.request import HEADER_ID, HEADER_MIN_ACCURACY

from tests.support.kafka.apache_kafka import ApacheKafka
from tests.support.process.worker import Device, Worker

TASK = "digits"
MODEL = "logistic-regression"
TRAINING_LIBRARIES = ("torch", "sklearn", "skl2onnx", "onnx")


def check_absent(python: Path) -> None:
    """Fail if the environment can import a training library."""
    script = (
        "import importlib.util, sys; "
        "sys.exit(', '.join(n for n in sys.argv[1:] if importlib.util.find_spec(n)) or 0)"
    )
    found = subprocess.run(
        [python, "-c", script, *TRAINING_LIBRARIES], capture_output=True, text=True
    )
    if found.returncode != 0:
        raise SystemExit(f"the edge environment can import {found.stderr.strip()}")
    print(f"absent, as they should be: {', '.join(TRAINING_LIBRARIES)}")


def check_serving(edge: Path, folder: Path) -> None:
    """Train one model here, serve one message with the edge environment's worker."""
    ounce = Path(sys.executable).with_name("ounce")
    models = folder / "models"
    subprocess.run([ounce, "train", TASK, "--only", MODEL, "--models", models], check=True)
    with np.load(models / TASK / TEST_SPLIT_FILE) as split:
        pixels, target = split["input"][0].astype("<f4").tobytes(), int(split["targets"][0])
    with ApacheKafka() as kafka:
        servers = kafka.bootstrap_servers
        subprocess.run([ounce, "topics", TASK, "--kafka", servers], check=True)
        device = Device(servers)
        log = folder / "worker.log"
        with Worker(servers, models, log, ounce=edge / "bin" / "ounce") as worker:
            device.send(pixels, [(HEADER_ID, b"first"), (HEADER_MIN_ACCURACY, b"0.5")])
            device.flush()
            device.read(1)
            exit_code = worker.child.stop()
        device.close()
    [prediction] = device.answers()
    label = next(output.data[0] for output in prediction.outputs if output.name == "label")
    if (prediction.id, prediction.model_name, label) != ("first", MODEL, str(target)):
        raise SystemExit(f"expected {MODEL} to answer {target} to 'first', got {prediction}")
    if exit_code != 0:
        raise SystemExit(f"the worker ended with {exit_code}:\n{worker.child.log_tail()}")
    print(f"served one message: {prediction.model_name} says {label}, as it should")


def main() -> None:
    """Check the environment named on the command line."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    edge = Path(sys.argv[1]).absolute()
    check_absent(edge / "bin" / "python")
    with tempfile.TemporaryDirectory(prefix="ounce-edge-install-") as folder:
        check_serving(edge, Path(folder))


if __name__ == "__main__":
    main()
