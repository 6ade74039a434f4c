"""Models are put in service on a real Kafka, under load: each request is answered once."""

import shutil
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.support.kafka.topics import OwnTopics
from tests.support.process.load import load, read_until, rename
from tests.support.process.worker import Device, Worker

pytestmark = pytest.mark.kafka


def copy_slowly(source: Path, folder: Path) -> None:
    folder.mkdir()
    content = (source / "model.onnx").read_bytes()
    with (folder / "model.onnx").open("wb") as file:
        for start in range(0, len(content), len(content) // 6 + 1):
            file.write(content[start : start + len(content) // 6 + 1])
            file.flush()
            time.sleep(0.1)
    shutil.copy(source / "card.json", folder)
    rename(folder, folder.name)


@pytest.mark.parametrize("delivery", ["at-least-once", "exactly-once"])
def test_a_model_that_is_copied_in_serves_without_a_restart(
    kafka: str,
    topics: OwnTopics,
    digits_models: Path,
    device: Device,
    tmp_path: Path,
    consumer_group: str,
    delivery: str,
) -> None:
    topics.of_task("digits", partitions=2)
    folder = tmp_path / "models" / "digits"
    shutil.copytree(digits_models / "digits", folder)
    with np.load(folder / "test-split.npz") as arrays:
        values = [row.tobytes() for row in arrays["input"].astype("<f4")]
    options = [f"--group={consumer_group}", f"--delivery={delivery}", "--models-watch-s=0.2"]
    catalogues: list[str] = []
    with Worker(kafka, folder.parent, tmp_path / "log", options) as worker:
        with load(device, values) as sent:
            device.read(50)
            copy_slowly(folder / "mlp", folder / "second-mlp")
            bad = folder / "bad"
            shutil.copytree(folder / "mlp", bad)
            rename(bad, "bad")
            (bad / "model.onnx").write_bytes(b"not a model")

            def others_serve() -> bool:
                catalogues[:] = [a.parameters.catalogue_version for a in device.answers()]
                return len(set(catalogues)) > 1 and catalogues[-1] != catalogues[0]

            read_until(device, others_serve, "the new model does not serve")
            read_until(
                device,
                lambda: 'ounce_models_refused{task="digits"} 1.0' in worker.get("/metrics")[1],
                "the bad model is not refused",
            )
        device.read(sent[0])
        log = worker.child.log.read_text()
        assert worker.child.stop() == 0
    device.read_rest()
    ids = Counter(answer.id for answer in device.answers())
    assert ids == {str(i): 1 for i in range(sent[0])}
    assert device.dead_letters == []
    assert "event=models-changed task=digits" in log
    assert "new: second-mlp" in log
    assert "event=model-refused task=digits subject=bad" in log
