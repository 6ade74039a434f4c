"""Show that an environment with the `edge` extra alone serves, and holds no training library.

Usage: python -m scripts.check_edge_install EDGE_ENVIRONMENT

Runs in the development environment, which trains one model and starts a Kafka; the worker is the
one of EDGE_ENVIRONMENT.
"""

import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import msgspec
import numpy as np
from confluent_kafka import Consumer, Producer
from ounce_schemas.documents import TEST_SPLIT_FILE
from ounce_schemas.prediction import Prediction
from ounce_schemas.request import (
    CONTENT_TYPE_RAW,
    HEADER_CONTENT_TYPE,
    HEADER_ID,
    HEADER_MIN_ACCURACY,
    HEADER_SOURCE,
)
from ounce_schemas.topics import predictions_topic, requests_topic

from tests.support.apache_kafka import ApacheKafka
from tests.support.child import Child, free_port

TASK = "digits"
MODEL = "logistic-regression"
TRAINING_LIBRARIES = ("torch", "sklearn", "skl2onnx", "onnx")
TIMEOUT_S = 60


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


def wait_until_ready(worker: Child, port: int) -> None:
    """Return once the worker says that it serves."""
    deadline = time.monotonic() + TIMEOUT_S
    while worker.running and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.1)
    raise SystemExit(f"the worker is not ready; the end of its log:\n{worker.log_tail()}")


def ask(servers: str, pixels: bytes) -> Prediction:
    """Send one request with raw pixels; return the prediction that has its id."""
    producer = Producer({"bootstrap.servers": servers})
    headers: list[tuple[str, str | bytes | None]] = [
        (HEADER_ID, "first"),
        (HEADER_SOURCE, "check"),
        (HEADER_CONTENT_TYPE, CONTENT_TYPE_RAW),
        (HEADER_MIN_ACCURACY, "0.5"),
    ]
    producer.produce(requests_topic(TASK), pixels, key="device-1", headers=headers)
    if producer.flush(TIMEOUT_S):
        raise SystemExit(f"the request was not delivered in {TIMEOUT_S} s")
    consumer = Consumer(
        {"bootstrap.servers": servers, "group.id": "check", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([predictions_topic(TASK)])
    try:
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            message = consumer.poll(1)
            if message is not None and message.error() is None and message.value() is not None:
                return msgspec.json.decode(message.value() or b"", type=Prediction)
    finally:
        consumer.close()
    raise SystemExit(f"no prediction came in {TIMEOUT_S} s")


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
        port = free_port()
        worker = Child(
            [
                edge / "bin" / "ounce",
                "worker",
                f"--task={TASK}",
                f"--kafka={servers}",
                f"--models={models}",
                f"--metrics-port={port}",
            ],
            log=folder / "worker.log",
        )
        try:
            wait_until_ready(worker, port)
            prediction = ask(servers, pixels)
        finally:
            exit_code = worker.stop()
    label = next(output.data[0] for output in prediction.outputs if output.name == "label")
    if (prediction.id, prediction.model_name, label) != ("first", MODEL, str(target)):
        raise SystemExit(f"expected {MODEL} to answer {target} to 'first', got {prediction}")
    if exit_code != 0:
        raise SystemExit(f"the worker ended with {exit_code}:\n{worker.log_tail()}")
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
